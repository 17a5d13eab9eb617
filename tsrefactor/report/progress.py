"""Progress over many cases: a bar on a terminal, now and then a plain line elsewhere."""

from __future__ import annotations

import time
from collections import Counter
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Column

from tsrefactor.vocabulary import Status

_WORDS = {
    Status.ALREADY: "passed",
    Status.MIGRATED: "passed",
    Status.PARTIAL: "partial",
    Status.FAILED: "failed",
    Status.ERROR: "error",
}
_INTERVAL = 10.0
"""Seconds between two plain lines."""
_ENOUGH = 2
"""Cases that must have ended before the time left is estimated."""


class CaseProgress:
    """How many cases are done and how they ended, with an estimate of the time left.

    Used as ``with CaseProgress(total, console) as progress: progress.done(status)``. While it is open, print through
    the same console only, so that lines do not tear the bar apart.
    """

    def __init__(self, total: int, console: Console, doing: str = "cases"):
        self._total, self._console, self._doing = total, console, doing
        self._counts: Counter[str] = Counter()
        self._looked = 0
        self._started = self._told = time.monotonic()
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None, table_column=Column(ratio=1, max_width=40)),
            MofNCompleteColumn(),
            TextColumn("{task.fields[state]}", table_column=Column(no_wrap=True, overflow="ellipsis", ratio=2)),
            console=console,
            transient=True,
            expand=True,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task(doing, total=total, state="")

    def __enter__(self) -> CaseProgress:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def looked(self) -> None:
        """Counts one case that was looked at before the work on any begins."""
        self._looked += 1
        self._say(self._counts.total(), f"looked at {self._looked} of {self._total}")

    def done(self, status: Status) -> None:
        """Counts one case that ended; away from a terminal says so from time to time, and at the end."""
        self._counts[_WORDS[status]] += 1
        done = self._counts.total()
        left = (time.monotonic() - self._started) / done * (self._total - done)
        parts = [f"{self._counts[word]} {word}" for word in dict.fromkeys(_WORDS.values()) if self._counts[word]]
        if _ENOUGH <= done < self._total:
            parts[-1] += f"; {remaining(left)} left"
        self._say(done, ", ".join(parts))

    def _say(self, done: int, state: str) -> None:
        now = time.monotonic()
        self._bar.update(self._task, completed=done, state=state)
        if not self._console.is_terminal and (done == self._total or now - self._told >= _INTERVAL):
            self._told = now
            self._console.print(f"{done}/{self._total} {self._doing}: {state}")


def remaining(seconds: float) -> str:
    """A duration, in seconds, as people say it: ``40 s``, ``3 min``, ``2 h 5 min``."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
