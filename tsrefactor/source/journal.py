"""The journal of in-place runs, below ``.tsrefactor/runs`` of the current folder, and how a run is taken back.

A run is a folder with a number: ``run.json`` says which files, and ``before/`` holds what they held. It is complete
before the first file is touched, so that an interrupted run can be taken back like any other.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from tsrefactor.errors import UserError
from tsrefactor.source.file import SourceFile
from tsrefactor.source.write import check_writable, refuse_read_only, write_bytes, write_file


@dataclass(frozen=True)
class Entry:
    """One file of a run: its path, from the journal's root where it lies there, else absolute; sha256 of its bytes."""

    path: str
    before: str
    after: str


@dataclass(frozen=True)
class Run:
    """A recorded run. ``time`` is in seconds since 1970, ``command`` its command line; ``undone``: was taken back."""

    id: str
    time: float
    command: tuple[str, ...]
    entries: tuple[Entry, ...]
    undone: bool = False


@dataclass
class PendingRun:
    """A run in the making: files are added, then written together."""

    command: Sequence[str]
    root: Path
    _changes: list[tuple[SourceFile, str]] = field(default_factory=list)

    def add(self, old: SourceFile, new_text: str) -> None:
        """Plans a new text for a file, once per file. Raises UserError, leaving the plan as it was, as `write_file`."""
        old.with_text(new_text).encode()
        check_writable(old)
        self._changes.append((old, new_text))

    def commit(self) -> tuple[Run | None, list[UserError]]:
        """Records the run, then writes its files. Gives the run (None when it wrote nothing) and the files refused.

        Raises UserError, with no file written, when the journal cannot be kept.
        """
        if not self._changes:
            return None, []
        run = self._record()
        refused = []
        for old, new_text in self._changes:
            try:
                write_file(old, new_text)
            except UserError as error:
                refused.append(error)
        if len(refused) == len(self._changes):  # nothing to take back
            shutil.rmtree(_runs_folder(self.root) / run.id)
            return None, refused
        return run, refused

    def _record(self) -> Run:
        folder = _new_folder(self.root)
        entries = []
        for old, new_text in self._changes:
            before, after = old.encode(), old.with_text(new_text).encode()
            inside = old.path.is_relative_to(self.root)
            path = old.path.relative_to(self.root) if inside else old.path
            entry = Entry(str(path), _sha(before), _sha(after))
            write_bytes(folder / "before" / entry.before, before)
            entries.append(entry)
        run = Run(folder.name, time.time(), tuple(self.command), tuple(entries))
        _save(folder, run)
        return run


def begin(command: Sequence[str], root: str | Path = ".") -> PendingRun:
    """Starts a run of a command line; nothing is on disk before its `PendingRun.commit`. ``root`` holds the journal."""
    return PendingRun(command, _real(root))


def runs(root: str | Path = ".") -> list[Run]:
    """The recorded runs, oldest first. Raises UserError for a journal that cannot be read."""
    base = _runs_folder(_real(root))
    if not base.is_dir():
        return []
    numbered = sorted((int(folder.name), folder) for folder in base.iterdir() if folder.name.isdecimal())
    # A folder without run.json is of a run that was interrupted before it touched a file.
    return [_load(folder) for _, folder in numbered if (folder / "run.json").exists()]


def undo(run_id: str | None = None, root: str | Path = ".") -> list[Path]:
    """Takes back a run, the latest that still stands by default, and gives the files it restored.

    A file that never got its new text needs nothing. All or nothing: raises UserError with nothing changed when a file
    is neither as the run found it nor as the run left it, is gone or read-only; also when there is no such run, or
    nothing left to undo.
    """
    base = _real(root)
    run = _choose(runs(base), run_id)
    folder = _runs_folder(base) / run.id
    pending = []
    for entry in run.entries:
        path = base / entry.path
        state = _state(path, run)
        if state == entry.before:
            continue
        kept = folder / "before" / entry.before
        if state != entry.after:
            raise UserError(f"was changed after run {run.id}", f"put it back by hand from {kept}", path)
        refuse_read_only(path)
        pending.append((path, _kept_bytes(kept)))
    for path, data in pending:
        write_bytes(path, data)
    _save(folder, replace(run, undone=True))
    return [path for path, _ in pending]


def _choose(recorded: Sequence[Run], run_id: str | None) -> Run:
    standing = [run for run in recorded if not run.undone]
    names = ", ".join(run.id for run in standing) or "none"
    if run_id is None:
        if not standing:
            raise UserError("nothing to undo", "run this in the folder where the files were rewritten")
        return standing[-1]
    for run in recorded:
        if run.id == run_id:
            if run.undone:
                raise UserError(f"run {run_id} has been undone already", f"runs that can be undone: {names}")
            return run
    raise UserError(f"no run {run_id}", f"runs that can be undone: {names}")


def _state(path: Path, run: Run) -> str:
    try:
        return _sha(path.read_bytes())
    except OSError as error:
        raise UserError(f"cannot undo run {run.id}: {error.strerror}", "bring the file back first", path) from None


def _kept_bytes(kept: Path) -> bytes:
    try:
        data = kept.read_bytes()
    except OSError as error:
        raise UserError(f"the journal is damaged: {error.strerror}", "restore from version control", kept) from None
    if _sha(data) != kept.name:
        raise UserError("the journal is damaged: other bytes than were stored", "restore from version control", kept)
    return data


def _real(root: str | Path) -> Path:
    return Path(os.path.realpath(root))


def _runs_folder(root: Path) -> Path:
    return root / ".tsrefactor" / "runs"


def _new_folder(root: Path) -> Path:
    """A new numbered folder; git is told to ignore the journal."""
    base = _runs_folder(root)
    try:
        base.mkdir(parents=True, exist_ok=True)
        (base.parent / ".gitignore").write_text("*\n")
        number = 1 + max((int(folder.name) for folder in base.iterdir() if folder.name.isdecimal()), default=0)
        while True:  # another process may take the number first
            with contextlib.suppress(FileExistsError):
                (base / str(number) / "before").mkdir(parents=True)
                return base / str(number)
            number += 1
    except OSError as error:
        message = f"no journal can be kept here: {error.strerror}"
        raise UserError(message, "make the current folder writable, or use --diff", error.filename) from None


def _save(folder: Path, run: Run) -> None:
    write_bytes(folder / "run.json", json.dumps(asdict(run), indent=1).encode())


def _load(folder: Path) -> Run:
    file = folder / "run.json"
    try:
        data = json.loads(file.read_bytes())
        entries = tuple(Entry(**entry) for entry in data["entries"])
        return Run(data["id"], data["time"], tuple(data["command"]), entries, data["undone"])
    except (OSError, ValueError, KeyError, TypeError):
        raise UserError("not a run of the journal", f"remove the folder {folder}", file) from None


def _sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
