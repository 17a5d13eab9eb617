"""The process that imports torch once and forks a child per task.

The first one (*pristine*) has loaded torch and nothing of the user's. It forks others on request: one that imports
CASES, whose children start with the cases at hand, and one that imports only the installed packages which CASES needed,
whose children import the user's files under a task's overlay. Each serves the same messages on a socket of its own:

    {"do": "run", "id", "module"}       fork a task;    descriptors: request, result, output
    {"do": "serve", "id"}               fork a server;  descriptors: request, result, output, control
    {"do": "import", "id"}              import installed modules for all later children;    descriptor: their names
    {"do": "ask", "id"}                 have it print its stack
    {"do": "kill", "id"}

and answers {"event": "ready"} once, {"event": "failed", "message"} when torch does not import, {"event": "ended", "id",
"status"} for each child, {"event": "imported", "id", "unfit"} with the module, if any, after which no child should be
forked here. When the socket closes, the children are killed and the server ends.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import os
import pickle
import select
import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from ..cases import ModelCase
from ..errors import UserError
from . import child, overlay, wire
from .blame import ASK, installed_module, tell_of_stack, what
from .messages import Load, Loaded
from .spec import CaseSpec

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_GRACE = 1.0  # seconds that a forked server has to end its own children before it is killed


def main(control: int) -> None:
    """Runs the pristine server on the inherited socket ``control`` until it closes."""
    end = socket.socket(fileno=control)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    try:
        import torch
        import torch.fx.experimental.symbolic_shapes  # autograd and the tracer import it: a second in every child

        from . import loading  # noqa: F401
    except Exception as error:
        wire.send(end, {"event": "failed", "message": what(error)})
        return
    torch.set_num_threads(1)
    torch.set_num_interop_threads(1)
    overlay.install()
    _inherit_orphans()
    ForkServer(end, None).serve()


class ForkServer:
    """Forks children as asked for on ``control``. ``cases`` are those of CASES where this process has imported it."""

    def __init__(self, control: socket.socket, cases: dict[str, ModelCase] | None):
        self.control, self.cases = control, cases
        self.pids: dict[int, int] = {}  # by task id
        self.servers: set[int] = set()
        self.wake, wakes = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wakes, warn_on_full_buffer=False)
        self.wakes = wakes
        self.own = _children()  # what importing CASES started: it serves the cases

    def serve(self) -> None:
        """Returns when the other end of ``control`` is closed, all children gone."""
        gc.collect()
        gc.freeze()  # a collection in a child would copy every page
        try:
            wire.send(self.control, {"event": "ready"})
            while self._step():
                pass
        except (BrokenPipeError, ConnectionResetError):
            return  # the main process is gone
        finally:
            self._end_children()

    def _step(self) -> bool:
        ready = select.select([self.control.fileno(), self.wake], [], [])[0]
        if self.wake in ready:
            os.read(self.wake, 4096)
            for ended in self._reaped():
                wire.send(self.control, ended)
            self._end_strays()
        if self.control.fileno() in ready:
            message, descriptors = wire.receive(self.control)
            if message is None:
                return False
            self._obey(message, descriptors)
        return True

    def _obey(self, message: dict[str, Any], descriptors: list[int]) -> None:
        number = message["id"]
        if message["do"] == "kill":
            self._kill(number)
            return
        if message["do"] == "import":
            unfit = _import_ahead(wire.read_pickle(descriptors[0]))
            os.close(descriptors[0])
            gc.freeze()
            wire.send(self.control, {"event": "imported", "id": number, "unfit": unfit})
            return
        if message["do"] == "ask":
            if number in self.pids:
                os.kill(self.pids[number], ASK)
            return
        request, result, output, *control = descriptors
        if control:
            self.pids[number] = self._fork(lambda: _serve(request, result, control[0]), output)
            self.servers.add(number)
        else:
            with contextlib.suppress(Exception):  # the child meets the same and reports it
                importlib.import_module(message["module"])  # once here rather than in each child
            self.pids[number] = self._fork(lambda: child.perform(request, result, self.cases), output)
        for descriptor in descriptors:
            os.close(descriptor)

    def _fork(self, work: Callable[[], None], output: int) -> int:
        parent = os.getpid()
        pid = os.fork()
        if pid:
            with contextlib.suppress(OSError):  # the child does it too: whoever comes first
                os.setpgid(pid, pid)
            return pid
        try:
            self._become_child(parent, output)
            work()
            for stream in (sys.stdout, sys.stderr):
                with contextlib.suppress(Exception):  # user code may have put anything there; the work is done
                    stream.flush()
        except BaseException as error:
            os.write(2, f"{what(error)}\n".encode(errors="replace"))
            os._exit(70)
        os._exit(0)

    def _become_child(self, parent: int, output: int) -> None:
        os.setpgid(0, 0)  # so that what user code starts dies with it
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        _inherit_orphans()
        if os.getppid() != parent:
            os._exit(70)
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self.control.close()
        os.close(self.wake)
        os.close(self.wakes)
        nothing = os.open(os.devnull, os.O_RDONLY)
        for descriptor, standard in ((nothing, 0), (output, 1), (output, 2)):
            os.dup2(descriptor, standard)
        os.close(nothing)

    def _reaped(self) -> list[dict[str, Any]]:
        """Takes leave of the children that have ended, and of what they left running."""
        ended = []
        for number, pid in list(self.pids.items()):
            if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                self._kill(number)  # not reaped yet, so the group's number is still its own
                status = os.waitpid(pid, 0)[1]
                del self.pids[number]
                self.servers.discard(number)
                ended.append({"event": "ended", "id": number, "status": os.waitstatus_to_exitcode(status)})
        return ended

    def _kill(self, number: int) -> None:
        if number in self.pids:
            for kill in (os.killpg, os.kill):  # it may have left its group
                with contextlib.suppress(ProcessLookupError):
                    kill(self.pids[number], signal.SIGKILL)

    def _end_strays(self) -> bool:
        """Kills what ended children left in sessions of their own; whether there was any.

        What a child starts and orphans stays below it while it runs, and comes to this process when it ends. So do the
        children of what is killed here, and the signal of its death calls this again.
        """
        strays = _children() - self.own - set(self.pids.values())
        for pid in strays:
            with contextlib.suppress(ProcessLookupError, ChildProcessError):
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, os.WNOHANG)
        return bool(strays)

    def _end_children(self) -> None:
        for number in self.pids.keys() - self.servers:
            self._kill(number)
        deadline = time.monotonic() + _GRACE
        self._reaped()
        while self._end_strays() or self.pids:
            if time.monotonic() > deadline:
                for number in self.pids:
                    self._kill(number)
            time.sleep(0.005)
            self._reaped()


def _import_ahead(names: Sequence[str]) -> str | None:
    """Imports modules that tasks imported; the first that fails without the user's preparations or starts a thread."""
    for name in names:
        try:
            importlib.import_module(name)
        except BaseException:  # SystemExit too: a task meets and reports it where the user's code imports this
            return name
        if len(os.listdir("/proc/self/task")) > 1:  # a child of several threads may hang
            return name
    return None


