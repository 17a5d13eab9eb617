"""Which code calls layers of the module: it cannot become a function of its own, which has no ``self``."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from .definitions import Function
from .nodes import children, walk
from .placement import is_elif, lazy_place
from .scriptable import obstacle
from .types import TENSOR

_NAMES = (ast.Attribute, ast.Name)
_SIMPLE = (ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Return)


def calls_layers(function: Function, block: Sequence[ast.stmt]) -> bool:
    """Whether it calls something of ``self`` that is no tensor, or a local value (``for layer in self.layers``)."""
    return any(layer_calls(function, s) for s in block)


def layer_calls(function: Function, node: ast.AST) -> list[ast.Call]:
    """The calls in it that `calls_layers` tells of."""
    return [n for n in walk(node) if isinstance(n, ast.Call) and _is_layer(function, n.func)]


def layer_to_call_before(function: Function, expression: ast.expr, apart: ast.expr) -> ast.Call | None:
    """The one layer's call in an expression, where a variable can hold its result: nothing else has an effect there.

    It is no part of ``apart``, and without it the expression could be compiled.
    """
    file, statement = function.file, function.file.statement_of(expression)
    calls = layer_calls(function, statement)
    found = [c for c in calls if not any(c is not other and c in walk(other) for other in calls)]
    if len(found) != 1 or found[0] is expression or found[0] not in walk(expression):
        return None
    [call] = found
    others: list[ast.AST] = []
    inner: ast.AST = call
    while inner is not expression:
        outer = file.parents[inner]
        others += [c for c in children(outer) if c is not inner]
        inner = outer
    if apart in walk(call) or is_elif(file, statement) or lazy_place(file, call, statement) is not None:
        return None
    effects = function.flow.mutates(statement) or _draws(statement)
    if effects or not isinstance(statement, _SIMPLE) or function.type_of(call, presume=True) != TENSOR:
        return None
    return call if obstacle(function, others) is None else None


def _draws(node: ast.AST) -> bool:
    """Whether it draws random numbers, in an order that must stay."""
    names = (n.attr if isinstance(n, ast.Attribute) else n.id for n in walk(node) if isinstance(n, _NAMES))
    return any(part in name for name in names for part in ("rand", "bernoulli", "normal", "multinomial", "dropout"))


def _is_layer(function: Function, called: ast.expr) -> bool:
    if isinstance(called, ast.Name):
        return called.id in function.flow.local_names
    while isinstance(called, (ast.Attribute, ast.Subscript)):
        if function.self_attribute(called) is not None:
            return function.type_of(called) != TENSOR
        called = called.value
    return False
