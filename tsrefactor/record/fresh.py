"""A fresh interpreter for a recorded command: started here, prepared there. Needs no torch."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

_ROOT = str(Path(__file__).resolve().parents[2])


def start(entry: str, flags: Sequence[str], *arguments: str) -> subprocess.Popen[bytes]:
    """Starts an interpreter that calls ``main(arguments)`` of the module ``entry``.

    tsrefactor is found where it is here, and nothing in the current folder can take the place of what it imports.
    Standard input, output and error are this process's.
    """
    path = f"sys.path[:] = [{_ROOT!r}, *(p for p in sys.path if p)]"
    code = f"import sys; {path}; from {entry} import main; main(sys.argv[1:])"
    return subprocess.Popen([sys.executable, *flags, "-c", code, *arguments])


def hand_over() -> None:
    """In the fresh interpreter: makes ``sys.path`` what the command expects. tsrefactor stays importable, last."""
    sys.path.remove(_ROOT)
    if _ROOT not in sys.path:
        sys.path.append(_ROOT)
