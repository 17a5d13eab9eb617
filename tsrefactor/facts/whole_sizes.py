"""Sizes that are turned into Python numbers (``int(h / 2)``): the same in whole numbers, which a trace records."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from tsrefactor.source.edits import Pieces

from .definitions import Function
from .types import FLOAT, INT, TENSOR, list_of
from .whole import is_whole

_FLOORS = ("math.floor", "numpy.floor")
_CEILS = ("math.ceil", "numpy.ceil")
_LARGEST = 1 << 10  # of the denominators: beyond that the product might round

Exact = tuple[str, Pieces]


def exact_form(function: Function, call: ast.Call, presume: bool = False) -> Exact | None:
    """Template and pieces of an expression that equals the call for every size; None where there is none.

    ``int``, ``float`` and the roundings of sizes are meant. A quotient of sizes is never negative, so that ``int``
    cuts it off as ``//`` does; a difference may be, and only ``math.floor`` of it is ``//``. With ``presume``, the
    parameters of a function are whole where all calls in the file give them whole numbers.
    """
    origin = function.file.origin(call.func)
    if len(call.args) != 1 or call.keywords or function.types.bindings.shadows(origin):
        return None
    inner, sizes = call.args[0], _Sizes(function, presume)
    if origin == "float":
        return _divided_float(function, call, inner)
    if origin == "int":
        return sizes.cut(inner)
    if not _of_sizes(function, inner):
        return None
    if origin == "math.floor":
        return sizes.floored(inner, may_be_negative=True)
    return sizes.raised(inner) if origin == "math.ceil" else None


def presumed_form(function: Function, call: ast.Call) -> Exact | None:
    """The same for a call on parameters that the calls in the file give sizes; other files may give floats.

    Not for sizes that the function itself reads: there, compiled code can do what the call does.
    """
    if any(function.dependence.is_sized(a) for a in call.args):
        return None
    return exact_form(function, call, presume=True)


def all_sizes(node: ast.expr) -> ast.expr | None:
    """``x`` of ``x.shape`` and ``x.size()``."""
    if isinstance(node, ast.Attribute) and node.attr == "shape":
        return node.value
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "size":
        return node.func.value if not node.args and not node.keywords else None
    return None


def window_count(function: Function, call: ast.Call) -> Exact | None:
    """``(n - k) // s + 1`` for ``int((n - k) / s + 1)``, how many windows fit: equal where it is not negative."""
    if function.file.origin(call.func) != "int" or len(call.args) != 1 or call.keywords:
        return None
    inner = call.args[0]
    if not isinstance(inner, ast.BinOp) or not isinstance(inner.op, ast.Add) or not _of_sizes(function, inner):
        return None
    shadowed = function.types.bindings.shadows("int")
    return None if shadowed else _Sizes(function).floored(inner, may_be_negative=True)


def multiplied(function: Function, call: ast.Call) -> ast.expr | None:
    """The sizes of ``x.shape[1:].numel()``, which a `torch.Size` multiplies; None for a tensor's ``numel``."""
    if not isinstance(call.func, ast.Attribute) or call.func.attr != "numel" or call.args or call.keywords:
        return None
    return call.func.value if function.type_of(call.func.value) == list_of(INT) else None


def _of_sizes(function: Function, node: ast.expr) -> bool:
    return function.dependence.may_be_sized(node) and not function.dependence.is_extracted(node)


