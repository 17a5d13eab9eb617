"""An `and` or `or` as a conditional expression, of which TorchScript drops the arm that is not taken."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tsrefactor.source.edits import Pieces

from .definitions import Function
from .file import FileFacts


def asked_by_conditional(file: FileFacts, guard: ast.BoolOp, at: int) -> tuple[str, Pieces]:
    """The template of the same value, where a conditional expression asks what the part ``at`` asks, before the rest.

    In parentheses, but for an assigned or returned value that is nothing else.
    """
    is_and = isinstance(guard.op, ast.And)
    joined, otherwise = (" and ", "False") if is_and else (" or ", "True")
    pieces: dict[str, ast.expr] = {f"p{i}": v for i, v in enumerate(guard.values)}
    part = guard.values[at]
    negated = isinstance(part, ast.UnaryOp) and isinstance(part.op, ast.Not)
    pieces["asked"] = part.operand if isinstance(part, ast.UnaryOp) and negated else part
    rest = joined.join(f"{{p{i}}}" for i in range(at + 1, len(guard.values)))
    del pieces[f"p{at}"]
    arms = (rest, otherwise) if is_and != negated else (otherwise, rest)
    template = f"{arms[0]} if {{asked}} else {arms[1]}"
    if at or not isinstance(file.parents[guard], (ast.Assign, ast.Return)):
        template = f"({template})"
    return joined.join([*(f"{{p{i}}}" for i in range(at)), template]), pieces


def guards(function: Function, line: int, column: int) -> Iterator[ast.BoolOp]:
    """Every `and` and `or` around a place; of a call in one, TorchScript may give the place of another part."""
    for node in function.of(ast.BoolOp):
        if (node.lineno, node.col_offset) <= (line, column) < (node.end_lineno or 0, node.end_col_offset or 0):
            yield node
