"""Layers that stand in a list of the module, where code calls one of them: ``self.cells[i](x)``, or the variable of a
loop over ``self.cells``.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .filling import elements_made, iterated, values_of
from .kept import is_stored_once
from .module_loops import element_name

if TYPE_CHECKING:
    from .definitions import Class, Function

_LIST = "torch.nn.ModuleList"
_CHANGING = ("append", "extend", "insert", "pop", "add_module", "register_", "__", "_modules")


@dataclass(frozen=True)
class ListedLayer:
    """One layer of the list ``attribute``: ``owner`` is its source, ``name`` what to call it, ``chosen_by`` the local
    names that say which one it is, ``made`` the calls that make the layers, each with its method.
    """

    attribute: str
    owner: str
    name: str
    chosen_by: frozenset[str]
    made: tuple[tuple[Function, ast.Call], ...]


def listed_layer(function: Function, called: ast.expr) -> ListedLayer | None:
    """The layer that is called, where the class makes all of the list, and nothing else in the file changes it."""
    cls = function.cls
    if cls is None:
        return None
    base, chosen_by = _container(function, called)
    attribute = function.self_attribute(base) if base is not None else None
    if attribute is None:
        return None
    owner = next((c for c in (cls, *cls.ancestors) if c.assigned.get(attribute)), None)
    if owner is None or any(c.assigned.get(attribute) for c in cls.subclasses) or not _is_one_list(owner, attribute):
        return None
    made = [(m, e) for m, e in elements_made(owner, attribute) if isinstance(e, ast.Call)]
    if not made or len(made) < len(elements_made(owner, attribute)):
        return None
    name = element_name(attribute, _LIST)
    return ListedLayer(attribute, ast.unparse(called), name, chosen_by, tuple(made))


def _container(function: Function, called: ast.expr) -> tuple[ast.expr | None, frozenset[str]]:
    """The list of which a layer is called, and the names that choose it."""
    if isinstance(called, ast.Subscript) and isinstance(called.slice, (ast.Name, ast.Constant)):
        names = {called.slice.id} if isinstance(called.slice, ast.Name) else set()
        return called.value, frozenset(names)
    if not isinstance(called, ast.Name):
        return None, frozenset()
    stored = [n for n in function.of(ast.Name) if n.id == called.id and isinstance(n.ctx, ast.Store)]
    return (iterated(function, called.id) if len(stored) == 1 else None), frozenset({called.id})


def _is_one_list(cls: Class, attribute: str) -> bool:
    """Whether the attribute is one `ModuleList`, to which nothing is done but that it is filled by ``append``."""
    values = values_of(cls, attribute)
    if len(values) != 1 or not is_stored_once(cls, attribute):
        return False
    method, value = values[0]
    made = isinstance(value, ast.Call) and method.file.origin(value.func) == _LIST
    return made and is_left_alone(cls, attribute, appended=True)


def is_left_alone(cls: Class, attribute: str, appended: bool = False) -> bool:
    """Whether nothing in the file puts other layers into the container, but those that are ``appended``."""
    for node in cls.file.of(ast.Attribute):
        around = cls.file.parents[node] if node.attr == attribute else None
        if isinstance(around, ast.Attribute) and around.attr.startswith(_CHANGING):
            if around.attr != "append" or not appended:
                return False
        elif isinstance(around, ast.Subscript) and not isinstance(around.ctx, ast.Load):
            return False
    return True
