"""What several commands share: which rules and files a command line means, and how errors are told."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from tsrefactor.config import Config
from tsrefactor.errors import UserError
from tsrefactor.rules import Rule, Settings, select_rules
from tsrefactor.source.diff import display_path
from tsrefactor.source.walk import python_files
from tsrefactor.vocabulary import ContainerStyle, Placement, Safety, Target


def chosen_rules(
    names: Sequence[str], config: Config, unsafe: bool = False, target: Target | None = None
) -> tuple[Rule, ...]:
    """The rules that the command line names, else the configured ones, else all safe ones (with ``unsafe``, all).

    A rule that is named on the command line is taken even where the configuration ignores it. With a target, those
    that do not serve it are left out. Raises UserError for an unknown name.
    """
    if names:
        rules = select_rules(names)
    else:
        rules = select_rules(config.rules, config.ignore)
        if config.rules is None and not unsafe:
            rules = tuple(rule for rule in rules if rule.safety is Safety.SAFE)
    if target in (Target.SCRIPT, Target.TRACE):
        rules = tuple(rule for rule in rules if target in rule.targets)
    return rules


def settings_for(
    config: Config,
    target: Target | None,
    named: Sequence[Rule] = (),
    placement: Placement | None = None,
    container_style: ContainerStyle | None = None,
    unsafe: bool = False,
) -> Settings:
    """The settings of a command: its flags, else the configuration, else the defaults for its target and rules.

    soft-refactor goes inside of forward for a trace, and where it is ``named`` among rules that serve no script.
    """
    inner = target is Target.TRACE or (
        any(rule.name == "soft-refactor" for rule in named)
        and all(Target.SCRIPT not in rule.targets for rule in named if rule.name != "soft-refactor")
    )
    default = Placement.INNER if inner else Placement.MODULE
    style = container_style or config.container_style
    return Settings(target, placement or config.placement or default, style, unsafe)


def chosen_files(paths: Sequence[Path], config: Config) -> tuple[list[Path], list[UserError]]:
    """The files that the paths (else the configured ``src``) mean, and an error for each that holds no Python.

    Raises UserError for a path that does not exist.
    """
    files: set[Path] = set()
    errors = []
    for path in paths or config.source_paths:
        found = python_files([path], config.exclude)
        if not found:
            errors.append(UserError("holds no Python files", "name another folder, or see `exclude`", path))
        files.update(found)
    return sorted(files), errors


def shown(path: str | Path) -> str:
    """A path for people: from the current folder where it lies there, else absolute."""
    relative = display_path(path)
    return os.path.realpath(path) if relative.startswith("../") else relative


def print_error(error: Exception) -> None:
    """One ``error: …`` line on standard error; a UserError's file is shown from the current folder."""
    if isinstance(error, UserError) and error.file is not None:
        error = UserError(error.message, error.remedy, shown(error.file), error.line)
    print(f"error: {error}", file=sys.stderr)


def defect(file: Path, error: Exception) -> UserError:
    """What a defect of tsrefactor says to the user: the file is left alone, and where it came from."""
    if isinstance(error, RecursionError):
        return UserError("nested too deeply to be analysed", "exclude the file", file)
    place = traceback.extract_tb(error.__traceback__)[-1]
    message = " ".join(f"internal error: {type(error).__name__}: {error}".split())
    where = f"{Path(place.filename).name}:{place.lineno}"
    return UserError(f"{message} ({where})", "the file was left alone; please report this", file)
