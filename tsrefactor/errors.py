"""The one error that reaches the user: a single line that names the place and the remedy."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path


class UserError(Exception):
    """Something the user can mend. Printed as ``error: file:line: message; remedy`` and ends the command with exit 2.

    ``message`` says what is wrong; ``remedy`` what to do about it; ``file`` and ``line`` (1-based) where, if known.
    """

    def __init__(self, message: str, remedy: str = "", file: str | Path | None = None, line: int | None = None):
        super().__init__(message, remedy, str(file) if file is not None else None, line)
        self.message, self.remedy, self.file, self.line = message, remedy, file, line

    def __str__(self) -> str:
        place = "" if self.file is None else f"{self.file}:{self.line}: " if self.line else f"{self.file}: "
        text = " ".join(f"{place}{self.message}".split())
        return f"{text}; {self.remedy}" if self.remedy else text


def allowed(given: str, words: Iterable[str]) -> str:
    """A remedy for a word that is none of the allowed ones: the nearest, and all of them."""
    words = list(words)
    close = get_close_matches(given.replace("_", "-").lower(), words, n=1)
    hint = f"did you mean {close[0]}? " if close else ""
    return f"{hint}allowed: {', '.join(words)}"
