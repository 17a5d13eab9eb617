"""product-of-sizes: forms, and what it must not touch."""

import pytest

from tests.rules.texts import findings, rewritten, source
from tsrefactor.rules.product_of_sizes import ProductOfSizes

HEAD = """\
import functools
import math
import operator
from typing import List

import numpy as np
import torch
from torch import nn


"""
HELPER = """\
def _product(sizes: List[int]):
    product = 1
    for size in sizes:
        product *= size
    return product


"""
BODY = """\
class Model(nn.Module):
    def forward(self, x: torch.Tensor, sizes: List[int], pair: tuple[int, int], other):
        return {}
"""


def file(tmp_path, expression):
    return source(tmp_path / "m.py", HEAD + BODY.format(expression))


@pytest.mark.parametrize(
    ("before", "wanted"),
    [
        ("np.prod(sizes)", "_product(sizes)"),
        ("int(math.prod(pair))", "_product(pair)"),
        ("x.view(-1, x.size()[1:].numel())", "x.view(-1, _product(x.size()[1:]))"),
        ("np.prod([x.size(0), 3])", "_product([x.size(0), 3])"),
        ("functools.reduce(lambda a, b: a * b, sizes)", "_product(sizes)"),
        ("functools.reduce(operator.mul, x.shape[2:], 1) + np.prod(sizes)", "_product(x.shape[2:]) + _product(sizes)"),
    ],
)
def test_forms(tmp_path, before, wanted):
    assert rewritten(ProductOfSizes(), file(tmp_path, before)) == HEAD + HELPER + BODY.format(wanted)


def test_all_sizes(tmp_path):
    assert "return x.numel()" in rewritten(ProductOfSizes(), file(tmp_path, "int(math.prod(x.size()))"))


@pytest.mark.parametrize(
    "expression",
    [
        "np.prod(other)",
        "np.prod(x)",
        "np.prod(x.shape)",
        "np.prod(sizes, axis=0)",
        "torch.prod(x)",
        "functools.reduce(operator.add, sizes)",
        "functools.reduce(operator.mul, sizes, 2)",
        "functools.reduce(lambda a, b: a * b * 2, sizes)",
        "np.prod([0.5, 2.0])",
        "np.prod(*sizes)",
        "np.prod(sizes).item()",
        "np.prod(sizes).astype(int)",
    ],
)
def test_left_alone(tmp_path, expression):
    assert findings(ProductOfSizes(), file(tmp_path, expression)) == []


@pytest.mark.parametrize(
    ("expression", "presumed"),
    [
        ("np.prod(sizes)", True),
        ("1.0 / np.prod(sizes)", True),
        ("x / np.prod(sizes)", False),
        ("int(np.prod(sizes))", False),
    ],
)
def test_a_number_of_numpy_may_be_more(tmp_path, expression, presumed):
    assert [f.presumed for f in findings(ProductOfSizes(), file(tmp_path, expression))] == [presumed]
