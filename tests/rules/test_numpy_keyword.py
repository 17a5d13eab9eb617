"""numpy-keyword: whose arguments are renamed."""

import pytest

from tests.rules.texts import diagnosis, findings, rewritten, source
from tsrefactor.rules.numpy_keyword import NumpyKeyword

BODY = """\
import numpy as np
import torch
from torch import nn


class Model(nn.Module):
    def forward(self, x: torch.Tensor, y):
        return {}
"""


@pytest.mark.parametrize(
    ("before", "wanted"),
    [
        ("torch.stack([x, y], axis=1)", "torch.stack([x, y], dim=1)"),
        ("x.sum(-1, keepdims=True)", "x.sum(-1, keepdim=True)"),
        ("x.sum(axis=0, dtype=torch.float64)", "x.sum(dim=0, dtype=torch.float64)"),
    ],
)
def test_renamed(tmp_path, before, wanted):
    assert f"return {wanted}\n" in rewritten(NumpyKeyword(), source(tmp_path / "model.py", BODY.format(before)))


@pytest.mark.parametrize("code", ["np.sum(x, axis=1)", "self.pool(x, axis=1)", "y.values.sum(axis=1)", "x.sum(dim=1)"])
def test_left_alone(tmp_path, code):
    assert findings(NumpyKeyword(), source(tmp_path / "model.py", BODY.format(code))) == []


def test_what_the_compiler_complains_of_is_a_tensor(tmp_path):
    file = source(tmp_path / "model.py", BODY.format("y.values.sum(axis=1)"))
    about = diagnosis(file, "arguments-not-valid", "y.values.sum(")
    [finding] = findings(NumpyKeyword(), file, about)
    assert finding.fixable and not finding.presumed
