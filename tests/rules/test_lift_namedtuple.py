import pytest

from tests.rules.texts import diagnosis, findings, rewritten, source
from tsrefactor.rules.lift_namedtuple import LiftNamedtuple

MODEL = """\
from collections import namedtuple
import torch
from torch import nn
{top}

class Model(nn.Module):
    def forward(self, x, n=None):
        {made}
        {then}
        return made(x, x)
"""
MADE = 'made = namedtuple("Made", ["a", "b"])'


def told(tmp_path, made=MADE, then="pass", top=""):
    file = source(tmp_path / "m.py", MODEL.format(made=made, then=then, top=top))
    return file, diagnosis(file, "variable-arguments", "namedtuple(")


@pytest.mark.parametrize(
    "change",
    [
        {"made": 'made = namedtuple("Made", n)'},
        {"made": 'made = namedtuple("Made", ["a", n])'},
        {"made": 'made = namedtuple("Made", ["a", "b"], rename=True)'},
        {"made": 'made = other = namedtuple("Made", ["a", "b"])'},
        {"made": 'n = namedtuple("Made", ["a", "b"])'},
        {"then": "made = print"},
        {"then": "f = lambda: made(x, x)"},
    ],
)
def test_what_is_left_alone(change, tmp_path):
    assert findings(LiftNamedtuple(), *told(tmp_path, **change)) == []


def test_the_same_class_of_the_module_serves(tmp_path):
    file, error = told(tmp_path, top='\nMade = namedtuple("Made", ["a", "b"])\n')
    file, error = file, diagnosis(file, "variable-arguments", 'namedtuple("Made", ["a", "b"])\n        pass')
    assert rewritten(LiftNamedtuple(), file, error).count("namedtuple(") == 1


def test_another_of_that_name_stays(tmp_path):
    file, error = told(tmp_path, top="\nMade = 3\n")
    text = rewritten(LiftNamedtuple(), file, error)
    assert '\n_Made = namedtuple("Made", ["a", "b"])\n' in text
    assert "return _Made(x, x)" in text
