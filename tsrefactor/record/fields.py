"""What the plain objects hold that a module keeps: configurations, namespaces, dicts, named tuples."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from types import FunctionType, ModuleType
from typing import Any

import torch

from tsrefactor.facts.observations import step
from tsrefactor.facts.types import Type

from .describe import describe, leaf

_DEPTH = 3
_MOST = 256
_NO_OBJECTS = (torch.nn.Module, torch.Tensor, ModuleType, FunctionType, str, bytes, int, float, complex)
_PLAIN = (bool, int, float, str, list, tuple, type(None))


def fields(value: Any, name: str) -> Iterator[tuple[str, Type]]:
    """What an object holds by its path (``cfg.width``, for a dict's key, too), and what the objects in it hold.

    Calls no code of its class. Lists are not looked into, and no more is told than the first 256 fields.
    """
    return islice(_fields(value, name, _DEPTH), _MOST)


def _fields(value: Any, name: str, depth: int) -> Iterator[tuple[str, Type]]:
    held = list(islice(_held(value), _MOST))
    yield from ((name + read, describe(one)) for read, one in held)
    if depth > 1:
        for read, one in held:
            yield from _fields(one, name + read, depth - 1)


def _held(value: Any) -> Iterator[tuple[str, Any]]:
    cls = type(value)
    if isinstance(value, dict):
        yield from ((step(key), held) for key, held in dict.items(value) if type(key) is str)
        return
    names = getattr(cls, "_fields", None) if issubclass(cls, tuple) else None
    if isinstance(names, tuple):
        yield from ((step(name), held) for name, held in zip(names, tuple.__iter__(value), strict=False))
    elif issubclass(cls, _NO_OBJECTS) or (leaf(cls) is None and not isinstance(value, type)):
        return
    else:
        own = {} if isinstance(value, type) else _variables(value)
        bases = value.__mro__ if isinstance(value, type) else cls.__mro__
        for base in bases[:-1]:
            constants = ((n, v) for n, v in vars(base).items() if type(v) in _PLAIN and not n.startswith("__"))
            own = dict(constants) | own
        yield from ((step(name), held) for name, held in own.items())


def _variables(value: Any) -> dict[str, Any]:
    try:
        held = object.__getattribute__(value, "__dict__")
    except AttributeError:  # it has slots
        return {}
    return {name: v for name, v in held.items() if isinstance(name, str)} if type(held) is dict else {}
