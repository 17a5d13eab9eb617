"""set-attribute: what stays."""

import pytest

from tests.rules.texts import diagnosis, findings, source
from tsrefactor.rules.set_attribute import SetAttribute

MODEL = """\
import torch
from torch import nn


class Model(nn.Module):
    def __init__(self, taps=None):
        super().__init__()
        self.taps = {1, 2}

    def forward(self, x: torch.Tensor, kind: str = "a"):
        if x.size(0) in self.taps:
            x = x * 2
        return x
"""


@pytest.mark.parametrize(
    ("old", "new", "fixable"),
    [
        ("{1, 2}", "frozenset((1, 2))", True),
        ("{1, 2}", "taps", True),  # what forward always asks is a container
        ("{1, 2}", "taps\n        self.on = taps is not None", False),
        ("{1, 2}", "{1, 2}\n        self.taps.add(3)", False),
        ("x * 2", "x * len(self.taps)", False),
        ("x.size(0) in self.taps", "self.taps == {1}", False),
        ("{1, 2}", "{1, 2}\n\n    def reset(self):\n        self.taps = set()", False),
    ],
)
def test_what_stays(old, new, fixable, tmp_path):
    text = MODEL.replace(old, new)
    if "self.on" in text:
        text = text.replace("if x.size(0) in", "if self.on and x.size(0) in")
    file = source(tmp_path / "model.py", text)
    said = diagnosis(file, "unconvertible-attribute", "if ", module="Model", attribute="taps", type="set")
    [finding] = findings(SetAttribute(), file, said)
    assert finding.fixable is fixable


def test_what_is_asked_for_may_be_a_tensor(tmp_path):
    file = source(tmp_path / "model.py", MODEL.replace("x.size(0) in", "x.sum() in"))
    said = diagnosis(file, "unconvertible-attribute", "if ", module="Model", attribute="taps", type="set")
    assert [f.presumed for f in findings(SetAttribute(), file, said)] == [True]
