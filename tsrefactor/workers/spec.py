"""The CASES argument of the command line, parsed. Torch-free, and runs none of the user's code."""

from __future__ import annotations

import ast
import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ..errors import UserError

FORMS = "CASES is FILE.py, FILE.py::NAME, package.module:Class, path/file.py:Class or a recording"
RECORDING_ENDINGS = (".tsr", ".json")
DTYPES = (
    "float32", "float64", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool", "complex64",
    "complex128",
)  # fmt: skip


@dataclass(frozen=True)
class CaseSpec:
    """Where the cases come from.

    ``text`` is what the user wrote. ``path`` (absolute) is the CASES file, the class's file or the recording;
    ``module`` the class's module where it was named by a dotted name. ``name`` picks one case, ``cls`` is the class's
    qualified name, ``init`` its constructor arguments as written, ``inputs`` one text per argument of its forward.
    ``command`` is what a recording runs again.
    """

    text: str
    kind: Literal["file", "class", "recording"]
    path: Path | None = None
    module: str | None = None
    name: str | None = None
    cls: str | None = None
    init: str | None = None
    inputs: tuple[str, ...] = ()
    command: tuple[str, ...] = ()

    @property
    def file(self) -> str:
        """What is imported, as the user wrote it: without the name of a case."""
        head, separator, _ = self.text.partition(".py::")
        return f"{head}.py" if separator else self.text


def parse_spec(text: str, init: str | None = None, inputs: Sequence[str] = ()) -> CaseSpec:
    """Reads CASES, ``--init`` and ``--input``. Raises UserError for what cannot be meant."""
    path, separator, name = text.partition(".py::")
    if separator or text.endswith(".py"):
        _refuse_class_options(text, init, inputs)
        if separator and not name:
            raise UserError(f"{text} names no case after '::'", "write FILE.py::NAME, or FILE.py for all of them")
        file = _existing(f"{path}.py" if separator else text)
        return CaseSpec(text, "file", path=file, name=name or None)
    if text.endswith(RECORDING_ENDINGS):
        _refuse_class_options(text, init, inputs)
        file = _existing(text)
        return CaseSpec(text, "recording", path=file, command=_recorded_command(file))
    place, colon, cls = text.rpartition(":")
    if not colon or not place or not _dotted(cls):
        raise UserError(f"{text!r} is not understood", FORMS)
    return _class_spec(text, place, cls, init, tuple(inputs))


def _class_spec(text: str, place: str, cls: str, init: str | None, inputs: tuple[str, ...]) -> CaseSpec:
    if not inputs:
        raise UserError(f"{text} needs inputs", "give --input once per argument of forward, as in --input '1,3,64,64'")
    parse_init(init or "")
    for shape in inputs:
        parse_input(shape)
    if place.endswith(".py"):
        return CaseSpec(text, "class", path=_existing(place), cls=cls, init=init, inputs=inputs)
    if not _dotted(place):
        raise UserError(f"{place!r} is neither a module's dotted name nor a .py file", FORMS)
    return CaseSpec(text, "class", module=place, cls=cls, init=init, inputs=inputs)


def parse_init(text: str) -> tuple[list[Any], dict[str, Any]]:
    """Constructor arguments from ``--init``: literals, positional and named. Raises UserError for anything else."""
    remedy = "write literals as in --init 'num_classes=4, widths=[16, 32]'"
    try:
        call = ast.parse(f"f({text})", mode="eval").body
        if not isinstance(call, ast.Call) or ast.unparse(call.func) != "f":
            raise ValueError("it is no list of arguments")
        if any(keyword.arg is None for keyword in call.keywords):
            raise ValueError("** is no literal")
        positional = [_literal(argument) for argument in call.args]
        return positional, {str(keyword.arg): _literal(keyword.value) for keyword in call.keywords}
    except SyntaxError as error:
        raise UserError(f"--init {text!r} cannot be read: {error.msg}", remedy) from error
    except ValueError as error:
        raise UserError(f"--init {text!r} cannot be read: {error}", remedy) from error


def _literal(node: ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError):  # TypeError: `{[]: 1}`
        raise ValueError(f"{ast.unparse(node)} is no literal") from None


def parse_input(text: str) -> tuple[str, tuple[int, ...]]:
    """The dtype (``float32`` unless named) and the shape of one ``--input``; ``int64:`` alone is a scalar."""
    name, colon, sizes = text.rpartition(":")
    dtype = name.strip() if colon else "float32"
    if dtype not in DTYPES:
        raise UserError(f"--input {text!r} names no dtype known here", f"use one of {', '.join(DTYPES)}")
    parts = [part.strip() for part in sizes.split(",")] if sizes.strip() or not colon else []
    if not all(re.fullmatch(r"[0-9]+", part) for part in parts):
        raise UserError(f"--input {text!r} is not a shape", "write sizes as in --input '1,3,64,64' or 'int64:1,16'")
    return dtype, tuple(map(int, parts))


def _refuse_class_options(text: str, init: str | None, inputs: Sequence[str]) -> None:
    if init is not None or inputs:
        option = "--init" if init is not None else "--input"
        raise UserError(
            f"{option} goes with a class, and {text} is a file", "write path/file.py:Class to run one class"
        )


def _existing(text: str) -> Path:
    path = Path(os.path.abspath(text))
    if path.is_dir():
        raise UserError("is a folder", FORMS, file=text)
    if not path.exists():
        raise UserError("there is no such file", "check the path, it is taken from the current folder", file=text)
    if not os.access(path, os.R_OK):
        raise UserError("cannot be read", "check its permissions", file=text)
    return path


def _recorded_command(path: Path) -> tuple[str, ...]:
    try:
        command = json.loads(path.read_text(encoding="utf-8"))["command"]
        if not (command and isinstance(command, list) and all(isinstance(word, str) for word in command)):
            raise TypeError("no list of words")
    except (ValueError, KeyError, TypeError) as error:
        remedy = "make one with `tsrefactor record -o FILE COMMAND`"
        raise UserError("is not a recording of tsrefactor", remedy, file=path) from error
    return tuple(command)


def _dotted(text: str) -> bool:
    return all(part.isidentifier() for part in text.split("."))
