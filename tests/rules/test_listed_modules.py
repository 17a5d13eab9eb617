"""listed-modules: what stays."""

import pytest

from tests.rules.texts import findings, rewritten, source
from tsrefactor.rules.listed_modules import ListedModules

HEAD = """\
import torch
from torch import nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(4, 4)
        self.b = nn.Linear(4, 4)
"""
LIST = "        self.both = [self.a, self.b]\n"
FORWARD = "\n    def forward(self, x):\n"


def model(body, init=LIST):
    return HEAD + init + FORWARD + "".join(f"        {line}\n" for line in body.splitlines())


@pytest.mark.parametrize(
    ("body", "init", "reason"),
    [
        ("return self.both[int(x)](x)", LIST, "this use is no plain index or short loop"),
        ("return self.both[2](x)", LIST, "this use is no plain index"),
        ("for m in self.both:\n    if x.sum() > 0:\n        break\n    x = m(x)\nreturn x", LIST, "or short loop"),
        ("for m in self.both:\n    x = m(x)\nreturn m(x)", LIST, "or short loop"),
        ("for m in self.both:\n    m = m(x)\nreturn x", LIST, "or short loop"),
        ("return [m(x) for m in self.both if x.dim()]", LIST, "or short loop"),
        ("return self.both[0](x)", LIST + "        self.both.append(self.a)\n", "it is changed"),
        ("return self.both[0](x)", LIST + "        self.a = nn.Linear(4, 2)\n", "may be another one later"),
        ("return self.both[0](x)", "        if len('a'):\n    " + LIST, "may be another one later"),
    ],
)
def test_what_stays(body, init, reason, tmp_path):
    [finding] = findings(ListedModules(), source(tmp_path / "model.py", model(body, init)))
    assert not finding.fixable and reason in finding.message


@pytest.mark.parametrize(
    ("body", "init"),
    [
        ("return x + self.both[0]", "        self.n = 1\n        self.m = 2\n        self.both = [self.n, self.m]\n"),
        ("return self.a(x)", LIST),
        ("return self.both[0](x)", "        self.both = nn.ModuleList([self.a, self.b])\n"),
    ],
)
def test_lookalikes(body, init, tmp_path):
    assert findings(ListedModules(), source(tmp_path / "model.py", model(body, init))) == []


def test_braces_stay(tmp_path):
    file = source(tmp_path / "model.py", model("return [{'y': m(x)} for m in self.both]"))
    assert rewritten(ListedModules(), file).rstrip().endswith("return [{'y': self.a(x)}, {'y': self.b(x)}]")
