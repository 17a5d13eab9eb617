"""What the batch asks a worker process to do with one case. Imported in worker processes only, for its functions."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from tsrefactor.cases import ModelCase
from tsrefactor.facts.observations import Observations
from tsrefactor.verification.results import Examination


@dataclass
class Look:
    """The first look at a case: its verdict, and, where that is no pass, what its eager run showed.

    ``files``: the user's own files that were loaded to run it.
    """

    examination: Examination
    observations: Observations | None
    files: frozenset[str]


def look(case: ModelCase, target: str, source: tuple[str, ...]) -> Iterator[Look]:
    """Examines a case as it stands and, if it does not pass, records its eager run in the same process.

    Yields every examination before what follows it, which may meet a limit.
    """
    from tsrefactor.verification.worker import examine_in_steps

    for examination in examine_in_steps(case, target, True, source):
        yield Look(examination, None, frozenset(_loaded(source)))
    if not examination.passed:
        observations = observe(case, source)
        yield Look(examination, observations, frozenset(_loaded(source)))


def observe(case: ModelCase, source: tuple[str, ...]) -> Observations:
    """Records the eager run of a case."""
    from tsrefactor.record.worker import survey

    return survey(case, source).observations


def _loaded(source: tuple[str, ...]) -> set[str]:
    roots = tuple(os.path.join(os.path.realpath(folder), "") for folder in source)
    named = {getattr(module, "__file__", None) for module in list(sys.modules.values())}
    files = {file for file in named if isinstance(file, str) and file.endswith(".py")}
    folders = {folder: os.path.realpath(folder) for folder in set(map(os.path.dirname, files))}
    real = {
        os.path.realpath(file) if os.path.islink(file) else os.path.join(folders[folder], name)
        for file in files for folder, name in [os.path.split(file)]
    }  # fmt: skip
    return {file for file in real if file.startswith(roots)}
