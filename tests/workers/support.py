"""What the tests of the workers share."""

from __future__ import annotations

import textwrap
import time
from pathlib import Path

from tsrefactor.workers.task import Task


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text), encoding="utf-8")


def task(
    function: str, case: str | None = "plain", overlay: dict[Path, str] | None = None, seconds: float = 60.0,
    memory_gib: float = 4.0, more_seconds: float = 0.0, **arguments: object,
) -> Task:  # fmt: skip
    """A task on a function of `tests.workers.tasks`."""
    texts = {str(path): textwrap.dedent(text) for path, text in (overlay or {}).items()}
    return Task(f"tests.workers.tasks:{function}", case, arguments, texts, seconds, memory_gib, more_seconds)


def alive(pid: int) -> bool:
    """Whether the process runs; one that only waits to be reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def gone(pid: int) -> bool:
    """Whether the process ends within a few seconds."""
    deadline = time.monotonic() + 10
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    return not alive(pid)
