"""Tracing one module, with what the tracer said and the line of the user's source that made it say so."""

from __future__ import annotations

import inspect
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from ..cases import Inputs
from ..workers.seeding import seed
from .values import copied


@dataclass(frozen=True)
class Warned:
    """A TracerWarning at a line of the user's source.

    ``direct``: torch raised it at that very line; else in code of its own that the line called, where torch itself
    keeps silent about it.
    """

    message: str
    file: str
    line: int
    direct: bool


@contextmanager
def tracer_warnings(is_user_file: Callable[[str], bool]) -> Iterator[list[Warned]]:
    """Collects the tracer's warnings, each once; all other warnings are dropped.

    A warning only holds the line that raised it, so it is caught where it is raised, with its callers at hand.
    """
    found: list[Warned] = []

    def keep(message: Any, category: type[Warning], filename: str, lineno: int, *_: Any) -> None:
        if not issubclass(category, torch.jit.TracerWarning):
            return
        frame = sys._getframe(1)
        while frame is not None and not is_user_file(frame.f_code.co_filename):
            frame = frame.f_back  # type: ignore[assignment]
        if frame is None:
            return
        file, line = frame.f_code.co_filename, frame.f_lineno
        warned = Warned(" ".join(str(message).split()), file, line, (file, line) == (filename, lineno))
        if warned not in found:
            found.append(warned)

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = keep  # type: ignore[assignment]
        yield found


def traced(module: nn.Module, example: Inputs, mapping: bool) -> Any:
    """A trace of the module as it is, seeded. ``mapping``: a mapping is among its outputs."""
    example = copied(example)
    seed()
    if not example.kwargs:
        return torch.jit.trace(module, example.args, check_trace=False, strict=not mapping)
    # trace takes positional or named examples, never both
    named = dict(inspect.signature(module.forward).bind(*example.args, **example.kwargs).arguments)
    return torch.jit.trace(module, example_kwarg_inputs=named, check_trace=False, strict=not mapping)
