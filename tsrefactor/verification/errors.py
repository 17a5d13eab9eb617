"""A case that says nothing about its target: it does not build or run in eager, or returns nothing to compare."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable

from ..vocabulary import Outcome, Verdict
from ..workers.blame import installed, what
from ..workers.task import out_of_memory


class EagerError(Exception):
    """Carries the `eager-error` verdict of a case."""

    def __init__(self, verdict: Verdict):
        super().__init__(verdict.message)
        self.verdict = verdict


def user_files(source: tuple[str, ...]) -> Callable[[str], bool]:
    """A test whether a file is the user's own: below one of the folders ``source``, and not installed there."""
    roots = tuple(os.path.realpath(folder).rstrip(os.sep) + os.sep for folder in source)
    known: dict[str, bool] = {}

    def is_user_file(file: str) -> bool:
        if file not in known:
            real = os.path.realpath(file)
            known[file] = real.startswith(roots) and not installed(real) and not file.startswith("<")
        return known[file]

    return is_user_file


def blamed(error: BaseException, is_user_file: Callable[[str], bool]) -> tuple[str | None, int | None]:
    """File and line of the innermost frame in the user's source, else of the innermost that is not installed.

    Of a syntax error, where it is: the frames end at the import of the broken file.
    """
    if isinstance(error, SyntaxError):
        file = error.filename
        if file and not file.startswith("<") and not installed(os.path.realpath(file)):
            return file, error.lineno
    frames = [f for f in reversed(traceback.extract_tb(error.__traceback__)) if not f.filename.startswith("<")]
    for wanted in (is_user_file, lambda file: not installed(os.path.realpath(file))):
        for frame in frames:
            if wanted(frame.filename):
                return frame.filename, frame.lineno
    return None, None


def short(error: BaseException, limit: int = 300) -> str:
    """``Type: message`` in one line of at most ``limit`` characters."""
    text = what(error)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def raised(
    doing: str, error: Exception, remedy: str, is_user_file: Callable[[str], bool], label: str | None = None
) -> EagerError:
    """The EagerError for user code that raised. An out-of-memory is passed on as it is: the worker pool names it."""
    if out_of_memory(error):
        raise error
    file, line = blamed(error, is_user_file)
    message = f"{doing} raised {short(error)}; {remedy}"
    return EagerError(Verdict(Outcome.EAGER_ERROR, message, file, line, label))


def unusable(message: str, label: str | None = None) -> EagerError:
    return EagerError(Verdict(Outcome.EAGER_ERROR, message, input=label))
