"""Blocks that a test leaves out where a tensor is empty, and that would do nothing then."""

from __future__ import annotations

import ast

from .definitions import Function
from .layer_calls import calls_layers
from .placement import is_elif
from .types import TENSOR

_COUNTS = frozenset({"numel", "nelement", "size", "any", "sum"})
_BY_INDEX = {
    "index_add_": 1,
    "index_copy_": 1,
    "index_fill_": 1,
    "index_put_": 0,
    "masked_scatter_": 0,
    "masked_fill_": 0,
}


def guarded_from_nothing(function: Function, node: ast.If) -> str | None:
    """The tensor that is tested not to be empty before a block which calls layers and, on an empty one, does nothing
    that lasts; None for any other block."""
    subject = _subject(function, node.test)
    if subject is None or node.orelse or is_elif(function.file, node) or not calls_layers(function, node.body):
        return None
    return subject if all(_is_harmless(function, node, s, subject) for s in node.body) else None


def _subject(function: Function, test: ast.expr) -> str | None:
    """``x`` of ``x.numel() > 0``, ``len(x) != 0``, ``x.shape[0] > 0``, ``x.any()``: what is tested not to be empty."""
    if isinstance(test, ast.Compare):
        zero = len(test.ops) == 1 and isinstance(test.comparators[0], ast.Constant) and test.comparators[0].value == 0
        if not zero or not isinstance(test.ops[0], (ast.Gt, ast.NotEq)):
            return None
        test = test.left
    if isinstance(test, ast.Subscript) and isinstance(test.value, ast.Attribute) and test.value.attr == "shape":
        return _tensor(function, test.value.value) if ast.unparse(test.slice) == "0" else None
    if not isinstance(test, ast.Call):
        return None
    if function.file.origin(test.func) == "len" and len(test.args) == 1:
        return _tensor(function, test.args[0])
    if isinstance(test.func, ast.Attribute) and test.func.attr in _COUNTS and not test.keywords:
        return _tensor(function, test.func.value) if [ast.unparse(a) for a in test.args] in ([], ["0"]) else None
    return None


def _tensor(function: Function, node: ast.expr) -> str | None:
    known = isinstance(node, ast.Name) and function.type_of(node, presume=True) == TENSOR
    return node.id if known and isinstance(node, ast.Name) else None


def _is_harmless(function: Function, node: ast.If, statement: ast.stmt, subject: str) -> bool:
    """Whether a statement of the block does nothing that lasts where the subject is empty."""
    flow = function.flow
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
        call = statement.value
        at = _BY_INDEX.get(call.func.attr) if isinstance(call.func, ast.Attribute) else None
        return at is not None and len(call.args) > at and subject in flow.reads(call.args[at])
    if isinstance(statement, (ast.Assign, ast.AugAssign)):
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        if all(isinstance(t, ast.Subscript) and subject in flow.reads(t.slice) for t in targets):
            return True
        named = isinstance(statement, ast.Assign) and all(isinstance(t, ast.Name) for t in targets)
        return named and not flow.mutates(statement) and not flow.writes(statement) & flow.live_after(node)
    return False
