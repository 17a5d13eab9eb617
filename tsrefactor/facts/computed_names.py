"""Names of attributes that code computes: ``f"layer{i}"``, ``"conv" + str(i)``, ``"norm%d" % i``."""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Iterator
from typing import Any

from .definitions import Class, Function
from .nodes import walk

_REGISTERS = ("add_module", "register_module", "register_buffer", "register_parameter")
_STORES = ("_modules", "_parameters", "_buffers")
_ANY = ".+"
_MOST = 12  # names that are worth writing down one by one
_HARMLESS = ("super", "setattr", "getattr", "hasattr", "isinstance", "type", "id", "print")  # they add nothing unseen
_OPERATORS: dict[type[ast.operator], Callable[[Any, Any], object]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mod: operator.mod,
    ast.FloorDiv: operator.floordiv,
}


def defined(function: Function, node: ast.expr) -> ast.expr:
    """The expression that a local name stands for, where it is bound once; else the node itself."""
    if isinstance(node, ast.Name):
        stores = [n for n in function.of(ast.Name) if n.id == node.id and not isinstance(n.ctx, ast.Load)]
        parent = function.file.parents[stores[0]] if len(stores) == 1 else None
        if isinstance(parent, ast.Assign) and parent.targets == stores:
            return parent.value
    return node


def pattern(function: Function, node: ast.expr) -> str:
    """A regular expression of the strings that an expression can give."""
    match defined(function, node):
        case ast.Constant(value=str(text)):
            return re.escape(text)
        case ast.JoinedStr(values=values):
            return "".join(_ANY if isinstance(v, ast.FormattedValue) else pattern(function, v) for v in values)
        case ast.BinOp(op=ast.Add(), left=left, right=right):
            return pattern(function, left) + pattern(function, right)
        case ast.BinOp(op=ast.Mod(), left=ast.Constant(value=str(text))):
            return _ANY.join(map(re.escape, re.split(r"%\w", text)))
        case ast.Call(func=ast.Attribute(value=ast.Constant(value=str(text)), attr="format")):
            return _ANY.join(map(re.escape, re.split(r"\{\w*\}", text)))
    return _ANY


def set_by_name(cls: Class, name: str) -> bool:
    """Whether the file may set the attribute by its name: ``setattr(model, key, value)``, ``add_module``, or
    ``model._modules[key] = value``."""
    file = cls.file
    if file.mentions("__dict__", "__setattr__", "set_submodule"):
        return True
    if not file.mentions("setattr", *_REGISTERS, *_STORES):
        return False
    family = (cls, *cls.ancestors, *cls.subclasses)
    for function in file.all_functions:
        for target, key in _set_by_names(function):
            if isinstance(target, ast.Name) and target.id == function.self_name and function.cls not in family:
                continue  # an instance of another class
            if key is None or re.fullmatch(pattern(function, key), name):
                return True
    return False


def _set_by_names(function: Function) -> Iterator[tuple[ast.expr | None, ast.expr | None]]:
    """What a function sets attributes of, by names, each with the name."""
    for call in function.of(ast.Call):
        func, given = call.func, [*call.args, None, None]
        if isinstance(func, ast.Attribute) and func.attr in _REGISTERS:
            yield func.value, given[0]
        elif function.file.origin(func) == "setattr":
            yield given[0], given[1]
    for item in function.of(ast.Subscript):
        held = item.value
        if isinstance(held, ast.Attribute) and held.attr in _STORES and not isinstance(item.ctx, ast.Load):
            yield held.value, item.slice


def prefix(function: Function, node: ast.expr) -> str:
    """What all the strings begin with that an expression can give."""
    return re.sub(r"\\(.)", r"\1", pattern(function, node).partition(_ANY)[0])


