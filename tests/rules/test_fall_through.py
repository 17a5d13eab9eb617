"""fall-through: further forms, and what it refuses."""

import pytest

from tests.rules.more_examples.fall_through import HEAD, MORE
from tests.rules.proof import prove
from tests.rules.texts import diagnosis, findings, source
from tsrefactor.facts.observations import FunctionObservations, Observations
from tsrefactor.facts.types import TENSOR, UNKNOWN, optional
from tsrefactor.rules.fall_through import FallThrough

BRANCH = "not-defined-in-branch"


def found(tmp_path, body, at, kind=BRANCH, **names):
    file = source(tmp_path / "model.py", HEAD + body)
    return findings(FallThrough(), file, diagnosis(file, kind, at, **names))


@pytest.mark.parametrize("example", MORE.values(), ids=MORE)
def test_more_examples(example, tmp_path):
    prove(FallThrough(), example, tmp_path)


def test_a_path_that_never_reads_the_variable_does_not_raise(tmp_path):
    body = (
        "    def forward(self, x, n: int):\n        if n == 1:\n            y = x\n        if n == 2:\n"
        "            return x\n        return y\n"
    )
    [finding] = found(tmp_path, body, "if n == 1", variable="y")
    assert "start it as None" in finding.message


@pytest.mark.parametrize(
    ("use", "reason"),
    [
        ("return y if n == 1 else x", "not always evaluated"),
        ("return x if n == 2 or y.sum() > 0 else y", "not always evaluated"),
        ("f = lambda: y\n        return x", "a nested function reads"),
        ("try:\n            x = y\n        except NameError:\n            pass\n        return x", "in a `try`"),
        ("while n < 5 and y.sum() < n:\n            n = n + 1\n        return x", "a `while` tests"),
    ],
)
def test_refuses_reads_that_no_assertion_can_precede(tmp_path, use, reason):
    body = f"    def forward(self, x, n: int):\n        if n == 1:\n            y = x\n        {use}\n"
    [finding] = found(tmp_path, body, "if n == 1", variable="y")
    assert not finding.edits
    assert reason in finding.message


def test_leaves_conditions_to_final_flags(tmp_path):
    body = (
        "    def __init__(self, mode: str, wide: bool):\n        super().__init__()\n"
        "        self.mode, self.n = mode, 1\n        self.mode = mode\n        self.wide = wide\n\n"
        "    def forward(self, x):\n        if {test}:\n            y = x\n        if x.sum() > 0:\n"
        "            x = x + y\n        return x\n"
    )
    for test in ("self.wide", "not self.wide"):
        assert found(tmp_path, body.format(test=test), f"if {test}", variable="y") == []
    for test in ("x.dim() > 1", "self.training and self.wide", "not self.wide or x is None"):
        [finding] = found(tmp_path, body.format(test=test), f"if {test}", variable="y")
        assert finding.edits


def test_a_function_that_never_returns_a_value_is_left_alone(tmp_path):
    body = "    def forward(self, x) -> torch.Tensor:\n        if x.dim() == 1:\n            return\n"
    assert found(tmp_path, body, "def forward", kind="missing-return") == []


REDUCED = """\
import torch


def reduced(x, mode: str){annotation}:
    if mode == 'sum':
        return x.sum()
    elif mode == 'mean':
        return x.mean()
{end}

def handed_on(x):
    return reduced(x, 'sum')


class Model(torch.nn.Module):
    def forward(self, x):
        return {result}
"""


@pytest.mark.parametrize(
    ("result", "annotation", "returns", "end", "raises"),
    [
        ("reduced(x, 'sum') + 1", "", TENSOR, "", True),
        ("handed_on(x) + 1", "", TENSOR, "", True),
        ("reduced(x, 'sum')", "", TENSOR, "", False),  # None is a result like any other
        ("handed_on(x)", "", TENSOR, "", False),
        ("reduced(x, 'sum') + 1", "", optional(TENSOR), "", False),  # a run returned None
        ("reduced(x, 'sum') + 1", "", UNKNOWN, "", False),
        ("reduced(x, 'sum') + 1", " -> torch.Tensor", TENSOR, "", False),  # the compiler will complain
        ("reduced(x, 'sum') + 1", "", TENSOR, "    return x\n", False),
    ],
)
def test_an_implicit_none_that_callers_compute_with(tmp_path, result, annotation, returns, end, raises):
    file = source(tmp_path / "model.py", REDUCED.format(result=result, annotation=annotation, end=end))
    path = str(file.path)
    seen = [
        FunctionObservations(path, name, file.text[: file.text.index(f"def {name.split('.')[-1]}")].count("\n") + 1,
                             calls=1, scripted=True, returns=returned)
        for name, returned in (("reduced", returns), ("handed_on", TENSOR), ("Model.forward", TENSOR))
    ]  # fmt: skip
    observations = Observations({(path, s.qualname, s.line): s for s in seen})
    found = findings(FallThrough(), file, observations=observations)
    assert [f.partial for f in found] == [True] * raises
    assert findings(FallThrough(), file) == []  # nothing without a recording


@pytest.mark.parametrize(
    ("check", "link"),
    [
        ("if mode not in ['a', 'b', 'c']:\n            raise ValueError", "elif self.mode == 'b':"),  # c passes
        ("if mode in ['a', 'b']:\n            raise ValueError", "elif self.mode == 'b':"),
        ("if mode not in ['a', 'b']:\n            print(mode)", "elif self.mode == 'b':"),
        (
            "mode = mode.lower()\n        if mode not in ['a', 'b']:\n            raise ValueError",
            "elif self.mode == 'b':",
        ),
        ("assert mode in ['a', 'b']", "elif self.wide == 'b':"),
        ("assert mode in ['a', 'b']", "elif self.mode > 'b':"),
        ("if wide:\n            return\n        assert mode in ['a', 'b']", "elif self.mode == 'b':"),
        ("assert mode in ['a', 'b']\n        setattr(self, 'mode', wide)", "elif self.mode == 'b':"),
        ("assert mode in ['a', 'b']\n        setattr(self, wide, wide)", "elif self.mode == 'b':"),
        ("assert mode in ['a', 'b']\n        self.__dict__['mode'] = wide", "elif self.mode == 'b':"),
        ("if mode:\n            self.mode = 'd'\n        assert mode in ['a', 'b']", "elif self.mode == 'b':"),
    ],
)
def test_an_end_that_an_instance_may_come_to(tmp_path, check, link):
    text = (
        "    def __init__(self, mode: str, wide: str):\n        super().__init__()\n        self.mode = mode\n"
        f"        self.wide = wide\n        {check}\n\n    def forward(self, x):\n        if self.mode == 'a':\n"
        f"            return x\n        {link}\n            return x + 1\n"
    )
    assert findings(FallThrough(), source(tmp_path / "model.py", HEAD + text)) == []
    again = text.replace(check, "assert mode in ['a', 'b']").replace(link, "elif self.mode in ('b', 'c'):")
    assert len(findings(FallThrough(), source(tmp_path / "model.py", HEAD + again))) == 1
