"""plain-module-list: forms, and what is left alone."""

import pytest

from tests.rules.texts import findings, rewritten, source
from tsrefactor.rules.plain_module_list import PlainModuleList

RULE = PlainModuleList()
HEAD = """\
import torch
from torch import nn


class Model(nn.Module):
    def __init__(self, n: int = 2):
        super().__init__()
"""
LOOP = ("for m in self.layers:", "    x = m(x)", "return x")
REGISTERED = ("for i, m in enumerate(self.layers):", "    self.add_module('layer%d' % i, m)")
CONVS = "self.layers = [nn.Conv1d(4, 4, 1) for _ in range(n)]"


def model(init, body=LOOP):
    lines = "".join(f"        {line}\n" for line in init)
    return f"{HEAD}{lines}\n    def forward(self, x, m=None):\n" + "".join(f"        {line}\n" for line in body)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("self.layers = [nn.ReLU(), nn.Sigmoid()]", "self.layers = nn.ModuleList([nn.ReLU(), nn.Sigmoid()])"),
        ("self.layers = []", "self.layers = nn.ModuleList()"),
    ],
)
def test_layers_without_parameters(before, after, tmp_path):
    more = ("self.layers.append(nn.Sequential(nn.ReLU(), nn.MaxPool1d(2)))",)
    file = source(tmp_path / "model.py", model((before, *more)))
    assert rewritten(RULE, file) == model((after, *more))


@pytest.mark.parametrize(
    ("init", "body"),
    [
        ((CONVS,), LOOP),  # its parameters would be added
        (("self.layers = [nn.Dropout(), nn.ReLU()]",), LOOP),  # the mode would reach it
        (("self.layers = [nn.BatchNorm1d(4)]",), LOOP),
        (("self.layers = [1, 2]",), LOOP),
        (("self.layers = [nn.ReLU()]",), ("return self.layers[0](x)",)),
        (("self.layers = [nn.ReLU()]", "self.layers = [nn.Sigmoid()]"), LOOP),
    ],
)
def test_left_alone(init, body, tmp_path):
    assert findings(RULE, source(tmp_path / "model.py", model(init, body))) == []


@pytest.mark.parametrize(
    "register",
    [
        REGISTERED,
        ("for i, m in enumerate(self.layers):", "    setattr(self, f'layer{i}', m)"),
    ],
)
def test_children_that_share_a_beginning(register, tmp_path):
    after = rewritten(RULE, source(tmp_path / "model.py", model((CONVS, *register))))
    assert "for name, m in self.named_children():\n            if name.startswith('layer'):\n" in after


def test_modules_that_are_registered_as_they_are_made(tmp_path):
    made = (
        "for i in range(n):",
        "    m = nn.Conv1d(4, 4, 1)",
        "    self.layers.append(m)",
        "    self.add_module(str(i), m)",
    )
    after = rewritten(RULE, source(tmp_path / "model.py", model(("self.layers = []", *made))))
    assert "for m in self.children():\n" in after


@pytest.mark.parametrize(
    ("init", "body"),
    [
        ((CONVS, *REGISTERED, "self.layer_norm = nn.LayerNorm(4)"), LOOP),
        ((CONVS, REGISTERED[0], "    self.add_module(str(i), m)", "self.out = nn.Conv1d(4, 4, 1)"), LOOP),
        ((CONVS, *REGISTERED), ("for i, m in enumerate(self.layers):", "    x = m(x) * i", "return x")),
        ((CONVS, *REGISTERED), ("for m in self.layers:", "    y = m(x)", "return y")),
        ((CONVS, *REGISTERED), ("return x + torch.cat([x, *[k(x) for k in self.layers]])",)),
    ],
)
def test_children_that_cannot_be_told_apart_or_uses_that_are_no_loops(init, body, tmp_path):
    found = findings(RULE, source(tmp_path / "model.py", model(init, body)))
    assert [f.fixable for f in found] == [False]
