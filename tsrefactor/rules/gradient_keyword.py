"""gradient-keyword."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tsrefactor.facts.definitions import Function
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.types import TENSOR
from tsrefactor.source.edits import Pieces, Replace
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings, kept_arguments, preview

_SIZED = ("empty", "ones", "rand", "randn", "zeros")
_MAKERS = frozenset(
    {
        *_SIZED,
        *("arange", "eye", "full", "linspace", "logspace", "normal", "randint", "randperm"),
        *(f"{name}_like" for name in (*_SIZED, "full", "randint")),
    }
)
_METHODS = frozenset({"new_empty", "new_full", "new_ones", "new_zeros"})


class GradientKeyword(Rule):
    """Ask for a new tensor's gradient by `requires_grad_`, where code asks by a keyword.

    The functions of TorchScript that make tensors have no `requires_grad`. `torch.zeros_like(x, requires_grad=False)`
    says what they do anyhow, and becomes `torch.zeros_like(x)`; `torch.ones(3, requires_grad=True)` becomes
    `torch.ones(3).requires_grad_()`.

    Left alone: `torch.tensor`, which knows the keyword, other values than a literal True or False, calls that write
    into `out` or have comments inside, and `new_zeros` of what may be no tensor, but where the compiler complains of
    that very call.

    Source: "Unknown keyword argument", among the reasons that torch/csrc/jit/frontend/schema_matching.cpp gives.
    """

    name = "gradient-keyword"
    targets = frozenset({Target.SCRIPT})
    answers = frozenset({"argument-unknown", "arguments-not-valid"})
    examples = [
        Example(
            before="""\
import torch
from torch import nn


class Model(nn.Module):
    def forward(self, x):
        pad = torch.zeros_like(x, requires_grad=False)  # no bias for the keys
        scale = x.new_ones(x.size(0), 1, requires_grad=True)
        return torch.cat((x * scale, pad, torch.zeros(x.size(0), 2, dtype=x.dtype, requires_grad=False)), dim=1)
""",
            after="""\
import torch
from torch import nn


class Model(nn.Module):
    def forward(self, x):
        pad = torch.zeros_like(x)  # no bias for the keys
        scale = x.new_ones(x.size(0), 1).requires_grad_()
        return torch.cat((x * scale, pad, torch.zeros(x.size(0), 2, dtype=x.dtype)), dim=1)
""",
            inputs="[(torch.randn(3, 4),), (torch.randn(2, 5),)]",
            breaks=Target.SCRIPT,
            error="Arguments for call are not valid|Unknown keyword argument",
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        if "requires_grad=" not in file.source.text and "requires_grad =" not in file.source.text:
            return
        complained = {file.node_at(d, ast.Call): d for d in self.diagnoses(file)}
        for function in file.functions:
            for call in function.of(ast.Call):
                given = {k.arg: k.value for k in call.keywords}
                wanted = given.get("requires_grad")
                if not isinstance(wanted, ast.Constant) or not isinstance(wanted.value, bool):
                    continue
                if "out" in given or None in given or "#" in file.source.segment(call):
                    continue
                surely, presumably = _makes_tensor(function, call)
                if not (surely or (presumably is not None and (presumably or call in complained))):
                    continue
                edit = _without(call, asked=wanted.value)
                yield self.finding(
                    call,
                    "TorchScript's operator has no argument 'requires_grad'; "
                    f"write `{preview(edit.template, edit.pieces)}`",
                    edit,
                    presumed=not surely and call not in complained,
                    answers=complained.get(call),
                )


def _makes_tensor(function: Function, call: ast.Call) -> tuple[bool, bool | None]:
    """Whether a call surely makes a tensor, and whether it presumably does; None: it has another name."""
    head, _, name = function.file.origin(call.func).rpartition(".")
    if head == "torch" and name in _MAKERS:
        return True, True
    if not isinstance(call.func, ast.Attribute) or call.func.attr not in _METHODS:
        return False, None
    receiver = call.func.value
    return function.type_of(receiver) == TENSOR, function.type_of(receiver, presume=True) == TENSOR


def _without(call: ast.Call, asked: bool) -> Replace:
    """The call without the keyword; what it asks for follows the call."""
    parts, kept = kept_arguments(call.args, [k for k in call.keywords if k.arg != "requires_grad"])
    pieces: Pieces = {"called": call.func, **kept}
    return Replace(call, f"{{called}}({', '.join(parts)}){'.requires_grad_()' if asked else ''}", pieces)
