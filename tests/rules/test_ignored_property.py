"""ignored-property: where it is named, and what is left alone."""

from dataclasses import replace

import pytest

from tests.rules.texts import diagnosis, findings, rewritten, source
from tsrefactor.rules.ignored_property import IgnoredProperty

BASE = """\
import torch
from torch import nn


class Base(nn.Module):
    {}
    @torch.jit.unused
    @property
    def device(self):
        return next(self.parameters()).device


class Other(Base):
    device = Base.device


class Model(Base):
    {}

    def forward(self, x):
        return x
"""


def model(tmp_path, base, body):
    file = source(tmp_path / "m.py", BASE.format(base, body))
    error = diagnosis(file, "property-raised", "next(", property="device", exception="StopIteration")
    return file, replace(error, module_type="m.Model")


def test_the_list_of_the_base_grows(tmp_path):
    text = rewritten(IgnoredProperty(), *model(tmp_path, '__jit_ignored_attributes__ = ["a"]\n', "size = 3"))
    assert '    __jit_ignored_attributes__ = ["a", "device"]\n' in text and "    device = Base.device  # " in text


@pytest.mark.parametrize(
    ("base", "body"),
    [
        ('__jit_ignored_attributes__ = ["device"]', '__jit_ignored_attributes__ = ["a"]'),
        ("", "def __init__(self):\n        self.device = 0"),
        ("", "@torch.jit.export\n    def own(self, x):\n        return x.to(self.device)"),
    ],
)
def test_what_is_left_alone(tmp_path, base, body):
    assert not any(f.fixable for f in findings(IgnoredProperty(), *model(tmp_path, base, body)))
