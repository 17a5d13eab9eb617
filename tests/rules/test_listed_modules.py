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
        ("return self.both[0](x)", LIST + "        self.both[0] = self.b\n", "it is changed"),
        ("return self.both[0](x)", LIST + "        turned(self.both)\n", "it is changed, or passed on"),
        ("return self.both[0](x)", LIST + "\n    def short(self):\n        self.both.pop()\n", "it is changed"),
        ("return self.both[0](x)\n\n\ndef cut(m):\n    m.both.pop()\n", LIST, "it is changed"),
        ("return self.both[0](x)", LIST.replace("self.both", "both = self.both"), "may be another one later"),
        ("for i, m in enumerate(self.both):\n    x = m(x) * i.real\nreturn x", LIST, "or short loop"),
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


def test_a_parent_that_reads_the_lists_of_several_heirs(tmp_path):
    base = "class Base(nn.Module):\n    def forward(self, x):\n        return self.both[0](x)\n\n\n"
    text = HEAD.replace("class Model(nn.Module)", base + "class Model(Base)") + LIST
    other = "\n\nclass Other(Base):\n    def __init__(self):\n        super().__init__()\n"
    text += other + "        self.both = nn.ModuleList([nn.Linear(4, 4)])\n"
    [finding] = findings(ListedModules(), source(tmp_path / "model.py", text))
    assert not finding.fixable and "of its other heirs" in finding.message


def test_private_names_in_an_heir(tmp_path):
    text = HEAD.replace("self.b", "self.__b") + LIST.replace("self.b]", "self.__b]")
    text += "\n\nclass Heir(Model):\n    def forward(self, x):\n        return self.both[1](x)\n"
    [finding] = findings(ListedModules(), source(tmp_path / "model.py", text))
    assert not finding.fixable and "only `Model` knows the names" in finding.message


def test_a_list_that_init_only_goes_over(tmp_path):
    init = LIST + "        for m in self.both:\n            nn.init.zeros_(m.bias)\n"
    text = rewritten(ListedModules(), source(tmp_path / "model.py", model("return self.both[0](x)", init)))
    assert text.rstrip().endswith("return self.a(x)")


def test_comments_of_a_loop_stay(tmp_path):
    body = "for m in self.both:  # {each}\n    # in place\n    x = m(x)  # once\nreturn x"
    text = rewritten(ListedModules(), source(tmp_path / "model.py", model(body)))
    lines = [line.strip() for line in text.splitlines()[-6:]]
    assert lines == ["# {each}", "# in place", "# once", "x = self.a(x)", "x = self.b(x)", "return x"]
