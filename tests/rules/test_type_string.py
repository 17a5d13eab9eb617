"""type-string: what stays."""

import pytest

from tests.rules.texts import findings, rewritten, source
from tsrefactor.rules.type_string import TypeString

TEXT = """\
from typing import Optional

import torch
from torch import nn


class Model(nn.Module):
    def forward(self, x: torch.Tensor, y: torch.Tensor, n: int, like, m: Optional[torch.Tensor]):
        return {value}
"""


@pytest.mark.parametrize(
    "value",
    ["y.type(x.type())", "x.type() == n", "n.type() == x.type()", "x.type() == 'Module'",
     "self.type() == 'torch.FloatTensor'",
     "x.type() in ('torch.FloatTensor',)", "x.type(torch.float) == y", "x[0].type() == y.type()",
     "x.type() == 'torch.sparse.FloatTensor'"],
)  # fmt: skip
def test_what_stays(value, tmp_path):
    assert findings(TypeString(), source(tmp_path / "m.py", TEXT.replace("{value}", value))) == []


@pytest.mark.parametrize(
    ("value", "made"),
    [
        ('x.type() != "torch.cuda.ByteTensor"', 'x.dtype != torch.uint8 or x.device.type != "cuda"'),
        ("m.type() == y.type()", "m.dtype == y.dtype and m.device.type == y.device.type"),
        ("n > 1 or x.type() == y.data.type()", "n > 1 or (x.dtype == y.dtype and x.device.type == y.device.type)"),
    ],
)
def test_forms(value, made, tmp_path):
    after = rewritten(TypeString(), source(tmp_path / "m.py", TEXT.replace("{value}", value)))
    assert after == TEXT.replace("{value}", made)


def test_what_nothing_speaks_for_is_presumed(tmp_path):
    [found] = findings(TypeString(), source(tmp_path / "m.py", TEXT.replace("{value}", "like.type() == x.type()")))
    assert found.presumed
