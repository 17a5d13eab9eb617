"""The recording file: what a user's own run showed, as JSON. Loading it executes nothing and needs no torch."""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tsrefactor.errors import UserError
from tsrefactor.facts.observations import FunctionObservations, Observations

from .spans import FileSpans, Span

VERSION = 1
_REMEDY = "make it again with `tsrefactor record -o FILE COMMAND`"


@dataclass
class ModuleRecord:
    """An outermost module that the command called.

    ``name`` is ``module.Class#n``, the n-th instance of its class in the order of first calls. ``inputs`` describes
    the arguments of its first calls as plain data, ``calls`` counts all of them; ``training`` is the mode at the first.
    """

    name: str
    cls: str
    training: bool
    calls: int = 0
    inputs: list[dict[str, Any]] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        shape = {"name": self.name, "class": self.cls, "training": self.training, "calls": self.calls}
        return {**shape, "inputs": self.inputs}


@dataclass
class Recording:
    """One run of ``command`` (as the user wrote it, word by word) in the folder ``cwd`` (absolute)."""

    command: tuple[str, ...]
    cwd: str
    python: str
    torch: str
    tsrefactor: str
    observations: Observations = field(default_factory=Observations)
    modules: list[ModuleRecord] = field(default_factory=list)

    def save(self, path: str | Path) -> None:
        """Writes the file, whole or not at all. Raises UserError where it cannot be written."""
        data = {
            "version": VERSION,
            "tsrefactor": self.tsrefactor,
            "python": self.python,
            "torch": self.torch,
            "command": list(self.command),
            "cwd": self.cwd,
            "observations": self.observations.to_json(),
            "modules": [module.to_json() for module in self.modules],
        }
        path = Path(path)
        temporary = None
        try:
            with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=f".{path.name}.", encoding="utf-8",
                                             delete=False) as file:  # fmt: skip
                temporary = file.name
                json.dump(data, file, ensure_ascii=True, separators=(",", ":"))
                file.write("\n")
            os.chmod(temporary, 0o666 & ~_umask())
            os.replace(temporary, path)
        except OSError as error:
            if temporary is not None and os.path.exists(temporary):
                os.unlink(temporary)
            remedy = "give -o a file in a folder that can be written to"
            raise UserError(f"cannot be written: {error.strerror}", remedy, file=path) from error


def load(path: str | Path) -> Recording:
    """Reads a recording. Raises UserError for a file that is none, or one of another version."""
    try:
        data = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"cannot be read: {error.strerror}", _REMEDY, file=path) from error
    except (ValueError, RecursionError) as error:
        raise UserError("is not a recording: it is not JSON", _REMEDY, file=path) from error
    version = data.get("version") if isinstance(data, dict) else None
    if version != VERSION:
        found = "no version" if version is None else f"version {version}"
        raise UserError(f"is not a recording of version {VERSION}: it has {found}", _REMEDY, file=path)
    problem = _problem(data)
    if problem:
        raise UserError(f"is not a recording: {problem}", _REMEDY, file=path)
    modules = [
        ModuleRecord(one["name"], one["class"], one["training"], one["calls"], one["inputs"]) for one in data["modules"]
    ]
    return Recording(
        tuple(data["command"]), data["cwd"], data["python"], data["torch"], data["tsrefactor"],
        Observations.from_json(data["observations"]), modules,
    )  # fmt: skip


def stale(observations: Observations) -> tuple[Observations, list[tuple[str, str]]]:
    """What of `observations` holds for the files as they are now, and the (file, qualname)s for which it does not.

    A function goes by its text; where only its place moved, its lines are moved along. A class goes where it, or its
    ``__init__``, is no longer what was recorded.
    """
    fresh, gone = Observations(), []
    spans = {file: _spans_on_disk(file) for file in observations.files}
    for function in observations.functions.values():
        span = _same_text(function, spans[function.file])
        if span is None:
            gone.append((function.file, function.qualname))
        else:
            moved = _moved(function, span)
            fresh.functions[moved.file, moved.qualname, moved.line] = moved
    dropped = set(gone)
    for key, cls in observations.classes.items():
        if cls.qualname not in spans[cls.file].classes() or (cls.file, f"{cls.qualname}.__init__") in dropped:
            gone.append((cls.file, cls.qualname))
        else:
            fresh.classes[key] = cls
    result = Observations()
    result.join(fresh)  # a copy: the caller's records stay its own
    return result, sorted(gone)


def _spans_on_disk(file: str) -> FileSpans:
    import tokenize

    try:
        with tokenize.open(file) as opened:
            return FileSpans(opened.readlines())
    except (OSError, SyntaxError, UnicodeDecodeError):  # gone, or not Python any more: nothing in it is known
        return FileSpans([])


def _same_text(function: FunctionObservations, spans: FileSpans) -> Span | None:
    """The span with the recorded name and text; of several, the one nearest to the recorded line."""
    same = [s for s in spans.functions() if s.qualname == function.qualname]
    same = [span for span in same if spans.digest(span) == function.digest]
    return min(same, key=lambda span: abs(span.first - function.line), default=None)


def _moved(function: FunctionObservations, span: Span) -> FunctionObservations:
    offset = span.first - function.line
    return replace(function, line=span.first, lines={line + offset for line in function.lines})


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _problem(data: dict[str, Any]) -> str | None:
    """What is wrong with the shape of `data`, or None."""
    from pydantic import ValidationError

    from .schema import RecordingFile

    try:
        RecordingFile.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg'].lower()}"
    return None
