"""Which code calls layers of the module: it cannot become a function of its own, which has no ``self``."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from .definitions import Function
from .nodes import walk
from .types import TENSOR


def calls_layers(function: Function, block: Sequence[ast.stmt]) -> bool:
    """Whether it calls something of ``self`` that is no tensor, or a local value (``for layer in self.layers``)."""
    calls = (n for s in block for n in walk(s) if isinstance(n, ast.Call))
    return any(_is_layer(function, call.func) for call in calls)


def _is_layer(function: Function, called: ast.expr) -> bool:
    if isinstance(called, ast.Name):
        return called.id in function.flow.local_names
    while isinstance(called, (ast.Attribute, ast.Subscript)):
        if function.self_attribute(called) is not None:
            return function.type_of(called) != TENSOR
        called = called.value
    return False
