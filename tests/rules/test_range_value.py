import pytest

from tests.rules.texts import diagnosis, findings, rewritten, source
from tsrefactor.rules.range_value import RangeValue

MODEL = """\
import torch
from torch import nn


class Model(nn.Module):
    def __init__(self, n=2):
        super().__init__()
        self.steps = {held}

    def forward(self, x, other=None):
        if x.dim() == 2:
            steps = {first}
        else:
            steps = range(2)
        {use}
        return x
"""
LOOP = "for i in steps: x = x + i"


def told(tmp_path, first="range(3)", use=LOOP, held="range(3)", kind="undefined-value", at="steps: x", **names):
    file = source(tmp_path / "m.py", MODEL.format(first=first, use=use, held=held))
    return file, diagnosis(file, kind, at, **(names or {"name": "steps"}))


@pytest.mark.parametrize(
    "change",
    [
        {"first": "other"},
        {"first": "[1, 2]"},
        {"use": f"{LOOP}\n        x = self.run(steps)"},
        {"use": f"{LOOP}\n        x = x[steps]"},
        {"use": f"{LOOP}\n        print(steps)"},
        {"use": f"{LOOP}\n        x = steps[:2]"},
        {"use": f"steps = other\n        {LOOP}"},
    ],
)
def test_variables_that_are_left_alone(change, tmp_path):
    assert findings(RangeValue(), *told(tmp_path, **change)) == []


def test_a_range_that_a_branch_gives(tmp_path):
    text = rewritten(RangeValue(), *told(tmp_path))
    assert "steps = list(range(3))\n" in text and "steps = list(range(2))\n" in text
    assert "self.steps = range(3)" in text


@pytest.mark.parametrize(
    ("held", "use", "fits"),
    [
        ("range(3)", "x = x * len(self.steps) if 1 in self.steps else x", True),
        ("range(3) if n else None", "x = x * len(self.steps)", False),
        ("range(3)", "x = other.take(self.steps)", False),
        ("range(3)", "x = other.steps.start", False),
    ],
)
def test_attributes(held, use, fits, tmp_path):
    names = {"attribute": "steps", "type": "range", "module": "Model"}
    made = told(tmp_path, held=held, use=use, kind="unconvertible-attribute", at=use, **names)
    assert [f.fixable for f in findings(RangeValue(), *made)] == [True] * fits
