"""zip-modules: slices of modules, and what it leaves alone."""

import pytest

from tests.rules.texts import SETTINGS, findings, rewritten, source
from tsrefactor.rewrite import rewrite
from tsrefactor.rules.module_by_index import ModuleByIndex
from tsrefactor.rules.zip_modules import ZipModules
from tsrefactor.source.document import Document

RULE = ZipModules()
HEAD = """\
import torch
from torch import nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.convs = nn.ModuleList([nn.Linear(4, 4) for _ in range(6)])
        self.ends = nn.ModuleList([nn.Linear(4, 4) for _ in range(3)])

"""


def model(*body, parameters="x, xs: list[torch.Tensor]"):
    lines = "".join(f"        {line}\n" for line in body)
    return f"{HEAD}    def forward(self, {parameters}):\n{lines}        return x\n"


def made(tmp_path, text):
    return rewritten(RULE, source(tmp_path / "model.py", text))


def test_slices_of_modules_are_indexed(tmp_path):
    body = (
        "for conv1, conv2, noise, end in zip(self.convs[::2], self.convs[1::2], xs[1::2], self.ends):",
        "    x = conv2(conv1(x), noise)  # twice",
        "    x = end(x)",
    )
    loop = """\
        for i, end in enumerate(self.ends):
            if 2 * i < len(self.convs) and 2 * i + 1 < len(self.convs) and 2 * i + 1 < len(xs):
                noise = xs[2 * i + 1]
                x = self.convs[2 * i + 1](self.convs[2 * i](x), noise)  # twice
                x = end(x)
"""
    assert loop in made(tmp_path, model(*body))


def test_and_module_by_index_finds_them(tmp_path):
    body = ("for conv, end in zip(self.convs[1:], self.ends):", "    x = conv(end(x))")
    file = source(tmp_path / "model.py", model(*body))
    text = rewrite(Document(file), [RULE, ModuleByIndex()], SETTINGS, None, ()).document.text
    assert "        for i, end in enumerate(self.ends):\n            if i + 1 < len(self.convs):\n" in text
    assert "                x = self._call_conv(i + 1, end(x))\n" in text


def test_the_number_of_the_round_is_kept(tmp_path):
    body = ("for k, (end, y) in enumerate(zip(self.ends, xs)):", "    x = end(y) * k")
    after = made(tmp_path, model(*body))
    assert "for k, end in enumerate(self.ends):\n            if k < len(xs):\n                y = xs[k]\n" in after


@pytest.mark.parametrize(
    ("over", "lines"),
    [
        ("range(3)", []),
        ("range(len(self.ends))", []),
        ("range(n)", ["if k < n:"]),
        ("range(2, n)", ["if 2 + i < n:", "    k = 2 + i"]),
        ("reversed(range(3))", ["k = 2 - i"]),
        ("reversed(range(n))", ["if n - 1 - i >= 0:", "    k = n - 1 - i"]),
        ("range(n, 1, -1)", ["if n - i > 1:", "    k = n - i"]),
    ],
)
def test_ranges(over, lines, tmp_path):
    text = model(f"for k, end in zip({over}, self.ends):", "    x = end(x) * k", parameters="x, n: int = 3")
    after = made(tmp_path, text)
    counter = "i" if any("k = " in line for line in lines) else "k"
    block = [f"for {counter}, end in enumerate(self.ends):", *(f"    {line}" for line in lines)]
    block.append("    " * (2 if any("if " in line for line in lines) else 1) + "x = end(x) * k")
    assert "".join(f"        {line}\n" for line in block) in after


@pytest.mark.parametrize("over", ["range(0, n, 2)", "range(*ns)", "reversed(xs)[0]", "range(1 if n else 2)"])
def test_other_ranges_are_left_alone(over, tmp_path):
    text = model(f"for k, end in zip({over}, self.ends):", "    x = end(x) * k", parameters="x, n: int = 3")
    assert not any(f.fixable for f in findings(RULE, source(tmp_path / "model.py", text)))


def test_what_is_left_alone(tmp_path):
    for loop in ("zip(self.ends, self.convs)", "zip(xs, xs)", "zip(self.ends, (x, x, x))"):
        text = model(f"for a, b in {loop}:", "    x = x + 1")
        assert [f.fixable for f in findings(RULE, source(tmp_path / "model.py", text)) if f.fixable] == [], loop


@pytest.mark.parametrize(
    "body",
    [
        ("for end, y in zip(self.ends, xs):", "    if y is x:", "        continue", "    x = end(y)"),
        ("for end, y in zip(self.ends, xs[1:]):", "    xs.append(end(y))"),
        ("for end, y in zip(self.ends, xs[:-1]):", "    x = end(y)"),
        ("for end, y in zip(self.ends, [x, x]):", "    x = end(y)"),
        ("for end, conv in zip(self.ends, self.convs[1:]):", "    x = end(conv(x)) + conv.weight"),
        ("for end, conv in zip(self.ends, self.convs[1:]):", "    x = end(conv(x)) + conv(x, x)"),
    ],
)
def test_advice_only(tmp_path, body):
    assert [f.fixable for f in findings(RULE, source(tmp_path / "model.py", model(*body)))] == [False]


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (["x = torch.cat([end(y) for end, y in zip(self.ends, xs)])"], True),
        (["parts = [x, x, x]", "x = torch.cat([end(y) for end, y in zip(self.ends, parts)])"], False),
        (["parts = [x, x]", "x = torch.cat([end(y) for end, y in zip(self.ends, parts)])"], True),
    ],
)
def test_a_comprehension_tells_of_lists_that_may_be_shorter(tmp_path, lines, told):
    [found] = findings(RULE, source(tmp_path / "model.py", model(*lines)))
    assert found.fixable and (found.caveat is not None) is told
