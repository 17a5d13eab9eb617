"""hasattr-and."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.short_circuit import asked_by_conditional
from tsrefactor.facts.signatures import function_at
from tsrefactor.source.edits import Replace
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings, preview

_HEAD = """\
import torch
from torch import nn


class Block(nn.Module):
    def __init__(self, neck=None):
        super().__init__()
        if neck is not None:
            self.neck = neck

"""
_MODEL = """\


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.last = Block(nn.Linear(4, 4)), Block()

    def forward(self, x):
        return self.last(self.first(x))
"""


def _example(before: str, after: str) -> Example:
    inputs = "[(torch.rand(2, 4),), (torch.rand(3, 4),)]"
    error = "has no attribute 'neck'"
    return Example(_HEAD + before + _MODEL, _HEAD + after + _MODEL, inputs, Target.SCRIPT, error=error)


class HasattrAnd(Rule):
    """Ask `hasattr` by a conditional expression, where an `and` guards the read of the attribute.

    TorchScript decides `hasattr(self, 'neck')` when it compiles, but compiles both sides of an `and`, and so misses the
    attribute in `hasattr(self, 'neck') and self.neck is not None`. Of a conditional expression it drops the side that
    is not taken: `(self.neck is not None if hasattr(self, 'neck') else False)`, which is the same value in eager. An
    `or` after `not hasattr(…)` likewise.

    Left alone: an `and` whose `hasattr` asks for another attribute, or comes after the read.

    Source: "Module has no attribute", raised by torch/csrc/jit/python/python_sugared_value.cpp; `emitCondExpr` and
    `emitTernaryIf` in torch/csrc/jit/frontend/ir_emitter.cpp.
    """

    name = "hasattr-and"
    targets = frozenset({Target.SCRIPT})
    needs_diagnosis = True
    answers = frozenset({"missing-attribute"})
    examples = [
        _example(
            """\
    def forward(self, x):
        if hasattr(self, 'neck') and self.neck is not None:
            x = self.neck(x)  # only some have one
        return x
""",
            """\
    def forward(self, x):
        if (self.neck is not None if hasattr(self, 'neck') else False):
            x = self.neck(x)  # only some have one
        return x
""",
        ),
        _example(
            """\
    def forward(self, x, plain: bool = False):
        without = not hasattr(self, 'neck') or self.neck.in_features != x.size(1)
        if x.dim() == 2 and not (plain or without):
            x = x + 1
        return x
""",
            """\
    def forward(self, x, plain: bool = False):
        without = self.neck.in_features != x.size(1) if hasattr(self, 'neck') else True
        if x.dim() == 2 and not (plain or without):
            x = x + 1
        return x
""",
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        for diagnosis in self.diagnoses(file):
            assert diagnosis.place is not None
            line, name = diagnosis.place.line, diagnosis.names.get("attribute", "")
            function = function_at(file, line)
            reads = [n for n in function.of(ast.Attribute) if n.attr == name] if function is not None else []
            for read in (r for r in reads if r.lineno == line):
                found = _guarded(file, read)
                if found is not None:
                    guard, at = found
                    template, pieces = asked_by_conditional(file, guard, at)
                    yield self.finding(
                        guard,
                        f"TorchScript compiles both sides; write `{preview(template, pieces)}`",
                        Replace(guard, template, pieces),
                        answers=diagnosis,
                    )
                    break


def _guarded(file: FileFacts, read: ast.Attribute) -> tuple[ast.BoolOp, int] | None:
    """The `and` or `or` in which an earlier part asks for the attribute, and which part that is."""
    node: ast.AST = read
    while not isinstance(node, ast.stmt):
        parent = file.parents[node]
        if isinstance(parent, ast.BoolOp) and node in parent.values:
            before = parent.values[: parent.values.index(node)]
            for at, part in enumerate(before):
                if _asks(part, read, negated=isinstance(parent.op, ast.Or)):
                    return parent, at
        node = parent
    return None


def _asks(part: ast.expr, read: ast.Attribute, negated: bool) -> bool:
    if negated:
        return isinstance(part, ast.UnaryOp) and isinstance(part.op, ast.Not) and _asks(part.operand, read, False)
    match part:
        case ast.Call(func=ast.Name(id="hasattr"), args=[owner, ast.Constant(value=name)], keywords=[]):
            return bool(name == read.attr) and ast.unparse(owner) == ast.unparse(read.value)
    return False
