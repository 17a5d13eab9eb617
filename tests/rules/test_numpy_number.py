"""numpy-number: what becomes Python's number, and what it must not touch."""

import pytest

from tests.rules.texts import diagnosis, findings, rewritten, source
from tsrefactor.rules.numpy_number import NumpyNumber

MODEL = """\
import numpy as np
import torch
from torch import nn


class Model(nn.Module):
    def __init__(self, shape, n: int, count=2):
        super().__init__()
        {init}

    def forward(self, x):
        return x * self.size
"""


def about(tmp_path, init, type_="numpy.int64"):
    file = source(tmp_path / "m.py", MODEL.format(init=init.replace("\n", "\n        ")))
    return file, diagnosis(file, "unconvertible-attribute", "self.size\n", attribute="size", type=type_)


@pytest.mark.parametrize(
    ("value", "after", "presumed"),
    [
        ("np.prod(shape) * n", "(np.prod(shape) * n).item()", False),
        ("np.prod(shape) // shape", "(np.prod(shape) // shape).item()", True),
        ("np.array(shape).sum()", "np.array(shape).sum().item()", False),
        ("np.int64(n)", "np.int64(n).item()", False),
        ("np.ceil(n / 2)", "np.ceil(n / 2).item()", False),
        ("np.float64(shape)", "np.float64(shape).item()", True),
        ("np.prod(shape) * count", "(np.prod(shape) * count).item()", True),
        ("np.int64(count + 1)", "np.int64(count + 1).item()", True),
        ("np.sqrt(len(shape))", "np.sqrt(len(shape)).item()", False),
        ("np.sqrt(np.prod(shape))", "np.sqrt(np.prod(shape)).item()", False),
        ("np.ceil(shape)", "np.ceil(shape).item()", True),
    ],
)
def test_numbers(tmp_path, value, after, presumed):
    given = about(tmp_path, f"self.size = {value}")
    assert [f.presumed for f in findings(NumpyNumber(), *given)] == [presumed]
    if not presumed:
        assert f"self.size = {after}\n" in rewritten(NumpyNumber(), *given)


@pytest.mark.parametrize(
    ("init", "after"),
    [
        ("m = np.prod(shape) // n\nself.size = nn.Linear(m, 2)", "m = (np.prod(shape) // n).item()\n"),
        ("self.size = nn.Linear(2, out_features=np.prod(shape))", "out_features=np.prod(shape).item())\n"),
    ],
)
def test_what_a_layer_is_made_with(tmp_path, init, after):
    file, _ = about(tmp_path, init)
    complaint = diagnosis(file, "constant-value", "nn.Linear(", attribute="in_features", type="numpy.int64")
    assert after in rewritten(NumpyNumber(), file, complaint)


def test_32_bits_are_presumed(tmp_path):
    given = about(tmp_path, "self.size = np.float32(n)", "numpy.float32")
    assert [f.presumed for f in findings(NumpyNumber(), *given)] == [True]


@pytest.mark.parametrize(
    "init",
    [
        "self.size = shape",
        "self.size = np.prod(shape, axis=0)",
        "self.size = np.array(shape)",
        "self.size = n * 2",
        "shape = np.prod(shape)\nself.size = shape",
        "self.size = np.int64(n)\nself.kind = self.size.dtype",
        "size = np.int64(n)\nself.size = size\nself.half = size.astype(np.float16)",
    ],
)
def test_left_alone(tmp_path, init):
    assert findings(NumpyNumber(), *about(tmp_path, init)) == []


def test_arrays_are_no_numbers(tmp_path):
    assert findings(NumpyNumber(), *about(tmp_path, "self.size = np.prod(shape)", "numpy.ndarray")) == []
