"""The shape of a recording file, for `recording.load` to check a file against before it believes anything in it."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True)


class FunctionEntry(_Strict):
    file: str
    qualname: str
    line: int
    digest: str
    calls: int
    scripted: bool
    arguments: dict[str, str]
    returns: str
    locals: dict[str, str]
    lines: list[int]


class ClassEntry(_Strict):
    file: str
    qualname: str
    instances: int
    bases: list[str] = Field(alias="mro")
    attributes: dict[str, str]
    children: dict[str, list[str]]
    absent: list[str]


class ObservationsEntry(_Strict):
    functions: list[FunctionEntry]
    classes: list[ClassEntry]


class InputsEntry(_Strict):
    args: list[Any]
    kwargs: dict[str, Any]


class ModuleEntry(_Strict):
    name: str
    cls: str = Field(alias="class")
    training: bool
    calls: int
    inputs: list[InputsEntry]


class RecordingFile(_Strict):
    version: int
    tsrefactor: str
    python: str
    torch: str
    command: list[str] = Field(min_length=1)
    cwd: str
    observations: ObservationsEntry
    modules: list[ModuleEntry]
