"""growing-tuple: what stays."""

import pytest

from tests.rules.texts import diagnosis, findings, rewritten, source
from tsrefactor.rules.growing_tuple import GrowingTuple

HEAD = "import torch\n\n\nclass Model(torch.nn.Module):\n    def forward(self, x):\n        outs = ()\n"


@pytest.mark.parametrize(
    "rest",
    [
        "return torch.cat(outs[1:])",
        "y = outs\nreturn torch.cat(y)",
        "outs = outs or (x,)\nreturn torch.cat(outs)",
        "return self.join(outs)",
        "for z in outs:\n    outs += (z,)\nreturn torch.cat(outs)",
        "f = lambda: outs\nreturn f()",
        "for y in x:\n    both = zip(outs, x)\n    outs += (y,)\n    x = x + len(list(both))\nreturn x",
        "rest = (y for y in outs)\nouts += (x,)\nreturn list(rest)",
    ],
)
def test_what_stays(rest, tmp_path):
    lines = "".join(f"        {line}\n" for line in ["for y in x:", "    outs += (y,)", *rest.splitlines()])
    file = source(tmp_path / "model.py", HEAD + lines)
    [finding] = findings(GrowingTuple(), file, diagnosis(file, "reassign-type", "outs +="))
    assert not finding.fixable and "used as more than a list" in finding.message


def test_two_at_once_are_another_matter(tmp_path):
    file = source(
        tmp_path / "model.py", HEAD + "        for y in x:\n            outs += (y, y)\n        return outs\n"
    )
    assert findings(GrowingTuple(), file, diagnosis(file, "reassign-type", "outs +=")) == []


def test_what_is_returned_is_a_tuple_again(tmp_path):
    file = source(
        tmp_path / "model.py", HEAD + "        for y in x:\n            outs += (y,)\n        return x, outs\n"
    )
    text = rewritten(GrowingTuple(), file, diagnosis(file, "reassign-type", "outs +="))
    assert text.endswith("            outs.append(y)\n        return x, tuple(outs)\n")


def test_a_call_of_tuple_starts_it_too(tmp_path):
    head = HEAD.replace("()\n", "tuple()\n")
    file = source(
        tmp_path / "model.py", head + "        for y in x:\n            outs += (y,)\n        return torch.cat(outs)\n"
    )
    text = rewritten(GrowingTuple(), file, diagnosis(file, "builtin-arity", "outs = tuple"))
    assert "outs = []\n" in text and "outs.append(y)\n        return torch.cat(outs)" in text


def test_a_variable_of_the_module_stays(tmp_path):
    text = (
        HEAD.replace("        outs", "        global outs\n        outs")
        + "        for y in x:\n            outs += (y,)\n"
    )
    file = source(tmp_path / "model.py", text)
    [finding] = findings(GrowingTuple(), file, diagnosis(file, "reassign-type", "outs +="))
    assert not finding.fixable
