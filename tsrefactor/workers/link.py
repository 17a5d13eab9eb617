"""The main process's ends of what it shares with the servers: sockets to speak on, pipes with what is printed."""

from __future__ import annotations

import os
import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from . import wire
from .messages import Loaded

KEPT = 16000  # bytes of output, enough for 2000 characters, and for the stack of a hundred calls
_ROOT = str(Path(__file__).resolve().parents[2])
# Not `-m`: that would search the user's folder before the standard library while torch is imported.
_START = (
    "import sys; sys.path[:] = [p for p in sys.path if p] + [sys.argv[1]]; "
    "from tsrefactor.workers.server import main; main(int(sys.argv[2]))"
)
# One thread, because a child that uses several hangs after its parent ran an operation. Memory is kept rather than
# given back, and taken in huge pages, because page faults are most of what a fork and a small model cost.
_ENVIRONMENT = {
    "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "",
    "PYTHONDONTWRITEBYTECODE": "1", "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
    "MALLOC_TRIM_THRESHOLD_": "4294967296", "MALLOC_MMAP_THRESHOLD_": "4294967296",
}  # fmt: skip


class Reactor:
    """Waits on every socket and pipe at once and calls who reads them."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()

    def register(self, file: Any, read: Callable[[], object]) -> None:
        self._selector.register(file, selectors.EVENT_READ, read)

    def forget(self, file: Any) -> None:
        self._selector.unregister(file)

    def poll(self, seconds: float) -> None:
        """Waits up to ``seconds`` for something to read, and reads it."""
        for key, _ in self._selector.select(max(seconds, 0)):
            if key.fd in self._selector.get_map():  # an earlier one of this round may have closed it
                key.data()

    def wait(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Polls until ``condition()``; False when that took more than ``seconds``."""
        deadline = time.monotonic() + seconds
        while not condition():
            if (left := deadline - time.monotonic()) <= 0:
                return False
            self.poll(left)
        return True

    def close(self) -> None:
        """Closes whatever is registered."""
        for key in list(self._selector.get_map().values()):
            self._selector.unregister(key.fileobj)
            if isinstance(key.fileobj, socket.socket):
                key.fileobj.close()
            else:
                os.close(key.fd)
        self._selector.close()


class Output:
    """The end of what a process prints. ``given`` is the descriptor for that process, to be closed once it has it."""

    def __init__(self, reactor: Reactor) -> None:
        self._reactor, self._tail = reactor, b""
        self._end, self.given = os.pipe()
        os.set_blocking(self._end, False)
        reactor.register(self._end, self._read)

    def _read(self) -> bool:
        """Whether there may be more."""
        try:
            data = os.read(self._end, 1 << 16)
        except BlockingIOError:
            return False
        self._tail = (self._tail + data)[-KEPT:]
        if not data:
            self._reactor.forget(self._end)
            os.close(self._end)
            self._end = -1
        return bool(data)

    def close(self) -> None:
        """Takes what is left; does not wait for those who inherited the pipe and live on."""
        while self._end >= 0 and self._read():
            pass
        if self._end >= 0:
            self._reactor.forget(self._end)
            os.close(self._end)
            self._end = -1

    def text(self, characters: int = 2000) -> str:
        return self._tail.decode(errors="replace")[-characters:]

    def last_line(self) -> str:
        lines = self.text().strip().splitlines()
        return lines[-1].strip() if lines else ""


class Server:
    """A server as seen from here.

    ``status`` is its exit status once its parent reported it; ``ahead`` are modules it was told to import.
    """

    def __init__(self, reactor: Reactor, on_event: Callable[[dict[str, Any]], None]):
        self.output = Output(reactor)
        self.ready, self.closed, self.failed = False, False, ""
        self.loaded, self.status = Loaded(), None
        self.ahead: set[str] = set()
        self._reactor, self._on_event = reactor, on_event
        self._end, self.given = wire.pair()
        self._end.setblocking(False)
        reactor.register(self._end, self._read)

    def handed_over(self) -> None:
        """Closes this process's copies of what the new server now holds."""
        self.given.close()
        os.close(self.output.given)

    def send(self, message: dict[str, Any], descriptors: Sequence[int] = ()) -> None:
        """Says nothing where the server is gone: that is learnt from its closed end."""
        if not self.closed:
            try:
                self._end.setblocking(True)
                wire.send(self._end, message, descriptors)
            except (BrokenPipeError, ConnectionResetError):
                pass
            finally:
                self._end.setblocking(False)

    def _read(self) -> None:
        while not self.closed:
            try:
                message, _ = wire.receive(self._end)
            except BlockingIOError:
                return
            if message is None:
                self.closed = True
                self._reactor.forget(self._end)
                self._end.close()
            elif message["event"] == "ready":
                self.ready = True
            elif message["event"] == "failed":
                self.failed = message["message"]
            else:
                self._on_event(message)


def start_pristine(
    reactor: Reactor, on_event: Callable[[dict[str, Any]], None]
) -> tuple[Server, subprocess.Popen[bytes]]:
    """Starts the process that imports torch, in the current folder and in a session of its own (no Ctrl-C there)."""
    server = Server(reactor, on_event)
    control = server.given.fileno()
    try:
        process = subprocess.Popen(
            [sys.executable, "-c", _START, _ROOT, str(control)],
            stdin=subprocess.DEVNULL, stdout=server.output.given, stderr=server.output.given, pass_fds=[control],
            env={**os.environ, **_ENVIRONMENT}, start_new_session=True,
        )  # fmt: skip
    finally:
        server.handed_over()
    return server, process
