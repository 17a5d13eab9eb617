"""Tensors that a module has from its construction on (parameters, buffers): whether it has them, and their sizes."""

from __future__ import annotations

import ast
from collections.abc import Sequence, Set
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .definitions import Class, Function

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
    family = [cls, *cls.ancestors, *cls.subclasses]
    setters = {method.name for method, _ in _settings(family, name)}
    if not setters:
        bases = [b for b in cls.foreign_bases if b != "torch.nn.Module"]
        return bool(bases) and all(b.startswith("torch.nn.") for b in bases)
    return all(name.startswith("__") and name != "__call__" for name in setters)  # no forward runs these


def may_lack(function: Function, name: str) -> bool:
    """Whether constructors set an attribute of the instance only under an `if`, so that some instances lack it."""
    assert function.cls is not None
    settings = _settings([function.cls, *function.cls.ancestors], name)
    if not settings or any(method.name != "__init__" for method, _ in settings):
        return False
    return not any(_always_runs(method.node.body, {s for _, s in settings}) for method, _ in settings)


def _always_runs(block: Sequence[ast.stmt], settings: Set[ast.stmt]) -> bool:
    """Whether every way through the statements runs one of these."""
    return any(
        s in settings
        or (isinstance(s, ast.If) and _always_runs(s.body, settings) and _always_runs(s.orelse, settings))
        or (isinstance(s, ast.With) and _always_runs(s.body, settings))
        for s in block
    )


def _settings(family: Sequence[Class], name: str) -> list[tuple[Function, ast.stmt]]:
    """The statements that assign the attribute, or register it, each with its method."""
    found = []
    for method in (m for c in family for m in c.methods.values()):
        nodes: list[ast.AST] = [n for n in method.self_attributes.get(name, ()) if isinstance(n.ctx, ast.Store)]
        for call in method.of(ast.Call):
            registers = isinstance(call.func, ast.Attribute) and call.func.attr in _REGISTERING
            if registers and call.args and isinstance(call.args[0], ast.Constant) and call.args[0].value == name:
                nodes.append(call)
        found += [(method, method.file.statement_of(n)) for n in nodes]
    return found
