"""list-of-none: which lists, and what may be in them."""

import pytest

from tests.rules.texts import diagnosis, findings, rewritten, source
from tsrefactor.rules.list_of_none import ListOfNone

MODEL = """\
import torch
from torch import nn


class Model(nn.Module):
    def forward(self, x, n: int):
        {body}
        states[0] = x
        return states
"""


def about(tmp_path, body, found="List[NoneType]"):
    file = source(tmp_path / "m.py", MODEL.format(body=body))
    return file, diagnosis(file, "argument-type", "states[0] =", found=found, expected="Dict[str, t]", argument="l")


@pytest.mark.parametrize(
    ("value", "after"),
    [
        ("n * [None]", "n * torch.jit.annotate(List[Optional[torch.Tensor]], [None])"),
        ("[None, None]", "torch.jit.annotate(List[Optional[torch.Tensor]], [None, None])"),
        ("[None for _ in range(n)]", "torch.jit.annotate(List[Optional[torch.Tensor]], [None for _ in range(n)])"),
    ],
)
def test_lists(tmp_path, value, after):
    assert f"states = {after}\n" in rewritten(ListOfNone(), *about(tmp_path, f"states = {value}"))


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ("states = [None] * n", "List[int]"),
        ("states = [0] * n", "List[NoneType]"),
        ("states = [x, None]", "List[NoneType]"),
        ("states = []", "List[NoneType]"),
        ("states, others = [x], [None]", "List[NoneType]"),
        ("others = [None] * n; states = [x]", "List[NoneType]"),
    ],
)
def test_left_alone(tmp_path, body, found):
    assert findings(ListOfNone(), *about(tmp_path, body, found)) == []
