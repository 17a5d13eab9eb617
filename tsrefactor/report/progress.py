"""Progress over many cases: a bar on a terminal, now and then a plain line elsewhere."""

from __future__ import annotations

import time
from collections import Counter
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn
from rich.table import Column
from rich.text import Text

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


class _TimeLeft(ProgressColumn):
    """The estimate as of now: it goes down between two cases."""

    def __init__(self, progress: CaseProgress):
        super().__init__()
        self._progress = progress

    def render(self, task: Task) -> Text:
        left = self._progress.left()
        return Text("" if left is None else f"{remaining(left)} left")


class CaseProgress:
    """How many cases are done and how they ended, with an estimate of the time left.

    Used as ``with CaseProgress(total, console) as progress: progress.done(status)``. While it is open, print through
    the same console only, so that lines do not tear the bar apart. Where every case is looked at first, the estimate is
    that of the looks, then that of the work on those that need it.
    """

    def __init__(self, total: int, console: Console, doing: str = "cases"):
        self._total, self._console, self._doing = total, console, doing
        self._counts: Counter[str] = Counter()
        self._looked = self._open = self._worked = 0
        self._started = self._told = time.monotonic()
        self._ends: float | None = None
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None, table_column=Column(ratio=1, max_width=40)),
            MofNCompleteColumn(),
            _TimeLeft(self),
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

    def looked(self, needs_work: bool) -> None:
        """Counts one case that was looked at before the work on any begins."""
        self._looked += 1
        self._open += needs_work
        self._estimate(self._looked, self._total - self._looked)
        self._say(f"looked at {self._looked} of {self._total}")
        if self._looked == self._total:
            self._started, self._ends = time.monotonic(), None

    def worked(self) -> None:
        """Counts one case that needed work and got it; how it ends may depend on others."""
        self._worked += 1
        self._open -= 1
        self._estimate(self._worked, self._open)
        self._say(self._state())

    def done(self, status: Status) -> None:
        """Counts one case that ended; away from a terminal says so from time to time, and at the end."""
        self._counts[_WORDS[status]] += 1
        if not self._looked:
            self._estimate(self._counts.total(), self._total - self._counts.total())
        self._say(self._state())

    def left(self) -> float | None:
        """The seconds left, as far as they can be told."""
        return None if self._ends is None else max(self._ends - time.monotonic(), 0.0)

    def _estimate(self, ended: int, open_: int) -> None:
        """Takes it that the others take as long as those that ended."""
        now = time.monotonic()
        known = ended >= _ENOUGH and open_ > 0
        self._ends = now + (now - self._started) / ended * open_ if known else None

    def _state(self) -> str:
        return ", ".join(f"{self._counts[w]} {w}" for w in dict.fromkeys(_WORDS.values()) if self._counts[w])

    def _say(self, state: str) -> None:
        now, left, done = time.monotonic(), self.left(), self._counts.total()
        self._bar.update(self._task, completed=done, state=state)
        if not self._console.is_terminal and (done == self._total or now - self._told >= _INTERVAL):
            self._told = now
            estimate = "" if left is None else f"; {remaining(left)} left"
            self._console.print(f"{done}/{self._total} {self._doing}: {state}{estimate}")


def remaining(seconds: float) -> str:
    """A duration, in seconds, as people say it: ``40 s``, ``3 min``, ``2 h 5 min``."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
