"""What a worker is asked to do and what comes of it. Torch-free: both cross between the processes as pickles."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

Failure = Literal["timeout", "crash", "memory", "error"]
KEEP_ALIVE = "; build(), inputs() and forward must not end the process"
"""The remedy in the message of a case that ended its process."""


@dataclass(frozen=True)
class Task:
    """One function to call in a process of its own.

    ``function`` is ``package.module:name``; it is called as ``function(case, **arguments)`` with the `ModelCase` named
    ``case``, or, where that is None, as ``function(cases, **arguments)`` with all of them by name. ``arguments`` are
    picklable and hold nothing of torch. ``overlay`` maps real paths of source files to the text to load instead.
    ``seconds`` is the time limit (what importing CASES anew takes is allowed on top), and ``more_seconds`` what is
    added to it for a function that has yielded something; ``memory_gib`` how much address space the task may take
    beyond what the process starts with.

    A function may be a generator. What it yields last is the value, also where one of the limits ends it before more.
    """

    function: str
    case: str | None
    arguments: dict[str, Any] = field(default_factory=dict)
    overlay: dict[str, str] = field(default_factory=dict)
    seconds: float = 60.0
    memory_gib: float = 8.0
    more_seconds: float = 0.0


@dataclass(frozen=True)
class Result:
    """How a task ended.

    ``value`` is what the function returned, or yielded last before it met a limit. ``failure`` is None, or why it did
    not return: ``timeout``; ``memory`` (the limit was met); ``crash`` (the process ended before the function did: a
    signal, ``os._exit``, ``sys.exit``); ``error`` (an exception left the function). ``message`` says so in one line;
    ``file`` and ``line`` are the user's code that was running then, where that is known. ``seconds`` is wall time;
    ``output`` the last 2000 characters that the process printed.
    """

    value: Any | None = None
    failure: Failure | None = None
    message: str = ""
    seconds: float = 0.0
    output: str = ""
    file: str | None = None
    line: int | None = None

    @property
    def told(self) -> str:
        """The message with its place."""
        return f"{self.file}:{self.line}: {self.message}" if self.file else self.message


def resolve(function: str) -> Callable[..., Any]:
    """The callable behind ``package.module:name``. Raises ImportError or AttributeError where there is none."""
    module, _, name = function.partition(":")
    result = importlib.import_module(module)
    for part in name.split("."):
        result = getattr(result, part)
    return result  # type: ignore[return-value]


_MEMORY_WORDS = ("can't allocate memory", "cannot allocate memory", "not enough memory", "bad_alloc", "bad allocation")


def speaks_of_memory(text: str) -> bool:
    """Whether an allocator's complaint stands in ``text``."""
    return any(word in text.lower() for word in _MEMORY_WORDS)


def out_of_memory(error: BaseException) -> bool:
    """Whether ``error``, or one that it came from, says that memory could not be had (Python's way or torch's)."""
    return any(isinstance(e, MemoryError) or (isinstance(e, (RuntimeError, OSError)) and speaks_of_memory(str(e)))
               for e in _chain(error))  # fmt: skip


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__
