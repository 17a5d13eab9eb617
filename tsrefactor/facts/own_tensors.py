"""Tensors that a module has from its construction on (parameters, buffers): no input changes their sizes."""

from __future__ import annotations

import ast
from collections.abc import Set
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .definitions import Function

_REGISTERING = ("register_buffer", "register_parameter")


def is_own(function: Function, node: ast.AST, asked: Set[tuple[Function, str]] = frozenset()) -> bool:
    """Whether an expression is such a tensor of the module, an item of one, or another name for one.

    A parameter of a function is, where all calls in the file give it one.
    """
    while isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
        node = node.value
    if isinstance(node, ast.Attribute):
        while isinstance(node, ast.Attribute):
            name = function.self_attribute(node)
            if name is not None:
                return _set_by_constructors(function, name)
            node = node.value
        return False
    if not isinstance(node, ast.Name) or (function, node.id) in asked:
        return False
    asked = asked | {(function, node.id)}
    values = function.types.bindings.values.get(node.id, ())
    if any(p.name == node.id for p in function.parameters):
        given = list(function.file.callers.given(function, node.id))
        only = function.name != "forward" and len(values) < 2 and bool(given)
        return only and all(is_own(caller, value, asked) for caller, value in given)
    return bool(values) and all(isinstance(v, ast.expr) and is_own(function, v, asked) for v in values)


def _set_by_constructors(function: Function, name: str) -> bool:
    """Whether the file shows where the attribute is set, or torch's own classes set it, and no method does later."""
    cls = function.cls
    assert cls is not None
    family = (cls, *cls.ancestors, *cls.subclasses)
    setters = {method.name for c in family for method, _ in c.assigned.get(name, ())}
    for method in (m for c in family for m in c.methods.values()):
        for call in method.of(ast.Call):
            registers = isinstance(call.func, ast.Attribute) and call.func.attr in _REGISTERING
            if registers and call.args and isinstance(call.args[0], ast.Constant) and call.args[0].value == name:
                setters.add(method.name)
    if not setters:
        bases = [b for b in cls.foreign_bases if b != "torch.nn.Module"]
        return bool(bases) and all(b.startswith("torch.nn.") for b in bases)
    return all(name.startswith("__") and name != "__call__" for name in setters)  # no forward runs these
