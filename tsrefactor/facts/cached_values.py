"""What code reads of its instance to make a value that is kept, and what else changes the value that is kept."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Set

from .definitions import Class, Function
from .nodes import walk

ASKED = frozenset("shape size dim ndim numel device dtype is_cuda get_device type layout data".split())


def is_persistent(cls: Class, name: str) -> bool:
    """Whether the attribute is a buffer that the state_dict holds."""
    return any(map(_is_saved, _registered(cls, name, "register_buffer")))


def reads_settled(function: Function, node: ast.AST) -> bool:
    """Whether what a node reads of the instance, if it does, is the same at all times: what the constructor alone sets,
    and no training; or only its size, device or dtype.
    """
    name, cls = function.self_attribute(node), function.cls
    if name is None or cls is None:
        return True
    part: ast.AST = node
    while isinstance(part := function.file.parents[part], (ast.Attribute, ast.Subscript)):
        if isinstance(part, ast.Attribute) and part.attr in ASKED:
            return True
    family = (cls, *cls.ancestors, *cls.subclasses)
    if any(name in c.methods for c in family):
        return True  # what it runs is looked at by itself
    if name == "training" or any(True for _ in _registered(cls, name, "register_parameter")):
        return False
    given = [pair for c in family for pair in c.assigned.get(name, ())]
    outside = (n for n in function.file.of(ast.Attribute) if n.attr == name and not isinstance(n.ctx, ast.Load))
    if not all(_in_constructor(function, n) for n in outside):
        return False
    return not any(value is not None and any(makes_trained(method, n) for n in walk(value)) for method, value in given)


def updates(method: Function, names: Set[str], apart: Set[ast.AST]) -> bool:
    """Whether a method updates in place what one of these attributes holds, by itself or under a local name."""
    local = {
        name
        for name, values in method.types.bindings.values.items()
        for value in values
        if isinstance(value, ast.expr) and _root(method, value) in names
    }
    for call in method.of(ast.Call):
        updated = () if call in apart else method.flow.updated(call)
        if any(_root(method, e) in names or (isinstance(e, ast.Name) and e.id in local) for e in updated):
            return True
    return False


def _root(method: Function, node: ast.AST) -> str | None:
    """The attribute of the instance that views start from: ``table`` of ``self.table[:n].view(-1)``."""
    while method.self_attribute(node) is None and isinstance(node, (ast.Attribute, ast.Subscript, ast.Call)):
        node = node.func if isinstance(node, ast.Call) else node.value
    return method.self_attribute(node)


def _in_constructor(function: Function, node: ast.AST) -> bool:
    while not isinstance(node, (ast.FunctionDef, ast.Module)):
        node = function.file.parents[node]
    return isinstance(node, ast.FunctionDef) and node.name == "__init__"


def makes_trained(function: Function, node: ast.AST) -> bool:
    """Whether a call makes a parameter or a module, which training may change."""
    if not isinstance(node, ast.Call):
        return False
    origin = function.file.origin(node.func)
    made = function.file.class_named(origin)
    if made is not None:
        return made.is_module
    package, _, name = origin.rpartition(".")
    return package.startswith("torch.nn") and package != "torch.nn.functional" and name[:1].isupper()


def _registered(cls: Class, name: str, how: str) -> Iterator[ast.Call]:
    for method in (m for c in (cls, *cls.ancestors, *cls.subclasses) for m in c.methods.values()):
        for call in method.of(ast.Call):
            first = call.args[0] if call.args and method.self_attribute(call.func) == how else None
            if isinstance(first, ast.Constant) and first.value == name:
                yield call


def _is_saved(call: ast.Call) -> bool:
    given = [*call.args[2:3], *(k.value for k in call.keywords if k.arg == "persistent")]
    return not any(isinstance(v, ast.Constant) and v.value is False for v in given)
