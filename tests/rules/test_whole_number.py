"""whole-number: which powers and roundings are converted."""

import pytest

from tests.rules.texts import diagnosis, findings, rewritten, source
from tsrefactor.rules.whole_number import WholeNumber

BODY = """\
import torch
from torch import nn


class Model(nn.Module):
    def forward(self, x, n: int, s: float):
        {first}
        return x.view({size}, -1)
"""


def about(tmp_path, first, size):
    file = source(tmp_path / "model.py", BODY.format(first=first, size=size))
    return file, diagnosis(file, "arguments-not-valid", "x.view(", expected="int", found="float")


@pytest.mark.parametrize(
    ("first", "size", "wanted"),
    [
        ("k = 2 ** n", "2 ** n", "int(2 ** n)"),  # eager takes no float for a size either
        ("k = 2", "k * n ** 2", "k * int(n ** 2)"),
        ("k = 2", "round(n * s)", "int(round(n * s))"),
        ("k = 2", "2 ** (x.dim() + 1)", "int(2 ** (x.dim() + 1))"),
    ],
)
def test_converted(tmp_path, first, size, wanted):
    assert f"x.view({wanted}, -1)" in rewritten(WholeNumber(), *about(tmp_path, first, size))


@pytest.mark.parametrize("first", ["k = 2 ** n", "k = 2 ** -1", "k = s ** 2", "k = round(s, 1)", "k = round(x)"])
def test_what_may_be_a_float_in_python_is_left_alone(tmp_path, first):
    assert findings(WholeNumber(), *about(tmp_path, first, "k")) == []


def test_what_is_converted_already_is_left_alone(tmp_path):
    assert findings(WholeNumber(), *about(tmp_path, "k = 2", "int(2 ** n)")) == []
