"""Statements as a method, or function, of their own that only eager calls."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from tsrefactor.source.edits import Edit, InsertAfter, InsertBefore
from tsrefactor.source.excerpt import excerpt, indent_of, indented

from .branches import may_be_bound, surely_read
from .definitions import Function
from .family import members
from .flow import leaves
from .names import fresh, snake
from .nodes import walk


class NotMovable(Exception):
    """Why code stays where it is."""


@dataclass(frozen=True)
class OwnMethod:
    """``call``: the statement that takes the place of what moved, and gives it its names."""

    call: str
    definition: Edit


def own_method(function: Function, moved: Sequence[ast.stmt], wanted: str) -> OwnMethod:
    """What moves consecutive statements of a function into a method beside it, or a function before it.

    Where they return, the function must end with them. Raises NotMovable.
    """
    file, flow = function.file, function.flow
    inside = [n for s in moved for n in walk(s)]
    returns = any(isinstance(n, ast.Return) for s in moved for n in own_nodes(s))
    if any(isinstance(n, (ast.Yield, ast.YieldFrom, ast.Await, ast.Nonlocal)) for n in inside):
        raise NotMovable("it yields or binds names of a function around it")
    results = [] if returns else _results(function, moved)
    unsure = set(results) - _always_bound(function, moved)  # these may keep the value that they have
    needed = _in_order(moved, (flow.free(moved) | unsure) - {function.self_name})
    fails = {n for n in unsure - flow.free(moved) if _fails_unbound(function, moved, n)}
    needed = [n for n in needed if n not in fails]
    if unbound := set(needed) - flow.bound_before(moved[0]):
        raise NotMovable(f"`{min(unbound)}` may not be bound before or after it")
    method = function.self_name is not None
    own = [function.self_name] if function.self_name is not None else []
    if not method and "." in function.qualname and any(map(_is_mangled, inside)):
        raise NotMovable("outside the class, its private names would be others")
    name = _name(function, moved[0], wanted)
    call = f"{function.self_name}.{name}" if method else name
    call = f"{call}({', '.join(needed)})"
    if returns or results:
        call = f"return {call}" if returns else f"{', '.join(results)} = {call}"
    try:
        body = excerpt(file.source, moved)
    except ValueError as reason:
        raise NotMovable(str(reason)) from reason
    body += f"\nreturn {', '.join(results)}" if results else ""
    helper = f"def {name}({', '.join([*own, *needed])}):\n{indented(body, indent_of(file.source))}"
    if method:
        return OwnMethod(call, InsertAfter(function.node, "\n{helper}", {"helper": helper}))
    return OwnMethod(call, InsertBefore(file.top_level_of(function.node), "{helper}", {"helper": helper}))


def _name(function: Function, first: ast.stmt, wanted: str) -> str:
    """A free name, which nothing else in the file is given: with the class in it, where a base lies elsewhere."""
    cls, file = function.cls, function.file
    given = {name for statement, name in file.moved_names.items() if statement is not first}
    if function.self_name is None or cls is None:
        taken = file.module_names | function.flow.local_names
    else:
        taken = members(cls)
        if any(base != "object" and not base.startswith("torch.nn.") for base in cls.foreign_bases):
            wanted = f"_{snake(cls.name)}{wanted}"
    file.moved_names[first] = name = fresh(taken | given, wanted)
    return name


def _is_mangled(node: ast.AST) -> bool:
    name = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
    return name.startswith("__") and not name.endswith("__")


def _fails_unbound(function: Function, moved: Sequence[ast.stmt], name: str) -> bool:
    """Whether a name that the statements leave unbound is read later in any case: the method may fail in its place."""
    return not may_be_bound(function, moved[0], name) and surely_read(function, moved[-1], name)


def own_nodes(node: ast.AST) -> Iterator[ast.AST]:
    """A node and what is below it, without nested functions."""
    yield node
    if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)):
        for child in ast.iter_child_nodes(node):
            yield from own_nodes(child)


def _results(function: Function, moved: Sequence[ast.stmt]) -> list[str]:
    """The names that they may bind and that are read afterwards."""
    return _in_order(moved, function.flow.live_after(moved[-1]) & function.flow.writes(moved))


def _in_order(moved: Sequence[ast.stmt], names: Collection[str | None]) -> list[str]:
    """The names in the order of the text."""
    found = [n for s in moved for n in walk(s) if isinstance(n, ast.Name)]
    found.sort(key=lambda n: (n.lineno, n.col_offset))
    return [n for n in dict.fromkeys(n.id for n in found) if n in names]


def _always_bound(function: Function, moved: Sequence[ast.stmt]) -> set[str]:
    """As `always_writes`, and what all ways through a `try` bind."""
    found: set[str] = set()
    for statement in moved:
        if isinstance(statement, ast.Try):
            ways = [[*statement.body, *statement.orelse], *(h.body for h in statement.handlers)]
            arms = [_always_bound(function, way) for way in ways if not leaves(way)]
            found |= set.intersection(*arms) if arms else set()
            found |= _always_bound(function, statement.finalbody)
        else:
            found |= function.flow.always_writes([statement])
    return found
