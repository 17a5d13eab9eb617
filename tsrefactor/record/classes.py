"""What the instances of the user's nn.Module classes hold, read off a live module after a run."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from types import FunctionType

import torch

from tsrefactor.facts.observations import ClassObservations, Observations
from tsrefactor.facts.types import NONE, TENSOR, UNKNOWN, Type, join

from .describe import describe
from .fields import fields
from .sources import Sources

_PRIVATE = frozenset(vars(torch.nn.Module()))


def classes_of(module: torch.nn.Module, source: Sequence[str]) -> Observations:
    """One record per class of `module` and its submodules that is defined under `source`.

    ``attributes`` holds the plain ones, the fields of objects among them, and, as Tensor or None, parameters and
    buffers; ``children`` the classes of submodules, ``None`` for one registered as None. An instance of a class made
    on the fly (a parametrization) counts for its first base under `source`.
    """
    sources, result = Sources(source), Observations()
    for instance in submodules(module):
        seen = _observe(instance, sources)
        if seen is None:
            continue
        key = (seen.file, seen.qualname)
        if key in result.classes:
            result.classes[key].join(seen)
        else:
            result.classes[key] = seen
    return result


def has_class_under(module: torch.nn.Module, sources: Sources) -> bool:
    """Whether any class in the tree of `module` is the user's."""
    return any(_users_class(instance, sources) is not None for instance in submodules(module))


def submodules(module: torch.nn.Module) -> Iterator[torch.nn.Module]:
    """`module` and every module below it, once each. Overridden `modules()` methods are not asked."""
    todo, seen = [module], set()
    while todo:
        at = todo.pop()
        if id(at) not in seen:
            seen.add(id(at))
            yield at
            todo.extend(child for child in reversed(_registered(at, "_modules").values()) if child is not None)


def qualified(cls: type) -> str:
    """The name a class is known by: its module and its qualname."""
    return f"{cls.__module__}.{cls.__qualname__}"


def _registered(instance: torch.nn.Module, registry: str) -> dict:
    # Absent where a constructor has not called super().__init__(), and in script modules an object of another class.
    held = vars(instance).get(registry)
    return held if isinstance(held, dict) else {}


def _observe(instance: torch.nn.Module, sources: Sources) -> ClassObservations | None:
    found = _users_class(instance, sources)
    if found is None:
        return None
    cls, file = found
    mro = type(instance).__mro__
    seen = ClassObservations(file, cls.__qualname__, 1, tuple(qualified(base) for base in mro[mro.index(cls) : -1]))
    for name, value in vars(instance).items():
        if name not in _PRIVATE:
            seen.attributes[name] = describe(value)
            seen.attributes.update(fields(value, name))
    for registry in ("_parameters", "_buffers"):
        for name, value in _registered(instance, registry).items():
            held: Type = NONE if value is None else TENSOR
            seen.attributes[name] = join(seen.attributes.get(name, UNKNOWN), held)
    for name, child in _registered(instance, "_modules").items():
        seen.children[name] = {"None" if child is None else qualified(type(child))}
    return seen


def _users_class(instance: torch.nn.Module, sources: Sources) -> tuple[type, str] | None:
    for cls in type(instance).__mro__:
        if cls is torch.nn.Module:
            return None
        file = file_of(cls)
        real = sources.realpath(file) if file else None
        if real is not None:
            return cls, real
    return None


def file_of(cls: type) -> str | None:
    """The file that a class comes from; a name as `<string>` where its functions were compiled from a text alone."""
    file = getattr(sys.modules.get(cls.__module__), "__file__", None)
    if isinstance(file, str):
        return file
    functions = (value for value in vars(cls).values() if isinstance(value, FunctionType))
    return next((function.__code__.co_filename for function in functions), None)
