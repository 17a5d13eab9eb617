import pytest

from tests.rules.texts import findings, rewritten, source
from tsrefactor.facts.observations import ClassObservations, Observations
from tsrefactor.facts.types import NONE
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
MADE = "\n    def made(self):\n        return nn.Parameter(torch.ones(1))\n"
STATE = """
    def state(self, n: int):
        w = next(self.parameters()).data
        return w.new(n, 4).zero_(), w.new_zeros(n)
"""


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
        {"init": "self.norm = nn.BatchNorm2d(4, 1e-5, 0.1, False)"},
        {"init": "self.norm = nn.LayerNorm(4, 1e-5, False)"},
        {"init": "self.norm = nn.LayerNorm(*layer)"},
        {"init": "self.h = nn.Parameter(torch.ones(1)) if wide else None"},
        {"init": "self.a = nn.Linear(4, 4)\nself.h = layer"},
        {"init": "self.a = nn.Linear(4, 4)\nself.h = make_parameter()"},
        {"init": "self.a = nn.Linear(4, 4)\nself.h = self.made()", "rest": MADE},
        {"rest": "\n    def set(self, layer):\n        self.h = layer\n"},
        {"rest": "\n\ndef cut(model):\n    model.fc = nn.Identity()\n"},
        {"rest": "\n    def more(self):\n        self.h = nn.Parameter(torch.ones(1))\n"},
        {"rest": "\n\nclass More(Model):\n    def __init__(self):\n        self.h = nn.Parameter(torch.ones(1))\n"},
    ],
)
def test_is_not_known(given, tmp_path):
    advice = findings(FirstParameter(), made(tmp_path, **given))
    assert len(advice) == 1 and not advice[0].fixable


@pytest.mark.parametrize(
    "init",
    [
        "self.width = layer\nself.a = nn.Linear(self.width, 4)",
        "self.width = layer.width\nself.a = nn.Linear(layer.width, 4)",
        "self.state0 = self.state(2)\nself.a = nn.Linear(4, 4)",
        "self.half = layer // 2\nself.a = nn.Linear(4, 4)",
    ],
)
def test_sizes_and_states_are_no_parameters(init, tmp_path):
    assert "return self.a.weight\n" in rewritten(FirstParameter(), made(tmp_path, init, rest=STATE))


@pytest.mark.parametrize("made_by", ["layer", "getattr(nn, layer)(4, 4)"])
def test_what_is_called_is_no_parameter(made_by, tmp_path):
    call = "\n    def apply(self, x):\n        return self.layer(x)\n"
    init = f"self.a = nn.Linear(4, 4)\nself.layer = {made_by}"
    assert "return self.a.weight\n" in rewritten(FirstParameter(), made(tmp_path, init, rest=call))


def test_what_one_instance_held_says_nothing_of_the_others(tmp_path):
    file = made(tmp_path, "self.layer = layer")
    seen = ClassObservations(
        str(file.path), "Model", 1, attributes={"layer": NONE}, children={"fc": {"torch.nn.Linear"}}
    )
    observations = Observations(classes={(str(file.path), "Model"): seen})
    assert [f.fixable for f in findings(FirstParameter(), file, observations=observations)] == [False]


@pytest.mark.parametrize("value", ["next(self.items)", "next(self.parameters(False))", "next(self.parameters(), None)"])
def test_lookalikes(value, tmp_path):
    assert findings(FirstParameter(), made(tmp_path, value=value + "  # .parameters()")) == []
