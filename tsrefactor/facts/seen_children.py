"""The submodules that runs saw under computed names, and whether code may call all submodules alike."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .definitions import Class
from .operations import one_tensor_layer

_TORCH = "torch.nn."


def seen_names(cls: Class, wanted: str) -> list[str]:
    """The submodules of such names (a regular expression) that instances had: numbered ones alone, where there are
    some, by their number."""
    names = [name for name in _seen(cls) if re.fullmatch(wanted, name)]
    numbered = [name for name in names if re.fullmatch(wanted.replace(".+", r"\d+"), name)]
    return sorted(numbered or names, key=lambda n: [int(p) if p.isdigit() else p for p in re.split(r"(\d+)", n)])


def are_alike(cls: Class, names: list[str], arguments: int) -> bool:
    """Whether all submodules that instances had presumably take what those of some names take: they are of the same
    classes, or layers of torch that take and give one tensor."""
    seen = _seen(cls)
    classes = {kind for name in names for kind in seen[name]}
    others = {kind for name, kinds in seen.items() if name not in names for kind in kinds} - classes
    return all(kind == "None" or (arguments == 1 and _takes_tensor(kind)) for kind in others)


def _seen(cls: Class) -> dict[str, tuple[str, ...]]:
    return {name: tuple(kinds) for c in _family(cls) if c.observed for name, kinds in c.observed.children.items()}


def _family(cls: Class) -> Iterator[Class]:
    yield from (*cls.subclasses, *cls.ancestors, cls)


def _takes_tensor(kind: str) -> bool:
    head, _, name = kind.rpartition(".")
    if not head.startswith(f"{_TORCH}modules."):
        return False
    return name == "Sequential" or one_tensor_layer(_TORCH + name, 0, frozenset())
