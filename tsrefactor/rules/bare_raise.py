"""bare-raise."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tsrefactor.facts.definitions import Function
from tsrefactor.facts.file import FileFacts
from tsrefactor.source.edits import Replace
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings

_ERROR = "RuntimeError('No active exception to reraise')"
_HEAD = """\
import torch
from torch import nn


class Model(nn.Module):
    def __init__(self, mode='relu'):
        super().__init__()
        self.mode = mode

    def forward(self, x):
        if self.mode == 'relu':
            return torch.relu(x)
        elif self.mode == 'tanh':
            return torch.tanh(x)
        else:
"""


class BareRaise(Rule):
    """Name the error that a `raise` without one gives.

    Where no exception is being handled, `raise` alone is a RuntimeError in Python. TorchScript's parser crashes at it,
    with a message that names no place.

    Left alone: `raise` in an `except` block, or in what one calls, which raises again what is handled there. Where a
    function may have callers in other files, this is presumed.

    Source: `build_Raise` in torch/jit/frontend.py.
    """

    name = "bare-raise"
    targets = frozenset({Target.SCRIPT})
    answers = frozenset({"unsupported-syntax"})
    examples = [
        Example(
            before=_HEAD + "            raise  # no such mode\n",
            after=_HEAD + f"            raise {_ERROR}  # no such mode\n",
            inputs="[(torch.randn(2, 4),)]",
            breaks=Target.SCRIPT,
            error="'NoneType' object has no attribute 'lineno'",
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        if not file.mentions("raise"):
            return
        for function in file.functions:
            raises = [n for n in function.of(ast.Raise) if n.exc is None and not _is_handling(function, n)]
            if not raises or function.name in _names_called_in_handlers(file):
                continue
            known = function.name == "forward" or function.name.startswith("_")
            for node in raises:
                message = f"TorchScript cannot read a `raise` without an error; write `raise {_ERROR}`"
                yield self.finding(node, message, Replace([node], f"raise {_ERROR}"), presumed=not known)


def _is_handling(function: Function, node: ast.AST) -> bool:
    """Whether an exception may be handled where a node stands: in an `except` block, or in a `finally`."""
    while node is not function.node:
        parent = function.file.parents[node]
        if isinstance(node, ast.ExceptHandler) or node in getattr(parent, "finalbody", ()):
            return True
        node = parent
    return False


def _names_called_in_handlers(file: FileFacts) -> set[str]:
    """The names that are called where an exception is handled, also by what is called there."""
    calls: list[tuple[Function, ast.Call, str]] = []
    for function in file.all_functions:
        for call in function.of(ast.Call):
            name = getattr(call.func, "attr", getattr(call.func, "id", ""))
            calls.append((function, call, name))
    found = {name for function, call, name in calls if _is_handling(function, call)}
    while more := {name for function, _, name in calls if function.name in found} - found:
        found |= more
    return found
