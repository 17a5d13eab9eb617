"""Which files are the user's own source, told from a code object's file name."""

from __future__ import annotations

import os
from collections.abc import Sequence

_INSTALLED = {"site-packages", "dist-packages"}


class Sources:
    """The Python files below some folders (or some files), apart from installed packages, hidden folders, venvs.

    Every answer is kept: `realpath` turns a code object's file name into the file's real path, or None where it is
    not the user's.
    """

    def __init__(self, source: Sequence[str]):
        self._roots = [os.path.realpath(os.path.abspath(root)) for root in source]
        self._known: dict[str, str | None] = {}
        self._plain: dict[str, bool] = {}

    def realpath(self, filename: str) -> str | None:
        """The real path of a user's file, None for any other. A relative name counts from the current folder."""
        try:
            return self._known[filename]
        except KeyError:
            real = None if filename.startswith("<") else os.path.realpath(os.path.abspath(filename))
            if real is not None and not any(self._holds(root, real) for root in self._roots):
                real = None
            self._known[filename] = real
            return real

    def _holds(self, root: str, real: str) -> bool:
        if real == root:
            return True
        if not real.startswith(root.rstrip(os.sep) + os.sep) or not _INSTALLED.isdisjoint(real.split(os.sep)):
            return False
        folder = os.path.dirname(real)
        while len(folder) > len(root):
            if not self._is_plain(folder):
                return False
            folder = os.path.dirname(folder)
        return True

    def _is_plain(self, folder: str) -> bool:
        if folder not in self._plain:
            hidden = os.path.basename(folder).startswith(".")
            self._plain[folder] = not hidden and not os.path.exists(os.path.join(folder, "pyvenv.cfg"))
        return self._plain[folder]
