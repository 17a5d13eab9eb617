"""What a value is when Python tests it as a condition: None, always true, a number, something with a length."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from .definitions import Class, Function
from .file import FileFacts
from .types import BOOL, FLOAT, INT, NONE, STR, TENSOR, Type

_CONTAINERS = ("Sequential", "ModuleList", "ModuleDict", "ParameterList", "ParameterDict")
_KINDS = {INT: "number", FLOAT: "number", BOOL: "bool", STR: "sized", TENSOR: "tensor", NONE: "none"}
_SIZED_METHODS = {"__len__", "__bool__"}


@dataclass(frozen=True)
class Truth:
    """``kind``: what tests it when it is not None (``always``, ``number``, ``bool``, ``sized``, ``tensor``).

    ``none``: it may be None. ``presumed``: only its uses tell the kind. ``given``: it is what a constructor was given,
    which may be of another kind in instances that no run saw.
    """

    kind: str
    none: bool
    presumed: bool = False
    given: bool = False


def truth_of(function: Function, node: ast.expr) -> Truth | None:
    """How a name or an attribute of self tests; None where nothing tells it, or instances differ in it."""
    attribute = function.self_attribute(node)
    if attribute is None:
        kinds, presumed = set(_of_type(function.type_of(node))), False
    elif function.cls is None:
        return None
    else:
        kinds, presumed = _of_attribute(function, function.cls, attribute)
    others = kinds - {"none"}
    if "?" in kinds or len(others) > 1 or not kinds:
        return None
    given = attribute is not None and function.cls is not None and _is_given(function.cls, attribute)
    return Truth(next(iter(others), "always"), "none" in kinds, presumed, given)


def truth_beside(function: Function, node: ast.expr, default: ast.expr) -> Truth | None:
    """How an attribute tests of which no more is known than that it was None: as what stands in for it."""
    kinds = set(_of_type(function.type_of(default)))
    if function.self_attribute(node) is None or function.type_of(node) != NONE or not kinds <= {"number", "sized"}:
        return None
    return Truth(kinds.pop(), True, True) if len(kinds) == 1 else None


def _of_attribute(function: Function, cls: Class, name: str) -> tuple[set[str], bool]:
    kinds: set[str] = set()
    for c in (cls, *cls.ancestors, *cls.subclasses):
        for method, value in c.assigned.get(name, ()):
            kinds |= _of_value(method, value)
    recorded: set[str] = set()
    for c in (cls, *cls.subclasses):
        if c.observed is not None:
            recorded |= set(_of_type(c.observed.attributes[name])) if name in c.observed.attributes else set()
            recorded |= {_of_class(cls.file, child) for child in c.observed.children.get(name, ())}
    kinds |= recorded
    passed = "passed" in kinds and "?" not in kinds
    kinds = kinds - {"passed"} | {"?"} if "passed" in kinds else kinds
    if "?" in kinds and recorded - {"none"} and "?" not in recorded:
        kinds.discard("?")  # the recorded instances tell what callers pass
    elif "?" in kinds and _called(function, cls, name):
        return (kinds - {"?"}) | {"always"}, True
    elif passed:
        return kinds - {"?"}, True  # the calls in the file tell what others pass
    return kinds, False


def _is_given(cls: Class, name: str) -> bool:
    """Whether a class assigns the attribute an argument as it is, of which no annotation tells the type."""
    pairs = [pair for c in (cls, *cls.ancestors, *cls.subclasses) for pair in c.assigned.get(name, ())]
    return any(
        isinstance(value, ast.Name) and p.name == value.id and p.annotation is None
        for method, value in pairs
        for p in method.parameters
    )


def _of_value(method: Function, value: ast.expr | None) -> set[str]:
    """The kinds of what is assigned; ``?`` for what only a caller knows, ``passed`` where callers in the file tell."""
    if value is None:
        return {"?"}
    if isinstance(value, ast.IfExp):
        return _of_value(method, value.body) | _of_value(method, value.orelse)
    if isinstance(value, ast.Name):
        parameter = next((p for p in method.parameters if p.name == value.id), None)
        if parameter is not None and parameter.annotation is None:
            default = [parameter.default] if parameter.default is not None else []
            passed = [*default, *_passed(method, value.id)]
            known = {kind for given in passed if isinstance(given, ast.Constant) for kind in _of_value(method, given)}
            return known | {"passed" if known - {"none"} else "?"}
    if isinstance(value, ast.Call):
        origin = method.file.origin(value.func)
        made = method.file.class_named(origin)
        if made is not None and made.is_module:
            return {_of_own(made)}
        name = origin.rpartition(".")[2]
        if origin.startswith("torch.nn.") and name[:1].isupper():
            filled = name == "Sequential" and any(not isinstance(a, ast.Starred) for a in value.args)
            return {"tensor" if name == "Parameter" else "sized" if name in _CONTAINERS and not filled else "always"}
    origin = method.file.origin(value)
    if origin.startswith(("torch.nn.functional.", "torch.")) and not isinstance(value, ast.Call):
        return {"always"}  # a function
    return set(_of_type(method.type_of(value)))


def _passed(method: Function, parameter: str) -> Iterator[ast.expr]:
    """What calls in the file give a class's parameter by keyword."""
    assert method.cls is not None
    for node in method.file.of(ast.Call):
        if method.file.origin(node.func) == method.cls.name:
            yield from (k.value for k in node.keywords if k.arg == parameter)


def _of_type(type_: Type) -> Iterator[str]:
    if type_.name in ("Optional", "Union"):
        for member in type_.args:
            yield from _of_type(member)
        if type_.optional:
            yield "none"
    elif type_.name in ("List", "Dict", "Tuple"):
        yield "sized"
    elif type_.name == "Module":
        yield "?"
    else:
        yield _KINDS.get(type_, "?")


def _of_class(file: FileFacts, qualified: str) -> str:
    """The kind of a submodule by its class's name."""
    name = qualified.rpartition(".")[2]
    if qualified == "None":
        return "none"
    own = next((c for c in file.classes if qualified.endswith("." + c.qualname)), None)
    if own is not None and not qualified.startswith("torch."):
        return _of_own(own)
    return "sized" if name in _CONTAINERS else "always" if qualified.startswith("torch.nn.") else "?"


def _of_own(cls: Class) -> str:
    if any(_SIZED_METHODS & c.methods.keys() for c in (cls, *cls.ancestors)):
        return "?"
    return "sized" if any(b.rpartition(".")[2] in _CONTAINERS for b in cls.foreign_bases) else "always"


def _called(function: Function, cls: Class, name: str) -> bool:
    methods = [m for c in (cls, *cls.ancestors, *cls.subclasses) for m in c.methods.values()]
    return any(m.self_attribute(n.func) == name for m in methods for n in m.of(ast.Call))
