"""held-method: what stays."""

import pytest

from tests.rules.texts import findings, rewritten, source
from tsrefactor.rules.held_method import HeldMethod

HEAD = """\
import torch.nn.functional as F
from torch import nn


"""


def model(init: str, method: str, rest: str = "") -> str:
    lines = "".join(f"        {line}\n" for line in init.splitlines())
    return (
        f"{HEAD}class Model(nn.Module):\n    def __init__(self, c: bool):\n        super().__init__()\n{lines}\n"
        f"{method}\n\n    def forward(self, x):\n        return self.f(x) + self.f(x, 2.0)\n{rest}"
    )


def test_static_over_several_lines(tmp_path):
    header, body = (
        "def scaled(\n        self,\n        x,\n        by: float = 3.0,\n    ):",
        "return x * by  # as asked",
    )
    before = model("self.f = self.scaled if c else F.relu", f"    {header}\n        {body}")
    after = rewritten(HeldMethod(), source(tmp_path / "model.py", before))
    static = header.replace("        self,\n", "")
    assert after == before.replace(header, f"@staticmethod\n    {static}")


@pytest.mark.parametrize(
    ("init", "body", "reason"),
    [
        ("self.f = self.g if c else F.relu", "self.bias", "it uses `self`"),
        ("self.f = self.g if c else F.relu", "super().g(x)", "it calls `super()`"),
        ("self.f = self.g\nif c:\n    self.f = F.relu", "self.bias", "it uses `self`"),
        ("self.f = F.interpolate", "x", "other code sets it, too"),
        ("self.f = self.g", "x", "other code sets it, too"),
    ],
)
def test_what_stays(init, body, reason, tmp_path):
    rest = "\n\nmodel = Model(True)\nmodel.f = F.relu\n" if "sets" in reason else ""
    text = model(init, f"    def g(self, x, by=1.0):\n        return {body}", rest)
    told = findings(HeldMethod(), source(tmp_path / "model.py", text))
    assert told and not [f for f in told if f.fixable] and any(reason in f.message for f in told)


@pytest.mark.parametrize("init", ["self.f = F.relu", "self.f = nn.ReLU()", "self.f = F.interpolate if c else F.relu"])
def test_lookalikes(init, tmp_path):
    text = model(init, "    @staticmethod\n    def g(x):\n        return x")
    assert not findings(HeldMethod(), source(tmp_path / "model.py", text))
