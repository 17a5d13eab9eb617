"""The main process's side: a queue of tasks, at most ``jobs`` children at once, their limits and ends. Torch-free."""

from __future__ import annotations

import contextlib
import importlib.util
import itertools
import math
import os
import pickle
import signal
import subprocess
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from ..errors import UserError
from . import ending, wire
from .blame import place_in_stack
from .link import KEPT, Output, Reactor, Server, start_pristine
from .messages import Load, Loaded, Request
from .spec import CaseSpec
from .task import Result, Task

_TORCH_SECONDS = 300.0
_SILENT_SECONDS = 10.0  # an import of CASES that takes longer is told
_MORE_IMPORT_TIME = "or raise `import-timeout` in [tool.tsrefactor]"
_ANSWER_SECONDS = 0.3  # for a process that is late to print where it is
_GRACE = 5.0  # seconds that the servers have to kill their children


@dataclass
class _Running:
    task: Task
    server: Server
    start: float
    deadline: float
    result: int
    output: Output
    extended: bool = False  # its first deadline is past
    late: bool = False  # asked where it is, and to be killed at the new deadline


class Workers:
    """Processes that run user code, for the cases of one ``spec``; a context manager.

    At most ``jobs`` tasks run at once, the rest wait in order. Importing CASES may take ``import_seconds``; ``tell`` is
    given a line where that goes on for long. On leaving, by an exception or Ctrl-C too, every process is killed and
    reaped. Nothing the user's code does reaches this process: it prints, exits, crashes and hangs in its own. Raises
    UserError where torch or CASES does not import.
    """

    def __init__(
        self,
        spec: CaseSpec,
        jobs: int,
        import_seconds: float = 60.0,
        tell: Callable[[str], object] = lambda line: None,
    ):
        self._spec, self._jobs, self._import_seconds, self._tell = spec, jobs, import_seconds, tell
        self._numbers = itertools.count(1)
        self._queue: deque[tuple[int, Task]] = deque()
        self._running: dict[int, _Running] = {}
        self._done: dict[int, Result] = {}
        self._reactor = Reactor()
        self._process: subprocess.Popen[bytes] | None = None
        self._forked: dict[int, Server] = {}  # by number, until they end
        self._with_cases: Server | None = None
        self._with_packages: Server | None = None
        self._imported: dict[str, None] = {}  # installed modules that tasks imported, in order
        self._unfit: set[str] = set()  # packages that only a task may import
        self._answers: dict[int, str | None] = {}  # to what was to be imported ahead

    def __enter__(self) -> Workers:
        if importlib.util.find_spec("torch") is None:
            raise UserError("torch is not installed, and models run in it", "pip install torch")
        self._pristine, self._process = start_pristine(self._reactor, self._on_event)
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def case_names(self) -> list[tuple[str, str | None]]:
        """Names and own targets of the cases, in order. Raises UserError, with the user's line, for a bad CASES."""
        if self._spec.kind != "recording":
            return self._cases_server().loaded.cases
        result = self.run(Task("tsrefactor.workers.child:recorded_names", None, seconds=self._import_seconds))
        if result.failure:
            remedy = f"record less, {_MORE_IMPORT_TIME}" if result.failure == "timeout" else "record it again"
            raise UserError(f"{self._spec.text} cannot be run again: {result.told}", remedy)
        if not result.value:
            words = f"{' '.join(self._spec.command)!r}, run again, calls none of the recorded models"
            raise UserError(words, "run it by hand to see why, or record it again", file=self._spec.text)
        return list(result.value)

    def submit(self, task: Task) -> int:
        """Queues a task, starts it where there is room, and returns its number."""
        number = next(self._numbers)
        self._queue.append((number, task))
        self._start_queued()
        return number

    def completed(self) -> Iterator[tuple[int, Result]]:
        """Yields (number, result) as tasks end, until none is left; more may be submitted meanwhile."""
        while self._done or self._running or self._queue:
            while not self._done:
                self._step()
            number = next(iter(self._done))
            yield number, self._done.pop(number)

    def run(self, task: Task) -> Result:
        """Submits one task and waits for it; others that end meanwhile are kept for `completed`."""
        number = self.submit(task)
        while number not in self._done:
            self._step()
        return self._done.pop(number)

    def cancel(self) -> None:
        """Forgets what is queued, kills what runs, drops results not yet taken. The workers stay usable."""
        self._queue.clear()
        for number, running in self._running.items():
            running.server.send({"do": "kill", "id": number})
        while self._running:
            self._step()
        self._done.clear()

    def close(self) -> None:
        """Kills and reaps every process. Idempotent."""
        process, self._process = self._process, None
        if process is None:
            return
        self._reactor.close()  # at which the servers kill their children and end
        for running in self._running.values():
            os.close(running.result)
        self._queue.clear()
        self._running.clear()
        try:
            # Before it is ready it hears nothing while it imports torch, and has no children yet.
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=_GRACE if self._pristine.ready else 0)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    # Tasks

    def _start_queued(self) -> None:
        while self._queue and len(self._running) < self._jobs:
            number, task = self._queue.popleft()
            self._start(number, task)

    def _start(self, number: int, task: Task) -> None:
        server, allowance = self._server_for(task)
        request = wire.memory_file(pickle.dumps(Request(self._spec, task)))
        result, output = wire.memory_file(), Output(self._reactor)
        module = task.function.partition(":")[0]
        server.send({"do": "run", "id": number, "module": module}, [request, result, output.given])
        os.close(request)
        os.close(output.given)
        now = time.monotonic()
        self._running[number] = _Running(task, server, now, now + task.seconds + allowance, result, output)

    def _step(self) -> None:
        """Waits for something to happen to a running task."""
        self._start_queued()
        now = time.monotonic()
        self._reactor.poll(min([now + 1.0, *(running.deadline for running in self._running.values())]) - now)
        for number, running in list(self._running.items()):
            if running.server.closed:
                self._end(number, Result(failure="crash", message="the process that it was forked from ended"))
            elif time.monotonic() > running.deadline:
                if not running.extended and running.task.more_seconds and wire.read_last(running.result):
                    running.deadline, running.extended = running.deadline + running.task.more_seconds, True
                    continue
                running.server.send({"do": "kill" if running.late else "ask", "id": number})
                running.deadline = math.inf if running.late else time.monotonic() + _ANSWER_SECONDS
                running.late = True
        self._start_queued()

    def _on_event(self, message: dict[str, Any]) -> None:
        number = message["id"]
        if message["event"] == "imported":
            self._answers[number] = message["unfit"]
            return
        status = message["status"]
        if number in self._forked:
            self._forked.pop(number).status = status
            return
        running = self._running[number]
        running.output.close()
        printed = running.output.text(KEPT)
        outcome, modules = wire.read_last(running.result) or (None, [])
        if running.late:
            self._end(number, ending.late(running.task, outcome, printed))
            return
        outcome = outcome if status == 0 else None
        self._imported.update(dict.fromkeys(modules))
        self._end(number, ending.ended(running.task, status, outcome, printed))

    def _end(self, number: int, result: Result) -> None:
        running = self._running.pop(number)
        running.output.close()
        os.close(running.result)
        seconds = time.monotonic() - running.start
        self._done[number] = replace(result, seconds=seconds, output=running.output.text())

    # Servers

    def _server_for(self, task: Task) -> tuple[Server, float]:
        """The one with most loaded that holds no stale copy of a changed file; seconds allowed for importing there."""
        if self._spec.kind == "recording":
            return self._torch_server(), 0.0
        changed = {os.path.realpath(path) for path in task.overlay}
        server = self._cases_server()
        if not changed & server.loaded.files:
            return server, 0.0
        allowance = 5.0 + 2 * server.loaded.seconds
        packages = self._packages_server()
        stale = packages.loaded.error or packages.closed or changed & packages.loaded.files
        return (self._torch_server() if stale else packages), allowance

    def _cases_server(self) -> Server:
        """The one that has imported CASES."""
        if self._with_cases is None or self._with_cases.closed:
            server = self._fork_server(Load(self._spec))
            if server.loaded.error:
                raise server.loaded.error
            self._with_cases = server
        if not self._import_ahead(self._with_cases):
            self._with_cases = None
            return self._cases_server()
        return self._with_cases

    def _packages_server(self) -> Server:
        """The one that has imported the installed packages which CASES imported, and nothing of the user's."""
        if self._with_packages is None:
            self._with_packages = self._fork_server(Load(None, self._cases_server().loaded.modules))
        if not self._with_packages.loaded.error and not self._import_ahead(self._with_packages):
            self._with_packages = None
            return self._packages_server()
        return self._with_packages

    def _import_ahead(self, server: Server) -> bool:
        """Has a server import what tasks were seen to import, so that the next ones need not. False: it is unfit now.

        Only installed modules: what the user's code does when it is imported belongs to each task.
        """
        wanted = [m for m in self._imported if m not in server.ahead and m.partition(".")[0] not in self._unfit]
        if not wanted or server.closed:
            return True
        server.ahead.update(wanted)
        number, names = next(self._numbers), wire.memory_file(pickle.dumps(wanted))
        server.send({"do": "import", "id": number}, [names])
        os.close(names)
        self._reactor.wait(lambda: number in self._answers or server.closed, self._import_seconds)
        unfit = self._answers.pop(number, wanted[0])  # no answer: it hangs or died
        if unfit is not None:
            self._unfit.add(unfit.partition(".")[0])
        return unfit is None

    def _torch_server(self) -> Server:
        """The one that has imported torch only."""
        if self._process is None:
            raise RuntimeError("Workers are used inside `with Workers(…)`")
        server = self._pristine
        self._reactor.wait(lambda: server.ready or server.closed, _TORCH_SECONDS)
        if server.closed or not server.ready:
            server.output.close()
            reason = server.failed or server.output.last_line() or "its process ended or hangs"
            raise UserError(f"torch cannot be imported: {reason}", "pip install torch")
        return server

    def _fork_server(self, wanted: Load) -> Server:
        parent, number = self._torch_server(), next(self._numbers)
        server = self._forked[number] = Server(self._reactor, self._on_event)
        request, result = wire.memory_file(pickle.dumps(wanted)), wire.memory_file()
        try:
            descriptors = [request, result, server.output.given, server.given.fileno()]
            parent.send({"do": "serve", "id": number}, descriptors)
            server.handed_over()
            ended = self._wait_for_import(server, said=wanted.spec is not None)
            if not ended:
                parent.send({"do": "ask", "id": number})
                self._reactor.wait(lambda: False, _ANSWER_SECONDS)
                parent.send({"do": "kill", "id": number})
            server.loaded = wire.read_pickle(result) or Loaded(error=self._import_failure(server))
        finally:
            os.close(request)
            os.close(result)
        return server

    def _wait_for_import(self, server: Server, said: bool) -> bool:
        """Whether the server ended its import in time."""

        def ended() -> bool:
            return server.ready or server.status is not None

        silent = min(_SILENT_SECONDS, self._import_seconds)
        if self._reactor.wait(ended, silent):
            return True
        if said:
            self._tell(f"importing {self._spec.file}…")
        return self._reactor.wait(ended, self._import_seconds - silent)

    def _import_failure(self, server: Server) -> UserError:
        file = self._spec.file
        if server.status is None:
            place, line = place_in_stack(server.output.text(KEPT))
            message = f"importing {file}, its cases() included, took more than {self._import_seconds:g} s"
            return UserError(message, f"let it do less on import, {_MORE_IMPORT_TIME}", place or file, line)
        server.output.close()
        printed = server.output.last_line()
        message = f"importing it ended the process: {ending.how(server.status)}" + (
            f", after {printed!r}" if printed else ""
        )
        return UserError(message, "let it import without that", file=file)