def possible(function: Function, node: ast.expr, value: ast.expr) -> list[str] | None:
    """Every string that ``value`` can be at a node in loops over literals, in order; None where the source does not
    say."""
    found: list[dict[str, object]] = [{}]
    value = defined(function, value)
    for loop in reversed(list(_loops(function, node))):
        rounds = _rounds(function, loop)
        wanted = {n.id for n in walk(value) if isinstance(n, ast.Name)}
        if wanted & {n.id for n in walk(loop.target) if isinstance(n, ast.Name)}:
            changed = function.flow.writes(loop.body) if isinstance(loop, ast.For) else set()
            if rounds is None or wanted & changed:
                return None
            found = [known | bound for known in found for bound in rounds]
    names = [_evaluated(function, value, known) for known in found]
    if len(names) > _MOST or not all(isinstance(n, str) and n.isidentifier() for n in names):
        return None
    return list(dict.fromkeys(str(n) for n in names))


def _loops(function: Function, node: ast.AST) -> Iterator[ast.For | ast.comprehension]:
    while node is not function.node:
        node = function.file.parents[node]
        if isinstance(node, ast.For):
            yield node
        elif isinstance(node, (ast.ListComp, ast.GeneratorExp)):
            yield from reversed(node.generators)


def _rounds(function: Function, loop: ast.For | ast.comprehension) -> list[dict[str, object]] | None:
    """What a loop over literals binds its variables to, round by round."""
    target, over = loop.target, loop.iter
    origin = function.file.origin(over.func) if isinstance(over, ast.Call) else ""
    values: list[object]
    if isinstance(over, (ast.Tuple, ast.List)):
        values = [_evaluated(function, e, {}) for e in over.elts]
    elif isinstance(over, ast.Call) and origin == "range" and not over.keywords:
        bounds = [_evaluated(function, a, {}) for a in over.args]
        if not all(type(b) is int for b in bounds) or not 1 <= len(bounds) <= 3:
            return None
        values = list(range(*bounds)[: _MOST + 1])  # type: ignore[call-overload]
    else:
        return None
    return [{target.id: v} for v in values] if isinstance(target, ast.Name) and None not in values else None


def _evaluated(function: Function, node: ast.expr, known: dict[str, object]) -> object:
    """The value of an expression of literals and known names; None for any other."""
    match node:
        case ast.Constant(value=value):
            return value
        case ast.Name(id=name):
            return known.get(name)
        case ast.FormattedValue(conversion=-1, format_spec=None) | ast.JoinedStr():
            parts = node.values if isinstance(node, ast.JoinedStr) else [node.value]
            values = [_evaluated(function, p, known) for p in parts]
            return None if None in values else "".join(map(str, values))
        case ast.Call(func=ast.Attribute(value=ast.Constant(value=str(template)), attr="format"), keywords=[]):
            values = [_evaluated(function, a, known) for a in node.args]
            return None if None in values else template.format(*values)
        case ast.Call(args=[argument], keywords=[]) if function.file.origin(node.func) == "str":
            text = _evaluated(function, argument, known)
            return None if text is None else str(text)
        case ast.Tuple(elts=elements):
            values = [_evaluated(function, e, known) for e in elements]
            return None if None in values else tuple(values)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            a, b = _evaluated(function, left, known), _evaluated(function, right, known)
            try:
                return None if a is None or b is None else _OPERATORS[type(op)](a, b)
            except (TypeError, ValueError, ZeroDivisionError):
                return None
    return None


def children_named(cls: Class, wanted: str) -> bool:
    """Whether submodules of such names (a regular expression) are seen in a class: written there, or recorded."""
    family = (cls, *cls.ancestors, *cls.subclasses)
    if any(re.fullmatch(wanted, name) for c in family if c.observed for name in c.observed.children):
        return True
    for c in family:
        for name, values in c.assigned.items():
            if re.fullmatch(wanted, name) and any(isinstance(v, ast.Call) for _, v in values):
                return True
        for method in c.methods.values():
            for node in method.nodes:
                given = registered_name(method, node)
                if given is not None and pattern(method, given) == wanted:
                    return True
    return False


def registered_name(method: Function, node: ast.AST) -> ast.expr | None:
    """The name under which a call adds a submodule: ``self.add_module(name, …)``, ``setattr(self, name, …)``."""
    if not isinstance(node, ast.Call):
        return None
    if method.self_attribute(node.func) in ("add_module", "register_module"):
        given = [*node.args[:1], *(k.value for k in node.keywords if k.arg == "name")]
        return given[0] if given else None
    sets = len(node.args) == 3 and method.file.origin(node.func) == "setattr" and isinstance(node.args[0], ast.Name)
    return node.args[1] if sets and node.args[0].id == method.self_name else None  # type: ignore[attr-defined]


