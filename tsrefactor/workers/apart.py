"""One task in a fork of the calling process: for code that has live objects at hand, as a test has its model.

The parent may have run torch on several threads: a child that uses one thread from its first operation on does not
hang. What the child prints goes where the parent's output goes.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable
from typing import Any, NoReturn

from ..cases import ModelCase
from . import ending, wire
from .blame import ASK, tell_of_stack
from .child import outcome_of
from .task import Result, Task, resolve

_PR_SET_PDEATHSIG = 1
_ANSWER_SECONDS = 0.3  # for a process that is late to print where it is


def run_apart(task: Task, case: ModelCase) -> Result:
    """Forks, calls the task's function with ``case`` and its arguments there, and waits; its overlay is not served."""
    function = resolve(task.function)
    result = wire.memory_file()
    with tempfile.TemporaryFile() as stack:
        _flush()  # or the child would print it once more
        pid = os.fork()
        if pid == 0:
            _be_the_child(task, lambda: function(case, **task.arguments), result, stack.fileno())
        try:
            in_time = _wait(pid, task.seconds)
            if not in_time and wire.read_last(result):
                in_time = _wait(pid, task.more_seconds)
            if not in_time:
                os.kill(pid, ASK)
                _wait(pid, _ANSWER_SECONDS)
        finally:  # an interrupt, or the time limit of a test, leaves no process behind
            status = _end(pid)
        stack.seek(0)
        printed = stack.read().decode(errors="replace")
        outcome = wire.read_last(result)
    os.close(result)
    if not in_time:
        return ending.late(task, outcome, printed)
    return ending.ended(task, status, outcome if status == 0 else None, printed)


def _be_the_child(task: Task, work: Callable[[], Any], result: int, stack: int) -> NoReturn:
    status = 70
    try:
        os.setpgid(0, 0)  # so that what the model starts dies with it
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        tell_of_stack(stack)
        wire.append(result, outcome_of(task, work, lambda yielded: wire.append(result, yielded)))
        _flush()
        status = 0
    except BaseException:  # whatever it is, this copy of the caller must not run on
        traceback.print_exc()
    finally:
        os._exit(status)


def _wait(pid: int, seconds: float) -> bool:
    """Whether the process ends within so many seconds; it is left to be reaped."""
    ends = os.pidfd_open(pid)
    try:
        return bool(select.select([ends], [], [], seconds)[0])
    finally:
        os.close(ends)


def _end(pid: int) -> int:
    """Kills the process, if it still runs, and what it started; its exit code."""
    for kill in (os.killpg, os.kill):
        with contextlib.suppress(ProcessLookupError):
            kill(pid, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):  # user code may have put anything there
            stream.flush()
