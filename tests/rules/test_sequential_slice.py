"""sequential-slice: where parts of a Sequential are called, and what is left alone."""

import pytest

from tests.rules.texts import findings, rewritten, source
from tsrefactor.rules.sequential_slice import SequentialSlice

BODY = """\
import torch
from torch import nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.LayerNorm(4), nn.SiLU(), nn.Linear(4, 4))
        self.list = nn.ModuleList([nn.Linear(4, 4)])

    def forward(self, x, n: int):
        {}
        return x
"""


def test_each_call_gets_a_loop(tmp_path):
    text = BODY.format("y = self.layers[:2](x)\n        x = self.layers[-1:](y) + y")
    text = rewritten(SequentialSlice(), source(tmp_path / "m.py", text))
    text = rewritten(SequentialSlice(), source(tmp_path / "m.py", text))
    assert "if i < 2:\n                y = layer(y)\n" in text
    assert "            if j >= len(self.layers) - 1:\n                out = module(out)\n        x = out + y\n" in text


@pytest.mark.parametrize(
    "lines",
    [
        "x = self.layers[n:](x)",
        "x = self.layers[::2](x)",
        "x = self.layers[1:](x, n)",
        "x = x + self.layers[1:](x) if n else x",
        "part = self.layers[1:]\n        x = self.run(part, x)",
        "part = self.layers[1:]\n        x = part(x) + part(x)",
        "part = self.layers[1:]\n        if n:\n            part = self.layers[2:]\n        x = part(x)",
        "part = self.list[1:]\n        x = part[0](x)",
        "x = self.layers[1](x)",
        "a, b = self.layers[0], x\n        x = a(b)",
    ],
)
def test_left_alone(tmp_path, lines):
    assert findings(SequentialSlice(), source(tmp_path / "m.py", BODY.format(lines))) == []
