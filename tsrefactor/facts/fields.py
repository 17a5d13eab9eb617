"""What modules read out of the plain objects that they hold: ``self.cfg.width``, ``self.cfg['width']``."""

from __future__ import annotations

import ast
from collections.abc import Container
from dataclasses import dataclass

from .definitions import Class, Function
from .family import parent_calls
from .file import FileFacts
from .nodes import assigned_pairs
from .observations import step
from .types import Type, join, join_all

_CHANGING = frozenset({"update", "pop", "popitem", "setdefault", "clear", "append", "extend", "insert", "remove"})


def path_of(function: Function, node: ast.expr) -> str | None:
    """The path under which a field is recorded (``cfg.width``), for an expression that reads one; else None.

    In the constructor, the parameter that it stores as ``self.cfg`` counts as that.
    """
    match node:
        case ast.Attribute(value=value, attr=name):
            if function.self_attribute(node) is not None:
                return name
        case ast.Subscript(value=value, slice=ast.Constant(value=str(name))):
            pass
        case ast.Call(func=ast.Name(id="getattr"), args=[value, ast.Constant(value=str(name)), *_]):
            pass
        case ast.Call(func=ast.Attribute(value=value, attr="get"), args=[ast.Constant(value=str(name)), *_]):
            pass
        case ast.Name(id=parameter):
            return _stored_as(function, parameter)
        case _:
            return None
    above = path_of(function, value)
    return above + step(name) if above is not None else None


def recorded_field(function: Function, node: ast.expr) -> Type | None:
    """The type that the recorded instances hold in a field of an object; None where none was recorded."""
    cls = function.cls
    if cls is None or not _is_observed(cls):
        return None
    path = path_of(function, node)
    if path is None or path.isidentifier():
        return None
    found = recorded_at(cls, path)
    if isinstance(node, ast.Call) and len(node.args) > 1 and found is not None:
        return join(found, function.type_of(node.args[-1]))
    return found


def recorded_at(cls: Class, path: str) -> Type | None:
    """The same for a path, over the instances of a class and of those that derive from it."""
    seen = [c.observed.attributes for c in (cls, *cls.subclasses) if c.observed is not None]
    types = [attributes[path] for attributes in seen if path in attributes]
    return join_all(types) if types else None


def _is_observed(cls: Class) -> bool:
    return cls.observed is not None or any(c.observed is not None for c in cls.subclasses)


def _stored_as(function: Function, parameter: str) -> str | None:
    """The attribute that the constructor stores a parameter in, which it does not rebind."""
    if function.name != "__init__" or function.cls is None or parameter in function.bindings.values:
        return None
    if not any(p.name == parameter and p.kind in ("positional", "keyword") for p in function.parameters):
        return None
    for name, pairs in function.cls.assigned.items():
        if any(m is function and isinstance(v, ast.Name) and v.id == parameter for m, v in pairs):
            return name
    return None


@dataclass(frozen=True)
class Held:
    """Where `__init__` has an object: in ``text`` (its parameter, or the attribute ``name``) after ``anchor``."""

    anchor: ast.stmt
    name: str
    text: str
    self_name: str


def stored_at(cls: Class, name: str) -> Held | None:
    """Where the class's `__init__` has the object for sure; None where several places set it, or a condition does."""
    init = cls.methods.get("__init__")
    family = (cls, *cls.ancestors, *cls.subclasses)
    stores = [
        (m, n) for c in family for m in c.methods.values() for n in m.self_attributes.get(name, ())
        if not isinstance(n.ctx, ast.Load)
    ]  # fmt: skip
    if init is None or init.self_name is None or any(m.name != "__init__" for m, _ in stores):
        return None
    own = [n for m, n in stores if m is init]
    if (
        len(own) > 1
        or any(m.cls in cls.subclasses for m, _ in stores)
        or not all(_calls(c, cls) for c in cls.subclasses)
    ):
        return None
    if own:
        anchor, text = init.file.statement_of(own[0]), f"{init.self_name}.{name}"
        values = [v for m, v in cls.assigned.get(name, ()) if m is init]
        if len(values) == 1 and isinstance(values[0], ast.Name):
            text = values[0].id
    else:
        calls = [c.node for c in parent_calls(init) if c.method == "__init__"]
        if len(calls) != 1 or not (cls.foreign_bases or stores):
            return None
        anchor, text = init.file.statement_of(calls[0]), f"{init.self_name}.{name}"
    if anchor not in init.node.body or any(n.lineno < anchor.lineno for n in init.of(ast.Return)):
        return None
    return Held(anchor, name, text, init.self_name)


def _calls(cls: Class, parent: Class) -> bool:
    """Whether making an instance of a class runs the `__init__` of one above it."""
    init, names = cls.methods.get("__init__"), {None, *(c.qualname for c in (parent, *parent.subclasses))}
    return init is None or any(c.method == "__init__" and c.named in names for c in parent_calls(init))


def is_changed(cls: Class, name: str, fields: Container[str]) -> bool:
    """Whether the file changes one of these fields of the object after it is stored.

    Its methods and those of its relatives change it when they set or call what may; others through a module
    (``model.cfg.n = 1``).
    """
    file = cls.file
    related = (cls, *cls.ancestors, *cls.subclasses)
    own = {n for c in related for m in c.methods.values() for n in m.self_attributes.get(name, ())}
    selves = {f.self_name for f in file.all_functions}
    for node in file.of(ast.Attribute):
        if node.attr != name or not isinstance(node.ctx, ast.Load):
            continue
        ours = node in own
        if ours or not (isinstance(node.value, ast.Name) and node.value.id in selves):
            changed = _changed_field(file, node)
            if changed is not None and (changed in fields or (ours and changed == "")):
                return True
    return False


def _changed_field(file: FileFacts, node: ast.Attribute) -> str | None:
    """The field that the place of an object sets, "" where it may be any of them; None where it changes nothing."""
    outer: ast.AST = node
    first = None
    while isinstance(parent := file.parents[outer], (ast.Attribute, ast.Subscript)) and parent.value is outer:
        outer = parent
        if first is None:
            key = parent.slice if isinstance(parent, ast.Subscript) else None
            first = parent.attr if isinstance(parent, ast.Attribute) else getattr(key, "value", "")
    if outer is not node and not isinstance(outer.ctx, ast.Load):  # type: ignore[attr-defined]
        return first
    called = isinstance(parent, ast.Call) and parent.func is outer and isinstance(outer, ast.Attribute)
    if called and outer.attr in _CHANGING:  # type: ignore[attr-defined]
        return "" if first == outer.attr else first  # type: ignore[attr-defined]
    setting = isinstance(parent, ast.Call) and file.origin(parent.func) in ("setattr", "delattr")
    return "" if setting and outer in parent.args else None  # type: ignore[attr-defined]


def fields_stored(cls: Class) -> dict[str, str]:
    """What `__init__` stores in every case and nothing else sets: path of a field → attribute."""
    init, family = cls.methods["__init__"], (cls, *cls.ancestors, *cls.subclasses)
    found: dict[str, str] = {}
    for statement in init.node.body:
        for target in statement.targets if isinstance(statement, ast.Assign) else ():
            for node, value in assigned_pairs(target, statement.value):  # type: ignore[attr-defined]
                name = init.self_attribute(node)
                path = path_of(init, value) if isinstance(value, (ast.Attribute, ast.Subscript)) else None
                if name and path and sum(len(c.assigned.get(name, ())) for c in family) == 1:
                    found.setdefault(path, name)
    return found
