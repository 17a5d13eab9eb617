"""``tsrefactor undo``: takes an in-place run back."""

from __future__ import annotations

import sys

from tsrefactor.source import journal

from .common import shown


def undo(run: str | None) -> int:
    """Restores the files of a run, the latest that stands by default; exit code 0. Raises UserError when it cannot."""
    restored = journal.undo(run)
    for path in restored:
        print(f"restored {shown(path)}", file=sys.stderr)
    print(f"{len(restored)} file{'' if len(restored) == 1 else 's'} as before the run", file=sys.stderr)
    return 0