@dataclass(frozen=True)
class _Sizes:
    """What is made of a function's sizes, in whole numbers."""

    function: Function
    presume: bool = False

    def _is_whole(self, node: ast.expr) -> bool:
        return is_whole(self.function, node, self.presume)

    def _is_size(self, node: ast.expr) -> bool:
        return self.function.dependence.may_be_sized(node) and self._is_whole(node)

    def cut(self, inner: ast.expr) -> Exact | None:
        """``int(…)``."""
        if isinstance(inner, ast.Call) and len(inner.args) == 1 and not inner.keywords:
            origin, value = self.function.file.origin(inner.func), inner.args[0]
            if origin in _FLOORS and _of_sizes(self.function, value):
                return self.floored(value, may_be_negative=True)
            if origin in _CEILS and _of_sizes(self.function, value):
                return self.raised(value)
        if not _of_sizes(self.function, inner):
            return None
        if self._is_whole(inner):  # who converts a parameter expects other values, too
            return ("{size}", {"size": inner}) if is_whole(self.function, inner) else None
        return self._multiple(inner) or self.floored(inner, may_be_negative=False)

    def _multiple(self, node: ast.expr) -> Exact | None:
        """``np.ceil(n / k) * k``: a whole number of numpy's, times one."""
        if not isinstance(node, ast.BinOp) or not isinstance(node.op, ast.Mult):
            return None
        for call, times in ((node.left, node.right), (node.right, node.left)):
            if isinstance(call, ast.Call) and len(call.args) == 1 and not call.keywords and self._is_whole(times):
                origin, value = self.function.file.origin(call.func), call.args[0]
                if origin not in (*_FLOORS, *_CEILS) or not _of_sizes(self.function, value):
                    continue
                whole = self.raised(value) if origin in _CEILS else self.floored(value, may_be_negative=True)
                if whole is not None:
                    return f"({whole[0]}) * {{times}}", {**whole[1], "times": times}
        return None

    def floored(self, node: ast.expr, may_be_negative: bool) -> Exact | None:
        """``math.floor(…)``."""
        if self._is_whole(node):
            return "{size}", {"size": node}
        node, more = _with_offset(node)
        parts = self._ratio(node)
        if parts is None:
            return None
        above, times, below = parts
        if not may_be_negative and _may_be_negative(self.function, above):
            return None
        product = "{above}" if times == 1 else f"{{above}} * {times}"
        pieces: Pieces = {"above": above} if below == 1 or isinstance(below, int) else {"above": above, "below": below}
        if below == 1:
            return product + more, pieces
        return f"{product} // {below if isinstance(below, int) else '{below}'}{more}", pieces

    def raised(self, node: ast.expr) -> Exact | None:
        """``math.ceil(…)``."""
        if self._is_whole(node):
            return "{size}", {"size": node}
        parts = self._ratio(node)
        if parts is None:
            return None
        above, times, below = parts
        product = "{above}" if times == 1 else f"{{above}} * {times}"
        if isinstance(below, int):
            return (product if below == 1 else f"({product} + {below - 1}) // {below}"), {"above": above}
        return f"-(-{product} // {{below}})", {"above": above, "below": below}  # whatever its sign

    def _ratio(self, node: ast.expr) -> tuple[ast.expr, int, int | ast.expr] | None:
        """(size, factor, divisor) of ``size / divisor`` and ``size * 1.5``, where both sides are whole or exact."""
        if not isinstance(node, ast.BinOp):
            return None
        if isinstance(node.op, ast.Div):
            above, below = _plain(self.function, node.left), _plain(self.function, node.right)
            if not self._is_size(above):
                return None
            if isinstance(below, ast.Constant) and isinstance(below.value, (int, float)) and below.value >= 1:
                return (above, 1, int(below.value)) if below.value == int(below.value) else None
            whole = self._is_whole(below) and not self.function.dependence.is_extracted(below)
            return (above, 1, below) if whole and not isinstance(below, ast.Constant) else None
        if isinstance(node.op, ast.Mult):
            for size, factor in ((node.left, node.right), (node.right, node.left)):
                size = _plain(self.function, size)
                if isinstance(factor, ast.Constant) and isinstance(factor.value, float) and self._is_size(size):
                    times, parts = factor.value.as_integer_ratio()
                    return (size, times, parts) if times > 0 and parts <= _LARGEST else None
        return None


def _with_offset(node: ast.expr) -> tuple[ast.expr, str]:
    """What a whole number is added to, and that as text: `` + 1``."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add) and isinstance(node.right, ast.Constant):
        number = node.right.value
        if type(number) is int and number >= 0:
            return node.left, f" + {number}"
    return node, ""


def _plain(function: Function, node: ast.expr) -> ast.expr:
    """Without a ``float(…)`` around it."""
    if isinstance(node, ast.Call) and function.file.origin(node.func) == "float" and len(node.args) == 1:
        return node.args[0]
    return node


def _may_be_negative(function: Function, node: ast.expr, depth: int = 0) -> bool:
    """Whether a size may come out below zero: where something is subtracted, or it is not known how it was made."""
    if isinstance(node, ast.Constant):
        return not isinstance(node.value, int) or node.value < 0
    if isinstance(node, ast.BinOp):
        if not isinstance(node.op, (ast.Add, ast.Mult, ast.FloorDiv)):
            return not isinstance(node.op, ast.Mod) or _may_be_negative(function, node.right, depth)
        return _may_be_negative(function, node.left, depth) or _may_be_negative(function, node.right, depth)
    if isinstance(node, ast.Name) and depth < 5:
        values = function.types.bindings.values.get(node.id, ())
        if any(p.name == node.id for p in function.parameters) or not values:
            return True
        return any(isinstance(v, ast.expr) and _may_be_negative(function, v, depth + 1) for v in values)
    return not function.dependence.is_sized(node)  # `x.shape[0]`, `x.size(1)`, `len(x)`


def _divided_float(function: Function, call: ast.Call, inner: ast.expr) -> Exact | None:
    """``float(n)`` in a true division: the quotient is the same without it."""
    parent = function.file.parents[call]
    if not isinstance(parent, ast.BinOp) or not isinstance(parent.op, ast.Div):
        return None
    if function.type_of(inner) != INT or not function.dependence.may_be_sized(inner):
        return None
    other = parent.right if parent.left is call else parent.left
    known = function.type_of(_plain(function, other))
    return ("{size}", {"size": inner}) if known in (INT, FLOAT, TENSOR) else None
