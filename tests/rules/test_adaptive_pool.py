"""adaptive-pool: forms, and what is left alone."""

import pytest

from tests.rules.texts import findings, rewritten, source
from tsrefactor.rules.adaptive_pool import AdaptivePool

RULE = AdaptivePool()
TEXT = """\
import torch
import torch.nn.functional as F
from torch import nn


class Model(nn.Module):
    def __init__(self, n=1, kind=0):
        super().__init__()
        self.kind = kind
        self.pool = {layer}

    def forward(self, x):
        return {call}
"""
RESET = """
    def reset(self):
        for m in self.modules():
            if isinstance(m, (nn.Conv2d, nn.Linear)):
                nn.init.zeros_(m.bias)
            elif isinstance(m, nn.BatchNorm2d) and m.affine:
                nn.init.ones_(m.weight)
"""


def file(tmp_path, layer, call="self.pool(x)"):
    return source(tmp_path / "model.py", TEXT.format(layer=layer, call=call))


@pytest.mark.parametrize(
    ("layer", "written"),
    [
        ("nn.AdaptiveMaxPool2d((3, None))", "F.adaptive_max_pool2d(x, (3, x.shape[-1]))"),
        ("nn.AdaptiveAvgPool2d(output_size=(None, None))", "F.adaptive_avg_pool2d(x, (x.shape[-2], x.shape[-1]))"),
        ("nn.AdaptiveAvgPool3d((None, 1, 1))", "F.adaptive_avg_pool3d(x, (x.shape[-3], 1, 1))"),
    ],
)
def test_layers(layer, written, tmp_path):
    after = rewritten(RULE, file(tmp_path, layer))
    assert f"        return {written}\n" in after and "self.pool" not in after


@pytest.mark.parametrize(
    ("layer", "call"),
    [
        ("nn.AdaptiveAvgPool2d((1, 1))", "self.pool(x)"),
        ("nn.AdaptiveAvgPool2d(1)", "self.pool(x)"),
        ("nn.AdaptiveAvgPool2d((None, n))", "self.pool(x)"),
        ("nn.AdaptiveMaxPool2d((None, 1), True)", "self.pool(x)"),
        ("nn.AdaptiveAvgPool2d((None, 1)) if kind else nn.Identity()", "self.pool(x)"),
        ("nn.AdaptiveAvgPool2d((None, 1))", "self.pool(x + 1)"),
        ("nn.AdaptiveAvgPool2d((None, 1))", "self.pool(x) + run(self.pool, x)"),
        ("nn.AdaptiveAvgPool2d((None, 1))", "self.pool(x) + x.other.pool(x)"),
        ("None", "F.adaptive_avg_pool2d(x, 1) + F.adaptive_avg_pool1d(x, None)"),
    ],
)
def test_left_alone(layer, call, tmp_path):
    assert findings(RULE, file(tmp_path, layer, call)) == []


@pytest.mark.parametrize(
    "look",
    [
        "for m in self.children():\n            x = m(x)",
        "self.net = nn.Sequential(*list(self.children())[:-1])",
        "n = len(self._modules)",
        "for m in self.modules():\n            m.eval()",
        "for m in self.modules():\n            if isinstance(m, nn.Module):\n                m.eval()",
    ],
)
def test_a_class_that_looks_at_its_layers_keeps_them(look, tmp_path):
    text = TEXT.format(layer="nn.AdaptiveAvgPool2d((None, 1))", call="self.pool(x)")
    text += f"\n    def look(self, x):\n        {look}\n        return x\n"
    assert findings(RULE, source(tmp_path / "model.py", text)) == []


def test_a_function_that_counts_layers_keeps_them(tmp_path):
    text = TEXT.format(layer="nn.AdaptiveAvgPool2d((None, 1))", call="self.pool(x)")
    text += "\n\ndef backbone(net):\n    return nn.Sequential(*list(net.children())[:2])\n"
    assert findings(RULE, source(tmp_path / "model.py", text)) == []


def test_a_loop_over_the_layers_with_parameters_does_not_see_it(tmp_path):
    text = TEXT.format(layer="nn.AdaptiveAvgPool2d((None, 1))", call="self.pool(x)") + RESET
    [finding] = findings(RULE, source(tmp_path / "model.py", text))
    assert finding.fixable and finding.caveat == "`pool` is no attribute any more"
