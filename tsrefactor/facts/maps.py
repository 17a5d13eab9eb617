"""``map(f, values)`` as a list comprehension."""

from __future__ import annotations

import ast

from tsrefactor.source.edits import Pieces, Replace

from .definitions import Function
from .names import fresh
from .nodes import walk

_WHOLE = frozenset({"tuple", "sum", "min", "max", "sorted"})
_SHORT = frozenset({"any", "all"})


def as_comprehension(function: Function, call: ast.Call, called: ast.expr | None = None) -> Replace | None:
    """The edit that puts a comprehension in the place of a ``map``; None where not all of it is used at once.

    ``called``: the lambda that the map's first argument names.
    """
    starred = any(isinstance(a, ast.Starred) for a in call.args)
    if len(call.args) < 2 or call.keywords or starred or function.types.bindings.shadows("map"):
        return None
    called = called or call.args[0]
    outer = _outer(function, call, called)
    found = _template(function, call, called)
    return Replace(outer, *found) if outer is not None and found is not None else None


def _outer(function: Function, call: ast.Call, called: ast.expr) -> ast.expr | None:
    """What gives way to a list, where all of the map is used at once: the call, or `list(…)` around it."""
    file, parent = function.file, function.file.parents[call]
    if isinstance(parent, ast.Assign) and all(isinstance(t, (ast.Tuple, ast.List)) for t in parent.targets):
        return call
    if isinstance(parent, ast.For) and parent.iter is call:
        return call if function.flow.is_pure([ast.Expr(call)]) or function.flow.is_pure(parent.body) else None
    if not isinstance(parent, ast.Call) or parent.func is call or (parent.keywords and call in parent.keywords):
        return None
    origin = file.origin(parent.func)
    if origin == "list" and len(parent.args) == 1:
        return parent
    if origin in _WHOLE or (isinstance(parent.func, ast.Attribute) and parent.func.attr == "join"):
        return call
    body = called.body if isinstance(called, ast.Lambda) else None
    return call if origin in _SHORT and body is not None and function.flow.is_pure([ast.Expr(body)]) else None


def _template(function: Function, call: ast.Call, called: ast.expr) -> tuple[str, Pieces] | None:
    over = call.args[1:]
    pieces: dict[str, ast.expr] = {f"s{i}": a for i, a in enumerate(over)}
    sequence = "{s0}" if len(over) == 1 else f"zip({', '.join(f'{{{p}}}' for p in pieces)})"
    if isinstance(called, ast.Lambda):
        a = called.args
        if a.defaults or a.vararg or a.kwarg or a.kwonlyargs or len(a.posonlyargs + a.args) != len(over):
            return None
        if any(isinstance(n, (ast.NamedExpr, ast.Lambda)) for n in walk(called.body)):
            return None
        names = [p.arg for p in a.posonlyargs + a.args]
        return f"[{{body}} for {', '.join(names)} in {sequence}]", {"body": called.body, **pieces}
    if not all(isinstance(n, (ast.Name, ast.Attribute)) for n in walk(called)):
        return None
    taken = {n.id for n in walk(call) if isinstance(n, ast.Name)} | function.flow.local_names
    names = []
    for _ in over:
        names.append(fresh(taken, "item", "other"))
        taken.add(names[-1])
    template = f"[{{called}}({', '.join(names)}) for {', '.join(names)} in {sequence}]"
    return template, {"called": called, **pieces}
