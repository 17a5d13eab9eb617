"""What the main process and its servers pickle for each other."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..errors import UserError
from .spec import CaseSpec
from .task import Task


@dataclass(frozen=True)
class Request:
    """A task, and where its cases come from."""

    spec: CaseSpec
    task: Task


@dataclass(frozen=True)
class Load:
    """What a new server is to import: CASES, or (where ``spec`` is None) only some installed modules."""

    spec: CaseSpec | None
    modules: tuple[str, ...] = ()


@dataclass(frozen=True)
class Loaded:
    """What a server found when it imported.

    ``cases`` are names and targets, ``files`` the real paths of the source files it loaded, ``modules`` the installed
    modules among them in order of import, ``seconds`` what that took. With ``error``, the server has ended.
    """

    cases: list[tuple[str, str | None]] = field(default_factory=list)
    files: frozenset[str] = frozenset()
    modules: tuple[str, ...] = ()
    seconds: float = 0.0
    error: UserError | None = None
