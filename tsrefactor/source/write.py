"""Writing files so that a reader, a crash or a second writer never meets half of one."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from pathlib import Path

from tsrefactor.errors import UserError
from tsrefactor.source.file import SourceFile


def check_writable(old: SourceFile) -> None:
    """Raises UserError when `write_file` would refuse: the file or its folder is read-only, or it changed on disk."""
    try:
        current = old.path.read_bytes()
    except OSError as error:
        raise UserError(f"cannot be read again: {error.strerror}", "run the command again", old.path) from None
    if current != old.encode():
        raise UserError("was changed by another program in the meantime", "run the command again", old.path)
    refuse_read_only(old.path)


def write_file(old: SourceFile, new_text: str) -> None:
    """Puts a new text in the place of the one that was read, in one step; mode bits and, where possible, owner stay.

    Raises UserError, with the file unchanged, when it is read-only, has changed since it was read, or cannot hold the
    text in its encoding.
    """
    data = old.with_text(new_text).encode()
    check_writable(old)
    write_bytes(old.path, data)


def write_bytes(path: Path, data: bytes) -> None:
    """Creates or replaces a file in one step. A symbolic link stays one: its target is replaced.

    Raises UserError, with nothing changed, when the file or its folder is read-only or missing, or the disk is full.
    """
    path = Path(os.path.realpath(path))
    refuse_read_only(path)
    temporary = None
    try:
        descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name[:80]}.", suffix=".tmp", dir=path.parent)
        with open(descriptor, "wb") as file:
            file.write(data)
            _take_over(descriptor, path)
            file.flush()
            os.fsync(descriptor)
        os.replace(temporary, path)
        temporary = None
        _sync_folder(path.parent)
    except OSError as error:
        message = f"cannot be written: {error.strerror or error}"
        raise UserError(message, "check permissions and free space", path) from None
    finally:
        if temporary is not None:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary)


def refuse_read_only(path: Path) -> None:
    """Raises UserError for a file, or a folder around it, that nobody or not this user may write."""
    # Not os.access alone: root may write everything, and putting a new file in the place of another asks nobody.
    if path.exists() and not (_has_write_bit(path) and os.access(path, os.W_OK)):
        raise UserError("is read-only", "make it writable, or exclude it", path)
    if path.parent.exists() and not (_has_write_bit(path.parent) and os.access(path.parent, os.W_OK)):
        raise UserError("the folder is read-only", "make it writable, or exclude it", path.parent)


def _has_write_bit(path: Path) -> bool:
    return bool(path.stat().st_mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH))


def _take_over(descriptor: int, path: Path) -> None:
    """Gives a new file the mode and owner of the one it replaces; a mode that obeys the umask where there is none."""
    try:
        model = path.stat()
    except FileNotFoundError:
        umask = os.umask(0)
        os.umask(umask)
        os.fchmod(descriptor, 0o666 & ~umask)
        return
    with contextlib.suppress(PermissionError):  # only root may give files away
        os.fchown(descriptor, model.st_uid, model.st_gid)
    os.fchmod(descriptor, stat.S_IMODE(model.st_mode))


def _sync_folder(folder: Path) -> None:
    """Makes a rename survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
