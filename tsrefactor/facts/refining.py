"""Where a local name that may be unbound must be declared as an Optional, and where it must be shown not to be None."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass, field

from .branches import enclosing_loop, is_elif, reads_first, reads_surely
from .definitions import Function
from .flow import leaves
from .nodes import walk


class NotRefinable(Exception):
    """The name is read where an `assert` cannot go before it; the message says where."""


@dataclass
class Refinement:
    """``anchor``: the statement to declare the name before; ``asserts``: the statements that need it not to be None."""

    anchor: ast.stmt
    asserts: list[ast.stmt] = field(default_factory=list)


def refinement(function: Function, name: str) -> Refinement:
    """Where to declare a name None and where to assert that it is bound. Raises NotRefinable.

    Declared so, a name that eager would find unbound is None, and an assertion fails where eager would have failed.
    """
    uses = [n for n in function.of(ast.Name) if n.id == name]
    if name in function.flow.captured:
        raise NotRefinable(f"a nested function reads '{name}'")
    if any(isinstance(n.ctx, ast.Del) for n in uses):
        raise NotRefinable(f"'{name}' is deleted")
    block = _common_block(function, uses)
    anchor = next(s for s in block if any(u in uses for u in walk(s)))
    anchor = enclosing_loop(function, anchor) or anchor
    found = Refinement(anchor)
    home = function.file.block_of(anchor)
    _Asserts(function, name, found.asserts).block(home[home.index(anchor) :], False)
    return found


def _common_block(function: Function, uses: Sequence[ast.Name]) -> list[ast.stmt]:
    """The innermost block that holds all uses."""
    parents = function.file.parents
    above: list[ast.AST] = []
    node: ast.AST = uses[0]
    while node is not function.node:
        node = parents[node]
        above.append(node)
    for owner in above:
        for part in ("body", "orelse"):
            block = getattr(owner, part, None)
            held = {n for s in block for n in walk(s)} if isinstance(block, list) else set()
            if held.issuperset(uses) and not (block and is_elif(function.file, block[0])):
                return block  # type: ignore[return-value]
    return function.node.body


class _Asserts:
    """Follows the blocks in order; the state is whether the name is known not to be None."""

    def __init__(self, function: Function, name: str, found: list[ast.stmt]):
        self.function, self.name, self.found = function, name, found

    def block(self, statements: Sequence[ast.stmt], known: bool) -> bool:
        for statement in statements:
            known = self.statement(statement, known)
        return known

    def statement(self, statement: ast.stmt, known: bool) -> bool:
        if isinstance(statement, ast.If):
            own = not known and not is_elif(self.function.file, statement)
            if own and reads_first(self.function, statement, self.name):
                known = self._needed(statement, known)  # once, where every arm reads it
            known = self._reading(statement, [statement.test], known)
            arms = [(arm, self.block(arm, known)) for arm in (statement.body, statement.orelse)]
            return all(after for arm, after in arms if not leaves(arm))
        if isinstance(statement, (ast.For, ast.While)):
            return self._loop(statement, known)
        if isinstance(statement, ast.With):
            return self.block(
                statement.body, self._reading(statement, [i.context_expr for i in statement.items], known)
            )
        if isinstance(statement, (ast.Try, ast.Match)) and self._mentions(statement):
            raise NotRefinable(f"'{self.name}' is used in a `{type(statement).__name__.lower()}`")
        parts = [c for c in ast.iter_child_nodes(statement) if isinstance(c, ast.expr)]
        if isinstance(statement, ast.AugAssign) and self._stores(statement.target):
            known = self._needed(statement, known)
        else:
            known = self._reading(statement, parts, known)
        return known or any(self._stores(t) for t in parts)

    def _loop(self, loop: ast.For | ast.While, known: bool) -> bool:
        head = loop.iter if isinstance(loop, ast.For) else loop.test
        if isinstance(loop, ast.For) and self._stores(loop.target):
            raise NotRefinable(f"'{self.name}' is the variable of a loop")
        writes = self.name in self.function.flow.writes([*loop.body, *loop.orelse])
        if isinstance(loop, ast.While) and self._mentions(head) and (writes or not known):
            raise NotRefinable(f"a `while` tests '{self.name}'")
        known = self._reading(loop, [head], known)
        self.block(loop.body, known and not writes)
        return known and not writes

    def _reading(self, statement: ast.stmt, parts: Sequence[ast.expr], known: bool) -> bool:
        """The state after expressions that the statement evaluates first."""
        if known or not any(self._reads(p) for p in parts):
            return known
        if not any(reads_surely(p, self.name) for p in parts):
            raise NotRefinable(f"'{self.name}' is read where it is not always evaluated")
        return self._needed(statement, known)

    def _needed(self, statement: ast.stmt, known: bool) -> bool:
        if not known:
            if is_elif(self.function.file, statement):
                raise NotRefinable(f"an `elif` tests '{self.name}'")
            self.found.append(statement)
        return True

    def _mentions(self, node: ast.AST) -> bool:
        return any(isinstance(n, ast.Name) and n.id == self.name for n in walk(node))

    def _reads(self, node: ast.AST) -> bool:
        return any(isinstance(n, ast.Name) and n.id == self.name and isinstance(n.ctx, ast.Load) for n in walk(node))

    def _stores(self, node: ast.AST) -> bool:
        return any(
            isinstance(n, ast.Name) and n.id == self.name and not isinstance(n.ctx, ast.Load) for n in walk(node)
        )
