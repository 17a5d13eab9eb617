"""coerce-float: every layer and function of its tables against torch, odd forms, and what it must not touch."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from tests.rules.proof import prove
from tests.rules.texts import findings, rewritten, source
from tsrefactor.rules.base import Example
from tsrefactor.rules.coerce_float import FUNCTIONS, LAYERS, CoerceFloat
from tsrefactor.vocabulary import Target

HEAD = "import torch\nfrom functools import partial\nfrom torch import nn\nimport torch.nn.functional as F\n\n\n"


def after(tmp_path, body):
    return rewritten(CoerceFloat(), source(tmp_path / "model.py", HEAD + body)).removeprefix(HEAD)


@pytest.mark.parametrize("name", LAYERS)
def test_the_table_of_layers_names_torch_parameters(name):
    import inspect

    names = list(inspect.signature(getattr(nn, name).__init__).parameters)[1:]
    assert [names[index] for _, index in LAYERS[name]] == [parameter for parameter, _ in LAYERS[name]]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_table_of_functions_names_torch_parameters(name):
    import inspect

    function = getattr(F, name)
    try:
        names = list(inspect.signature(function).parameters)
    except ValueError:  # a builtin: its schema
        names = [a.name for a in torch._C._jit_get_schemas_for_operator(f"aten::{name}")[0].arguments]
    known = [("parameters" if index >= len(names) else names[index]) for _, index in FUNCTIONS[name]]
    assert known == [parameter for parameter, _ in FUNCTIONS[name]]


@pytest.mark.parametrize(
    ("before", "wanted"),
    [
        ("nn.Dropout(0)", "nn.Dropout(0.0)"),
        ("nn.Dropout(p=1 if wide else 0.5)", "nn.Dropout(p=1.0 if wide else 0.5)"),
        ("nn.Hardtanh(-1, 1)", "nn.Hardtanh(-1.0, 1.0)"),
        ("nn.BatchNorm2d(4, momentum=1)", "nn.BatchNorm2d(4, momentum=1.0)"),
        ("partial(nn.LayerNorm, eps=1)", "partial(nn.LayerNorm, eps=1.0)"),
        ("nn.TripletMarginLoss(1, 2)", "nn.TripletMarginLoss(1.0, 2.0)"),
    ],
)
def test_layers(tmp_path, before, wanted):
    body = "class M(nn.Module):\n    def __init__(self, wide):\n        super().__init__()\n        self.layer = {}\n"
    assert after(tmp_path, body.format(before)) == body.format(wanted)


@pytest.mark.parametrize(
    ("before", "wanted"),
    [
        ("F.interpolate(x, scale_factor=(2, 2))", "F.interpolate(x, scale_factor=(2.0, 2.0))"),
        ("F.upsample_bilinear(x, scale_factor=2)", "F.upsample_bilinear(x, scale_factor=2.0)"),
        ("F.upsample_nearest(x, None, 2)", "F.upsample_nearest(x, None, 2.0)"),
        ("F.interpolate(x, scale_factor=[2, 0.5])", "F.interpolate(x, scale_factor=[2.0, 0.5])"),
        ("x.clone().normal_(0, 1)", "x.clone().normal_(0.0, 1.0)"),
        ("F.pad(x, (1, 1), 'constant', 0)", "F.pad(x, (1, 1), 'constant', 0.0)"),
        ("x + torch.normal(0, 1, size=x.shape)", "x + torch.normal(0.0, 1.0, size=x.shape)"),
        ("torch.cdist(x, x, p=1)", "torch.cdist(x, x, p=1.0)"),
        ("torch.pdist(x, 2) + F.pdist(x, p=n)", "torch.pdist(x, 2.0) + F.pdist(x, p=float(n))"),
        ("F.dropout(x, n)", "F.dropout(x, float(n))"),
    ],
)
def test_functions(tmp_path, before, wanted):
    body = "class M(nn.Module):\n    def forward(self, x, n: int):\n        return {}\n"
    assert after(tmp_path, body.format(before)) == body.format(wanted)


@pytest.mark.parametrize(
    "code",
    [
        "nn.Dropout(0.0)",
        "nn.BatchNorm2d(4, momentum=None)",
        "nn.MaxPool2d(2)",
        "nn.Dropout(*given)",
        "nn.Dropout(given)",  # no complaint: it may be a float
        "nn.Dropout(True)",
    ],
)
def test_left_alone(tmp_path, code):
    body = f"class M(nn.Module):\n    def __init__(self, given):\n        super().__init__()\n        self.l = {code}\n"
    assert findings(CoerceFloat(), source(tmp_path / "model.py", HEAD + body)) == []


def test_operators_that_take_any_number_are_left_alone(tmp_path):
    body = "class M(nn.Module):\n    def forward(self, x):\n        return torch.clamp(x, 0, 1) + F.softplus(x, 1)\n"
    assert findings(CoerceFloat(), source(tmp_path / "model.py", HEAD + body)) == []


@pytest.mark.parametrize(
    ("parameter", "given", "wanted"),
    [
        ("drop: float = 0", "drop", "float(drop)"),
        ("drop: float = 0.0", "drop", "drop"),
        ("drop: float", "drop", "drop"),
        ("drop: 'Drop' = 0", "drop", "drop"),
    ],
)
def test_a_float_whose_default_is_whole(tmp_path, parameter, given, wanted):
    body = "class M(nn.Module):\n    def __init__(self, {}):\n"
    body += "        super().__init__()\n        self.layer = nn.Dropout({})\n"
    assert after(tmp_path, body.format(parameter, given)) == body.format(parameter, wanted)


@pytest.mark.parametrize("call", ["nn.BatchNorm1d(4, momentum=m)", "nn.ConstantPad1d(1, m)"])
def test_what_may_be_none_whatever_the_annotation_says(tmp_path, call):
    body = "class M(nn.Module):\n    def __init__(self, m: float = 1):\n"
    body += f"        super().__init__()\n        self.l = {call}\n"
    assert findings(CoerceFloat(), source(tmp_path / "model.py", HEAD + body)) == []


_UP = """\
class Up(nn.Module):
    def __init__(self, scale=None, size=None):
        super().__init__()
        self.scale, self.size = scale, size

    def forward(self, x):
        return F.interpolate(x, self.size, {scale})


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.by, self.into = Up(2), Up(size=4)

    def forward(self, x):
        return self.by(x), self.into(x)
"""


def test_an_attribute_that_may_be_none(tmp_path):
    example = Example(
        HEAD + _UP.format(scale="self.scale"),
        HEAD + _UP.format(scale="float(self.scale) if self.scale is not None else None"),
        "[(torch.rand(1, 2, 3),), (torch.rand(2, 1, 5),)]",
        Target.SCRIPT,
        error="scale_factor",
        recorded=True,
    )
    prove(CoerceFloat(), example, tmp_path)
