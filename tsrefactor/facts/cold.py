"""Code that no recorded run reached: branches, what follows an early return, whole functions."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from .definitions import Function
from .diagnosis import Place
from .flow import leaves
from .nodes import walk

_LONGEST = 50  # characters of a condition that a message quotes


@dataclass(frozen=True, eq=False)
class ColdBlock:
    """Statements up to the end of a block that no recorded run reached.

    ``condition``: what must hold to get there, where one `if` says so.
    """

    function: Function
    statements: list[ast.stmt]
    condition: ast.expr | None = None

    @property
    def is_whole(self) -> bool:
        """Whether it is all that its function does."""
        return self.statements == [s for s in self.function.node.body if not _is_text(s)]

    @property
    def unsupported(self) -> str:
        """What TorchScript does not support here, as a sentence begins."""
        name = self.function.qualname
        if self.is_whole:
            return f"{name} is not supported"
        return f"{name} does not support {told(self.condition)}"


def told(condition: ast.expr | None) -> str:
    """What leads to a path, as a message quotes it."""
    text = ast.unparse(condition) if condition is not None else ""
    return f"`{text}`" if text and len(text) <= _LONGEST else "this path"


def is_cold(function: Function, statement: ast.stmt) -> bool:
    """Whether recorded runs reached none of a statement's lines. Of a line that a change inserted nothing is known."""
    file = function.file
    if file.observations is None:
        return False
    last = statement.end_lineno or statement.lineno
    lines = {file.document.original_line(line) for line in range(statement.lineno, last + 1)} - {None}
    return bool(lines) and (function.observed is None or not lines & function.observed.lines)


def never_called(function: Function) -> bool:
    """Whether a recording knows of no call of a function that the author wrote."""
    file = function.file
    return file.observations is not None and function.observed is None and bool(file.first_original_line(function))


def statement_at(function: Function, place: Place) -> ast.stmt | None:
    """The innermost statement of a function at a place."""
    at = (place.line, place.column or 0)
    found = [s for s in function.statements if s.lineno <= place.line <= (s.end_lineno or s.lineno)]
    begun = [s for s in found if (s.lineno, s.col_offset) <= at]
    return max(begun or found, key=lambda s: (s.lineno, s.col_offset), default=None)


def cold_blocks(function: Function, statement: ast.stmt) -> Iterator[ColdBlock]:
    """The cold branches and the cold rests of blocks around a statement, innermost first; last, a cold function.

    The body of a loop is one only where runs reached the loop itself.
    """
    file, node = function.file, statement
    while is_cold(function, node):
        block, parent = file.block_of(node), file.parents[node]
        first = block.index(node)
        while first and is_cold(function, block[first - 1]):
            first -= 1
        while first < len(block) - 1 and _is_text(block[first]):
            first += 1
        whole = parent is function.node
        if block != [node] or not _is_elif(function, node):
            branch = isinstance(parent, ast.If) and block in (parent.body, parent.orelse)
            tail = not all(map(_is_text, block[:first]))
            if whole or branch or tail or (isinstance(parent, ast.stmt) and not is_cold(function, parent)):
                yield ColdBlock(function, block[first:], _condition(parent, block, first))
        if whole or not isinstance(parent, ast.stmt):
            return
        node = parent


def cold_branches(function: Function) -> Iterator[ColdBlock]:
    """The outermost cold blocks of a function, in source order."""
    seen: set[ast.AST] = set()
    for statement in function.statements:
        if statement in seen or not is_cold(function, statement) or _is_text(statement):
            continue
        found = next(cold_blocks(function, statement), None)
        for covered in found.statements if found is not None else [statement]:
            seen.update(walk(covered))
        if found is not None:
            yield found


def _condition(parent: ast.AST, block: list[ast.stmt], first: int) -> ast.expr | None:
    """What one `if` says of the way to a statement of a block: the one around it, or one that returns before it."""
    if not all(map(_is_text, block[:first])):
        before = block[first - 1]
        single = isinstance(before, ast.If) and not before.orelse and leaves(before.body)
        return negated(before.test) if isinstance(before, ast.If) and single else None
    if not isinstance(parent, ast.If):
        return None
    return parent.test if block is parent.body else negated(parent.test)


_OPPOSITE: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
    ast.Lt: ast.GtE, ast.GtE: ast.Lt, ast.Gt: ast.LtE, ast.LtE: ast.Gt,
}  # fmt: skip


def negated(test: ast.expr) -> ast.expr:
    """The opposite of a condition, as people write it."""
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        return test.operand
    if isinstance(test, ast.Compare) and len(test.ops) == 1:
        return ast.Compare(test.left, [_OPPOSITE[type(test.ops[0])]()], test.comparators)
    return ast.UnaryOp(ast.Not(), test)


def _is_text(statement: ast.stmt) -> bool:
    """A docstring, or a text that stands for a comment: no run is ever seen to reach it."""
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _is_elif(function: Function, statement: ast.stmt) -> bool:
    parent, source = function.file.parents[statement], function.file.source
    if not isinstance(parent, ast.If) or parent.orelse != [statement] or not isinstance(statement, ast.If):
        return False
    return source.text.startswith("elif", source.span(statement)[0])
