"""Data dependence in one function: what Python takes out of tensors' *data* or sizes, which a trace freezes."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING

from .nodes import children, walk
from .types import TENSOR

if TYPE_CHECKING:
    from .file import Function

_EXTRACTS = {"item", "tolist", "numpy", "__bool__", "__int__", "__float__", "equal", "allclose", "is_nonzero"}
_CONVERSIONS = frozenset(
    "int float bool str complex round math.sqrt math.floor math.ceil math.log math.exp"
    " torch.equal torch.allclose torch.is_nonzero".split()
)
_COMBINING = ("max", "min", "abs", "sum", "round")
_SIZE_METHODS = {"size", "numel", "nelement", "__len__"}
_COMPOUND = (ast.BinOp, ast.UnaryOp, ast.Compare, ast.BoolOp, ast.IfExp, ast.Subscript, ast.Tuple, ast.List)


class Dependence:
    """Which Python values and branches of a function depend on tensor data, or on the sizes of tensors."""

    def __init__(self, function: Function):
        self.function = function

    @cached_property
    def extracted_names(self) -> set[str]:
        """Local names that hold Python numbers taken from tensor data."""
        names = self._closure(self._extracts)
        return {n for n in names if self.function.types.of_name(n) != TENSOR}

    @cached_property
    def sized_names(self) -> set[str]:
        """Local names that hold numbers or tuples computed from sizes of tensors (``b, c = x.shape``)."""
        names = self._closure(self._measures)
        return {n for n in names if self.function.types.of_name(n) != TENSOR}

    def is_extracted(self, node: ast.expr) -> bool:
        """Whether an expression is a Python value computed from tensor data (``x.max().item() + 1``)."""
        return self._extracts(node, self.extracted_names)

    def is_sized(self, node: ast.expr) -> bool:
        """Whether an expression is a Python value computed from sizes of tensors (``x.shape[0] // 2``, ``len(x)``)."""
        return self._measures(node, self.sized_names)

    def decides(self, test: ast.expr, presume: bool = False) -> bool:
        """Whether the truth of a condition depends on tensor data, so that a trace keeps one side of it for ever."""
        return any(
            self.function.type_of(part, presume) == TENSOR or self.is_extracted(part) for part in _conditions(test)
        )

    def freezes(self, test: ast.expr, presume: bool = False) -> bool:
        """Whether a trace keeps one side of a condition that another input may turn: it `decides`, or reads sizes."""
        return self.decides(test, presume) or any(self.is_sized(part) for part in _conditions(test))

    def freezes_loop(self, loop: ast.For, presume: bool = False) -> bool:
        """Whether a trace keeps the example's number of turns: over a tensor's rows, or a range of data or sizes."""
        over = [loop.iter]
        if isinstance(loop.iter, ast.Call) and self.function.file.origin(loop.iter.func) in (
            "enumerate", "zip", "range", "reversed",
        ):  # fmt: skip
            over = loop.iter.args
        return any(
            self.function.type_of(n, presume) == TENSOR or self.is_extracted(n) or self.is_sized(n) for n in over
        )

    @cached_property
    def is_compiled(self) -> bool:
        """Whether a trace never runs the function as Python: it, or all that calls it in the file, is compiled."""
        function = self.function
        if self._is_compiled(function):
            return True
        if function.cls is not None or function.file.function_named(function.name) is not function:
            return False
        callers = [f for f in function.file.functions if f is not function and function.name in f.dependence._called]
        return bool(callers) and all(map(self._is_compiled, callers))

    @cached_property
    def _called(self) -> set[str]:
        """The plain names that the function calls."""
        return {call.func.id for call in self.function.of(ast.Call) if isinstance(call.func, ast.Name)}

    @staticmethod
    def _is_compiled(function: Function) -> bool:
        return bool({"torch.jit.script", "torch.jit.script_if_tracing"} & set(function.decorators))

    def _closure(self, holds: Callable[[ast.expr, set[str]], bool]) -> set[str]:
        """Names that are bound, anywhere in the function, to an expression for which ``holds``, given such names."""
        names: set[str] = set()
        left = self._bindings
        while True:
            found = [pair for pair in left if holds(pair[0], names)]
            if not found:
                return names
            names.update(*(bound for _, bound in found))
            left = [pair for pair in left if pair not in found]

    @cached_property
    def _bindings(self) -> list[tuple[ast.expr, set[str]]]:
        """Every expression of the function that is bound to names, with these."""
        found = []
        for node in self.function.of(ast.Assign, ast.AugAssign, ast.AnnAssign, ast.NamedExpr, ast.For):
            if isinstance(node, ast.Assign):
                found += [pair for target in node.targets for pair in _pairs(target, node.value)]
            elif isinstance(node, (ast.AugAssign, ast.AnnAssign, ast.NamedExpr)) and node.value is not None:
                found.append((node.value, _names(node.target)))
            elif isinstance(node, ast.For):
                found.append((node.iter, _names(node.target)))
        return found

    def _extracts(self, node: ast.expr, names: set[str]) -> bool:
        if isinstance(node, ast.Name):
            return node.id in names
        if isinstance(node, ast.Call):
            method = isinstance(node.func, ast.Attribute) and node.func.attr in _EXTRACTS
            if method and self._is_tensor(node.func.value):  # type: ignore[attr-defined]
                return True
            origin = self.function.file.origin(node.func)
            if origin in _CONVERSIONS and node.args:
                return self.function.type_of(node.args[0]) == TENSOR or self._extracts(node.args[0], names)
            if origin in ("range", "enumerate", "zip"):
                return any(self._extracts(a, names) for a in node.args)
            return origin in _COMBINING and any(self._extracts(a, names) for a in node.args)
        return isinstance(node, _COMPOUND) and any(self._extracts(c, names) for c in _children(node))

    def _measures(self, node: ast.expr, names: set[str]) -> bool:
        if isinstance(node, ast.Name):
            return node.id in names
        if isinstance(node, ast.Attribute):
            return node.attr == "shape" and self._is_tensor(node.value)
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Attribute) and node.func.attr in _SIZE_METHODS:
                return self._is_tensor(node.func.value)
            origin = self.function.file.origin(node.func)
            if origin == "len":  # of a tensor; that of its shape is the rank, which no input of this trace changes
                return bool(node.args) and self._is_tensor(node.args[0])
            numeric = origin in _CONVERSIONS or origin in _COMBINING or origin.startswith("math.")
            if numeric or origin in ("list", "tuple", "range", "enumerate", "zip", "any", "all"):
                return any(self._measures(a, names) for a in node.args)
            return False
        if isinstance(node, _COMPOUND) and self.function.type_of(node) != TENSOR:
            return any(self._measures(c, names) for c in _children(node))
        return False

    def _is_tensor(self, node: ast.expr) -> bool:
        return self.function.type_of(node, presume=True) == TENSOR


def _conditions(test: ast.expr) -> Iterator[ast.expr]:
    """The parts of a condition between its ``and``, ``or`` and ``not``, without the tests for None."""
    if isinstance(test, ast.BoolOp):
        for value in test.values:
            yield from _conditions(value)
    elif isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        yield from _conditions(test.operand)
    elif not (isinstance(test, ast.Compare) and any(isinstance(op, (ast.Is, ast.IsNot)) for op in test.ops)):
        yield test


def _pairs(target: ast.expr, value: ast.expr) -> list[tuple[ast.expr, set[str]]]:
    """(expression, names bound to it), element by element where both sides of an assignment are tuples."""
    sequences = (ast.Tuple, ast.List)
    if isinstance(target, sequences) and isinstance(value, sequences) and len(target.elts) == len(value.elts):
        return [pair for t, v in zip(target.elts, value.elts, strict=True) for pair in _pairs(t, v)]
    return [(value, _names(target))]


def _names(target: ast.expr) -> set[str]:
    return {n.id for n in walk(target) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}


def _children(node: ast.expr) -> Iterator[ast.expr]:
    return (c for c in children(node) if isinstance(c, ast.expr))
