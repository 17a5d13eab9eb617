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

    Left alone: `raise` in an `except` block, which raises again what is handled there.

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
            for node in function.of(ast.Raise):
                if node.exc is None and not _is_handling(function, node):
                    message = f"TorchScript cannot read a `raise` without an error; write `raise {_ERROR}`"
                    yield self.finding(node, message, Replace([node], f"raise {_ERROR}"))


def _is_handling(function: Function, node: ast.AST) -> bool:
    while node is not function.node:
        if isinstance(node, (ast.ExceptHandler, ast.Try)):  # also in `finally`, after an error
            return True
        node = function.file.parents[node]
    return False
