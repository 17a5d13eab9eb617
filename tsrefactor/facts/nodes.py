"""Children of `ast` nodes, several times as fast as `ast.iter_child_nodes`: `check` does little but walk trees."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator
from operator import attrgetter
from typing import Any

_PLAIN = frozenset(
    "ctx op ops id attr arg name asname module level kind type_comment conversion simple is_async"
    " kwd_attrs rest tag".split()
)
"""Fields that hold no nodes, or only contexts and operators, which all nodes of a tree share."""
_LEAVES = {ast.Name, ast.Constant, ast.Pass, ast.Break, ast.Continue, ast.Global, ast.Nonlocal, ast.MatchSingleton}


class _Getters(dict[type, "Callable[[Any], Iterable[Any]] | None"]):
    """Class of nodes → what gives the values of its fields that can hold nodes; None for a leaf. Filled as asked."""

    def __missing__(self, kind: type) -> Callable[[Any], Iterable[Any]] | None:
        fields = [f for f in kind._fields if f not in _PLAIN]  # type: ignore[attr-defined]
        getter: Callable[[Any], Iterable[Any]] | None = None
        if fields and kind not in _LEAVES:
            get = attrgetter(*fields)
            getter = get if len(fields) > 1 else lambda node: (get(node),)
        self[kind] = getter
        return getter


_getters = _Getters()


def children(node: ast.AST) -> list[ast.AST]:
    """The nodes directly below one, in source order, without contexts and operators (which all nodes share)."""
    getter = _getters[node.__class__]
    found: list[ast.AST] = []
    if getter is not None:
        for value in getter(node):
            if value.__class__ is list:
                found += value
            elif value is not None:
                found.append(value)
        if None in found:  # the key of `{**d}`, a keyword-only parameter without default
            found = [n for n in found if n is not None]
    return found


def walk(node: ast.AST) -> Iterator[ast.AST]:
    """A node and all below it, as `children` sees them, in source order."""
    stack = [node]
    while stack:
        node = stack.pop()
        yield node
        if _getters[node.__class__] is not None:
            below = children(node)
            below.reverse()
            stack += below


def assigned_pairs(target: ast.expr, value: ast.expr) -> list[tuple[ast.expr, ast.expr | None]]:
    """What an assignment gives to each of its targets, of those in a tuple, too; None where no expression tells it."""
    if not isinstance(target, (ast.Tuple, ast.List)):
        return [(target, value)]
    given = value.elts if isinstance(value, (ast.Tuple, ast.List)) else []
    starred = any(isinstance(e, ast.Starred) for e in (*target.elts, *given))
    if starred or len(given) != len(target.elts):
        return [(one, None) for one in target.elts]
    return list(zip(target.elts, given, strict=True))


class Tree:
    """Where the nodes of a file stand, found in one walk over it.

    ``parents`` holds every node's parent, the nodes in source order; ``bodies`` the nodes of every function's body,
    without what is inside nested functions, classes and lambdas.
    """

    def __init__(self, root: ast.AST):
        self.parents: dict[ast.AST, ast.AST] = {}
        self.bodies: dict[ast.AST, list[ast.AST]] = {}
        parents = self.parents
        nowhere: list[ast.AST] = []
        stack: list[tuple[ast.AST, ast.AST, list[ast.AST]]] = [(root, root, nowhere)]
        while stack:
            node, parent, around = stack.pop()
            parents[node] = parent
            around.append(node)
            kind = node.__class__
            if _getters[kind] is None:
                continue
            below = children(node)
            below.reverse()
            if kind is ast.FunctionDef or kind is ast.AsyncFunctionDef:
                body = self.bodies[node] = []
                inside = set(node.body)  # type: ignore[attr-defined]
                stack += [(child, node, body if child in inside else nowhere) for child in below]
            else:
                around = nowhere if kind is ast.ClassDef or kind is ast.Lambda else around
                stack += [(child, node, around) for child in below]
        del parents[root]
