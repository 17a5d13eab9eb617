"""Data dependence in one function: which values Python takes out of tensors' *data*, and so a trace freezes."""

from __future__ import annotations

import ast
from functools import cached_property
from typing import TYPE_CHECKING

from .types import TENSOR

if TYPE_CHECKING:
    from .file import Function

_EXTRACTS = {"item", "tolist", "numpy", "__bool__", "__int__", "__float__"}
_CONVERSIONS = {
    "int",
    "float",
    "bool",
    "str",
    "complex",
    "round",
    "math.sqrt",
    "math.floor",
    "math.ceil",
    "math.log",
    "math.exp",
}


class Dependence:
    """Which Python values and branches of a function depend on tensor data."""

    def __init__(self, function: Function):
        self.function = function

    @cached_property
    def extracted_names(self) -> set[str]:
        """Local names that hold Python numbers taken from tensor data."""
        names: set[str] = set()
        while True:
            size = len(names)
            for node in self.function.nodes:
                if isinstance(node, ast.Assign) and self._extracts(node.value, names):
                    names |= {
                        n.id
                        for t in node.targets
                        for n in ast.walk(t)
                        if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
                    }
                elif (
                    isinstance(node, ast.AugAssign)
                    and isinstance(node.target, ast.Name)
                    and self._extracts(node.value, names)
                ):
                    names.add(node.target.id)
            if len(names) == size:
                return {n for n in names if self.function.types.of_name(n) != TENSOR}

    def is_extracted(self, node: ast.expr) -> bool:
        """Whether an expression is a Python value computed from tensor data (``x.max().item() + 1``)."""
        return self._extracts(node, self.extracted_names)

    def decides(self, test: ast.expr, presume: bool = False) -> bool:
        """Whether the truth of a condition depends on tensor data, so that a trace keeps one side of it for ever."""
        if isinstance(test, ast.BoolOp):
            return any(self.decides(v, presume) for v in test.values)
        if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
            return self.decides(test.operand, presume)
        if isinstance(test, ast.Compare) and any(isinstance(op, (ast.Is, ast.IsNot)) for op in test.ops):
            return False
        return self.function.type_of(test, presume) == TENSOR or self.is_extracted(test)

    def _extracts(self, node: ast.expr, names: set[str]) -> bool:
        if isinstance(node, ast.Name):
            return node.id in names
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Attribute) and node.func.attr in _EXTRACTS:
                return self.function.type_of(node.func.value, presume=True) == TENSOR
            origin = self.function.file.origin(node.func)
            if origin in _CONVERSIONS and node.args:
                return self.function.type_of(node.args[0]) == TENSOR or self._extracts(node.args[0], names)
            return origin in ("max", "min", "abs", "sum") and any(self._extracts(a, names) for a in node.args)
        if isinstance(node, ast.Attribute):
            return False
        if isinstance(
            node, (ast.BinOp, ast.UnaryOp, ast.Compare, ast.BoolOp, ast.IfExp, ast.Subscript, ast.Tuple, ast.List)
        ):
            return any(self._extracts(c, names) for c in ast.iter_child_nodes(node) if isinstance(c, ast.expr))
        return False
