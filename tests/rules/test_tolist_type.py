"""tolist-type: what the list is said to hold."""

import pytest

from tests.rules.texts import diagnosis, findings, rewritten, source
from tsrefactor.rules.tolist_type import TolistType

BODY = """\
import torch
from torch import nn
from typing import List


class Model(nn.Module):
    def forward(self, x):
        n = {value}
        return n
"""


def about(tmp_path, value):
    file = source(tmp_path / "model.py", BODY.format(value=value))
    return file, diagnosis(file, "type-hint-needed", "tolist")


@pytest.mark.parametrize(
    ("value", "type_", "presumed"),
    [
        ("x.tolist()", "List[int]", True),
        ("x.argmax(1).tolist()", "List[int]", False),
        ("x.softmax(0).cpu().tolist()", "List[float]", False),
    ],
)
def test_type(tmp_path, value, type_, presumed):
    assert f"n = torch.jit.annotate({type_}, {value})" in rewritten(TolistType(), *about(tmp_path, value))
    assert [f.presumed for f in findings(TolistType(), *about(tmp_path, value))] == [presumed]


@pytest.mark.parametrize("value", ["torch.jit.annotate(List[int], x.tolist())", "x.tolist(1)"])
def test_left_alone(tmp_path, value):
    assert findings(TolistType(), *about(tmp_path, value)) == []
