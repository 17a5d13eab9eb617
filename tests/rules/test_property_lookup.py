import pytest

from tests.rules.texts import findings, rewritten, source
from tsrefactor.rules.property_lookup import PropertyLookup

MODEL = """\
import torch
from torch import nn


class Model(nn.Module):
    def __init__(self, name="bn"):
        super().__init__()
        self.norm_name = name
        self.add_module(name, nn.BatchNorm1d(4))

    @property
    def norm(self):
        {body}

    def forward(self, x, deep=False):
        return {value}


class Heir(Model):
    {heir}
"""
BY_NAME = "return getattr(self, self.norm_name)"


def made(tmp_path, body=BY_NAME, value="self.norm(x)", heir="pass"):
    return source(tmp_path / "m.py", MODEL.format(body=body, value=value, heir=heir))


@pytest.mark.parametrize(
    "change",
    [
        {"body": "return self.norm_name"},
        {"body": f"self.seen = True\n        {BY_NAME}"},
        {"body": "return getattr(self, self.norm_name, None)"},
        {"body": "return getattr(self.inner, self.norm_name)"},
        {"body": f"if self.deep:\n            {BY_NAME}\n        return self.other"},
        {"value": "self.norm.weight"},
        {"value": "x if self.norm is None else self.norm(x)"},
        {"heir": "def norm(self):\n        return torch.relu"},
    ],
)
def test_what_is_left_alone(change, tmp_path):
    assert findings(PropertyLookup(), made(tmp_path, **change)) == []


@pytest.mark.parametrize(
    "body",
    [
        BY_NAME,
        f'"""Its norm."""\n        {BY_NAME}',
        f"if self.norm_name:\n            {BY_NAME}\n        else:\n            return None",
        f"if self.norm_name:\n            {BY_NAME}\n        return None",
    ],
)
def test_a_computed_name(body, tmp_path):
    assert "return getattr(self, self.norm_name)(x)\n" in rewritten(PropertyLookup(), made(tmp_path, body))
