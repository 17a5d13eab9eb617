"""gradient-keyword: which calls lose the keyword."""

import pytest

from tests.rules.texts import diagnosis, findings, rewritten, source
from tsrefactor.rules.gradient_keyword import GradientKeyword

BODY = """\
import numpy as np
import torch
from torch import nn


class Model(nn.Module):
    def forward(self, x: torch.Tensor, y, flag: bool):
        return {}
"""


@pytest.mark.parametrize(
    ("before", "wanted"),
    [
        ("torch.rand(3, 4, requires_grad=False)", "torch.rand(3, 4)"),
        ("torch.full((2,), 1.0, requires_grad=True, device=x.device)",
         "torch.full((2,), 1.0, device=x.device).requires_grad_()"),
        ("x.new_zeros(3, requires_grad=False)", "x.new_zeros(3)"),
    ],
)  # fmt: skip
def test_dropped(tmp_path, before, wanted):
    assert f"return {wanted}\n" in rewritten(GradientKeyword(), source(tmp_path / "model.py", BODY.format(before)))


@pytest.mark.parametrize(
    "code",
    [
        "torch.tensor(1.0, requires_grad=False)",
        "torch.zeros(3, requires_grad=flag)",
        "torch.zeros(3, out=x, requires_grad=False)",
        "torch.zeros(3,  # three\n requires_grad=False)",
        "nn.Parameter(x, requires_grad=False)",
        "y.values.new_zeros(3, requires_grad=False)",
    ],
)
def test_left_alone(tmp_path, code):
    assert findings(GradientKeyword(), source(tmp_path / "model.py", BODY.format(code))) == []


def test_what_the_compiler_complains_of_is_a_tensor(tmp_path):
    file = source(tmp_path / "model.py", BODY.format("y.values.new_zeros(3, requires_grad=False)"))
    [finding] = findings(GradientKeyword(), file, diagnosis(file, "arguments-not-valid", "y.values.new_zeros("))
    assert finding.fixable and not finding.presumed
