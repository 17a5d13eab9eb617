"""flag-and: its forms, and what stays."""

import pytest

from tests.rules.texts import diagnosis, findings, rewritten, source
from tsrefactor.rules.flag_and import FlagAnd

TEXT = """\
from typing import Final

from torch import nn


class Model(nn.Module):
    flag: Final[bool]

    def __init__(self, flag: bool, size: int):
        super().__init__()
        self.flag = flag
        self.size = size
        self.late = flag

    def forward(self, x, y: bool = False):
        if {test}:
            x = x + 1
        return x

    def reset(self, late: bool):
        self.late = late
"""


def given(tmp_path, test):
    file = source(tmp_path / "m.py", TEXT.replace("{test}", test))
    return file, diagnosis(file, "missing-attribute", "x.bad", attribute="bad")


@pytest.mark.parametrize(
    ("test", "made"),
    [
        ("self.flag and x.bad", "(x.bad if self.flag else False)"),
        ("not self.flag and x.bad", "(False if self.flag else x.bad)"),
        ("self.flag or x.bad", "(True if self.flag else x.bad)"),
        ("not self.flag or x.bad", "(x.bad if self.flag else True)"),
        ("y and self.flag and x.bad > 1 and y", "y and (x.bad > 1 and y if self.flag else False)"),
        ("y or not (self.flag and x.bad)", "y or not (x.bad if self.flag else False)"),
    ],
)
def test_forms(test, made, tmp_path):
    assert rewritten(FlagAnd(), *given(tmp_path, test)) == TEXT.replace("{test}", made)


@pytest.mark.parametrize(
    "test",
    ["x.bad and self.flag", "self.size and x.bad", "self.late and x.bad", "self.training and x.bad",
     "y and x.bad", "x.bad", "self.flag == True and x.bad"],
)  # fmt: skip
def test_what_stays(test, tmp_path):
    assert findings(FlagAnd(), *given(tmp_path, test)) == []