def _inherit_orphans() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _children() -> set[int]:
    """The children of this process that are not reaped yet."""
    found: set[int] = set()
    for thread in os.listdir("/proc/self/task"):
        with contextlib.suppress(FileNotFoundError), open(f"/proc/self/task/{thread}/children") as file:
            found.update(map(int, file.read().split()))
    return found


def _serve(request: int, result: int, control: int) -> None:
    """The life of a forked server: loads what the `Load` in ``request`` says, tells what came of it, serves."""
    end = socket.socket(fileno=control)
    wanted: Load = wire.read_pickle(request)
    tell_of_stack()
    cases, loaded = _load(wanted.spec) if wanted.spec else (None, _preload(wanted.modules))
    wire.write(result, pickle.dumps(loaded))
    if loaded.error:
        return
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
    os.dup2(nothing, 2)
    ForkServer(end, cases).serve()


def _load(spec: CaseSpec) -> tuple[dict[str, ModelCase] | None, Loaded]:
    from .loading import load

    before, start = set(sys.modules), time.monotonic()
    try:
        cases = load(spec)
    except UserError as error:
        return None, Loaded(error=error)
    listed = [(name, case.target) for name, case in cases.items()]
    modules = [name for name in sys.modules if name not in before and installed_module(name)]
    return cases, Loaded(listed, frozenset(overlay.opened()), tuple(modules), time.monotonic() - start)


def _preload(modules: Sequence[str]) -> Loaded:
    """Imports installed modules. What fails without the user's preparations is an error: the caller does without."""
    before = overlay.opened()
    try:
        for name in modules:
            importlib.import_module(name)
    except BaseException as error:
        return Loaded(error=UserError(f"{name} cannot be imported ahead: {what(error)}"))
    return Loaded(files=frozenset(overlay.opened() - before))
