"""function-attribute: where functions come from, and what stays."""

import pytest

from tests.rules.proof import prove
from tests.rules.texts import findings, rewritten, source
from tsrefactor.rules import Example
from tsrefactor.rules.function_attribute import FunctionAttribute
from tsrefactor.vocabulary import Target

HEAD = """\
import functools

import torch
import torch.nn.functional as F
from torch import nn


"""
ERROR = "failed to compile it|failed to convert Python type|single top-level function"


def _example(before: str, after: str, model: str = "Model()") -> Example:
    inputs = "[(torch.rand(2, 4, 6, 6),), (torch.rand(3, 4, 8, 8),)]"
    return Example(HEAD + before, HEAD + after, inputs, Target.SCRIPT, error=ERROR, model=model, recorded=True)


MORE = {
    "handed to a constructor, a default, an entry of a table": _example(
        """\
ACTS = {"soft": lambda x: x / (1 + x.abs()), "relu": F.relu}


class Apply(nn.Module):
    def __init__(self, fn, act=lambda x: x + 1, last="soft"):
        super().__init__()
        self.fn = fn
        self.act = act
        self.last = ACTS[last]

    def forward(self, x):
        return self.last(self.act(self.fn(x)))


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(4, 2, 1), Apply(lambda x: x.mean(dim=[2, 3])))

    def forward(self, x):
        return self.body(x)
""",
        """\
def _soft(x):
    return x / (1 + x.abs())


ACTS = {"soft": _soft, "relu": F.relu}


def _act(x):
    return x + 1


class Apply(nn.Module):
    def __init__(self, fn, act=_act, last="soft"):
        super().__init__()
        self.fn = fn
        self.act = act
        self.last = ACTS[last]

    def forward(self, x):
        return self.last(self.act(self.fn(x)))


def _fn(x):
    return x.mean(dim=[2, 3])


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(4, 2, 1), Apply(_fn))

    def forward(self, x):
        return self.body(x)
""",
    ),
    "keywords that all calls pass": _example(
        """\
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.std = lambda x, **kwargs: torch.sqrt(
            torch.mean((x - torch.mean(x, **kwargs)) ** 2, **kwargs) + 1e-8
        )

    def forward(self, x):
        return self.std(x, dim=0, keepdim=True) + self.std(x, keepdim=False, dim=0)
""",
        """\
def _std(x, dim: int, keepdim: bool):
    return torch.sqrt(
        torch.mean((x - torch.mean(x, dim=dim, keepdim=keepdim)) ** 2, dim=dim, keepdim=keepdim) + 1e-8
    )


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.std = _std

    def forward(self, x):
        return self.std(x, dim=0, keepdim=True) + self.std(x, keepdim=False, dim=0)
""",
    ),
    "another name of a layer, given back by a function of the file": _example(
        """\
def activation(name):
    if name == "none":
        return lambda x: x
    return functools.partial(F.leaky_relu, negative_slope=0.2)


class Model(nn.Module):
    def __init__(self, act):
        super().__init__()
        self.layers = nn.ModuleDict(dict(conv=nn.Conv2d(4, 4, 1), act=nn.ReLU()))
        m = self.layers
        self.act = activation(act)
        self.run = lambda x, times=1: m.act(m.conv(x)) * times

    def forward(self, x):
        return self.act(self.run(x) - self.run(x, 2))
""",
        """\
def _leaky_relu(x):
    return F.leaky_relu(x, negative_slope=0.2)


def _act(x):
    return x


def activation(name):
    if name == "none":
        return _act
    return _leaky_relu


class Model(nn.Module):
    def __init__(self, act):
        super().__init__()
        self.layers = nn.ModuleDict(dict(conv=nn.Conv2d(4, 4, 1), act=nn.ReLU()))
        self.act = activation(act)

    def run(self, x, times: int = 1):
        return self.layers.act(self.layers.conv(x)) * times

    def forward(self, x):
        return self.act(self.run(x) - self.run(x, 2))
""",
        model="Model('leaky')",
    ),
}


@pytest.mark.parametrize("example", MORE.values(), ids=MORE)
def test_more_examples(example, tmp_path):
    prove(FunctionAttribute(), example, tmp_path)


def module(init: str, call: str, arguments: str = "k", rest: str = "") -> str:
    lines = "".join(f"        {line}\n" for line in init.splitlines())
    return (
        f"{HEAD}class Model(nn.Module):\n    def __init__(self, {arguments}):\n        super().__init__()\n{lines}\n"
        f"    def forward(self, x):\n        return {call}\n{rest}"
    )


