"""tensor-by-name: what stays as it is."""

import pytest

from tests.rules.texts import findings, rewritten, source
from tsrefactor.rules.tensor_by_name import TensorByName

BODY = """\
import torch
from torch import nn


class Model(nn.Module):
    def __init__(self, depth):
        super().__init__()
        for i in range(depth):
            self.register_buffer(f"scale{{i}}", torch.ones(4))
            self.register_buffer(f"shared{{i}}", SHARED)
            self.register_buffer(f"cast{{i}}", SHARED.float())
            self.register_parameter(f"weight{{i}}", nn.Parameter(torch.ones(4)))
            self.register_buffer(f"either{{i}}", torch.ones(4))
            setattr(self, f"either{{i}}", nn.Linear(4, 4))
            self.register_buffer(f"tied{{i}}", torch.ones(4))
        self.tied1 = self.tied0

    def forward(self, x: torch.Tensor, other, i: int):
        return x * {}
"""


@pytest.mark.parametrize(
    "code",
    [
        'getattr(self, f"weight{i}")',
        'getattr(self, f"either{i}")',
        'getattr(self, f"shared{i}")',
        'getattr(self, f"cast{i}")',
        'getattr(self, f"tied{i}")',
        'getattr(self, f"scale{i}", x)',
        'getattr(other, f"scale{i}")',
        'getattr(self, "scale0")',
        'getattr(self, f"scale_{i}")',
    ],
)
def test_left_alone(tmp_path, code):
    assert findings(TensorByName(), source(tmp_path / "model.py", BODY.format(code))) == []


def test_mended(tmp_path):
    [finding] = findings(TensorByName(), source(tmp_path / "model.py", BODY.format('getattr(self, f"scale{i}")')))
    assert finding.fixable and "_get_scale" in finding.message


def test_a_subclass_looks_elsewhere_by_another_method(tmp_path):
    sub = """

class Sub(Model):
    def __init__(self, depth):
        super().__init__(depth)
        self.other = nn.Module()
        for i in range(depth):
            self.other.register_buffer(f"scale{i}", torch.zeros(4).float())

    def forward(self, x, other, i: int):
        return super().forward(x, other, i) + getattr(self.other, f"scale{i}")
"""
    text = BODY.format('getattr(self, f"scale{i}")') + sub
    text = rewritten(TensorByName(), source(tmp_path / "model.py", text))
    assert 'self._get_scale(f"scale{i}")' in text and 'self._get_scale_2(f"scale{i}")' in text
