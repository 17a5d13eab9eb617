"""property-function: what a property may choose, and what it must not touch."""

import pytest

from tests.rules.texts import findings, rewritten, source
from tsrefactor.rules.property_function import PropertyFunction

MODEL = """\
import torch
import torch.nn.functional as F
from torch import nn


def swish(x):
    return x * torch.sigmoid(x)


class Model(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.kind = kind

    @property
    def act(self):
        {body}

    def forward(self, x):
        return {value}


class Heir(Model):
    {heir}
"""
CHOICE = "if self.kind:\n            return swish\n        return F.gelu"


def made(tmp_path, body=CHOICE, value="self.act(x)", heir="pass"):
    return source(tmp_path / "m.py", MODEL.format(body=body, value=value, heir=heir))


def test_functions_of_the_file(tmp_path):
    text = rewritten(PropertyFunction(), made(tmp_path, f'"""What follows."""\n        {CHOICE}'))
    method = "    def _act(self, x):\n        if self.kind:\n            return swish(x)\n        return F.gelu(x)\n"
    assert method in text and "return self._act(x)\n" in text and "@torch.jit.unused\n    @property\n" in text


def test_calls_of_unlike_forms(tmp_path):
    advice = findings(PropertyFunction(), made(tmp_path, value="self.act(x) + self.act(x, inplace=True)"))
    assert [f.fixable for f in advice] == [False]


@pytest.mark.parametrize(
    "given",
    [
        {"body": "return self.kind"},
        {"body": "self.n = 1\n        return swish"},
        {"body": "if self.pop():\n            return swish\n        return F.gelu"},
        {"body": "return lambda x: x"},
        {"body": "for f in (swish, F.gelu):\n            return f"},
        {"value": "self.wrap(self.act, x)"},
        {"heir": "def act(self, x):\n        return x"},
    ],
)
def test_left_alone(given, tmp_path):
    assert findings(PropertyFunction(), made(tmp_path, **given)) == []
