"""Which keywords the layers take that a module holds, where a wrapper's ``**kwargs`` brings them there."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from .callees import LAYERS, parameters
from .definitions import Function

# What the forward of one layer takes by name, with the defaults; None for a layer whose source is not at hand.
_Taken = Mapping[str, ast.expr | None]
_WAYS = 3


@dataclass(frozen=True)
class Division:
    """How the layers that an attribute holds in recorded runs take keywords that are passed on to it.

    ``some``: those that not all layers take; ``ways``: which of them the layers take, the most first. ``required``:
    those of them that no layer has a default for. ``defaults``: of keywords that all layers take, the same constant.
    """

    some: Sequence[str] = ()
    ways: Sequence[Sequence[str]] = ()
    required: frozenset[str] = frozenset()
    defaults: Mapping[str, ast.Constant] = field(default_factory=dict)


class Undivided(Exception):
    """Why a call cannot be told for each of the layers."""


def divided(function: Function, attribute: str, keywords: Sequence[str]) -> Division:
    """How the layers at ``self.attribute`` take the keywords. Raises `Undivided`."""
    layers = _layers(function, attribute)
    if len(layers) == 1:
        return Division(defaults=_defaults(layers, keywords))  # whatever was passed came to it
    some = [k for k in keywords if not all(layer is not None and k in layer for layer in layers)]
    taken = [tuple(k for k in some if k in layer) if layer is not None else tuple(some) for layer in layers]
    ways = sorted(set(taken) - {()}, key=lambda way: (-len(way), way))
    if len(ways) > _WAYS:
        raise Undivided(f"the layers at `{attribute}` take what it passes on in more than {_WAYS} ways")
    given = {k: [layer[k] for layer in layers if layer is not None and k in layer] for k in some}
    if any(d is not None and not _is_none(d) for values in given.values() for d in values):
        raise Undivided(f"only some of the layers at `{attribute}` take it, with a default that is not None")
    required = frozenset(k for k, values in given.items() if values and all(d is None for d in values))
    return Division(some, ways, required, _defaults(layers, [k for k in keywords if k not in some]))


def _defaults(layers: Sequence[_Taken | None], keywords: Sequence[str]) -> dict[str, ast.Constant]:
    found = {}
    for keyword in keywords:
        values = [layer.get(keyword) if layer is not None else None for layer in layers]
        first = values[0]
        if isinstance(first, ast.Constant) and all(v is not None and ast.dump(v) == ast.dump(first) for v in values):
            found[keyword] = first
    return found


def _layers(function: Function, attribute: str) -> list[_Taken | None]:
    cls = function.cls
    if cls is None or cls.observed is None:
        return [None]
    return [_taken(function, name) for name in sorted(cls.observed.children.get(attribute, ()))] or [None]


def _taken(function: Function, name: str) -> _Taken | None:
    module, _, last = name.rpartition(".")
    if module.startswith("torch.nn."):
        return dict.fromkeys(parameters(LAYERS.get(last, "input: Tensor")))
    cls = function.file.class_named(last)
    forward = cls.method("forward") if cls is not None else None
    if cls is None or forward is None:
        return None
    forward = cls.method(forward.stand_in or "") or forward
    found = {p.name: p.default for p in forward.parameters if p.kind in ("positional", "keyword")}
    if forward.observed is not None and any(p.kind == "kwargs" for p in forward.parameters):
        own = {forward.self_name, *(p.name for p in forward.parameters)}
        found |= dict.fromkeys((n for n in forward.observed.arguments if n not in own), ast.Constant(None))
    return found


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None
