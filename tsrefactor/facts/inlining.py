"""Writing the body of a function of one expression where it is called."""

from __future__ import annotations

import ast
from collections.abc import Mapping

from tsrefactor.source.file import SourceFile

from .definitions import Function
from .nodes import walk

_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_PLAIN = (ast.Name, ast.Attribute, ast.Constant, ast.keyword)
ATOMS = (ast.Name, ast.Constant, ast.Attribute, ast.Subscript, ast.Call, ast.Tuple, ast.List)


class NotInlinable(Exception):
    """Why a call stays, as the end of "…, and it is passed on"."""


def bound_around(function: Function, node: ast.AST) -> set[str]:
    """Names that functions and comprehensions around a node bind, within ``function``."""
    found: set[str] = set()
    while (node := function.file.parents[node]) is not function.node:
        if isinstance(node, _SCOPES):
            found |= _bound_in(node)
    return found


def _bound_in(scope: ast.AST) -> set[str]:
    names = {n.arg for n in walk(scope) if isinstance(n, ast.arg)}
    return names | {n.id for n in walk(scope) if isinstance(n, ast.Name) and not isinstance(n.ctx, ast.Load)}


def substituted(function: Function, body: ast.expr, values: Mapping[str, ast.expr]) -> dict[ast.expr, str]:
    """The new source of the parameters in the body, each replaced by what a call in ``function`` gives for it.

    Raises NotInlinable where an argument would run another way.
    """
    bound = {name for n in walk(body) if isinstance(n, _SCOPES) for name in _bound_in(n)}
    changes: dict[ast.expr, str] = {}
    complex_ = [v for v in values.values() if not is_plain(v)]
    for name, value in values.items():
        uses = [n for n in walk(body) if isinstance(n, ast.Name) and n.id == name]
        read = {n.id for n in walk(value) if isinstance(n, ast.Name)}
        if (read | {name}) & bound:
            raise NotInlinable("a name in it is bound again inside it")
        once = len(uses) == 1 and runs_first(function, body, uses[0]) and len(complex_) == 1
        if not is_plain(value) and not once:
            raise NotInlinable(f"`{ast.unparse(value)}` would be computed more than once, or later")
        if any(isinstance(n, ast.JoinedStr) for n in walk(body)) and set("'\"\\") & set(ast.unparse(value)):
            raise NotInlinable("an f-string in it may not hold quotes")
        for use in uses:
            changes[use] = _fitting(function, use, value)
    return changes


def _fitting(function: Function, use: ast.expr, value: ast.expr) -> str:
    """The text of a value as it stands in the place of a name: in parentheses, where it is no atom and no argument."""
    text, parent = function.file.source.segment(value), function.file.parents[use]
    text = ast.unparse(value) if "\n" in text else text
    given = (isinstance(parent, ast.Call) and parent.func is not use) or isinstance(parent, ast.keyword)
    dotted = isinstance(parent, ast.Attribute) and isinstance(value, ast.Constant)  # ``1.real`` is no expression
    return text if given or (isinstance(value, ATOMS) and not dotted) else f"({text})"


def written(source: SourceFile, body: ast.expr, changes: Mapping[ast.expr, str]) -> str:
    """The text of an expression with these changes in it."""
    start, text = source.span(body)[0], source.segment(body)
    for node, new in sorted(changes.items(), key=lambda c: -source.span(c[0])[0]):
        a, b = source.span(node)
        text = text[: a - start] + new + text[b - start :]
    return text


def is_plain(node: ast.expr) -> bool:
    """A name, an attribute or a literal: reading it twice changes nothing."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return isinstance(node, (ast.Name, ast.Constant))


def runs_first(function: Function, body: ast.expr, use: ast.expr) -> bool:
    """Whether the body always evaluates a part of it, and before that nothing but names, attributes and literals."""
    above: set[ast.AST] = set(walk(use))  # and what is inside of it
    node: ast.AST = use
    while node is not body:
        inner, node = node, function.file.parents[node]
        lazy = isinstance(node, (ast.IfExp, ast.BoolOp, ast.Compare, *_SCOPES))
        first = getattr(node, "test", None) is inner or getattr(node, "left", None) is inner
        if lazy and not first and inner not in getattr(node, "values", ())[:1]:
            return False
        above.add(node)
    before = (n for n in walk(body) if isinstance(n, ast.expr) and n not in above and not isinstance(n, _PLAIN))
    later = {n for a in above if isinstance(a, ast.IfExp) for branch in (a.body, a.orelse) for n in walk(branch)}
    return all(n in later or _position(n) > _position(use) for n in before)


def _position(node: ast.expr) -> tuple[int, int]:
    return node.lineno, node.col_offset
