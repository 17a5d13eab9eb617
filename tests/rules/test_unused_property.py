from dataclasses import replace

import pytest

from tests.rules.texts import diagnosis, findings, source
from tsrefactor.rules.unused_property import UnusedProperty

CLASS = (
    "import torch\nfrom torch import nn\n\n\nclass Model({base}):\n{body}\n    def forward(self, x):\n        {rest}\n"
)
DEVICE = "    @property\n    def device(self):\n        return next(self.parameters()).device\n"


@pytest.mark.parametrize(
    ("base", "body", "rest"),
    [
        ("nn.Module", DEVICE, "return x.to(self.device)"),
        ("nn.Module", DEVICE.replace("    @property\n", ""), "return x"),
        ("nn.Module", DEVICE.replace("@property", "@cached\n    @property"), "return x"),
        ("nn.Module", DEVICE.replace("@property", "@torch.jit.unused\n    @property"), "return x"),
    ],
)
def test_what_is_left_alone(base, body, rest, tmp_path):
    file = source(tmp_path / "m.py", CLASS.format(base=base, body=body, rest=rest))
    assert findings(UnusedProperty(), file, diagnosis(file, "python-builtin", "next(")) == []


def test_a_tensor_has_a_device_too(tmp_path):
    file = source(tmp_path / "m.py", CLASS.format(base="nn.Module", body=DEVICE, rest="return x.to(x.device)"))
    [found] = findings(UnusedProperty(), file, diagnosis(file, "python-builtin", "next("))
    assert found.node.name == "device"


def test_an_error_in_what_only_the_property_calls(tmp_path):
    body = "    def first(self):\n        return next(self.parameters())\n\n" + DEVICE.replace(
        "next(self.parameters())", "self.first()"
    )
    file = source(tmp_path / "m.py", CLASS.format(base="nn.Module", body=body, rest="return x"))
    [found] = findings(UnusedProperty(), file, diagnosis(file, "python-builtin", "next(", chain=("self.first()",)))
    assert found.node.name == "device"


def test_a_generator_of_torch_is_an_error_without_a_place(tmp_path):
    count = "    @property\n    def count(self):\n        return sum(p.numel() for p in self.parameters())\n"
    text = CLASS.format(base="nn.Module", body=count, rest="return x")
    file = source(tmp_path / "m.py", f"{text}\n\nclass Heir(Model):\n    pass\n")
    error = diagnosis(file, "unsupported-syntax", "class Heir", construct="yield")
    [found] = findings(UnusedProperty(), file, replace(error, module_type="m.Heir"))
    assert found.node.name == "count"
