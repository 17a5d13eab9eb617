"""function-lookup: where the function is looked up, and what it must not touch."""

import pytest

from tests.rules.texts import findings, rewritten, source
from tsrefactor.rules.function_lookup import FunctionLookup

MODEL = """\
import torch
import torch.nn.functional as F
from torch import nn

ACTS = {table}


class Model(nn.Module):
    def __init__(self, act, n):
        super().__init__()
        {init}
        self.fc = nn.Linear(4, 4)

    def forward(self, x):
        {body}


class Heir(Model):
    {heir}


def tune(model):
    {tune}
"""


def made(tmp_path, **parts):
    defaults = {"table": "{'relu': F.relu, 'tanh': torch.tanh}", "init": "self.act = act", "heir": "pass"}
    text = MODEL.format(**{"body": "return ACTS[self.act](x)", "tune": "return model", **defaults, **parts})
    return source(tmp_path / "m.py", text)


@pytest.mark.parametrize(
    ("parts", "stored"),
    [
        ({}, "self.act_fn = ACTS[self.act]"),
        ({"body": "return ACTS[self.act](x) if self.act else x"}, "self.act_fn = ACTS.get(self.act)"),
        ({"heir": "def forward(self, x):\n        return x"}, "self.act_fn = ACTS.get(self.act)"),
        ({"tune": "assert model.act in ACTS, ACTS.keys()"}, "self.act_fn = ACTS[self.act]"),
        ({"init": "self.act_fn = self.act = act"}, "self.act_fn_2 = ACTS[self.act]"),
        ({"body": "return getattr(torch, self.act)(x)"}, "self.act_fn = getattr(torch, self.act)"),
    ],
)  # fmt: skip
def test_stores(tmp_path, parts, stored):
    text = rewritten(FunctionLookup(), made(tmp_path, **parts))
    assert f"        {stored}\n        self.fc" in text
    assert f"{stored.partition(' ')[0]}(x)" in text


@pytest.mark.parametrize(
    "parts",
    [
        {"table": "{'relu': nn.ReLU()}"},
        {"table": "{'relu': nn.ReLU}"},
        {"table": "dict(relu=F.relu)"},
        {"table": "{'relu': F.relu, 'square': lambda x: x * x}"},
        {"table": "{'relu': F.relu}\nACTS['prelu'] = nn.PReLU()"},
        {"tune": "ACTS.update(model.acts)"},
        {"tune": "register(ACTS)"},
        {"body": "return ACTS['relu'](x)"},
        {"body": "return ACTS[x](x)"},
        {"body": "return getattr(F, self.act)(x) if self.act else x"},
        {"body": "return getattr(self, self.act)(x)"},
        {"heir": "def set(self, act):\n        self.act = act"},
        {"tune": "model.act = 'relu'"},
        {"heir": "def set(self, act):\n        setattr(self, 'act', act)"},
        {"init": "if n:\n            return\n        self.act = act"},
    ],
)
def test_left_alone(tmp_path, parts):
    assert findings(FunctionLookup(), made(tmp_path, **parts)) == []
