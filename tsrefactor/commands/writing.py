"""Where rewritten text goes: a diff, the files themselves with a journal, or copies below another folder."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tsrefactor.errors import UserError
from tsrefactor.source.diff import display_path, unified
from tsrefactor.source.file import SourceFile
from tsrefactor.source.git import dirty
from tsrefactor.source.journal import Run, begin
from tsrefactor.source.walk import is_installed
from tsrefactor.source.write import check_writable, write_bytes

NewText = tuple[SourceFile, str]
"""A file as it was read, and its new text."""


@dataclass
class Written:
    """What became of an in-place run: its journal entry, the files that have their new text, those that have not."""

    run: Run | None = None
    files: list[Path] = field(default_factory=list)
    refused: list[UserError] = field(default_factory=list)

    @property
    def refused_files(self) -> set[Path]:
        return {Path(error.file) for error in self.refused if error.file is not None}


def diff_of(changes: Iterable[NewText]) -> bytes:
    """One unified diff of all files, from the current folder."""
    ordered = sorted(changes, key=lambda change: change[0].path)
    return b"".join(unified(old, text, display_path(old.path)) for old, text in ordered)


def print_diff(changes: Iterable[NewText]) -> list[UserError]:
    """The diff on standard output, byte for byte in the encodings of its files.

    It leaves out, and an error says so, what lies outside of the current folder: with one such file `git apply` would
    refuse the whole.
    """
    inside: list[NewText] = []
    left_out = []
    for old, text in changes:
        if not display_path(old.path).startswith("../"):
            inside.append((old, text))
        elif text != old.text:
            message = "is left out of the diff: a patch cannot reach out of the current folder"
            left_out.append(UserError(message, "run from a folder above it", old.path))
    sys.stdout.flush()
    sys.stdout.buffer.write(diff_of(inside))
    sys.stdout.buffer.flush()
    return left_out


def print_written(written: Written) -> None:
    """On standard error, how many files an in-place run wrote, and how to take it back."""
    if written.run:
        number = len(written.files)
        told = f"{number} file{'' if number == 1 else 's'} written"
        print(f"{told} (run {written.run.id}; `tsrefactor undo` takes it back)", file=sys.stderr)


def print_refused(written: Written, changes: Iterable[NewText]) -> None:
    """On standard error, why files were refused, and what would have been done to them."""
    for error in written.refused:
        place = UserError(error.message, error.remedy, display_path(error.file) if error.file else None)
        print(f"refused: {place}", file=sys.stderr)
    diff = diff_of(change for change in changes if change[0].path in written.refused_files)
    sys.stderr.write(diff.decode("utf-8", "backslashreplace"))


def write_in_place(groups: Sequence[Sequence[NewText]], allow_dirty: bool) -> Written:
    """Writes the files of each group, or none of a group of which one is refused, and records the run.

    Refused are files of installed packages, read-only files and, unless ``allow_dirty``, those with uncommitted
    changes. Raises UserError, with nothing written, when no journal can be kept.
    """
    groups = [[(old, text) for old, text in group if text != old.text] for group in groups]
    reasons = _reasons([old for group in groups for old, _ in group], allow_dirty)
    pending, result = begin(sys.argv), Written()
    planned = []
    for group in groups:
        own = [reasons[old.path] for old, _ in group if old.path in reasons]
        if own:
            blocked = [old.path for old, _ in group if old.path not in reasons]
            remedy = "mend that first"
            why = f"belongs together with {display_path(own[0].file or '')}, which is refused"
            result.refused += own + [UserError(why, remedy, path) for path in blocked]
        else:
            for old, text in group:
                pending.add(old, text)
                planned.append(old.path)
    result.run, late = pending.commit()
    result.refused += late
    result.files = [path for path in planned if path not in result.refused_files]
    return result


def _reasons(files: Sequence[SourceFile], allow_dirty: bool) -> dict[Path, UserError]:
    """Why files may not be written, by their paths."""
    reasons: dict[Path, UserError] = {}
    uncommitted = set() if allow_dirty else dirty(file.path for file in files)
    for file in files:
        if is_installed(file.path):
            message, remedy = "belongs to an installed package", "make the change in a copy of your own"
            reasons[file.path] = UserError(message, remedy, file.path)
        elif file.path in uncommitted:
            message, remedy = "has uncommitted changes", "commit them, or use --allow-dirty"
            reasons[file.path] = UserError(message, remedy, file.path)
        else:
            try:
                check_writable(file)
            except UserError as error:
                reasons[file.path] = UserError(error.message, error.remedy, file.path)
    return reasons


def check_folder(folder: Path, resume: bool) -> None:
    """Raises UserError, before the work starts, for an ``--out`` that is a file, or holds something already."""
    if folder.exists() and not folder.is_dir():
        raise UserError("is not a folder", "give --out a folder of its own", folder)
    if not resume and folder.is_dir() and any(folder.iterdir()):
        raise UserError("is not empty", "give --out another folder, or go on with --resume", folder)


def write_copies(folder: Path, changes: Sequence[NewText]) -> list[Path]:
    """Writes the new text of the changed files below a folder, where they lie from the current one.

    A file from outside the current folder goes by its bare name. Raises UserError, with nothing written, where two
    files would take one place.
    """
    places: dict[Path, SourceFile] = {}
    for old, text in changes:
        if text == old.text:
            continue
        relative = display_path(old.path)
        place = folder / (old.path.name if relative.startswith("../") else relative)
        if place in places:
            other = places[place].path
            raise UserError(f"would hold both {other} and {old.path}", "run from a folder above both", place)
        places[place] = old.with_text(text)
    for place, new in places.items():
        try:
            os.makedirs(place.parent, exist_ok=True)
        except OSError as error:
            raise UserError(f"cannot be made: {error.strerror}", "check its permissions", place.parent) from None
        write_bytes(place, new.encode())
    return list(places)
