"""The type of a name in a piece of code, where the function uses the name for other values elsewhere."""

from __future__ import annotations

import ast
from collections.abc import Iterable

from .definitions import Function
from .lives import Lives, Unclear
from .nodes import walk
from .plain_methods import plain_method
from .types import TENSOR, UNKNOWN, Type, tuple_of


def is_tensor_in(function: Function, code: Iterable[ast.AST], name: str) -> bool:
    """Whether a name is a tensor all through the code; where it holds a size before, say, or after, too:
    ``b, h, w = x.size()`` and then ``h, c = state``.
    """
    type_ = function.types.of(ast.Name(name, ast.Load()), presume=True)
    if type_.name != "Union" or TENSOR not in type_.args:
        return type_ == TENSOR
    nodes = [n for root in code for n in walk(root) if isinstance(n, ast.Name) and n.id == name]
    try:
        bindings = _bindings(Lives(function, name), nodes)
    except Unclear:
        return False
    return bool(bindings) and all(b is not None and _given(function, b) == TENSOR for b in bindings)


def _bindings(lives: Lives, nodes: Iterable[ast.Name]) -> set[ast.Name | None]:
    """What is bound to the name in the lives that the nodes are part of."""
    found: set[ast.Name | None] = set()
    for node in nodes:
        starts = [node] if isinstance(node.ctx, ast.Store) else lives.seen(node)
        for start in starts:
            found |= lives.life(start) if start is not None else {None}
    return {n for n in found if n is None or isinstance(n.ctx, ast.Store)}


def _given(function: Function, store: ast.Name) -> Type:
    """The type of what an assignment gives a name."""
    target: ast.AST = store
    parent = function.file.parents[target]
    place = None
    if isinstance(parent, ast.Tuple):
        place, target, parent = parent.elts.index(store), parent, function.file.parents[parent]
    if not isinstance(parent, ast.Assign) or target not in parent.targets:
        return UNKNOWN
    value, type_ = parent.value, function.type_of(parent.value)
    if isinstance(value, ast.Call) and not type_.known and (called := plain_method(function, value)) is not None:
        type_ = _returned(called.method)
    if place is None:
        return type_
    if isinstance(value, ast.Tuple) and len(value.elts) > place:
        return function.type_of(value.elts[place])
    if type_.name == "List" or (type_.name == "Tuple" and len(type_.args) > place):
        return type_.args[0 if type_.name == "List" else place]
    return TENSOR if type_ == TENSOR else UNKNOWN


def _returned(method: Function) -> Type:
    """What runs saw a method return, else what its one `return` does."""
    if method.observed is not None:
        return method.observed.returns
    [*values] = [r.value for r in method.of(ast.Return) if r.value is not None]
    if len(values) != 1:
        return UNKNOWN
    parts = values[0].elts if isinstance(values[0], ast.Tuple) else []
    return tuple_of([method.type_of(p) for p in parts]) if parts else method.type_of(values[0])
