"""Example inputs as plain data: shapes, dtypes and numbers, never contents. Imported in worker processes only."""

from __future__ import annotations

import math
from typing import Any

import torch

from tsrefactor.cases import Inputs

from .classes import qualified

_DEPTH = 6
_LENGTH = 64
_TEXT = 200


def describe_inputs(inputs: Inputs) -> dict[str, Any]:
    """The arguments of a call as JSON data: ``{"args": [...], "kwargs": {name: ...}}``.

    A tensor is ``{"tensor": [sizes], "dtype", "device", "requires_grad"}``; None, a bool, a finite number or a text
    ``{"value": it}``; containers ``{"list": [...]}``, ``{"tuple": [...]}``, ``{"dict": [[key, value], ...]}``, of at
    most 64 elements; anything else ``{"object": "module.Class"}``.
    """
    return {
        "args": [_data(value, 0) for value in inputs.args],
        "kwargs": {name: _data(value, 0) for name, value in inputs.kwargs.items()},
    }


def _data(value: Any, depth: int) -> dict[str, Any]:
    cls = type(value)
    if isinstance(value, torch.Tensor):
        # A nested tensor has no sizes.
        sizes = None if value.is_nested else list(value.shape)
        held = {"dtype": str(value.dtype).removeprefix("torch."), "device": str(value.device)}
        return {"tensor": sizes, **held, "requires_grad": value.requires_grad}
    if value is None or cls in (bool, int) or (cls is float and math.isfinite(value)):
        return {"value": value}
    if cls is str:
        return {"value": value[:_TEXT]}
    if depth < _DEPTH and cls in (list, tuple, torch.Size):
        name = "list" if cls is list else "tuple"
        return {name: [_data(item, depth + 1) for item in value[:_LENGTH]]}
    if depth < _DEPTH and cls is dict:
        items = list(value.items())[:_LENGTH]
        return {"dict": [[_data(key, depth + 1), _data(item, depth + 1)] for key, item in items]}
    return {"object": qualified(cls)}
