import pytest

from tests.rules.texts import findings, rewritten, source
from tsrefactor.rules.first_parameter import FirstParameter

MODEL = """\
import torch
from torch import nn


class Model({base}):
    def __init__(self, layer, wide=False):
        super().__init__()
{init}
        self.fc = nn.Linear(4, 4)

    def forward(self, x):
        return {value}
"""
FIRST = "next(self.parameters())"


def made(tmp_path, init="pass", value=FIRST, base="nn.Module", rest=""):
    lines = "\n".join(f"        {line}" for line in init.split("\n"))
    return source(tmp_path / "m.py", MODEL.format(base=base, init=lines, value=value) + rest)


@pytest.mark.parametrize(
    ("init", "value", "written"),
    [
        ("self.n = 3", FIRST, "self.fc.weight"),
        ("self.act = nn.ReLU()", f"{FIRST}.device", "self.fc.weight.device"),
        ("assert wide", "next(self.fc.parameters()).is_cuda", "self.fc.weight.is_cuda"),
        ("self.rnn = nn.LSTM(4, 4)", FIRST, "self.rnn.weight_ih_l0"),
        ("self.net = nn.Sequential(nn.Sequential(nn.Conv2d(1, 1, 1)))", FIRST, "self.net[0][0].weight"),
        ("self.net = nn.Sequential(nn.ReLU())", FIRST, "self.fc.weight"),
        ("self.rnn = nn.GRU(4, 4)\nself.h = nn.Parameter(torch.ones(1))", FIRST, "self.h"),
        ("self.a, self.b = nn.Parameter(torch.ones(1)), nn.Parameter(torch.ones(1))", FIRST, "self.a"),
    ],
)
def test_is_written_by_its_name(init, value, written, tmp_path):
    assert f"return {written}\n" in rewritten(FirstParameter(), made(tmp_path, init, value))


@pytest.mark.parametrize(
    "given",
    [
        {"init": "self.layer = layer"},
        {"init": "if wide:\n    self.wide = nn.Linear(4, 4)"},
        {"init": "for i in range(2):\n    self.make(i)"},
        {"init": "self.add_module('first', layer)"},
        {"init": "self.norm = nn.LayerNorm(4, elementwise_affine=wide)"},
        {"init": "self.norm = nn.utils.weight_norm(nn.Linear(4, 4))"},
        {"init": "self.net = nn.Sequential(*layer)"},
        {"init": "if wide:\n    self.h = nn.Parameter(torch.ones(1))"},
        {"base": "Base"},
        {"value": "next(layer.parameters())"},
        {"value": "next(self.act.parameters())", "init": "self.act = nn.ReLU()"},
        {"rest": "\n\ndef cut(model):\n    model.fc = nn.Identity()\n"},
        {"rest": "\n    def more(self):\n        self.h = nn.Parameter(torch.ones(1))\n"},
        {"rest": "\n\nclass More(Model):\n    def __init__(self):\n        self.h = nn.Parameter(torch.ones(1))\n"},
    ],
)
def test_is_not_known(given, tmp_path):
    advice = findings(FirstParameter(), made(tmp_path, **given))
    assert len(advice) == 1 and not advice[0].fixable


@pytest.mark.parametrize("value", ["next(self.items)", "next(self.parameters(False))", "next(self.parameters(), None)"])
def test_lookalikes(value, tmp_path):
    assert findings(FirstParameter(), made(tmp_path, value=value + "  # .parameters()")) == []
