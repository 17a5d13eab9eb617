"""``tsrefactor record``: runs a command under observation and keeps what was seen. Needs no torch in this process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tsrefactor.errors import UserError

from .fresh import start
from .program import resolve


def record(output: str | Path, command: Sequence[str]) -> int:
    """Runs `command` in a process of its own and writes the recording to `output`; returns the command's exit code.

    The recording is written however the command ends: failed, by `sys.exit`, or interrupted. Only what kills the
    process at once (a signal, ``os._exit``) leaves none. The command's input and output are this process's; it runs
    under this interpreter. Raises UserError for a command that is no Python program, for an `output` that cannot be
    written, and where no recording was left.
    """
    program = resolve(command)
    output = Path(output).absolute()
    _check_writable(output)
    before = _stamp(output)
    task = {
        "kind": program.kind,
        "target": program.target,
        "arguments": program.arguments,
        "command": list(command),
        "output": str(output),
    }
    code = _wait(start("tsrefactor.record.child", program.flags, json.dumps(task)))
    if _stamp(output) == before:
        how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"left with exit code {code}"
        remedy = "let it come to its end (no os._exit, no kill), then record again"
        raise UserError(f"the command {how} before its recording could be written", remedy)
    return code if code >= 0 else 128 - code


def _wait(process: subprocess.Popen[bytes]) -> int:
    # Ctrl-C goes to the child as well, which stops the command and writes what it has: wait for that.
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            continue


def _check_writable(output: Path) -> None:
    if output.is_dir():
        raise UserError("is a folder", "give -o the name of a file", file=output)
    if not output.parent.is_dir():
        raise UserError("its folder does not exist", "make the folder first", file=output)
    if not os.access(output.parent, os.W_OK):
        raise UserError("its folder cannot be written to", "give -o a file elsewhere", file=output)


def _stamp(path: Path) -> tuple[int, int] | None:
    """Tells one version of a file from the next: `Recording.save` always makes a new one."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_mtime_ns
