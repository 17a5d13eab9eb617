"""What code does with the modules of a container: calls, loops, and questions whether one is None."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from .definitions import Class, Function
from .filling import is_none


class Elsewhere(Exception):
    """A module, or the container, goes where its uses cannot be followed."""


def none_tests(cls: Class, attribute: str) -> list[tuple[Function, ast.Compare]]:
    """Where the class and its relatives ask whether a module of ``self.attribute`` is None, of those that are held by
    containers in it as well. Raises `Elsewhere` where the source does not show all that is done with them."""
    followed: set[ast.AST] = set()
    found = []
    for c in (cls, *cls.ancestors, *cls.subclasses):
        for method in c.methods.values():
            for node in method.self_attributes.get(attribute, ()):
                followed.add(node)
                if isinstance(node.ctx, ast.Load):
                    found += [(method, test) for test in _tests(method, node, set())]
    own = {n for f in cls.file.classes for m in f.methods.values() for n in m.self_attributes.get(attribute, ())}
    if any(n.attr == attribute and n not in own for n in cls.file.of(ast.Attribute)):
        raise Elsewhere  # another object's
    return list(dict.fromkeys(found))


def _tests(function: Function, node: ast.expr, seen: set[str]) -> Iterator[ast.Compare]:
    parents = function.file.parents
    parent = parents[node]
    if isinstance(parent, ast.Attribute):
        return
    if isinstance(parent, ast.Subscript) and parent.value is node and isinstance(parent.ctx, ast.Load):
        yield from _tests(function, parent, seen)
    elif isinstance(parent, ast.Call) and parent.func is node:
        return
    elif isinstance(parent, ast.Call) and (origin := function.file.origin(parent.func)) in _ASKS:
        if origin != "len":
            yield from _tests_in_loop(function, parent, parent.args.index(node), origin, seen)
    elif isinstance(parent, (ast.For, ast.comprehension)) and parent.iter is node:
        yield from _tests_of(function, parent.target, seen)
    elif isinstance(parent, ast.Assign) and len(parent.targets) == 1:
        yield from _tests_of(function, parent.targets[0], seen)
    elif isinstance(parent, ast.Compare) and parent.left is node and is_none(parent.comparators[0]):
        if not isinstance(parent.ops[0], (ast.Is, ast.IsNot)):
            raise Elsewhere
        yield parent
    else:
        raise Elsewhere


_ASKS = frozenset({"len", "enumerate", "zip", "reversed"})


def _tests_in_loop(function: Function, call: ast.Call, at: int, origin: str, seen: set[str]) -> Iterator[ast.Compare]:
    """The same for what a loop over ``enumerate``, ``zip`` or ``reversed`` gives names."""
    loop = function.file.parents[call]
    place, target = at, None
    if isinstance(loop, ast.Call) and function.file.origin(loop.func) == "enumerate" and loop.args[:1] == [call]:
        outer = function.file.parents[loop]
        target = outer.target if isinstance(outer, (ast.For, ast.comprehension)) else None
        target = target.elts[1] if isinstance(target, ast.Tuple) and len(target.elts) == 2 else None
    elif isinstance(loop, (ast.For, ast.comprehension)):
        target = loop.target
    if origin == "reversed" and target is not None:
        yield from _tests_of(function, target, seen)
        return
    place = 1 if origin == "enumerate" else at
    if not isinstance(target, ast.Tuple) or len(target.elts) <= place:
        raise Elsewhere
    yield from _tests_of(function, target.elts[place], seen)


def _tests_of(function: Function, target: ast.expr, seen: set[str]) -> Iterator[ast.Compare]:
    """The same for the reads of a name that is given to modules; of each, where a tuple takes a container apart."""
    names = target.elts if isinstance(target, ast.Tuple) else [target]
    for name in names:
        if not isinstance(name, ast.Name):
            raise Elsewhere
        if name.id in seen:
            continue
        seen.add(name.id)
        for read in function.of(ast.Name):
            if read.id == name.id and isinstance(read.ctx, ast.Load):
                yield from _tests(function, read, seen)
