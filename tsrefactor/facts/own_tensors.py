"""Tensors that a module has from its construction on (parameters, buffers): whether it has them, and their sizes."""

from __future__ import annotations

import ast
from collections.abc import Sequence, Set
from typing import TYPE_CHECKING

from .family import OF_MODULES, bound_in_body
from .nodes import walk

if TYPE_CHECKING:
    from .definitions import Class, Function

_REGISTERING = ("register_buffer", "register_parameter", "register_module", "add_module")


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
    """Whether some instances may lack an attribute: no constructor sets it on every way, neither the class's own or
    that of one of its bases, nor, for a class that is only derived from, those of all classes that derive from it.

    What other files' bases and torch.nn.Module have is not lacking.
    """
    cls = function.cls
    assert cls is not None
    family = (cls, *cls.ancestors)
    if name in OF_MODULES or any(name in c.methods or name in bound_in_body(c) for c in family):
        return False
    if any(base not in ("torch.nn.Module", "object") for base in cls.foreign_bases) and not _settings(family, name):
        return False
    return not _constructs(cls, name)


def may_be_none(function: Function, name: str) -> bool:
    """Whether None may be what an attribute holds that `may_lack` says some instances lack: one of the file's settings
    gives it, or a base of another file may.
    """
    cls = function.cls
    assert cls is not None
    values = [v for c in (cls, *cls.ancestors, *cls.subclasses) for _, v in c.assigned.get(name, ())]
    given = any(isinstance(v, ast.Constant) and v.value is None for v in values)
    return given or any(base not in ("torch.nn.Module", "object") for base in cls.foreign_bases)


def _constructs(cls: Class, name: str) -> bool:
    """Whether every instance of the class gets the attribute from a constructor."""
    family = (cls, *cls.ancestors)
    settings = {statement for _, statement in _settings(family, name)}
    inits = [c.methods["__init__"] for c in family if "__init__" in c.methods]
    if any(_always_runs(init, init.node.body, settings) for init in inits):
        return True
    derived = [c for c in cls.subclasses if c is not cls]
    return not settings and bool(derived) and all(_constructs(c, name) for c in derived)


def _always_runs(method: Function, block: Sequence[ast.stmt], settings: Set[ast.stmt], depth: int = 0) -> bool:
    """Whether every way through the statements runs one of these, or raises; methods that they call are looked into."""
    for s in block:
        if s in settings or isinstance(s, ast.Raise):
            return True
        if isinstance(s, ast.If):
            if all(_always_runs(method, arm, settings, depth) for arm in (s.body, s.orelse)):
                return True
        elif isinstance(s, (ast.With, ast.Try)) and _always_runs(method, s.body, settings, depth):
            return True
        elif isinstance(s, (ast.Expr, ast.Assign)) and depth < 3 and isinstance(s.value, ast.Call) and method.cls:
            called = method.cls.method(method.self_attribute(s.value.func) or "")
            if called is not None and _always_runs(called, called.node.body, settings, depth + 1):
                return True
        if any(isinstance(n, ast.Return) for n in walk(s)):
            return False
    return False


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
