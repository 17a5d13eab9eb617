"""python-dtype: what it must not touch, and what it only presumes."""

import pytest

from tests.rules.texts import findings, rewritten, source
from tsrefactor.rules.python_dtype import PythonDtype

HEAD = """\
import numpy as np
import torch
from torch import nn


class Model(nn.Module):
    def forward(self, x, n: int, kind, y: torch.Tensor):
"""


def file(tmp_path, *lines):
    return source(tmp_path / "m.py", HEAD + "".join(f"        {line}\n" for line in lines))


@pytest.mark.parametrize(
    ("before", "wanted", "presumed"),
    [
        ("torch.zeros(n, dtype=int)", "torch.zeros(n, dtype=torch.int64)", False),
        ("y.to(float, non_blocking=True)", "y.to(torch.float64, non_blocking=True)", False),
        ("y.new_ones(n, dtype=bool)", "y.new_ones(n, dtype=torch.bool)", False),
        ("x.to(int)", "x.to(torch.int64)", True),
    ],
)
def test_forms(tmp_path, before, wanted, presumed):
    assert f"return {wanted}\n" in rewritten(PythonDtype(), file(tmp_path, f"return {before}"))
    assert [f.presumed for f in findings(PythonDtype(), file(tmp_path, f"return {before}"))] == [presumed]


@pytest.mark.parametrize(
    "lines",
    [
        ["return np.zeros(n, dtype=int)"],
        ["return torch.zeros(n, dtype=torch.float)"],
        ["return torch.zeros(n, dtype=kind)"],
        ["float = torch.float16", "return torch.zeros(n, dtype=float)"],
        ["return self.to(float)"],
        ["return n.to(int)"],
    ],
)
def test_left_alone(tmp_path, lines):
    assert findings(PythonDtype(), file(tmp_path, *lines)) == []
