"""positional-factor."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tsrefactor.facts.definitions import Function
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.types import SCALARS, TENSOR
from tsrefactor.source.edits import Replace
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings, preview

_PRODUCTS = ("addmm", "addmv", "addr", "addbmm", "baddbmm")
# What the arguments are: the tensor itself is `x`, its other operands `a` and `b`, a factor goes by its keyword.
_FORMS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(_PRODUCTS, ("beta x a b", "beta x alpha a b")),
    **dict.fromkeys(("add", "sub"), ("x alpha a",)),
    **dict.fromkeys(("addcmul", "addcdiv"), ("x value a b",)),
}
_FACTORS = ("beta", "alpha", "value")


class PositionalFactor(Rule):
    """Name the factors that old code gives an operator by position.

    Eager still takes numbers between the tensors of `addmm`, `addmv`, `addr`, `addbmm`, `baddbmm`, `add`, `sub`,
    `addcmul` and `addcdiv`, with a warning; TorchScript takes them by keyword alone. `dist.addmm_(1, -2, a, b)` becomes
    `dist.addmm_(a, b, beta=1, alpha=-2)`, and `torch.add(x, 2, y)` becomes `torch.add(x, y, alpha=2)`.

    Left alone: `add` and `sub` of what is not known to be a tensor (`pattern.sub(a, b)`) or with a second argument that
    is not known to be a number.

    Source: the signatures marked `deprecated` in tools/autograd/deprecated.yaml, which only Python's calls know.
    """

    name = "positional-factor"
    targets = frozenset({Target.SCRIPT})
    answers = frozenset({"arguments-not-valid", "argument-type", "argument-count"})
    examples = [
        Example(
            before="""\
import torch
from torch import nn


class Model(nn.Module):
    def forward(self, x):
        squares = torch.pow(x, 2).sum(dim=1, keepdim=True).expand(x.size(0), x.size(0))
        dist = squares + squares.t()
        dist.addmm_(1, -2, x, x.t())  # (a - b)²
        return torch.addcmul(dist, 0.5, dist, dist).sqrt()
""",
            after="""\
import torch
from torch import nn


class Model(nn.Module):
    def forward(self, x):
        squares = torch.pow(x, 2).sum(dim=1, keepdim=True).expand(x.size(0), x.size(0))
        dist = squares + squares.t()
        dist.addmm_(x, x.t(), beta=1, alpha=-2)  # (a - b)²
        return torch.addcmul(dist, dist, dist, value=0.5).sqrt()
""",
            inputs="[(torch.rand(3, 4),), (torch.rand(2, 5),)]",
            breaks=Target.SCRIPT,
            error="for argument .mat1. but instead found type .int.|expects Tensor for .mat1.",
        ),
        Example(
            before="""\
import torch
from torch import nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(4, 4))

    def forward(self, x, y):
        z = torch.baddbmm(1, x[None], -1, y[None], self.weight[None])[0]
        return torch.add(z, 2, y).sub(0.5, x)
""",
            after="""\
import torch
from torch import nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(4, 4))

    def forward(self, x, y):
        z = torch.baddbmm(x[None], y[None], self.weight[None], beta=1, alpha=-1)[0]
        return torch.add(z, y, alpha=2).sub(x, alpha=0.5)
""",
            inputs="[(torch.rand(3, 4), torch.rand(3, 4)), (torch.rand(2, 4), torch.rand(2, 4))]",
            breaks=Target.SCRIPT,
            error="Arguments for call are not valid",
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        if not file.mentions_torch or not file.mentions("add", "sub"):
            return
        for function in file.functions:
            for call in function.of(ast.Call):
                if len(call.args) > 1 and isinstance(call.func, ast.Attribute):
                    roles = _roles(function, call, call.func)
                    if roles is not None:
                        yield self._named(call, roles)

    def _named(self, call: ast.Call, roles: list[str]) -> Finding:
        pieces = {"called": call.func, **{f"v{i}": a for i, a in enumerate(call.args)}}
        operands = [f"{{v{i}}}" for i, role in enumerate(roles) if role not in _FACTORS]
        factors = [f"{role}={{v{i}}}" for i, role in enumerate(roles) if role in _FACTORS]
        for keyword in call.keywords:  # out=
            factors.append(f"{keyword.arg}={{{keyword.arg}}}")
            pieces[str(keyword.arg)] = keyword.value
        edit = Replace(call, f"{{called}}({', '.join(operands + factors)})", pieces)
        message = "TorchScript takes the factors of this operator by keyword; "
        return self.finding(call, f"{message}write `{preview(edit.template, edit.pieces)}`", edit)


def _roles(function: Function, call: ast.Call, called: ast.Attribute) -> list[str] | None:
    """What each argument of an old form is; None for another call."""
    plain = called.attr.removesuffix("_")
    forms = _FORMS.get(plain)
    if forms is None or any(isinstance(a, ast.Starred) for a in call.args) or {k.arg for k in call.keywords} - {"out"}:
        return None
    operator = function.file.origin(called) == f"torch.{called.attr}"
    for form in forms:
        roles = form.split()
        if not operator:
            roles.remove("x")
        if len(roles) == len(call.args):
            break
    else:
        return None
    if not operator and function.self_attribute(called) is not None:
        return None
    if plain in ("add", "sub"):
        factor = call.args[roles.index("alpha")]
        if function.type_of(factor) not in SCALARS or not (operator or function.type_of(called.value) == TENSOR):
            return None
    return roles
