"""The words of the product, as types: what a model must work under, and how an attempt ends."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Target(str, Enum):
    """What the source must work under. ``ANY`` is script when it passes, else a trace that generalises."""

    SCRIPT = "script"
    TRACE = "trace"
    ANY = "any"


class Safety(str, Enum):
    """``SAFE`` keeps eager results, buffers, gradients, state_dict keys, signatures; ``UNSAFE`` needs ``--unsafe``."""

    SAFE = "safe"
    UNSAFE = "unsafe"


class Placement(str, Enum):
    """Where soft-refactor puts the ``script_if_tracing`` function: inside the method, or at module level."""

    INNER = "inner"
    MODULE = "module"


class ContainerStyle(str, Enum):
    """How an empty container gets its type: ``torch.jit.annotate(T, [])`` or ``x: T = []``."""

    CALL = "call"
    ANNOTATION = "annotation"


class Outcome(str, Enum):
    """How one attempt to run a case under one target ended."""

    PASS = "pass"
    COMPILE_ERROR = "compile-error"
    RUN_ERROR = "run-error"
    MISMATCH = "mismatch"
    BAKED = "baked"
    TIMEOUT = "timeout"
    CRASH = "crash"
    EAGER_ERROR = "eager-error"


class Status(str, Enum):
    """What became of a case: ``ALREADY`` passed untouched; ``PARTIAL`` passes, but unreached paths raise in script."""

    ALREADY = "already"
    MIGRATED = "migrated"
    PARTIAL = "partial"
    FAILED = "failed"
    ERROR = "error"


@dataclass(frozen=True)
class Verdict:
    """The outcome of one attempt, with the place to blame in the user's source and the input it was seen on."""

    outcome: Outcome
    message: str = ""
    file: str | None = None
    line: int | None = None
    input: str | None = None

    @property
    def passed(self) -> bool:
        return self.outcome is Outcome.PASS
