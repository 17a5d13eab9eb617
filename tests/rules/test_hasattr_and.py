"""hasattr-and: its forms, and what stays."""

import pytest

from tests.rules.texts import diagnosis, findings, rewritten, source
from tsrefactor.rules.hasattr_and import HasattrAnd

TEXT = """\
from torch import nn


class Model(nn.Module):
    def forward(self, x, y: bool = False):
        if {test}:
            x = x + 1
        return x
"""


def given(tmp_path, test):
    file = source(tmp_path / "m.py", TEXT.replace("{test}", test))
    return file, diagnosis(file, "missing-attribute", "self.a", attribute="a")


@pytest.mark.parametrize(
    ("test", "made"),
    [
        ("hasattr(self, 'a') and self.a", "(self.a if hasattr(self, 'a') else False)"),
        ("hasattr(self, 'a') and self.a or y", "(self.a if hasattr(self, 'a') else False) or y"),
        ("y and hasattr(self, 'a') and self.a > 1", "y and (self.a > 1 if hasattr(self, 'a') else False)"),
        ("hasattr(self, 'a') and y and self.a", "(y and self.a if hasattr(self, 'a') else False)"),
        ("not hasattr(self, 'a') or self.a is None", "(self.a is None if hasattr(self, 'a') else True)"),
    ],
)
def test_forms(test, made, tmp_path):
    assert rewritten(HasattrAnd(), *given(tmp_path, test)) == TEXT.replace("{test}", made)


@pytest.mark.parametrize(
    "test",
    ["self.a and hasattr(self, 'a')", "hasattr(self, 'b') and self.a", "hasattr(x, 'a') and self.a",
     "hasattr(self, 'a') or self.a", "not hasattr(self, 'a') and self.a", "self.a"],
)  # fmt: skip
def test_what_stays(test, tmp_path):
    assert findings(HasattrAnd(), *given(tmp_path, test)) == []
