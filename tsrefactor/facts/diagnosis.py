"""What TorchScript complained about, and where: a fact like any other, made by `tsrefactor.diagnose`."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Place:
    """A span in a source file: 1-based line, 0-based column in UTF-8 bytes (as in `ast`)."""

    file: str
    line: int
    column: int | None = None
    end_column: int | None = None
    function: str | None = None


@dataclass(frozen=True)
class Diagnosis:
    """One error of the compiler, the interpreter or the tracer.

    ``kind`` is a stable slug (``unknown`` when no pattern fits); ``message`` its first telling line; ``text`` all of
    it. ``place`` is the first frame in the user's own source, ``chain`` the frames that led there, outward. ``names``
    holds what the message names (attribute, variable, type), by role. ``module_type`` is the class of the module that
    was being compiled, when known.
    """

    kind: str
    message: str
    text: str = ""
    place: Place | None = None
    chain: tuple[Place, ...] = ()
    names: dict[str, str] = field(default_factory=dict, hash=False)
    module_type: str | None = None
