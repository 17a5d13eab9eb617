"""The assignments that give names their values in some statements, where they may be repeated right before these."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence

from .bindings import starts_empty
from .definitions import Function
from .scriptable import obstacle
from .types import BOOL, FLOAT, INT, TENSOR

_SHAPE_CHANGES = frozenset("resize_ resize_as_ squeeze_ unsqueeze_ transpose_ swapaxes_ swapdims_ t_ set_".split())


class Reaching:
    """For some code of a function, the statement ``at`` and others after it or a part of it: what reaches it."""

    def __init__(self, function: Function, code: Sequence[ast.AST], at: ast.stmt):
        self.function, self.flow, self.file, self.code, self.at = function, function.flow, function.file, code, at

    def definition(self, name: str) -> ast.stmt | None:
        """The one plain assignment, before the code, that gives the name its value in it; None without one."""
        first, inside = self.at, set(_walk(self.code))
        if name in self.flow._parameters:
            return None
        writers = [s for s in self.function.statements if name in self.flow.writes(_own(s)) and s not in inside]
        if len(writers) != 1 or not isinstance(writers[0], (ast.Assign, ast.AnnAssign)):
            return None
        found = writers[0]
        around = [self.file.block_of(a) for a in self._around(first)]
        at = next(
            (a for a, b in zip(self._around(first), around, strict=True) if found in b and b.index(found) < b.index(a)),
            None,
        )
        if at is None or found.value is None:
            return None
        empty = starts_empty(self.function, found.value)
        if not empty and (not self.flow.is_pure(found) or obstacle(self.function, [found]) is not None):
            return None
        if (empty or isinstance(found.value, (ast.List, ast.ListComp))) and not (
            self.only_here(found) and self._appends_one_kind(name)
        ):
            return None
        return found if self._still_holds(found, at) else None

    def _still_holds(self, definition: ast.stmt, at: ast.stmt) -> bool:
        """Whether repeating an assignment before the statements gives the same. ``at``: the statement beside it."""
        read = self.flow.reads(definition) & self.flow.local_names
        siblings = self.file.block_of(definition)
        between = siblings[siblings.index(definition) + 1 : siblings.index(at)]
        for outer in self._around(self.at):
            if outer in siblings:
                break
            block = self.file.block_of(outer)
            between += block[: block.index(outer)]
        # In a loop that the definition is not part of, the statements themselves come before the next turn.
        loops = [a for a in self._around(self.at)[1:] if isinstance(a, (ast.For, ast.While))]
        between += [loop for loop in loops if loop is at or any(n is loop for n in ast.walk(at))]
        bound, changed = self.flow.writes(definition), self.flow.writes(between)
        if (changed | bound) & read or bound & (changed | self.flow.mutates(between)):
            return False
        if bound & self.function.dependence.extracted_names:
            return not self.flow.mutates(between) and not self._reads_self(definition)
        calls = (
            n.func.attr
            for s in between
            for n in ast.walk(s)
            if isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute)
        )
        return not _SHAPE_CHANGES & set(calls)

    def _reads_self(self, code: ast.stmt) -> bool:
        return self.function.self_name in self.flow.reads(code)

    def only_here(self, definition: ast.stmt) -> bool:
        """Whether nothing but the statements mentions what the assignment binds."""
        names = self.flow.writes(definition)
        inside = {n for s in (*self.code, definition) for n in ast.walk(s)}
        others = (n for n in ast.walk(self.function.node) if isinstance(n, ast.Name) and n.id in names)
        return all(n in inside for n in others)

    def _appends_one_kind(self, name: str) -> bool:
        """Whether a list made empty is given tensors only, or numbers of one type only."""
        calls = (n for n in _walk(self.code) if isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute))
        added = [
            c.args[0] for c in calls
            if c.func.attr in ("append", "insert", "extend") and c.args  # type: ignore[attr-defined]
            and isinstance(c.func.value, ast.Name) and c.func.value.id == name  # type: ignore[attr-defined]
        ]  # fmt: skip
        kinds = {self.function.type_of(a, presume=True) for a in added}
        return len(kinds) < 2 and kinds <= {TENSOR, INT, FLOAT, BOOL}

    def _around(self, statement: ast.stmt) -> list[ast.stmt]:
        """The statement and those around it, up to the function."""
        found: list[ast.stmt] = []
        node: ast.AST = statement
        while node is not self.function.node:
            if isinstance(node, ast.stmt):
                found.append(node)
            node = self.file.parents[node]
        return found


def _own(statement: ast.stmt) -> list[ast.AST]:
    """A statement without the statements inside it."""
    if isinstance(statement, (ast.If, ast.While)):
        return [statement.test]
    if isinstance(statement, ast.For):
        return [statement.target, statement.iter]
    if isinstance(statement, (ast.With, ast.AsyncWith)):
        return list(statement.items)
    return [] if isinstance(statement, ast.Try) else [statement]


def _walk(code: Iterable[ast.AST]) -> Iterator[ast.AST]:
    for root in code:
        yield from ast.walk(root)
