"""Whose line an exception is to be blamed on, and how to say it in one line. Torch-free."""

from __future__ import annotations

import faulthandler
import os
import re
import signal
import sys
import sysconfig
import traceback
from pathlib import Path

ASK = signal.SIGUSR1
"""The signal that asks a process for its stack."""

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


def tell_of_stack(file: int = 2) -> None:
    """Lets this process, and those forked from it, print their stack when they crash and when `ASK` asks for it.

    ``file`` is a descriptor; standard error by default, and not sys.stderr, which may be anything by now.
    """
    faulthandler.enable(file)
    faulthandler.register(ASK, file, all_threads=False)


def place_in_stack(printed: str) -> tuple[str | None, int | None]:
    """File and line of the innermost frame of the user's own code in the last stack that a process printed."""
    *_, stack = re.split(r"^(?:Current thread|Stack)\b.*\(most recent call first\):$", printed, flags=re.MULTILINE)
    if stack == printed:
        return None, None
    for file, line in re.findall(r'^  File "(.+)", line (\d+) in ', stack, flags=re.MULTILINE):
        if not file.startswith("<") and not installed(os.path.realpath(file)):
            return shown(file), int(line)
    return None, None


def shown(file: str) -> str:
    """Relative to the current folder where it lies inside, as the user would write it."""
    here = os.getcwd() + os.sep
    return file.removeprefix(here)
