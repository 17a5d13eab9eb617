"""none-helper: forms of such helpers, and those that do more."""

import pytest

from tests.rules.texts import rewritten, source
from tsrefactor.rules.none_helper import NoneHelper

BODY = """\
import torch
from torch import nn


{helper}


class M(nn.Module):
    def forward(self, x, y=None):
        return {use}
"""


def after(tmp_path, helper, use):
    text = rewritten(NoneHelper(), source(tmp_path / "model.py", BODY.format(helper=helper, use=use)))
    return text.rpartition("return ")[2].strip()


IS_NONE = "def missing(x):\n    '''Is it?'''\n    return x is None"
EXISTS = "def exists(val):\n    return val is not None"
CALLS = "def default(x, d):\n    return x if x is not None else d if not callable(d) else d()"
IF = "def default(x, d):\n    if x is not None:\n        return x\n    return d"


@pytest.mark.parametrize(
    ("helper", "use", "wanted"),
    [
        (EXISTS, "x if exists(y) else y", "x if y is not None else y"),
        (EXISTS, "exists(y) and exists(x)", "y is not None and x is not None"),
        (EXISTS, "not exists(y)", "y is None"),
        (IS_NONE, "not missing(y) and x", "y is not None and x"),
        (IS_NONE, "missing(y)", "y is None"),
        (CALLS, "default(y, lambda: x.clone())", "y if y is not None else x.clone()"),
        (CALLS, "default(y, 2)", "y if y is not None else 2"),
        (IF, "default(y, self.k)", "y if y is not None else self.k"),
    ],
)
def test_written_out(tmp_path, helper, use, wanted):
    assert after(tmp_path, helper, use) == wanted


@pytest.mark.parametrize(
    ("helper", "use"),
    [
        ("def default(x, d):\n    return x if x is not None else d()", "default(y, x)"),
        ("def default(x, d):\n    return d if x is not None else x", "default(y, x)"),
        ("def exists(x, y):\n    return x is not None", "exists(x, y)"),
        ("def exists(x):\n    print(x)\n    return x is not None", "exists(y)"),
        (CALLS, "default(y, self.k)"),  # which may be a function
        (CALLS, "default(y, lambda a=x: a)"),
        (IF, "default(y, lambda: x)"),
        (EXISTS, "exists(val=y)"),
        (EXISTS, "exists(*y)"),
        (IF, "default(y, x.clone())"),  # would no longer be computed every time
        (IF, "default(y.clone(), x)"),  # would be computed twice
    ],
)
def test_left_alone(tmp_path, helper, use):
    assert after(tmp_path, helper, use) == use
