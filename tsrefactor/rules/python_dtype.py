"""python-dtype."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tsrefactor.facts.definitions import Function
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.types import TENSOR
from tsrefactor.source.edits import Replace
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings

_DTYPES = {"bool": "torch.bool", "int": "torch.int64", "float": "torch.float64"}


class PythonDtype(Rule):
    """Name torch's dtype where Python's type stands for it.

    Eager takes `bool`, `int` and `float` for `torch.bool`, `torch.int64` and `torch.float64`, as in
    `torch.eye(n, dtype=bool)` and `x.to(int)`. TorchScript has no types as values.

    Left alone: calls of other libraries, such as numpy, and methods of what is no tensor.

    Source: "__float__ cannot be used as a value", raised by torch/csrc/jit/python/python_sugared_value.cpp;
    `toScalarType` in torch/csrc/utils/python_arg_parser.h.
    """

    name = "python-dtype"
    targets = frozenset({Target.SCRIPT})
    answers = frozenset({"python-value-as-value", "not-a-value", "python-type-as-value"})
    examples = [
        Example(
            before="""\
import torch
from torch import nn


class Model(nn.Module):
    def forward(self, x: torch.Tensor):
        n = x.size(0)
        others = ~torch.eye(n, dtype=bool, device=x.device)  # all but itself
        steps = torch.arange(n, dtype=float)
        return (x @ x.t())[others], steps, (x > 0.5).to(int), x.sum(dtype=float)
""",
            after="""\
import torch
from torch import nn


class Model(nn.Module):
    def forward(self, x: torch.Tensor):
        n = x.size(0)
        others = ~torch.eye(n, dtype=torch.bool, device=x.device)  # all but itself
        steps = torch.arange(n, dtype=torch.float64)
        return (x @ x.t())[others], steps, (x > 0.5).to(torch.int64), x.sum(dtype=torch.float64)
""",
            inputs="[(torch.rand(3, 4),), (torch.rand(2, 2),)]",
            breaks=Target.SCRIPT,
            error="cannot be used as a value",
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        if not file.mentions("dtype", ".to("):
            return
        for function in file.functions:
            for call in function.of(ast.Call):
                given = _given(call)
                origin = file.origin(given) if isinstance(given, ast.Name) else ""
                if given is None or origin not in _DTYPES or function.types.bindings.shadows(origin):
                    continue
                sure = _takes_dtype(function, call)
                if sure is None:
                    continue
                name, imports = file.spell(_DTYPES[origin])
                message = f"TorchScript takes no `{origin}` for a dtype; write `{name}`"
                yield self.finding(given, message, Replace(given, name), imports=imports, presumed=not sure)


def _given(call: ast.Call) -> ast.expr | None:
    """What a call is given for its dtype."""
    named = next((k.value for k in call.keywords if k.arg == "dtype"), None)
    first = isinstance(call.func, ast.Attribute) and call.func.attr == "to" and len(call.args) > 0
    return call.args[0] if named is None and first else named


def _takes_dtype(function: Function, call: ast.Call) -> bool | None:
    """Whether it is torch that is called: surely, or (False) if a parameter is a tensor; None where it is not."""
    if function.file.origin(call.func).startswith("torch."):
        return True
    if not isinstance(call.func, ast.Attribute):
        return None
    receiver = call.func.value
    if function.type_of(receiver) == TENSOR:
        return True
    return False if function.type_of(receiver, presume=True) == TENSOR else None
