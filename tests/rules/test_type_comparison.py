"""type-comparison: other forms, and what it must not touch."""

import pytest

from tests.rules.texts import findings, rewritten, source
from tsrefactor.rules.type_comparison import TypeComparison

HEAD = """\
import torch
from torch import nn


class Model(nn.Module):
    def forward(self, x, y: torch.Tensor):
"""


def file(tmp_path, condition):
    return source(tmp_path / "m.py", f"{HEAD}        return 1 if {condition} else 2\n")


@pytest.mark.parametrize(
    ("before", "wanted", "presumed"),
    [
        ("type(x) != int", "not isinstance(x, int)", True),
        ("not type(x) == dict", "not isinstance(x, dict)", True),
        ("type(x) in (list,)", "isinstance(x, list)", True),
        ("type(y) in {list, tuple}", "isinstance(y, (list, tuple))", False),
        ("type(y) is torch.Tensor", "isinstance(y, torch.Tensor)", True),
        ("type(x) is not type(None)", "x is not None", False),
        ("x is None or type(x[0]) is float", "x is None or isinstance(x[0], float)", True),
    ],
)
def test_forms(tmp_path, before, wanted, presumed):
    assert f"return 1 if {wanted} else 2" in rewritten(TypeComparison(), file(tmp_path, before))
    found = findings(TypeComparison(), file(tmp_path, before))
    assert [f.presumed for f in found] == [presumed] and [f.caveat is not None for f in found] == [presumed]


@pytest.mark.parametrize(
    "condition",
    [
        "type(x) == type(y)",
        "type(x) is nn.Linear",
        "x.type() == 'int'",
        "x.type(y) is list",
        "type(x) in KINDS",
        "type(x) in ()",
        "list == type(x) == tuple",
        "not torch.jit.is_scripting() and (False if torch.jit.is_scripting() else type(x) is list)",
    ],
)
def test_left_alone(tmp_path, condition):
    assert findings(TypeComparison(), file(tmp_path, condition)) == []
