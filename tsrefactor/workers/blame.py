"""Whose line an exception is to be blamed on, and how to say it in one line. Torch-free."""

from __future__ import annotations

import os
import sys
import sysconfig
import traceback
from pathlib import Path

_OWN = str(Path(__file__).resolve().parents[1]) + os.sep
_INSTALLED = tuple(
    str(Path(path).resolve()) + os.sep
    for path in {sysconfig.get_paths()[scheme] for scheme in ("stdlib", "platstdlib", "purelib", "platlib")}
)


def installed(file: str) -> bool:
    """Whether ``file`` (a real path) belongs to Python, an installed package or tsrefactor, and not to the user."""
    return file.startswith((*_INSTALLED, _OWN)) or f"{os.sep}site-packages{os.sep}" in file


def installed_module(name: str) -> bool:
    """Whether the loaded module ``name`` is one of these."""
    file = getattr(sys.modules[name], "__file__", None)
    return isinstance(file, str) and installed(os.path.realpath(file))


def place(error: BaseException) -> tuple[str | None, int | None]:
    """File and line of the innermost frame of the user's own code; of a syntax error, where it is."""
    if isinstance(error, SyntaxError) and error.filename and error.lineno:
        return shown(error.filename), error.lineno
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if not frame.filename.startswith("<") and not installed(os.path.realpath(frame.filename)):
            return shown(frame.filename), frame.lineno
    return None, None


def what(error: BaseException) -> str:
    """``Type: message``, in one line."""
    text = error.msg if isinstance(error, SyntaxError) else str(error)
    return " ".join(f"{type(error).__name__}: {text}".split()).removesuffix(":")


def one_line(error: BaseException) -> str:
    """``file:line: Type: message``, the place left out where no frame is the user's."""
    file, line = place(error)
    return f"{file}:{line}: {what(error)}" if file else what(error)


def shown(file: str) -> str:
    """Relative to the current folder where it lies inside, as the user would write it."""
    here = os.getcwd() + os.sep
    return file.removeprefix(here)
