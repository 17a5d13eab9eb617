import pytest

from tests.rules.texts import diagnosis, findings, rewritten, source
from tsrefactor.rules.direct_call import DirectCall

MODEL = """\
import torch
from torch import nn
from torch.utils import checkpoint as cp


class Model(nn.Module):
    def __init__(self, flag=False, ids=[]):
        super().__init__()
        self.flag, self.ids = flag, ids
        self.block = nn.Linear(4, 4)

    def forward(self, x, y=None):
        if {test}:
            {body}
        {other}
        return x
"""
RUN, PLAIN = "x = cp.checkpoint(self.block, x)", "else:\n            x = self.block(x)"


def told(tmp_path, test="self.flag", body=RUN, other=PLAIN, at="cp.checkpoint(self"):
    file = source(tmp_path / "m.py", MODEL.format(test=test, body=body, other=other))
    return file, diagnosis(file, "variable-arguments", at)


@pytest.mark.parametrize(
    "change",
    [
        {"other": "pass"},
        {"other": "else:\n            x = self.block(x) + 1"},
        {"other": "else:\n            x = self.block(y)"},
        {"body": f"{RUN}\n            x = x + 1"},
        {"body": "x = cp.checkpoint(self.block, x, **y)"},
        {"body": "x = cp.checkpoint(self.block, x, scale=2)"},
        {"test": "self.flag and not torch.jit.is_scripting()"},
    ],
)
def test_what_is_left_alone(change, tmp_path):
    assert findings(DirectCall(), *told(tmp_path, **change)) == []


@pytest.mark.parametrize(
    ("test", "written"),
    [
        ("self.flag", "if self.flag and not torch.jit.is_scripting():"),
        ("self.flag and x.requires_grad", "if self.flag and x.requires_grad and not torch.jit.is_scripting():"),
        ("(self.flag or y is None)", "if (not torch.jit.is_scripting() and (self.flag or y is None)):"),
        ("self.flag or y is None", "if (self.flag or y is None) and not torch.jit.is_scripting():"),
    ],
)
def test_one_more_condition(test, written, tmp_path):
    assert written in rewritten(DirectCall(), *told(tmp_path, test))


def test_a_return_and_what_follows_it(tmp_path):
    change = {"body": "return cp.checkpoint(self.block, x, use_reentrant=False)", "other": "return self.block(x)"}
    assert "self.flag and not torch.jit.is_scripting():" in rewritten(DirectCall(), *told(tmp_path, **change))


def test_a_condition_that_does_not_compile(tmp_path):
    body = "x = nn.parallel.data_parallel(self.block, (x, y), self.ids)"
    text = rewritten(DirectCall(), *told(tmp_path, "self.ids", body, PLAIN.replace("(x)", "(x, y)"), at="self.ids:\n"))
    assert (
        "        if torch.jit.is_scripting():\n"
        "            x = self.block(x, y)\n"
        "        elif self.ids:\n"
        "            x = nn.parallel.data_parallel(self.block, (x, y), self.ids)\n"
        "        else:\n"
        "            x = self.block(x, y)\n"
    ) in text


def test_a_branch_that_asks_already_around_one_that_does_not(tmp_path):
    text = rewritten(DirectCall(), *nested(tmp_path, "self.flag"))
    assert "            if self.flag and not torch.jit.is_scripting():\n" in text


def test_a_branch_inside_one_that_asks_already_is_the_one_looked_at(tmp_path):
    file, told = nested(tmp_path, "self.flag and not torch.jit.is_scripting()")
    assert findings(DirectCall(), file, told) == []


def nested(tmp_path, test):
    inner = "x = cp.checkpoint(self.block, x)\n            else:\n                x = self.block(x)"
    file, _ = told(
        tmp_path, test="torch.jit.is_scripting() or y", body=f"if {test}:\n                {inner}", other=""
    )
    return file, diagnosis(file, "variable-arguments", "cp.checkpoint(self")
