"""What a live value is, in TorchScript's terms."""

from __future__ import annotations

import collections
import enum
import keyword
import sys
from itertools import islice
from typing import Any

import torch

from tsrefactor.facts.types import (
    BOOL,
    COMPLEX,
    DEVICE,
    FLOAT,
    INT,
    MODULE,
    NONE,
    STR,
    TENSOR,
    TOP,
    Type,
    dict_of,
    join,
    join_all,
    list_of,
    tuple_of,
)

# The annotation `torch.dtype` compiles (as int) alone and in Optional; `torch.layout` and `torch.memory_format` do not.
DTYPE, GENERATOR = Type("torch.dtype"), Type("torch.Generator")
_EXACT: dict[type, Type] = {
    type(None): NONE, bool: BOOL, int: INT, float: FLOAT, str: STR, complex: COMPLEX, torch.device: DEVICE,
    torch.dtype: DTYPE, torch.Generator: GENERATOR, torch.Size: list_of(INT),
}  # fmt: skip
# By identity, for a metaclass may have its own hash or none; the class is kept, so that its identity stays its own.
_leaves: dict[int, tuple[type, Type | None]] = {id(cls): (cls, type_) for cls, type_ in _EXACT.items()}
_DICTS = (dict, collections.OrderedDict, collections.defaultdict)
_KEYS = {STR, INT, FLOAT, BOOL, COMPLEX, TENSOR, DEVICE}
_DEPTH = 8
_SAMPLE = 32
_SCAN = 4096
_HEAP_TYPE = 1 << 9


def describe(value: Any) -> Type:
    """The type of `value`, without calling any code of its class; the top where TorchScript has none for it.

    Of a long container the kinds of the first 4096 elements are joined, but only 32 elements that are themselves
    containers are looked into. Numpy scalars and subclasses of int, float, str, list and dict are the top.
    """
    return leaf(type(value)) or _container(value, 0, {})


def leaf(cls: type) -> Type | None:
    """The type of every instance of `cls`, or None where it depends on what the instance holds."""
    found = _leaves.get(id(cls))
    if found is None:
        found = _leaves[id(cls)] = (cls, _classify(cls))
    return found[1]


def _classify(cls: type) -> Type | None:
    if issubclass(cls, torch.Tensor):
        return TENSOR
    if issubclass(cls, torch.nn.Module):
        return MODULE
    if issubclass(cls, enum.Enum):
        return _named(cls)
    if cls is list or cls is tuple or any(cls is known for known in _DICTS) or cls.__module__ == "torch.return_types":
        return None
    if issubclass(cls, tuple):
        return _named(cls) if isinstance(getattr(cls, "_fields", None), tuple) else TOP
    return _named(cls) if _is_simple(cls) else TOP


def _is_simple(cls: type) -> bool:
    """Whether TorchScript might compile `cls` as a class: plain Python, no bases, no magic attribute access."""
    package = cls.__module__.partition(".")[0]
    own = vars(cls)
    return (
        type(cls) is type
        and cls.__bases__ == (object,)
        and bool(cls.__flags__ & _HEAP_TYPE)
        and package not in sys.stdlib_module_names - {"__main__"}
        and package not in ("torch", "numpy")
        and not own.keys() & {"__getattr__", "__getattribute__", "__setattr__", "__call__", "__slots__"}
    )


def _named(cls: type) -> Type:
    """The class by its qualified name, or the top where no source could name it (it is local to a function)."""
    name = f"{cls.__module__}.{cls.__qualname__}"
    if all(part.isidentifier() and not keyword.iskeyword(part) for part in name.split(".")):
        return Type(name)
    return TOP


def _container(value: Any, depth: int, memo: dict[int, Type]) -> Type:
    if depth > _DEPTH:
        return TOP
    if id(value) in memo:
        return memo[id(value)]
    # A container that holds itself finds this entry, one shared by many is described once: no blow-up either way.
    memo[id(value)] = TOP
    if type(value) is list:
        result = list_of(_joined(value, depth, memo))
    elif isinstance(value, dict):
        key, held = _joined(dict.keys(value), depth, memo), _joined(dict.values(value), depth, memo)
        result = dict_of(key, held) if key in _KEYS or not dict.__len__(value) else TOP
    else:
        items = tuple.__iter__(value)
        result = TOP if tuple.__len__(value) > _SAMPLE else tuple_of(_element(item, depth, memo) for item in items)
    if any(argument in (TOP, MODULE) for argument in result.args):
        result = TOP
    memo[id(value)] = result
    return result


def _element(item: Any, depth: int, memo: dict[int, Type]) -> Type:
    return leaf(type(item)) or _container(item, depth + 1, memo)


def _joined(items: Any, depth: int, memo: dict[int, Type]) -> Type:
    kinds = {id(cls): leaf(cls) for cls in {id(cls): cls for cls in map(type, islice(items, _SCAN))}.values()}
    result = join_all(sorted((kind for kind in kinds.values() if kind is not None), key=str))
    if None in kinds.values():
        nested = (item for item in islice(items, _SCAN) if kinds[id(type(item))] is None)
        for item in islice(nested, _SAMPLE):
            result = join(result, _container(item, depth + 1, memo))
    return result