@pytest.mark.parametrize(
    ("init", "call", "reason"),
    [
        ("self.f = lambda x: self.fc(x) if k else F.relu", "self.f(x)", "`k` is not known to be a plain value"),
        ("self.f = (lambda x: self.fc(x)) if k else F.relu", "self.f(x)", "and is not all that the attribute holds"),
        ("for k in range(2):\n    self.f = lambda x: self.fc(x)", "self.f(x)", "is not all that the attribute holds"),
        ("if k:\n    self.f = lambda x: self.m(x)", "self.f(x) if hasattr(self, 'f') else x", "whether there is a `f`"),
        ("self.f = F.relu\nself.f = lambda x: self.fc(x)", "self.f(x)", "and `f` may hold something else"),
        ("self.f = lambda x: x * k\nk = 2", "self.f(x)", "`k` is bound again"),
        ("self.f = lambda x: x * k", "self.f(x)", "`k` is not known to be a plain value"),
        ("self.f = lambda x, *a: torch.sum(x, *a)", "self.f(x)", "it takes `*args` or parameters by keyword only"),
        ("self.f = lambda x, **kw: torch.sum(x, **kw)", "self.f(x)", "its calls pass different `**kwargs`"),
        ("self.f = lambda x, **kw: kw['dim'] * x", "self.f(x, dim=1)", "it does more with `kw` than pass it on"),
        ("self.f = lambda x, **kw: torch.sum(x * k, **kw)", "self.f(x, dim=1)", "reads values of the function around"),
        ("self.f = lambda x: x + 1", "self.f(*x)", "it is called with `*` or `**`"),
        ("self.f = functools.partial(torch.sum, **k)", "self.f(x)", "it is made with `*` or `**`"),
        ("self.f = functools.partial(k, dim=1)", "self.f(x)", "`k` is no function of the file or of torch"),
        ("self.f = functools.partial(nn.ReLU, inplace=True)", "self.f()(x)", "is no function of the file"),
        ("self.f = functools.partial(torch.sum, dim=len(k))", "self.f(x)", "`len(k)` is computed once"),
        ("self.f = functools.partial(torch.sum, dim=1)", "self.f(x, dim=0)", "its calls pass what is given already"),
        ("self.f = functools.partial(torch.sum, dim=1)", "self.f(x) + self.f(x, 1)", "pass different arguments"),
    ],
)
def test_what_stays(init, call, reason, tmp_path):
    told = findings(FunctionAttribute(), source(tmp_path / "model.py", module(init, call)))
    assert not [f for f in told if f.fixable] and any(reason in f.message for f in told)


@pytest.mark.parametrize(
    ("init", "call"),
    [
        ("self.f = lambda x: x + 1\nself.n = self.f(2)", "x"),
        ("f = lambda x: x + 1", "f(x)"),
        ("self.f = F.relu", "self.f(x)"),
        ("self.f = nn.ReLU()\nself.register_hook(lambda g: g)", "self.f(x)"),
        ("self.f = {'a': 1}\nself.g = functools.partial(nn.ReLU)", "self.f['a']"),
    ],
)
def test_lookalikes(init, call, tmp_path):
    assert not findings(FunctionAttribute(), source(tmp_path / "model.py", module(init, call)))


@pytest.mark.parametrize(
    "rest", ["\n\nmodel = Model(1)\nmodel.f = F.relu\n", "\n    def set(self):\n        self.f = F.relu\n"]
)
def test_another_holder(rest, tmp_path):
    file = source(tmp_path / "model.py", module("self.f = lambda x: self.m(x)", "self.f(x)", rest=rest))
    assert not [f for f in findings(FunctionAttribute(), file) if f.fixable]


def test_in_a_branch_of_the_constructor(tmp_path):
    text = module("if k:\n    self.f = functools.partial(F.conv2d, stride=k)", "self.f(x, w)", arguments="k: int")
    after = rewritten(FunctionAttribute(), source(tmp_path / "model.py", text))
    assert "        if k:\n            self.k = k\n\n    def f(self, x, w):\n" in after


def test_one_function_for_the_same_lambdas(tmp_path):
    text = module(
        "self.f = lambda x: x + 1\nself.g = lambda x: x + 1\nself.h = lambda x: x + 2", "self.f(self.g(self.h(x)))"
    )
    [same, other] = findings(FunctionAttribute(), source(tmp_path / "model.py", text))
    assert len(same.edits) == 3 and len(other.edits) == 2
    after = rewritten(FunctionAttribute(), source(tmp_path / "model.py", text))
    assert "self.f = _f\n        self.g = _f\n        self.h = _h\n" in after


def test_no_layer_where_layers_are_looked_at(tmp_path):
    text = module("self.f = lambda x: x", "len(list(self.children())) * self.f(x)")
    after = rewritten(FunctionAttribute(), source(tmp_path / "model.py", text))
    assert "Identity" not in after and "def _f(x):\n    return x\n" in after
