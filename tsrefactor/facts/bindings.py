"""What one function binds its names to and puts into them, and what a class registers, read off the source."""

from __future__ import annotations

import ast
from functools import cached_property
from typing import TYPE_CHECKING

from .types import INT, TOP, Type

if TYPE_CHECKING:
    from .file import Class, Function


_REGISTER = ("register_buffer", "register_parameter")


class Bindings:
    """The names of one function."""

    def __init__(self, function: Function):
        self.function = function

    @cached_property
    def values(self) -> dict[str, list[ast.expr | Type]]:
        """name → the expressions bound to it (or a type, where it is unpacked or iterated)."""
        found: dict[str, list[ast.expr | Type]] = {}
        for node in self.function.nodes:
            if isinstance(node, ast.Assign):
                for target in node.targets:
                    self._bind(found, target, node.value)
            elif isinstance(node, ast.AnnAssign):
                if isinstance(node.target, ast.Name):
                    found.setdefault(node.target.id, []).append(self.function.file.annotated(node.annotation))
            elif isinstance(node, ast.AugAssign):
                if isinstance(node.target, ast.Name):
                    found.setdefault(node.target.id, []).append(ast.BinOp(node.target, node.op, node.value))
            elif isinstance(node, (ast.For, ast.comprehension)):
                self._bind_loop(found, node.target, node.iter)
            elif isinstance(node, ast.NamedExpr):
                found.setdefault(node.target.id, []).append(node.value)
            elif isinstance(node, ast.withitem) and isinstance(node.optional_vars, ast.Name):
                found.setdefault(node.optional_vars.id, []).append(TOP)
        return found

    def _bind(self, found: dict[str, list[ast.expr | Type]], target: ast.expr, value: ast.expr) -> None:
        if isinstance(target, ast.Name):
            found.setdefault(target.id, []).append(value)
        elif isinstance(target, (ast.Tuple, ast.List)):
            if isinstance(value, (ast.Tuple, ast.List)) and len(value.elts) == len(target.elts):
                for t, v in zip(target.elts, value.elts, strict=True):
                    self._bind(found, t, v)
            else:
                for i, t in enumerate(target.elts):
                    if isinstance(t, ast.Starred):
                        continue
                    self._bind(found, t, ast.Subscript(value, ast.Constant(i)))

    def _bind_loop(self, found: dict[str, list[ast.expr | Type]], target: ast.expr, over: ast.expr) -> None:
        name = self.function.file.origin(over.func) if isinstance(over, ast.Call) else ""
        if name == "range" and isinstance(target, ast.Name):
            found.setdefault(target.id, []).append(INT)
        elif name == "enumerate" and isinstance(target, ast.Tuple) and len(target.elts) == 2:
            if isinstance(target.elts[0], ast.Name):
                found.setdefault(target.elts[0].id, []).append(INT)
            self._bind_loop(found, target.elts[1], over.args[0])  # type: ignore[attr-defined]
        elif name == "zip" and isinstance(target, ast.Tuple):
            for t, a in zip(target.elts, over.args, strict=False):  # type: ignore[attr-defined]
                self._bind_loop(found, t, a)
        elif isinstance(target, ast.Name):
            found.setdefault(target.id, []).append(ast.Subscript(over, ast.Constant(0)))

    @cached_property
    def mutations(self) -> dict[str, list[ast.Call | ast.Subscript]]:
        """name → the calls and the assignments to an index that put something into it."""
        found: dict[str, list[ast.Call | ast.Subscript]] = {}
        for node in self.function.nodes:
            if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store) and isinstance(node.value, ast.Name):
                found.setdefault(node.value.id, []).append(node)
            elif (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and isinstance(node.func.value, ast.Name)
                and node.func.attr in ("append", "extend", "insert", "update")
                and node.args
            ):
                found.setdefault(node.func.value.id, []).append(node)
        return found


def buffers(cls: Class) -> set[str]:
    """Names given to ``self.register_buffer`` and ``register_parameter`` with something that is not None."""
    names = set()
    for method in cls.methods.values():
        for node in method.nodes:
            if not isinstance(node, ast.Call) or method.self_attribute(node.func) not in _REGISTER or not node.args:
                continue
            name, *rest = [*node.args, *(k.value for k in node.keywords if k.arg in ("tensor", "param"))]
            none = rest and isinstance(rest[0], ast.Constant) and rest[0].value is None
            if isinstance(name, ast.Constant) and isinstance(name.value, str) and not none:
                names.add(name.value)
    return names
