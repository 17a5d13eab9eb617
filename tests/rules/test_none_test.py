"""none-test: further forms, and what it refuses."""

import pytest

from tests.rules.more_examples.none_test import HEAD, MORE
from tests.rules.proof import prove
from tests.rules.texts import diagnosis, findings, source
from tsrefactor.rules.none_test import NoneTest

BLOCK = (
    "class Block(nn.Module):\n    def __init__(self, act=None):\n        super().__init__()\n"
    "        self.act = {value}\n\n    def forward(self, x):\n        if self.act:\n            x = {use}\n"
    "        return x\n"
)


def found(tmp_path, value, use="x + 1", more=""):
    file = source(tmp_path / "model.py", HEAD + more + BLOCK.format(value=value, use=use))
    [finding] = findings(NoneTest(), file, diagnosis(file, "none-to-bool", "self.act:"))
    return finding


@pytest.mark.parametrize("example", MORE.values(), ids=MORE)
def test_more_examples(example, tmp_path):
    prove(NoneTest(), example, tmp_path)


@pytest.mark.parametrize(
    ("value", "template"),
    [
        ("nn.ReLU() if act == 'relu' else None", "{v} is not None"),
        ("nn.Sequential(nn.ReLU(), nn.ReLU()) if act else None", "{v} is not None"),
        ("nn.Sequential(*act)", "len({v}) > 0"),
        ("nn.ModuleList() if act else None", "(len({v}) > 0 if {v} is not None else False)"),
        ("0.5 if act else None", "({v} != 0 if {v} is not None else False)"),
        ("nn.Parameter(torch.zeros(1)) if act else None", "(bool({v}) if {v} is not None else False)"),
    ],
)
def test_asks_for_what_the_class_assigns(tmp_path, value, template):
    finding = found(tmp_path, value)
    assert [e.template for e in finding.edits] == [template]
    assert not finding.presumed and finding.caveat is None


def test_what_is_called_is_presumed_to_be_a_module(tmp_path):
    finding = found(tmp_path, "act", use="self.act(x)")
    assert finding.edits
    assert finding.presumed
    assert finding.caveat is not None and "False" in finding.caveat


@pytest.mark.parametrize(
    ("value", "more"),
    [
        ("act", ""),  # nothing tells
        ("nn.ReLU() if act else False", ""),
        ("Own() if act else None", "class Own(nn.Module):\n    def __len__(self):\n        return 0\n\n\n"),
    ],
)
def test_refuses_what_is_not_told_or_differs(tmp_path, value, more):
    finding = found(tmp_path, value, more=more)
    assert not finding.edits
    assert "nothing tells" in finding.message


def test_a_false_passed_in_the_file_keeps_the_test(tmp_path):
    more = "def build():\n    return Block(act=False)\n\n\n"
    assert not found(tmp_path, "act", use="self.act(x)", more=more).edits


@pytest.mark.parametrize(
    ("given", "template"),
    [("'relu'", "(len({v}) > 0 if {v} is not None else False)"), ("2", "({v} != 0 if {v} is not None else False)")],
)
def test_calls_in_the_file_tell_what_others_pass(tmp_path, given, template):
    more = f"def build():\n    return Block(act={given}), Block(), Block(act=make())\n\n\n"
    finding = found(tmp_path, "act", more=more)
    assert [e.template for e in finding.edits] == [template]
    assert finding.presumed


@pytest.mark.parametrize("value", ["act if act else make()", "act"])
def test_calls_in_the_file_that_tell_too_little(tmp_path, value):
    more = "def build():\n    return Block(act='relu'), Block(act=2)\n\n\n"
    more = more.replace("2", "'tanh'") if value != "act" else more
    assert not found(tmp_path, value, more=more).edits


def test_an_operand_whose_value_counts_is_left_alone(tmp_path):
    text = BLOCK.format(value="None", use="x").replace("if self.act:\n            x = x", "x = self.act and x")
    file = source(tmp_path / "model.py", HEAD + text)
    assert findings(NoneTest(), file, diagnosis(file, "none-to-bool", "self.act and")) == []


@pytest.mark.parametrize(
    "test", ["self.act > 0", "x is not None and self.act > 0", "self.act > 0 and self.act is not None"]
)
def test_a_comparison_by_order_that_none_reaches_is_left_alone(tmp_path, test):
    text = BLOCK.format(value="None", use="x").replace("if self.act:", f"if {test}:")
    file = source(tmp_path / "model.py", HEAD + text)
    assert findings(NoneTest(), file, diagnosis(file, "none-compare", "self.act > 0")) == []


@pytest.mark.parametrize("test", ["self.act == x", "x != self.act", "self.act == self.other"])
@pytest.mark.parametrize("parameter", ["x: int | None", "x=None"])
def test_two_sides_that_may_both_be_none(tmp_path, test, parameter):
    text = BLOCK.format(value="None", use="x").replace("if self.act:", f"if {test}:").replace("x):", f"{parameter}):")
    text = text.replace("self.act = None", "self.act = None\n        self.other = None")
    file = source(tmp_path / "model.py", HEAD + text)
    [advice] = findings(NoneTest(), file, diagnosis(file, "none-compare", test))
    assert not advice.fixable and "both sides may be None" in advice.message
