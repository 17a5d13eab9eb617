"""What the end of a task's process means, read from its exit status, its answer and what it printed. Torch-free."""

from __future__ import annotations

import pickle
import signal
from typing import Any

from .blame import place_in_stack
from .task import KEEP_ALIVE, Result, Task, speaks_of_memory

_MORE_TIME = "; raise `timeout` in [tool.tsrefactor], or give the case smaller inputs"


def how(status: int) -> str:
    """What an exit status says, where a process ended before its work was done."""
    if status >= 0:
        return f"the code ended the process with exit status {status}, as os._exit({status}) does"
    name = signal.Signals(-status).name if -status in signal.valid_signals() else str(-status)
    hint = ", as the system does when memory runs out" if name == "SIGKILL" else ""
    return f"the process was ended by {name}{hint}"


def late(task: Task, outcome: bytes | None, printed: str) -> Result:
    """Of a task that had to be killed; ``outcome`` holds what it yielded, ``printed`` the stack it was asked for."""
    seconds, value = task.seconds, None
    if outcome is not None:
        seconds, value = task.seconds + task.more_seconds, pickle.loads(outcome)[0]
    told = f"no end within {seconds:g} s" + (_MORE_TIME if task.case else "")
    return _failed("timeout", told, printed, value)


def ended(task: Task, status: int, outcome: bytes | None, printed: str) -> Result:
    """Of a task whose process ended by itself; ``outcome`` is what `child.outcome_of` gave, None without one."""
    if outcome is not None:
        value, failure, message, file, line = pickle.loads(outcome)
        return Result(value, failure, message, file=file, line=line)
    if speaks_of_memory(printed):
        return Result(failure="memory", message=f"out of memory: {how(status)}")
    return _failed("crash", how(status) + (KEEP_ALIVE if task.case else ""), printed)


def _failed(failure: Any, message: str, printed: str, value: Any = None) -> Result:
    file, line = place_in_stack(printed)
    return Result(value, failure=failure, message=message, file=file, line=line)
