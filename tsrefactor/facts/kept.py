"""Values of a constructor that a method of the class needs: how they are reached, or kept, on ``self``."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass, field

from .computed_names import set_by_name
from .definitions import Class, Function
from .family import members
from .names import fresh
from .nodes import walk

_PLAIN = frozenset({"int", "float", "bool", "str", "None", "List", "Tuple", "Optional", "Union", "Dict"})


class NotKept(Exception):
    """Why a method cannot reach a value, as the end of "…, and `m` is bound again"."""


@dataclass
class Kept:
    """``written``: name in the constructor → what a method writes for it. ``stores``: assignments that keep values on
    self, to be made in the constructor. ``idle``: assignments of the constructor that nothing needs any more.
    """

    written: dict[str, str] = field(default_factory=dict)
    stores: list[str] = field(default_factory=list)
    idle: list[ast.stmt] = field(default_factory=list)


def kept_values(init: Function, names: Iterable[str], inside: ast.AST) -> Kept:
    """What a method writes for local names of the constructor that it reads, in the order of the names.

    ``inside``: the code that moves to the method. Raises NotKept for what may change later, or what TorchScript takes
    for no attribute.
    """
    assert init.cls is not None
    kept = Kept()
    taken = members(init.cls)
    for name in names:
        stored = _stored_as(init, name)
        alias = _alias(init, name)
        if stored is not None:
            kept.written[name] = f"{init.self_name}.{stored}"
            continue
        if _bindings(init, name) != 1:
            raise NotKept(f"`{name}` is bound again")
        if alias is not None:
            kept.written[name] = init.file.source.segment(alias.value)
            outside = [n for n in init.of(ast.Name) if n.id == name and isinstance(n.ctx, ast.Load)]
            if not [n for n in outside if n not in set(walk(inside))]:
                kept.idle.append(alias)
            continue
        check_plain(init, name)
        attribute = fresh(taken, name, f"_{name}")
        taken.add(attribute)
        kept.written[name] = f"{init.self_name}.{attribute}"
        kept.stores.append(f"{init.self_name}.{attribute} = {name}")
    return kept


def check_plain(function: Function, name: str) -> None:
    """Raises NotKept where a local name is bound again, or not known to hold what a module can keep for TorchScript."""
    if _bindings(function, name) != 1:
        raise NotKept(f"`{name}` is bound again")
    type_ = function.type_of(ast.Name(name, ast.Load()))
    if not type_.known or not type_.names() <= _PLAIN:
        raise NotKept(f"`{name}` is not known to be a plain value, which a module can keep")


def is_stored_once(cls: Class, attribute: str) -> bool:
    """Whether the class and its relatives set the attribute once at most, and nothing else in the file does."""
    stores = [n for n in cls.file.of(ast.Attribute) if n.attr == attribute and not isinstance(n.ctx, ast.Load)]
    family = {c.node for c in (cls, *cls.ancestors, *cls.subclasses)}
    selves = {f.self_name for f in cls.file.all_functions}
    own = 0
    for store in stores:
        around: ast.AST = store
        while not isinstance(around, (ast.ClassDef, ast.Module)):
            around = cls.file.parents[around]
        if not isinstance(store.value, ast.Name) or store.value.id not in selves or around in family:
            own += 1
    return own <= 1 and not set_by_name(cls, attribute)


def _bindings(init: Function, name: str) -> int:
    """How often a name is bound: as a parameter, and by the body."""
    stores = sum(n.id == name and not isinstance(n.ctx, ast.Load) for n in init.of(ast.Name))
    return stores + (name in {p.name for p in init.parameters})


def _stored_as(init: Function, name: str) -> str | None:
    """The attribute in which the constructor keeps the final value of a local name, whatever happens."""
    assert init.cls is not None
    for statement in init.node.body:
        if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Name) and statement.value.id == name:
            for target in statement.targets:
                attribute = init.self_attribute(target)
                later = [n for n in init.of(ast.Name) if n.id == name and not isinstance(n.ctx, ast.Load)]
                if any(n.lineno > statement.lineno for n in later):
                    continue
                if attribute is not None and is_stored_once(init.cls, attribute):
                    return attribute
    return None


def _alias(init: Function, name: str) -> ast.Assign | None:
    """The assignment that makes a local name another name for ``self.attribute``."""
    assert init.cls is not None
    for statement in init.node.body:
        if isinstance(statement, ast.Assign) and [ast.unparse(t) for t in statement.targets] == [name]:
            attribute = init.self_attribute(statement.value)
            if attribute is not None and is_stored_once(init.cls, attribute):
                return statement
    return None
