"""range-index."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tsrefactor.facts.definitions import Function
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.signs import not_negative
from tsrefactor.facts.types import TENSOR
from tsrefactor.source.edits import Replace
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings

_HEAD = "import torch\n\n\nclass Model(torch.nn.Module):\n    def forward(self, x):\n"
_INPUTS = "[(torch.rand(3, 4),), (torch.rand(5, 4),)]"


class RangeIndex(Rule):
    """Index a tensor with `torch.arange` where the code has a `range`.

    Python turns a `range` in a tensor's index into numbers, and these into a tensor. A trace keeps the example's
    numbers; TorchScript has no such index. `torch.arange(n)` holds the same numbers, and follows the size.

    Left alone: ranges of constants in a trace; ranges whose end may lie before their start, for which `torch.arange`
    raises.

    Source: "range cannot be used as a value", raised by torch/csrc/jit/frontend/sugared_value.h; `sequenceToVariable`
    in torch/csrc/autograd/python_variable_indexing.cpp, which no trace records.
    """

    name = "range-index"
    targets = frozenset({Target.SCRIPT, Target.TRACE})
    answers = frozenset({"not-a-value"})
    examples = [
        Example(
            _HEAD
            + """\
        distances = torch.cdist(x, x)
        distances[range(len(x)), range(len(x))] = 0  # to itself
        return distances
""",
            _HEAD
            + """\
        distances = torch.cdist(x, x)
        distances[torch.arange(len(x)), torch.arange(len(x))] = 0  # to itself
        return distances
""",
            _INPUTS,
            Target.SCRIPT,
            error="range cannot be used as a value",
            recorded=True,
        ),
        Example(
            _HEAD
            + """\
        n = x.size(0)
        return (x @ x.t())[range(n), range(n)]
""",
            _HEAD
            + """\
        n = x.size(0)
        return (x @ x.t())[torch.arange(n), torch.arange(n)]
""",
            _INPUTS.replace("4", "2"),
            Target.TRACE,
            "baked",
            recorded=True,
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        if not file.mentions("range"):
            return
        traced = self.for_trace(file, settings)
        for function in file.functions:
            if traced and function.dependence.is_compiled:
                continue
            for call in function.calls("range"):
                if not _is_index(function, call) or function.types.bindings.shadows("range"):
                    continue
                if traced and not any(function.dependence.holds_kept(a) for a in call.args):
                    continue
                message = "the numbers of a `range` are no index for TorchScript, and a trace keeps the example's"
                if not all(_rises(function, c) for c in _beside(function, call)):
                    yield self.finding(call, f"{message}; whether it ends before it starts is not known")
                    continue
                arange, imports = file.spell("torch.arange")
                yield self.finding(
                    call,
                    f"{message}; index with `{arange}`",
                    Replace(call.func, arange),
                    imports=imports,
                    trap=True,
                )


def _is_index(function: Function, call: ast.Call) -> bool:
    """Whether it is an index of a tensor, alone or among others."""
    node: ast.AST = call
    parent = function.file.parents[node]
    if isinstance(parent, ast.Tuple):
        node, parent = parent, function.file.parents[parent]
    return isinstance(parent, ast.Subscript) and parent.slice is node and function.type_of(parent.value) == TENSOR


def _beside(function: Function, call: ast.Call) -> list[ast.Call]:
    """The ranges of the same index, of which none stays alone."""
    parent = function.file.parents[call]
    nodes = parent.elts if isinstance(parent, ast.Tuple) else [call]
    return [c for c in function.calls("range") if c in nodes]


def _rises(function: Function, call: ast.Call) -> bool:
    """Whether it surely does not end before it starts: ``range(n)``, ``range(i, i + 1)``."""
    if len(call.args) == 1:
        return not_negative(function, call.args[0])
    if len(call.args) != 2 or not isinstance(call.args[1], ast.BinOp) or not isinstance(call.args[1].op, ast.Add):
        return False
    start, end = call.args[0], call.args[1]
    return ast.unparse(start) == ast.unparse(end.left) and not_negative(function, end.right)
