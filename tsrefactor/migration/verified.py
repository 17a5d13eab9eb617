"""Which edits a passing run speaks for."""

from __future__ import annotations

from collections.abc import Iterable

from tsrefactor.facts.observations import Observations
from tsrefactor.rewrite import Applied
from tsrefactor.source.file import SourceFile

from .batch import CaseState
from .reach import has_instance, scopes_at


def verified(change: Applied, original: SourceFile, cases: Iterable[CaseState]) -> bool:
    """Whether a case that passes its target entered the function that a change was made in.

    Never for a path that raises under script: it is there because no run reached it.
    """
    if change.finding.partial:
        return False
    return any((case.after or case.before).passed_as and entered(case.observations, change, original) for case in cases)


def entered(observations: Observations | None, change: Applied, original: SourceFile) -> bool:
    """Whether a recorded run entered the function, or made an instance of the class, around a change.

    For a change at module level: whether it ran anything of the file.
    """
    if observations is None:
        return False
    scopes = scopes_at(original, change.line)
    if not scopes:
        return change.file in observations.files
    name, line = scopes[-1]
    return (change.file, name, line) in observations.functions or has_instance(observations, change.file, name)
