"""function-variable: forms of choices, and what stays."""

import pytest

from tests.rules.texts import findings, rewritten, source
from tsrefactor.rules.function_variable import FunctionVariable

HEAD = """\
from functools import partial

import torch
import torch.nn.functional as F


def double(x, by=2):
    return x * by


class Model(torch.nn.Module):
    def half(self, x):
        return x / 2

    def forward(self, x, y, c: bool):
"""


def prepared(tmp_path, body):
    return source(tmp_path / "model.py", HEAD + "".join(f"        {line}\n" for line in body.splitlines()))


@pytest.mark.parametrize(
    ("body", "after"),
    [
        ("f = double if c else self.half\nreturn f(x) + 1", "return (double(x) if c else self.half(x)) + 1"),
        ("if c:\n    f = F.relu\nelse:\n    f = F.elu\ny = f(y)\nreturn f(x) * y",
         "y = F.relu(y) if c else F.elu(y)\nreturn (F.relu(x) if c else F.elu(x)) * y"),
        ("f = F.relu if c else double if self.training else F.elu\nreturn f(x)",
         "return F.relu(x) if c else double(x) if self.training else F.elu(x)"),
        ("f = partial(double, by=3)\nreturn f(x) - f(y, by=2)", "return double(x, by=3) - double(y, by=2)"),
        ("if c:\n    f = F.relu\nelse:\n    raise ValueError(c)\nreturn f(x)",
         "if c:\n    return F.relu(x)\nelse:\n    raise ValueError(c)"),
        ("if c:\n    f = F.relu\nelse:\n    if y:\n        f = F.elu\n    else:\n        f = double\nx += f(y)",
         "if c:\n    x += F.relu(y)\nelse:\n    if y:\n        x += F.elu(y)\n    else:\n        x += double(y)"),
    ],
)  # fmt: skip
def test_choices(body, after, tmp_path):
    expected = HEAD + "".join(f"        {line}\n" for line in after.splitlines())
    assert rewritten(FunctionVariable(), prepared(tmp_path, body)) == expected


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("f = F.relu if c else F.elu\nreturn [f, f(x)][1]", "it is passed on as a value"),
        ("f = F.relu if c else F.elu\nreturn f(*x)", "it is called with `*` or `**`"),
        ("f = F.relu if c else F.elu\nreturn f(f(x))", "it is called with its own result"),
        ("f = F.relu if c else F.elu\nc = not c\nreturn f(x)", "`c` changes before it is called"),
        ("f = F.relu if x.sum() > 0 else F.elu\nx.add_(1)\nreturn f(x)", "`x` changes before it is called"),
        ("f = F.relu if self.n else F.elu\nself.n = 0\nreturn f(x)", "`n` changes in the function"),
        ("f = F.relu if self.half(x) else F.elu\nreturn f(x)", "what decides does more than compute"),
        ("if c:\n    f = F.relu\n    f = F.elu\nelse:\n    f = F.elu\nreturn f(x)", "an arm does not set it once"),
        ("if c:\n    f = F.relu\nelse:\n    raise ValueError\ny = f(x)\nreturn f(y)", "does not call it once"),
        ("f = F.relu\nif c:\n    f = F.elu\nreturn f(x)", "no single `if` chooses it"),
        ("f = partial(double, **y)\nreturn f(x)", "a partial is made with `*` or `**`"),
        ("f = (lambda a: a) if c else F.relu\nreturn f(x)", "an arm is a lambda"),
    ],
)
def test_what_stays(body, reason, tmp_path):
    [finding] = findings(FunctionVariable(), prepared(tmp_path, body))
    assert not finding.fixable and reason in finding.message


@pytest.mark.parametrize(
    "body",
    [
        "f = F.relu\nreturn f(x)",
        "f = x if c else y\nreturn f",
        "f = y if c else F.relu\nreturn f(x)",
        "f = self.table[0] if c else F.relu\nreturn f(x)",
        "f = lambda a: a\nreturn f(x)",
        "f = torch.LongTensor if c else torch.FloatTensor\nreturn f(x)",
        "n = len(x)\nlen_ = n\nreturn len_",
    ],
)
def test_lookalikes(body, tmp_path):
    assert not findings(FunctionVariable(), prepared(tmp_path, body))


def test_what_a_final_flag_decides(tmp_path):
    body = "if self.deep:\n    f = F.relu\nelse:\n    f = F.elu\nreturn f(x)"
    text = prepared(tmp_path, body).text.replace("    def half", "    deep: torch.jit.Final[bool]\n\n    def half")
    assert not findings(FunctionVariable(), source(tmp_path / "final.py", text))
    open_ = text.replace("Final[bool]", "Attribute(1, int)")
    assert findings(FunctionVariable(), source(tmp_path / "open.py", open_))
