"""cold-branch: which branch is left out, what it is called, and what is left alone."""

import pytest

from tests.rules.more_examples.cold_branch import MORE
from tests.rules.proof import prove
from tests.rules.texts import diagnosis, findings, source
from tsrefactor.facts.observations import FunctionObservations, Observations
from tsrefactor.rules.cold_branch import ColdBranch

RULE = ColdBranch()


@pytest.mark.parametrize("example", MORE.values(), ids=MORE)
def test_more_examples(example, tmp_path):
    prove(RULE, example, tmp_path)


def found(tmp_path, body, reached, at="self.p", kind="missing-attribute", **names):
    """The findings for a forward whose lines with one of these texts were reached."""
    lines = "".join(f"        {line}\n" for line in body.splitlines())
    file = source(
        tmp_path / "model.py", f"from torch import nn\n\n\nclass Model(nn.Module):\n    def forward(self, x):\n{lines}"
    )
    seen = FunctionObservations(str(file.path), "Model.forward", 5, "")
    seen.lines = {n for n, line in enumerate(file.lines, 1) if any(text in line for text in reached)}
    observations = Observations({(str(file.path), "Model.forward", 5): seen})
    told = diagnosis(file, kind, at, **names)
    return findings(RULE, file, told, observations=observations)


def test_what_runs_reached_is_left_alone(tmp_path):
    body = "if self.flag:\n    x = self.p(x)\nreturn x"
    assert found(tmp_path, body, ["if", "self.p", "return"]) == []
    assert found(tmp_path, "if self.flag: x = self.p(x)\nreturn x", ["if", "return"]) == []


def test_nothing_without_a_recording(tmp_path):
    file = source(tmp_path / "model.py", MORE["a loop that turns never"].before)
    assert findings(RULE, file, diagnosis(file, "missing-attribute", "self.nothing")) == []


def test_the_finding_is_partial_and_answers(tmp_path):
    [finding] = found(tmp_path, "if self.flag:\n    x = self.p(x)\nreturn x", ["if", "return"])
    assert finding.partial and finding.answers is not None and finding.line == 7


def test_syntax_that_is_not_parsed_is_left_alone(tmp_path):
    body = "if self.flag:\n    x = (lambda a: a)(x)\nreturn x"
    assert found(tmp_path, body, ["if", "return"], "(lambda", "unsupported-syntax", construct="lambda") == []
    body = "if self.flag:\n    print(x, end='')\nreturn x"
    assert len(found(tmp_path, body, ["if", "return"], "print", "unsupported-syntax", construct="print")) == 1


def test_the_condition_of_an_elif_is_left_alone(tmp_path):
    body = "if self.flag:\n    x = x * 2\nelif self.p:\n    x = x * 3\nreturn x"
    assert found(tmp_path, body, ["if self.flag", "* 2", "return"]) == []


def test_a_branch_that_is_left_out_already_is_not_left_out_again(tmp_path):
    body = (
        "if self.flag:\n    if x.dim():\n        if torch.jit.is_scripting():\n            raise RuntimeError('')\n"
        "        x = self.p(x)\nreturn x"
    )
    [finding] = found(tmp_path, body, ["if self", "return"])
    assert finding.line == 7  # the branch around it


@pytest.mark.parametrize(
    ("test", "text"),
    [
        ("not self.flag", "`self.flag`"),
        ("self.flag", "`not self.flag`"),
        ("x is None or self.flag", "`not (x is None or self.flag)`"),
        ("self.n < 3", "`self.n >= 3`"),
        ("self.a_very_long_attribute_name + self.another_one > 3", "this path"),
    ],
)
def test_what_the_message_calls_an_else_branch(test, text, tmp_path):
    [finding] = found(
        tmp_path, f"if {test}:\n    x = x * 2\nelse:\n    x = self.p(x)\nreturn x", ["if", "* 2", "return"]
    )
    [edit] = finding.edits
    assert eval(edit.pieces["message"]) == f"Model.forward does not support {text} under TorchScript"
