"""callable-argument: what it refuses, and the forms that calls come in."""

import pytest

from tests.rules.texts import findings, rewritten, source
from tsrefactor.rules.callable_argument import CallableArgument

HEAD = """\
import torch
from torch import nn


class Around(nn.Module):
    def forward(self, x, f):
{forward}


class Model(nn.Module):
    def __init__(self, deep):
        super().__init__()
        self.around, self.fc, self.pool = Around(), nn.Linear(4, 4), nn.Linear(4, 4)
        {init}

    def forward(self, x, scale):
        {call}
"""
PLAIN = "        return x + f(self.norm(x))"


def file_of(tmp_path, forward=PLAIN, call="return self.around(x, self.fc)", init="pass"):
    return source(tmp_path / "m.py", HEAD.format(forward=forward, call=call, init=init))


@pytest.mark.parametrize(
    ("forward", "call", "written"),
    [
        (PLAIN, "return self.around(x, lambda _x: self.fc.forward(_x) + _x)",
         "norm_x = self.around.norm(x)\n        return x + (self.fc.forward(norm_x) + norm_x)"),
        (PLAIN, "return 2 * self.around(x, self.fc)", "return 2 * (x + self.fc(self.around.norm(x)))"),
        ("        y = self.norm(x)\n        y = f(y)\n        return x + self.drop(y)",
         "y = self.around(x, self.fc)\n        return y",
         "y_2 = self.around.norm(x)\n        y_3 = self.fc(y_2)\n        y = x + self.around.drop(y_3)"),
    ],
)  # fmt: skip
def test_calls(tmp_path, forward, call, written):
    file = file_of(tmp_path, forward, call)
    assert written in rewritten(CallableArgument(), file)


@pytest.mark.parametrize(
    ("forward", "call", "reason"),
    [
        ("        return x if f is None else f(x)", "return self.around(x, self.fc)", "otherwise than by calling"),
        (
            "        return self.pre(x) + f(self.norm(x))",
            "return self.around(x, lambda y: y + self.fc(y))",
            "runs before",
        ),
        (
            "        if x.dim() > 1:\n            x = f(x)\n        return x",
            "return self.around(x, self.fc)",
            "more than",
        ),
        ("        return scale(f(x))", "return self.around(x, self.fc)", "means something else"),
        (PLAIN, "return self.around(x, [self.fc][0])", "neither a lambda"),
        (PLAIN, "return self.pool(x) + self.around(x, lambda y: y + self.fc(y))", "of the statement runs before"),
    ],
)
def test_refused(tmp_path, forward, call, reason):
    [finding] = findings(CallableArgument(), file_of(tmp_path, forward, call))
    assert not finding.edits
    assert reason in finding.message


def test_a_layer_of_two_classes_is_left_alone(tmp_path):
    file = file_of(tmp_path, init="self.around = Model(0) if deep else Around()")
    assert findings(CallableArgument(), file) == []
