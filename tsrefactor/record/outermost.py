"""Calls of outermost modules: those not made below another module's call. Imported in worker processes only."""

from __future__ import annotations

import collections
import functools
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from tsrefactor.cases import Inputs

from .classes import has_class_under, qualified
from .sources import Sources


@dataclass
class Outermost:
    """A module of the user's that was called outermost: ``name`` is ``module.Class#n``, ``calls`` counts them.

    ``module`` gives the module for as long as somebody else holds it.
    """

    name: str
    module: weakref.ref[torch.nn.Module]
    calls: int = 0


Before = Callable[[Outermost, torch.nn.Module, Inputs], None]
After = Callable[[Outermost, torch.nn.Module], None]


@contextmanager
def outermost_calls(sources: Sources, before: Before, after: After) -> Iterator[None]:
    """Calls `before` and `after` around every outermost call, in any thread, of a module with a class of the user's.

    Wraps ``nn.Module.__call__`` for as long as it lasts. What `before` raises goes into the calling code; `after` runs
    after a failed call, too.
    """
    original = torch.nn.Module.__call__
    state = threading.local()
    known: dict[int, Outermost] = {}
    numbers: collections.Counter[str] = collections.Counter()

    def outermost(module: torch.nn.Module) -> Outermost | None:
        found = known.get(id(module))
        if found is not None and found.module() is module:
            return found
        found = None
        if has_class_under(module, sources):
            name = qualified(type(module))
            numbers[name] += 1
            found = Outermost(f"{name}#{numbers[name]}", weakref.ref(module))
            known[id(module)] = found
        return found

    @functools.wraps(original)
    def call(self: torch.nn.Module, *args: Any, **kwargs: Any) -> Any:
        if getattr(state, "inside", False) or (found := outermost(self)) is None:
            return original(self, *args, **kwargs)
        state.inside = True
        inputs = Inputs(*args, **kwargs)
        try:
            found.calls += 1
            before(found, self, inputs)
            try:
                return original(self, *args, **kwargs)
            finally:
                after(found, self)
        finally:
            state.inside = False

    torch.nn.Module.__call__ = call  # type: ignore[method-assign]
    try:
        yield
    finally:
        torch.nn.Module.__call__ = original  # type: ignore[method-assign]
