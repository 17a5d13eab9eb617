"""What a forked process does with its one task."""

from __future__ import annotations

import contextlib
import importlib
import inspect
import os
import pickle
import resource
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

from ..cases import ModelCase
from ..errors import UserError
from . import overlay, wire
from .blame import installed_module, place, tell_of_stack, what
from .messages import Request
from .spec import CaseSpec
from .task import KEEP_ALIVE, Task, out_of_memory, resolve


def perform(request: int, result: int, cases: dict[str, ModelCase] | None) -> None:
    """Runs the `Request` in memory file ``request``; appends (outcome, modules) to ``result``.

    The outcome is (value, failure, message, file, line), pickled; modules are the installed ones that it imported. What
    the function yields meanwhile is appended before, as an outcome.

    ``cases`` are those of a parent that has imported CASES; None means to import it now, under the task's overlay.
    """
    asked: Request = wire.read_pickle(request)
    tell_of_stack()
    before = set(sys.modules)
    work = partial(_call, asked.spec, asked.task, cases)
    outcome = outcome_of(asked.task, work, lambda yielded: wire.append(result, (yielded, [])))
    modules = [name for name in list(sys.modules) if name not in before and installed_module(name)]
    wire.append(result, (outcome, modules))


def outcome_of(task: Task, work: Callable[[], Any], keep: Callable[[bytes], object]) -> bytes:
    """Does the ``work`` of a task, within its memory; (value, failure, message, file, line), pickled.

    Of work that is a generator the value is what it yields last; each one is given to ``keep`` before, as an outcome.
    """
    yielded: Any = None
    answer: tuple[Any, str, str, str | None, int | None]
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _limit_memory(task.memory_gib)
    try:
        value = work()
        if inspect.isgenerator(value):
            for yielded in value:
                keep(pickle.dumps((yielded, None, "", None, None)))
            value = yielded
        return pickle.dumps((value, None, "", None, None))
    except SystemExit as exit_:
        told = f"the code called sys.exit({'' if exit_.code is None else repr(exit_.code)})"
        answer = (None, "crash", told + (KEEP_ALIVE if task.case else ""), *place(exit_))
    except UserError as error:
        answer = (None, "error", str(error), None, None)
    except BaseException as error:  # whatever user code raises is the task's outcome
        with contextlib.suppress(ValueError):  # the hard limit, where user code lowered it, cannot be raised again
            resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.getrlimit(resource.RLIMIT_AS)[1]))
        memory = out_of_memory(error)
        told = ("out of memory: " if memory else "") + what(error)
        answer = (yielded if memory else None, "memory" if memory else "error", told, *place(error))
    return pickle.dumps(answer)


def _call(spec: CaseSpec, task: Task, cases: dict[str, ModelCase] | None) -> Any:
    function = resolve(task.function)
    overlay.serve(task.overlay)
    if spec.kind == "recording":
        replay = importlib.import_module("tsrefactor.record.replay")
        return replay.run(spec.path, task.case, function, task.arguments)
    if cases is None:
        from .loading import load

        cases = load(spec)
    if task.case is None:
        return function(cases, **task.arguments)
    if task.case not in cases:
        raise UserError(
            f"{spec.text} has no case named {task.case!r} any more", "cases() must always yield the same names"
        )
    return function(cases[task.case], **task.arguments)


def recorded_names(cases: dict[str, ModelCase]) -> list[tuple[str, str | None]]:
    """The task that lists the cases that a recording's command reaches again."""
    return [(name, case.target) for name, case in cases.items()]


def _limit_memory(gib: float) -> None:
    with open("/proc/self/statm", encoding="ascii") as file:
        mapped = int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    wanted = mapped + int(gib * 2**30)
    resource.setrlimit(resource.RLIMIT_AS, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))
