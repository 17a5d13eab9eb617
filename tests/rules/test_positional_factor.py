"""positional-factor: the old forms, and calls that only look like them."""

import pytest

from tests.rules.texts import findings, rewritten, source
from tsrefactor.rules.positional_factor import PositionalFactor

BODY = """\
import torch
from torch import nn


class Model(nn.Module):
    def forward(self, x: torch.Tensor, y: torch.Tensor, pattern, k: float, out):
        return {}
"""


@pytest.mark.parametrize(
    ("before", "wanted"),
    [
        ("torch.addmm(1, x, x, y)", "torch.addmm(x, x, y, beta=1)"),
        ("torch.addmm(1, x, k, x, y)", "torch.addmm(x, x, y, beta=1, alpha=k)"),
        ("x.addmv(2, y, y[0])", "x.addmv(y, y[0], beta=2)"),
        ("x.addcdiv_(k, x, y)", "x.addcdiv_(x, y, value=k)"),
        ("torch.sub(x, -1, y, out=out)", "torch.sub(x, y, alpha=-1, out=out)"),
        ("x.add_(k, y)", "x.add_(y, alpha=k)"),
    ],
)
def test_named(tmp_path, before, wanted):
    assert f"return {wanted}\n" in rewritten(PositionalFactor(), source(tmp_path / "model.py", BODY.format(before)))


@pytest.mark.parametrize(
    "code",
    [
        "torch.addmm(x, x, y)",
        "x.addmm(x, y, beta=1)",
        "pattern.sub(2, y)",
        "pattern.add(x, y)",
        "x.sub(y, alpha=2)",
        "x.add(y)",
        "self.addmm(1, 2, x, y)",
        "torch.addmm(*out)",
    ],
)
def test_left_alone(tmp_path, code):
    assert findings(PositionalFactor(), source(tmp_path / "model.py", BODY.format(code))) == []