def registered_names(cls: Class, wanted: str) -> list[str] | None:
    """The submodules of such names (a regular expression) that a class and its relatives add in loops over literals,
    or assign; None where the source does not tell all of them."""
    names: list[str] = []
    if _added_by_others(cls, wanted):
        return None
    for c in (cls, *cls.ancestors, *cls.subclasses):
        for name in (n for n in c.assigned if re.fullmatch(wanted, n)):
            made = [_is_module(method, value) for method, value in c.assigned[name]]
            if None in made:
                return None
            names += [name] if True in made else []
        for method in c.methods.values():
            for node in method.of(ast.Call):
                given = registered_name(method, node)
                if given is None:
                    continue
                found = possible(method, node, given)
                if found is None and _may_be(method, given, wanted):
                    return None
                if found is not None:
                    names += [name for name in found if re.fullmatch(wanted, name)]
    return list(dict.fromkeys(names))


def _may_be(function: Function, name: ast.expr, wanted: str) -> bool:
    """Whether a computed name may be one of those wanted (a regular expression), by what it begins with."""
    begin, own = prefix(function, name), re.sub(r"\\(.)", r"\1", wanted.partition(_ANY)[0])
    return begin.startswith(own) or own.startswith(begin)


def _added_by_others(cls: Class, wanted: str) -> bool:
    """Whether code outside of the class, or that `__init__` hands self to, may add submodules of such names."""
    file = cls.file
    stored = [n for n in file.of(ast.Attribute) if isinstance(n.ctx, ast.Store) and re.fullmatch(wanted, n.attr)]
    own = {n for f in file.all_functions for nodes in f.self_attributes.values() for n in nodes}
    if file.mentions("_modules.update") or any(n not in own for n in stored):
        return True
    for n in file.of(ast.Subscript) if file.mentions("_modules[") else ():
        if isinstance(n.ctx, ast.Store) and isinstance(n.value, ast.Attribute) and n.value.attr == "_modules":
            return True
    for function in file.all_functions:
        for call in function.of(ast.Call):
            name = _name_added(function, call)
            if name is not None and registered_name(function, call) is None and _may_be(function, name, wanted):
                return True
    inits = [c.methods["__init__"] for c in (cls, *cls.ancestors, *cls.subclasses) if "__init__" in c.methods]
    return any(_hands_self_on(init, call) for init in inits for call in init.of(ast.Call))


def _name_added(function: Function, call: ast.Call) -> ast.expr | None:
    """The name under which a call sets something on an object that may be any module."""
    if function.file.origin(call.func) == "setattr":
        return call.args[1] if len(call.args) == 3 else None
    if not isinstance(call.func, ast.Attribute) or call.func.attr not in ("add_module", "register_module"):
        return None
    made = defined(function, call.func.value)
    if isinstance(made, ast.Call) and function.file.origin(made.func).startswith("torch.nn."):
        return None  # ``layers = nn.Sequential()`` of its own
    return next(iter([*call.args[:1], *(k.value for k in call.keywords if k.arg == "name")]), None)


def _hands_self_on(init: Function, call: ast.Call) -> bool:
    given = [*call.args, *(k.value for k in call.keywords)]
    if not any(isinstance(g, ast.Name) and g.id == init.self_name for g in given):
        return False
    called = init.file.origin(call.func)
    return called not in _HARMLESS and not (isinstance(call.func, ast.Attribute) and call.func.attr == "__init__")


def _is_module(method: Function, value: ast.expr | None) -> bool | None:
    """Whether a value is a new module; None where the file does not tell."""
    if value is None:
        return None
    if isinstance(value, ast.Call):
        origin, cls = method.file.origin(value.func), method.file.class_named(ast.unparse(value.func))
        if (cls is not None and cls.is_module) or re.fullmatch(r"torch\.nn\.(\w+\.)*[A-Z]\w+", origin):
            return origin != "torch.nn.Parameter"
    return False if isinstance(value, ast.Constant) or method.type_of(value).known else None
