"""From the paths of a command line to the Python files they mean."""

from __future__ import annotations

import os
import sysconfig
from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path, PurePath

from tsrefactor.errors import UserError

_PACKAGES = frozenset({"site-packages", "dist-packages"})


def python_files(paths: Iterable[str | Path], exclude: Sequence[str] = ()) -> list[Path]:
    """The ``*.py`` files that the paths name or hold: absolute, symbolic links resolved, each once, sorted.

    A named file is taken as it is. A named folder is walked without hidden files and folders, virtual environments,
    folders of installed packages, links to folders (their files are found where they live), links to files outside of
    that folder (nobody asked for those) and whatever matches one of the ``exclude`` globs. A glob is compared with the
    end of a path, folder by folder: ``build`` and ``*_pb2.py`` match a name, ``models/old`` a folder below another, and
    ``**`` stands for any number of folders. The result is empty when the folders hold no Python.

    Raises UserError for a path that is missing, a named file that is not ``*.py``, and a folder that cannot be listed.
    """
    patterns = [PurePath(os.path.expanduser(glob)).parts for glob in exclude]
    found: set[Path] = set()
    for path in map(Path, paths):
        if path.is_dir():
            found.update(Path(os.path.realpath(file)) for file in _walk(path, patterns))
        elif not os.path.lexists(path):
            raise UserError("no such file or folder", "check the path", path)
        elif path.suffix != ".py":
            raise UserError("is not a .py file", "name a Python file or a folder", path)
        else:
            found.add(Path(os.path.realpath(path)))
    return sorted(found)


def is_installed(path: Path) -> bool:
    """Whether a file belongs to an installed package or the standard library, which are never rewritten in place."""
    path = Path(os.path.realpath(path))
    library = Path(os.path.realpath(sysconfig.get_path("stdlib")))
    return not _PACKAGES.isdisjoint(path.parts) or path.is_relative_to(library)


def _walk(top: Path, patterns: Sequence[Sequence[str]]) -> Iterator[str]:
    inside = os.path.join(os.path.realpath(top), "")
    for folder, folders, files in os.walk(top, onerror=_refuse):
        if folder != str(top) and "pyvenv.cfg" in files:
            folders.clear()
            continue
        here = PurePath(os.path.abspath(folder)).parts
        folders[:] = [name for name in folders if name not in _PACKAGES and _wanted(here, name, patterns)]
        for name in files:
            if name.endswith(".py") and _wanted(here, name, patterns):
                file = os.path.join(folder, name)
                leads_out = os.path.islink(file) and not os.path.realpath(file).startswith(inside)
                if os.path.isfile(file) and not leads_out:  # no pipes, no dangling links
                    yield file


def _wanted(folder: tuple[str, ...], name: str, patterns: Sequence[Sequence[str]]) -> bool:
    return not name.startswith(".") and not any(_matches((*folder, name), pattern) for pattern in patterns)


def _matches(path: Sequence[str], pattern: Sequence[str]) -> bool:
    """Whether the last parts of a path match all parts of a pattern."""
    if not pattern:
        return True
    *rest, last = pattern
    if last == "**":
        return any(_matches(path[:end], rest) for end in range(len(path), -1, -1))
    return bool(path) and fnmatchcase(path[-1], last) and _matches(path[:-1], rest)


def _refuse(error: OSError) -> None:
    raise UserError(
        f"cannot be listed: {error.strerror}", "check its permissions, or exclude it", error.filename
    ) from None
