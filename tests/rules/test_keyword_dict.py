"""keyword-dict: dicts that are passed on as keywords, and those that hold what the code does not show."""

import pytest

from tests.rules.texts import findings, rewritten, source
from tsrefactor.rules.keyword_dict import KeywordDict

BODY = """\
import torch.nn.functional as F
from torch import nn

OPTIONS = {{'mode': 'nearest'}}


class Model(nn.Module):
    def __init__(self, mode, given):
        super().__init__()
        self.mode = mode
        self.given = given
        self.options = {{'mode': mode, 'align_corners': None}}
        self.updated = {{'mode': mode}}
        self.updated['align_corners'] = None

    def widen(self):
        self.scale = 2

    def forward(self, x, n, mode, **kwargs):
{}
"""


@pytest.mark.parametrize(
    ("before", "wanted"),
    [
        (["o = dict(size=(n, n))", "return F.interpolate(x, **o)"], ["return F.interpolate(x, size=(n, n))"]),
        (["o = {'size': n, 'mode': mode}", "mode = 2", "return F.interpolate(x, **o), mode"],
         ["o_mode = mode", "mode = 2", "return F.interpolate(x, size=n, mode=o_mode), mode"]),
        (["o = dict(scale_factor=self.scale)", "self.widen()", "return F.interpolate(x, **o)"],
         ["scale_factor = self.scale", "self.widen()", "return F.interpolate(x, scale_factor=scale_factor)"]),
        (["o = dict(training=self.training)", "self.eval()", "return F.dropout(x, **o)"],
         ["training = self.training", "self.eval()", "return F.dropout(x, training=training)"]),
        (["o = dict(size=n)", "return [F.interpolate(n, **o) for n in x]"],
         ["size = n", "return [F.interpolate(n, size=size) for n in x]"]),
        (["return F.interpolate(x, n, **self.options)"],
         ["return F.interpolate(x, n, mode=self.options['mode'], align_corners=self.options['align_corners'])"]),
    ],
)  # fmt: skip
def test_named(tmp_path, before, wanted):
    text = rewritten(KeywordDict(), source(tmp_path / "model.py", BODY.format(_indented(before))))
    assert text.endswith(f"**kwargs):\n{_indented(wanted)}\n")


@pytest.mark.parametrize(
    "code",
    [
        ["return F.interpolate(x, **kwargs)"],
        ["return F.interpolate(x, **OPTIONS)"],
        ["return F.interpolate(x, **self.given)"],
        ["return F.interpolate(x, **self.updated)"],
        ["return F.interpolate(x, mode='nearest', **self.options)"],
        ["o = dict(size=n)", "o['mode'] = mode", "return F.interpolate(x, **o)"],
        ["o = dict(size=n)", "o.update(self.given)", "return F.interpolate(x, **o)"],
        ["o = dict(self.given, size=n)", "return F.interpolate(x, **o)"],
        ["o = {**self.given, 'size': n}", "return F.interpolate(x, **o)"],
        ["o = {'size': n, mode: 2}", "return F.interpolate(x, **o)"],
        ["o = dict(size=n)", "return F.interpolate(x, **o), o"],
        ["o = dict(size=n)", "return F.interpolate(x, **o, **self.given)"],
        ["o = dict(size=n)", "return F.interpolate(F.interpolate(x, **o), **o)"],
        ["o = dict(size=n)", "if n > 2:", "    o = dict(size=2)", "return F.interpolate(x, **o)"],
        [
            "for i in range(n):",
            "    if i > 0:",
            "        x = F.interpolate(x, **o)",
            "    o = dict(size=i)",
            "return x",
        ],
        ["o = dict(", "    size=n,  # as wide as high", ")", "return F.interpolate(x, **o)"],
    ],
)
def test_left_alone(tmp_path, code):
    assert findings(KeywordDict(), source(tmp_path / "model.py", BODY.format(_indented(code)))) == []


def _indented(lines):
    return "\n".join(" " * 8 + line for line in lines)


def test_two_dicts_with_the_same_key(tmp_path):
    body = [
        "a = dict(size=x.shape[2:])",
        "b = dict(size=y.shape[2:])",
        "return F.interpolate(x, **a) + F.interpolate(y, **b)",
    ]
    text = "import torch.nn.functional as F\nfrom torch import nn\n\n\n"
    text += "class Model(nn.Module):\n    def forward(self, x, y):\n" + "".join(f"        {line}\n" for line in body)
    after = rewritten(KeywordDict(), source(tmp_path / "model.py", text))
    assert after.rstrip().endswith("return F.interpolate(x, size=size) + F.interpolate(y, size=b_size)")
    assert "        size = x.shape[2:]\n        b_size = y.shape[2:]\n" in after
