"""final-attribute: further forms, and what it refuses."""

import pytest

from tests.rules.more_examples.final_attribute import HEAD, MORE
from tests.rules.proof import prove
from tests.rules.texts import diagnosis, findings, rewritten, source
from tsrefactor.rules.final_attribute import FinalAttribute

MODEL = (
    "class Model(nn.Module):\n    def __init__(self, mode: str = 'a', n: int = 1):\n        super().__init__()\n"
    "        self.mode = mode\n        self.n = n\n        self.act = torch.relu\n\n"
    "    def forward(self, x):\n        if {test}:\n            return x\n        return x, x\n"
)


def found(tmp_path, test, more=""):
    file = source(tmp_path / "model.py", HEAD + MODEL.format(test=test) + more)
    return findings(FinalAttribute(), file, diagnosis(file, "mixed-return", "return x, x"))


@pytest.mark.parametrize("example", MORE.values(), ids=MORE)
def test_more_examples(example, tmp_path):
    prove(FinalAttribute(), example, tmp_path)


@pytest.mark.parametrize(
    ("test", "after", "flag"),
    [
        ("self.mode != 'a b'", "not self.mode_is_a_b", "mode_is_a_b = self.mode == 'a b'"),
        ("2 < self.n", "self.n_above_2", "n_above_2 = self.n > 2"),
        ("self.n >= -1", "self.n_at_least_minus_1", "n_at_least_minus_1 = self.n >= -1"),
        ("self.mode not in ['a', '']", "not self.mode_is_a_or_empty", "mode_is_a_or_empty = self.mode in ['a', '']"),
        ("x.dim() == 2 and self.n", "self.has_n and x.dim() == 2", "has_n = bool(self.n)"),
        ("self.act(x) and self.n", "self.act(x) and self.has_n", "has_n = bool(self.n)"),
    ],
)
def test_names_and_places_of_flags(tmp_path, test, after, flag):
    file = source(tmp_path / "model.py", HEAD + MODEL.format(test=test))
    text = rewritten(FinalAttribute(), file, diagnosis(file, "mixed-return", "return x, x"))
    assert f"        if {after}:\n" in text
    assert f"        self.{flag}\n" in text
    assert f"    {flag.partition(' ')[0]}: Final[bool]\n" in text


def test_an_existing_flag_is_used_again(tmp_path):
    file = source(tmp_path / "model.py", HEAD + MODEL.format(test="self.n > 1"))
    once = rewritten(FinalAttribute(), file, diagnosis(file, "mixed-return", "return x, x"))
    more = "\n    def other(self, x):\n        return x if self.n > 1 else [x]\n"
    file = source(tmp_path / "model.py", once + more)
    twice = rewritten(FinalAttribute(), file, diagnosis(file, "branch-type", "x if self.n"))
    assert twice == once + more.replace("self.n > 1", "self.n_above_1")


@pytest.mark.parametrize(
    ("test", "more"),
    [
        ("self.training == True", ""),
        ("x.size(0) > self.n", ""),
        ("self.act == torch.relu", ""),
        ("self.mode == 'a'", "\n    def switch(self):\n        self.mode = 'b'\n"),
        ("self.mode == 'a'", "\n\nmodel = Model()\nmodel.mode = 'b'\n"),
        (
            "self.mode == 'a'",
            "\n\nclass Other(Model):\n    def __init__(self):\n        super().__init__()\n        self.mode = 'b'\n",
        ),
        (f"self.mode == '{'a' * 40}'", ""),
    ],
)
def test_refuses_what_may_change_or_is_no_plain_value(tmp_path, test, more):
    assert found(tmp_path, test, more) == []


def test_a_diagnosis_of_another_kind_leaves_the_first_word_to_other_rules(tmp_path):
    file = source(tmp_path / "model.py", HEAD + MODEL.format(test="self.n > 1"))
    [finding] = findings(FinalAttribute(), file, diagnosis(file, "unpack-value", "return x, x"))
    assert finding.edits
    assert finding.answers is None
