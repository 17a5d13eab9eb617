"""Whether a tensor holds ints or floats, as the code that makes it tells."""

from __future__ import annotations

import ast

from .definitions import Function
from .types import FLOAT, INT, UNKNOWN, Type

_WHOLE = frozenset("argmax argmin argsort long int numel count_nonzero bincount nonzero randint".split())
_FRACTIONS = frozenset(
    "mean std var norm exp log log2 log10 sqrt rsqrt sigmoid tanh softmax float double rand randn sin cos".split()
)
_KEEP = frozenset(
    "max min amax amin sum abs prod squeeze view reshape flatten detach cpu clone clamp median neg contiguous".split()
)


def element_type(function: Function, node: ast.expr, depth: int = 0) -> Type:
    """The type of a tensor's elements, by the operation that made it; unknown where none tells."""
    if isinstance(node, ast.Subscript):
        return element_type(function, node.value, depth)
    if isinstance(node, ast.Name) and depth < 5:
        if any(p.name == node.id for p in function.parameters):
            return UNKNOWN
        values = function.types.bindings.values.get(node.id, ())
        kinds = {element_type(function, v, depth + 1) if isinstance(v, ast.expr) else UNKNOWN for v in values}
        return kinds.pop() if len(kinds) == 1 else UNKNOWN
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return UNKNOWN
    name, origin = node.func.attr, function.file.origin(node.func)
    if name in _WHOLE:
        return INT
    if name in _FRACTIONS:
        return FLOAT
    subject = node.args[0] if origin.startswith("torch.") and node.args else node.func.value
    if name == "sum" and isinstance(subject, ast.Compare):
        return INT
    return element_type(function, subject, depth) if name in _KEEP else UNKNOWN
