"""Which files hold changes that git could not bring back."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from tsrefactor.errors import UserError

_SESSION = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_NAMESPACE")
"""What git sets for its hooks: it would answer for that repository whichever folder is asked about."""


def dirty(paths: Iterable[Path]) -> set[Path]:
    """Those of the files that differ from the last commit of their git work tree: changed, staged or untracked.

    Files outside of git, ignored ones, and all of them where git is not installed, are not dirty. Work trees of
    submodules and of ``git worktree`` are asked by themselves. Raises UserError when git refuses to answer.
    """
    if shutil.which("git") is None:
        return set()
    by_tree: dict[Path, list[tuple[Path, Path]]] = defaultdict(list)
    for path in paths:
        real = Path(os.path.realpath(path))
        tree = next((folder for folder in real.parents if (folder / ".git").exists()), None)
        if tree is not None:
            by_tree[tree].append((path, real))
    found = set()
    for tree, files in by_tree.items():
        changed = _changed(tree, os.path.commonpath([real for _, real in files]))
        for path, real in files:
            # An untracked folder stands for everything in it.
            if real in changed or not changed.isdisjoint(real.parents):
                found.add(path)
    return found


def _changed(tree: Path, below: str) -> set[Path]:
    """What ``git status`` lists below a path of a work tree, absolute."""
    command = [
        "git",
        "--literal-pathspecs",
        "-C",
        str(tree),
        "status",
        "--porcelain=v1",
        "-z",
        "--ignore-submodules=all",
    ]
    environment = {name: value for name, value in os.environ.items() if name not in _SESSION}
    environment |= {"LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0"}
    options = ["--untracked-files=normal", "--ignore-submodules=all", "--", below]
    done = subprocess.run([*command, *options], env=environment, capture_output=True, check=False)
    if done.returncode:
        said = os.fsdecode(done.stderr).strip().splitlines() or ["no message"]
        if "not a git repository" in said[0]:
            return set()
        raise UserError(f"git status: {said[0]}", "mend that, or use --allow-dirty", tree)
    return {tree / name for name in _names(os.fsdecode(done.stdout))}


def _names(status: str) -> Iterator[str]:
    """The paths in the output of ``git status --porcelain=v1 -z``: ``XY path``, after a rename also the old path."""
    fields = iter(status.split("\0"))
    for entry in fields:
        if entry:
            yield entry[3:]
            if "R" in entry[:2] or "C" in entry[:2]:
                next(fields)
