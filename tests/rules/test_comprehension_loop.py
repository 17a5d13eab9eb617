"""comprehension-loop: what it must not touch, and names that others use."""

import pytest

from tests.rules.texts import diagnosis, findings, rewritten, source
from tsrefactor.rules.comprehension_loop import ComprehensionLoop

HEAD = "import torch\nfrom torch import nn\n\n\nclass Model(nn.Module):\n    def forward(self, x, n: int):\n"
BODY = "        xs = [x, x + 1]\n"


def told(file, construct="comprehension-if", at=" for "):
    return diagnosis(file, "unsupported-syntax", at, construct=construct)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("return x if any(y.sum() > 0 for y in xs if y.size(0) > 1) else x + 1", "read to its end"),
        ("return [y for y in xs if y.size(0) > 1] if n > 1 else xs", "not always evaluated"),
        ("return n > 1 and [y for y in xs if y.size(0) > 1]", "not always evaluated"),
        ("return self.first(x), [y for y in xs if y.size(0) > 1]", "called before it"),
        ("return [x for x in xs if x.size(0) > 1]", "`x` is a variable of its own"),
        ("return [[z for z in y if z.sum() > 0] for y in xs]", "stands in another"),
    ],
)
def test_left_alone_with_a_reason(tmp_path, line, why):
    file = source(tmp_path / "model.py", f"{HEAD}{BODY}        {line}\n")
    [finding] = findings(ComprehensionLoop(), file, told(file))
    assert not finding.fixable
    assert why in finding.message


@pytest.mark.parametrize(
    "line", ["return [y + 1 for y in xs]", "return {y for y in xs if y.size(0) > 1}", "return {1: y for y in xs if n}"]
)
def test_others_are_not_its_business(tmp_path, line):
    file = source(tmp_path / "model.py", f"{HEAD}{BODY}        {line}\n")
    assert findings(ComprehensionLoop(), file, told(file)) == []


def test_a_taken_name_and_a_generator(tmp_path):
    text = f"{HEAD}{BODY}        items = 1\n        return sum(y * items for y in xs if y.size(0) > 1)\n"
    file = source(tmp_path / "model.py", text)
    made = rewritten(ComprehensionLoop(), file, told(file))
    assert made.endswith("""\
        items = 1
        items_2 = []
        for y in xs:
            if y.size(0) > 1:
                items_2.append(y * items)
        return sum(items_2)
""")
