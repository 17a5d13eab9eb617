"""An end to eager runs on generated inputs: a loop that waits for a value it never gets is no answer."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class EndlessError(Exception):
    """A run took far longer than the example's."""


class _Rung(BaseException):
    """Passes through what a model catches."""


@contextmanager
def ending(seconds: float) -> Iterator[None]:
    """Raises EndlessError once the process has computed for so long; it counts its own time, not that of others."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def ring(number: int, frame: FrameType | None) -> None:
        raise _Rung

    before = signal.signal(signal.SIGVTALRM, ring)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    except _Rung:
        raise EndlessError(f"did not end within {seconds:.0f} s") from None
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
