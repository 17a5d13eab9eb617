"""A command line that is a Python program: telling what it runs, and running it in this process as Python would."""

from __future__ import annotations

import importlib.util
import io
import os
import re
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.abc import InspectLoader
from importlib.machinery import ModuleSpec, SourceFileLoader
from types import CodeType, ModuleType
from typing import Any, Literal

from tsrefactor.errors import UserError

_FLAGS = {"-u", "-O", "-OO", "-B", "-b", "-bb", "-d", "-q", "-s", "-v"}
_FLAGS_WITH_VALUE = {"-W", "-X"}
_REMEDY = "give a Python program: `python FILE`, `python -m MODULE`, `python -c CODE`, FILE.py or an installed script"


@dataclass(frozen=True)
class Program:
    """What a command runs: a script's path, a module's name or code; its arguments; the interpreter's own flags."""

    kind: Literal["script", "module", "code"]
    target: str
    arguments: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()


def resolve(command: Sequence[str]) -> Program:
    """Reads `command` as a shell would find it from the current folder. Raises UserError where it is not Python."""
    if not command:
        raise UserError("there is no command to record", _REMEDY)
    name, *rest = command
    if _is_interpreter(name):
        return _interpreter(command, rest)
    path = name if name.endswith(".py") and os.path.isfile(name) else shutil.which(name)
    if path is None:
        raise UserError(f"{name}: there is no such program", _REMEDY)
    if not path.endswith(".py") and not _names_python(path):
        raise UserError(f"{name} is not a Python program ({path})", _REMEDY)
    return Program("script", path, tuple(rest))


def _is_interpreter(name: str) -> bool:
    return re.fullmatch(r"python[0-9.]*", os.path.basename(name)) is not None


def _interpreter(command: Sequence[str], words: list[str]) -> Program:
    flags: list[str] = []
    while words:
        word = words.pop(0)
        if word in _FLAGS:
            flags.append(word)
        elif word in _FLAGS_WITH_VALUE and words:
            flags += [word, words.pop(0)]
        elif word[:2] in _FLAGS_WITH_VALUE and len(word) > 2:
            flags.append(word)
        elif word[:2] in ("-m", "-c"):
            target = word[2:] or (words.pop(0) if words else "")
            if not target:
                break
            return Program("module" if word[:2] == "-m" else "code", target, tuple(words), tuple(flags))
        elif word.startswith("-"):
            raise UserError(f"the interpreter's option {word} cannot be recorded", f"leave it out; {_REMEDY}")
        elif not os.path.isfile(word):
            raise UserError("there is no such script", "check the path, it is taken from the current folder", file=word)
        else:
            return Program("script", word, tuple(words), tuple(flags))
    raise UserError(f"{' '.join(command)} runs no program", _REMEDY)


def _names_python(path: str) -> bool:
    """Whether the file's first lines hand it to Python (``#!…python``, or pip's ``/bin/sh`` form for long paths)."""
    with open(path, "rb") as file:
        lines = [file.readline(512), file.readline(512)]
    shell = lines[0].startswith(b"#!/bin/sh") and lines[1].startswith(b"'''exec'")
    return lines[0].startswith(b"#!") and b"python" in lines[1 if shell else 0]


def execute(program: Program) -> None:
    """Runs the program as ``__main__``: its own `sys.argv` and module, which stay after the run, and its
    folder first on `sys.path`.

    What it raises (SystemExit, too) comes out of here. A module that is not there ends it as it ends Python.
    """
    main = ModuleType("__main__")
    main.__dict__["__builtins__"] = sys.modules["builtins"]
    if program.kind == "script":
        path = os.path.abspath(program.target)
        sys.argv = [program.target, *program.arguments]
        sys.path.insert(0, os.path.dirname(os.path.realpath(path)))
        main.__file__, main.__loader__ = path, SourceFileLoader("__main__", path)
        # Through `open_code`, as `python FILE` does: it is where rewritten text is served.
        with io.open_code(path) as file:
            source: Any = file.read()
        filename = path
    elif program.kind == "module":
        sys.argv = ["-m", *program.arguments]
        sys.path.insert(0, os.getcwd())
        spec, source = _module(program.target)
        main.__file__, main.__loader__, main.__spec__ = spec.origin, spec.loader, spec
        main.__package__ = spec.parent
        sys.argv[0] = filename = spec.origin or program.target
    else:
        sys.argv = ["-c", *program.arguments]
        sys.path.insert(0, "")
        source, filename = program.target, "<string>"
    sys.modules["__main__"] = main
    code = source if isinstance(source, CodeType) else compile(source, filename, "exec", dont_inherit=True)
    exec(code, main.__dict__)


def _module(name: str) -> tuple[ModuleSpec, CodeType]:
    """The spec and the code of ``python -m name``; of a package, its ``__main__``."""
    try:
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.submodule_search_locations is not None:
            spec = importlib.util.find_spec(f"{name}.__main__")
    except ModuleNotFoundError as error:
        sys.exit(f"{sys.executable}: Error while finding module specification for {name!r} ({error})")
    loader = spec.loader if spec is not None else None
    code = loader.get_code(spec.name) if spec is not None and isinstance(loader, InspectLoader) else None
    if spec is None or code is None:
        sys.exit(f"{sys.executable}: No module named {name}")
    return spec, code
