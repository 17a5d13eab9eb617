"""A model case: one model with example inputs. This module imports no torch, so that CASES files load fast."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any


class Inputs:
    """The arguments of one call of a model: ``Inputs(x, mask=m)`` is ``model(x, mask=m)``."""

    def __init__(self, *args: Any, **kwargs: Any):
        self.args = args
        self.kwargs = kwargs

    def __repr__(self) -> str:
        return f"Inputs({len(self.args)} positional, {len(self.kwargs)} named)"


@dataclass(frozen=True)
class ModelCase:
    """One model to migrate or verify.

    ``build()`` returns the ``nn.Module`` in the mode (train or eval) it is deployed in. ``inputs()`` returns one or
    more ``Inputs``: the first is the example that is traced and scripted against, the others test generalisation and
    may differ in size and value. ``target`` (``script``, ``trace`` or ``any``) holds unless the command line says
    otherwise.
    """

    name: str
    build: Callable[[], Any]
    inputs: Callable[[], Sequence[Inputs]]
    target: str | None = None
