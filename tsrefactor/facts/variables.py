"""Local variables that start as None and get their value where TorchScript no longer lets the type change."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from .definitions import Function
from .types import NONE, UNKNOWN, Type, join_all, optional

_NESTED = (ast.If, ast.For, ast.While, ast.Try)


@dataclass(frozen=True)
class LateValue:
    """``a = None``, ``a = b = None`` or ``a, b = None, None``.

    ``names`` are all that it binds, in order; ``types`` holds, for those that need one, the type over all bindings.
    ``presumed``: a type rests on parameters that are only presumed to be tensors.
    """

    statement: ast.Assign
    names: tuple[str, ...]
    types: dict[str, Type]
    presumed: bool


def late_values(function: Function) -> Iterator[LateValue]:
    """The assignments of None whose variables are first given another value inside a branch or a loop."""
    for statement in function.statements:
        if not isinstance(statement, ast.Assign) or not (names := _set_to_none(statement)):
            continue
        late = [n for n in names if _given_in_branch(function, statement, n)]
        if not late or "# type:" in function.file.source.lines[statement.lineno - 1]:
            continue
        found = {n: _type(function, n) for n in late}
        types = {n: t for n, (t, _) in found.items() if t.known and t.optional}
        if types:
            yield LateValue(statement, names, types, any(found[n][1] for n in types))


def first_binding(function: Function, name: str, line: int, in_branch: bool) -> ast.Assign | None:
    """The first assignment of a variable before a line, or ``in_branch`` the first inside the `if` that stands there.

    None for a parameter, and where that binding is annotated or binds something else as well.
    """
    if any(p.name == name for p in function.parameters):
        return None
    for statement in function.statements:
        if in_branch and not _inside_if_at(function, statement, line):
            continue
        if isinstance(statement, (ast.Assign, ast.AnnAssign)) and name in function.flow.writes(statement):
            if (not in_branch and statement.lineno >= line) or isinstance(statement, ast.AnnAssign):
                return None
            return statement if len(statement.targets) == 1 and isinstance(statement.targets[0], ast.Name) else None
    return None


def _inside_if_at(function: Function, statement: ast.stmt, line: int) -> bool:
    node: ast.AST = function.file.parents[statement]
    while node is not function.node:
        if isinstance(node, ast.If) and node.lineno == line:
            return True
        node = function.file.parents[node]
    return False


def _set_to_none(statement: ast.Assign) -> tuple[str, ...]:
    """The names that the statement sets to None, if it does nothing else."""
    names: list[str] = []
    for target in statement.targets:
        pairs = [(target, statement.value)]
        if isinstance(target, ast.Tuple) and isinstance(statement.value, ast.Tuple):
            if len(target.elts) != len(statement.value.elts):
                return ()
            pairs = list(zip(target.elts, statement.value.elts, strict=True))
        for name, value in pairs:
            if not isinstance(name, ast.Name) or not (isinstance(value, ast.Constant) and value.value is None):
                return ()
            names.append(name.id)
    return tuple(names)


def _given_in_branch(function: Function, statement: ast.Assign, name: str) -> bool:
    """Whether the next statement of the block that binds the name is a branch or loop, and none bound it before."""
    if name in function.flow.bound_before(statement):
        return False
    block = function.file.block_of(statement)
    for later in block[block.index(statement) + 1 :]:
        if name in function.flow.writes([later]):
            return isinstance(later, _NESTED)
    return False


def _type(function: Function, name: str) -> tuple[Type, bool]:
    """The type over all bindings, and whether it is only presumed."""
    recorded = function.observed.locals.get(name, UNKNOWN) if function.observed is not None else UNKNOWN
    if recorded.known and recorded != NONE:
        return optional(recorded), False
    found = function.types.assigned(name)
    if found.known:
        return found, False
    values = function.types.bindings.values.get(name, [])
    types = [function.type_of(v, presume=True) if isinstance(v, ast.expr) else v for v in values]
    return (UNKNOWN if any(not t.known for t in types) else join_all(types)), True
