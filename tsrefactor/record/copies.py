"""Copies of arguments, so that a call that writes into its inputs leaves the originals alone."""

from __future__ import annotations

import copy
from typing import Any

import torch

from tsrefactor.cases import Inputs


def copy_inputs(inputs: Inputs) -> Inputs:
    """A deep copy; tensors are detached from their graph and keep `requires_grad`, those passed twice stay one.

    What cannot be copied (a generator, an open file) is passed on as it is.
    """
    memo: dict[int, Any] = {}
    return Inputs(*_copy(inputs.args, memo), **_copy(inputs.kwargs, memo))


def _copy(value: Any, memo: dict[int, Any]) -> Any:
    if id(value) in memo:
        return memo[id(value)]
    if isinstance(value, torch.Tensor):
        result: Any = _copy_tensor(value)
    elif type(value) in (list, tuple):
        result = type(value)(_copy(item, memo) for item in value)
    elif type(value) is dict:
        result = {key: _copy(item, memo) for key, item in value.items()}
    elif isinstance(value, tuple) and hasattr(value, "_fields"):
        result = tuple.__new__(type(value), [_copy(item, memo) for item in value])
    else:
        try:
            result = copy.deepcopy(value, memo)
        except (TypeError, RuntimeError, NotImplementedError):  # what copy, pickle and torch raise for the uncopyable
            result = value
    memo[id(value)] = result
    return result


def _copy_tensor(tensor: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        copied = tensor.detach().clone()
    return copied.requires_grad_(tensor.requires_grad)
