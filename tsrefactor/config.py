"""The configuration: ``[tool.tsrefactor]`` in the nearest ``pyproject.toml`` that has it."""

from __future__ import annotations

import os
import re
import sys
from enum import Enum
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError

from tsrefactor.errors import UserError, allowed
from tsrefactor.vocabulary import ContainerStyle, Placement, Target

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Config(BaseModel):
    """What holds where the command line says nothing. In TOML, names have hyphens (``container-style``).

    src: files and folders to work on and to rewrite, from the folder of the configuration file.
    exclude: globs of files and folders to leave out, see `tsrefactor.source.walk.python_files`.
    rules: names of the rules to apply; None is all safe ones. ignore: rules to leave out of these.
    target: what source must work under where a case does not say. unsafe: whether unsafe edits are applied, too.
    placement: of soft-refactor; None lets the command decide. container_style: how an empty container is typed.
    jobs: worker processes at a time. timeout: seconds for one attempt at a case. import_timeout: seconds for importing
    CASES. memory: GiB for one attempt.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=lambda name: name.replace("_", "-"))

    src: list[str] = ["."]
    exclude: list[str] = []
    rules: list[str] | None = None
    ignore: list[str] = []
    target: Target = Target.SCRIPT
    placement: Placement | None = None
    container_style: ContainerStyle = ContainerStyle.CALL
    jobs: int = Field(default_factory=_cores, ge=1, strict=True)
    timeout: float = Field(default=60.0, gt=0, strict=True, allow_inf_nan=False)
    import_timeout: float = Field(default=60.0, gt=0, strict=True, allow_inf_nan=False)
    memory: float = Field(default=8.0, gt=0, strict=True, allow_inf_nan=False)
    unsafe: bool = Field(default=False, strict=True)

    _root: Path = PrivateAttr(default_factory=Path.cwd)

    @property
    def root(self) -> Path:
        """The folder of the configuration file; the current folder without one."""
        return self._root

    @property
    def source_paths(self) -> list[Path]:
        """``src`` as absolute paths."""
        return [self._root / path for path in self.src]


def load(folder: str | Path = ".") -> Config:
    """The configuration that holds in a folder: of the nearest ``pyproject.toml``, upwards, with the table.

    Raises UserError naming file, line and key, with what is allowed there, for a file that cannot be read or parsed,
    an unknown key and a wrong value.
    """
    start = Path(folder).absolute()
    for parent in (start, *start.parents):
        file = parent / "pyproject.toml"
        if file.is_file() and (found := _read(file)) is not None:
            return found
    config = Config()
    config._root = start
    return config


def _read(file: Path) -> Config | None:
    """The configuration in one file; None when it has no such table."""
    try:
        text = file.read_text("utf-8")
        tool = tomllib.loads(text).get("tool")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot be read: {error}", "check the file", file) from None
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"is not TOML: {error}", "correct it", file) from None
    if not isinstance(tool, dict) or "tsrefactor" not in tool:
        return None
    try:
        config = Config.model_validate(tool["tsrefactor"])
    except ValidationError as error:
        raise _explained(error, file, text) from None
    config._root = file.parent
    return config


def _explained(error: ValidationError, file: Path, text: str) -> UserError:
    """The first error as one line: the key, what is wrong, and what is allowed."""
    first = error.errors()[0]
    if not first["loc"]:
        return UserError("tool.tsrefactor is not a table", "write [tool.tsrefactor]", file)
    key, value = str(first["loc"][0]), first["input"]
    names = {field.alias or name: name for name, field in Config.model_fields.items()}
    line = _line_of(key, text)
    if first["type"] == "extra_forbidden":
        return UserError(f"unknown key {key} in tool.tsrefactor", allowed(key, names), file, line)
    choices = _choices(names[key])
    if choices:
        return UserError(f"{key} = {value!r} in tool.tsrefactor", allowed(str(value), choices), file, line)
    wanted = first["msg"].removeprefix("Input should be ")
    return UserError(f"{key} = {value!r} in tool.tsrefactor", f"it should be {wanted}", file, line)


def _choices(field: str) -> list[str]:
    """The values that a field of the configuration may take, where these are few."""
    kinds: dict[str, type[Enum]] = {"target": Target, "placement": Placement, "container_style": ContainerStyle}
    return [member.value for member in kinds[field]] if field in kinds else []


def _line_of(key: str, text: str) -> int | None:
    """The line on which the table sets a key; None where it is written in another form."""
    inside = False
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("["):
            inside = line.strip().startswith("[tool.tsrefactor]")
        elif inside and re.match(rf"\s*[\"']?{re.escape(key)}[\"']?\s*=", line):
            return number
    return None
