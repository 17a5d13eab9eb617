"""``tsrefactor record``: runs a command under observation."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from tsrefactor.errors import UserError
from tsrefactor.record.command import record as run_recorded
from tsrefactor.record.recording import load
from tsrefactor.report.terminal import counted
from tsrefactor.workers.spec import RECORDING_ENDINGS

from .common import shown


def record(output: Path, command: Sequence[str]) -> int:
    """Runs the command, says what was recorded, and gives the command's own exit code.

    Raises UserError where nothing could be recorded.
    """
    if not output.name.endswith(RECORDING_ENDINGS):
        told = "a recording ends in .tsr or .json, or no command would take it for one"
        raise UserError(told, f"write -o {output.name}.tsr", file=output)
    code = run_recorded(output, command)
    recording = load(output)
    functions = sum(function.scripted for function in recording.observations.functions.values())
    told = f"{counted(functions, 'function')} below forward, {counted(len(recording.modules), 'outermost module')}"
    print(f"recorded in {shown(output)}: {told}", file=sys.stderr)
    if code:
        print(f"the command ended with exit code {code}", file=sys.stderr)
    return code
