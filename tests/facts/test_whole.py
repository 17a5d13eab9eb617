"""Numbers that are whole for every instance and call."""

import ast

import pytest

from tests.rules.texts import source
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.whole import is_whole
from tsrefactor.source.document import Document

TEXT = """\
from typing import List

import torch
from torch import nn

SIDE = 3
WIDE = 0.5


def half(n):
    return n // 2


def _double(n):
    return n * 2


class Model(nn.Conv2d):
    grid: int

    def __init__(self, factor=2, width=4, windows=(2, 3), kind=True):
        super().__init__(1, 1, 1)
        self.factor, self.width, self.windows = factor, width, windows
        self.layers = nn.ModuleList(nn.Linear(width * 2, 3) for _ in range(3))
        self.sometimes = factor
        if kind:
            self.shuffle = nn.PixelShuffle(factor)
        self.fixed, self.sizes = 3, [4, 5]
        self.rate = 0.5 if kind else 2

    def forward(self, x, n: int, sizes: List[int], k=2, m=2):
        h, w = x.shape[-2:]
        total = 0
        for size in x.size():
            total += size
        rest = h
        while rest > 3:
            rest = rest / 2
        y = x[:, :m]
        return {}, _double(h)
"""


@pytest.mark.parametrize(
    ("number", "whole"),
    [
        ("h * SIDE + len(x) - 1", True), ("total // n", True), ("sizes[0] % w", True), ("max(h, n)", True),
        ("m", True), ("self.grid", True), ("self.width", True), ("self.fixed", True), ("self.sizes[0]", True),
        ("self.stride[0]", True), ("_double(3)", True), ("[s // 2 for s in x.shape][0]", True),
        ("2 if k else n", True), ("int(k)", True), ("x.ndim", True),
        ("k", False), ("rest", False), ("WIDE", False), ("self.factor", False), ("self.sometimes", False),
        ("self.windows[0]", False), ("self.rate", False), ("h / 2", False), ("half(k)", False), ("2 ** -n", False),
        ("self.unknown", False),
    ],
)  # fmt: skip
def test_is_whole(tmp_path, number, whole):
    file = FileFacts(Document(source(tmp_path / "m.py", TEXT.format(number))))
    function = file.class_named("Model").methods["forward"]
    returned = function.of(ast.Return)[0].value
    assert is_whole(function, returned.elts[0]) is whole


def test_what_the_calls_of_the_file_give_may_be_presumed(tmp_path):
    file = FileFacts(Document(source(tmp_path / "m.py", TEXT.format("half(h)"))))
    function = file.function_named("half")
    number = function.of(ast.Return)[0].value
    assert not is_whole(function, number) and is_whole(function, number, presume=True)
