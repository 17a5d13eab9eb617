"""tensor-unpack."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tsrefactor.facts.definitions import Function
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.types import TENSOR, UNKNOWN
from tsrefactor.source.edits import Replace
from tsrefactor.source.imports import Import
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings, preview

_MODEL = """\
import torch
from torch import nn


class Model(nn.Module):
"""


_KNOWN = (ast.Tuple, ast.List, ast.IfExp)


def _example(before: str, after: str) -> Example:
    """An example of the methods of a model."""
    inputs = "[(torch.rand(2, 3),), (torch.rand(2, 5),)]"
    error = r"Tensor( \(inferred\))? cannot be used as a tuple"
    return Example(_MODEL + before, _MODEL + after, inputs, Target.SCRIPT, error=error, recorded=True)


class TensorUnpack(Rule):
    """Unbind a tensor where it is unpacked.

    Python iterates over the first dimension of a tensor, TorchScript takes only tuples and lists apart.
    `xs, ys = torch.stack(grid)` becomes `xs, ys = torch.stack(grid).unbind()`, which is what iteration does.

    A parameter that nothing annotates may be a tuple in another call, which stays as it is: `row, col = edges` becomes
    `row, col = edges.unbind() if isinstance(edges, torch.Tensor) else edges`.

    Left alone: targets with a star, and nested ones; loops that unpack the rows of a tensor.

    Source: "Tensor cannot be used as a tuple", raised by torch/csrc/jit/frontend/sugared_value.cpp; `Tensor.__iter__`
    in torch/_tensor.py.
    """

    name = "tensor-unpack"
    targets = frozenset({Target.SCRIPT})
    answers = frozenset({"unpack-value"})
    examples = [
        _example(
            """\
    def forward(self, x):
        low, high = torch.stack([x.amin(1), x.amax(1)])  # of each row
        (first, second) = x + 1
        return high - low + first.sum() * second.sum()
""",
            """\
    def forward(self, x):
        low, high = torch.stack([x.amin(1), x.amax(1)]).unbind()  # of each row
        (first, second) = (x + 1).unbind()
        return high - low + first.sum() * second.sum()
""",
        ),
        _example(
            """\
    def forward(self, edges):
        row, col = edges
        return row * col
""",
            """\
    def forward(self, edges):
        row, col = edges.unbind() if isinstance(edges, torch.Tensor) else edges
        return row * col
""",
        ),
        _example(
            """\
    def forward(self, pair: torch.Tensor):
        a, b = pair
        # one of each view
        return a * b
""",
            """\
    def forward(self, pair: torch.Tensor):
        a, b = pair.unbind()
        # one of each view
        return a * b
""",
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        told = {
            d.place.line: d for d in self.diagnoses(file) if d.place and d.names.get("type", "").startswith("Tensor")
        }
        for function in file.functions:
            for statement in function.of(ast.Assign):
                [target, *others], value = statement.targets, statement.value
                if others or not isinstance(target, (ast.Tuple, ast.List)) or isinstance(value, _KNOWN):
                    continue
                if any(isinstance(e, (ast.Starred, ast.Tuple, ast.List)) for e in target.elts):
                    continue
                type_ = function.type_of(value)
                if type_ != TENSOR and not (type_ == UNKNOWN and statement.lineno in told):
                    continue
                text, imports = "{value}.unbind()", frozenset[Import]()
                either = _may_be_a_tuple(function, value)
                if either:
                    tensor, imports = file.spell("torch.Tensor")
                    text += f" if isinstance({ast.unparse(value)}, {tensor}) else {ast.unparse(value)}"
                edit = Replace(value, text, {"value": value})
                message = f"TorchScript cannot unpack a tensor; write `{preview(edit.template, edit.pieces)}`"
                presumed = type_ != TENSOR and not either
                answered = told.get(statement.lineno)
                yield self.finding(statement, message, edit, imports=imports, presumed=presumed, answers=answered)


def _may_be_a_tuple(function: Function, value: ast.expr) -> bool:
    """Whether it is a parameter, as it was given, that nothing but a recorded run tells the type of."""
    if not isinstance(value, ast.Name) or value.id in function.types.bindings.values:
        return False
    return any(p.name == value.id and p.annotation is None for p in function.parameters)
