"""Imports CASES and lists its cases. Runs in worker processes only."""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import inspect
import keyword
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from ..cases import Inputs, ModelCase
from ..errors import UserError
from ..vocabulary import Target
from .blame import place, shown, what
from .seeding import seed
from .spec import CaseSpec, parse_init, parse_input

_YIELD = "yield ModelCase(name, build, inputs) from cases()"


def load(spec: CaseSpec) -> dict[str, ModelCase]:
    """All cases of a file or class by name, in order, with user code imported as ``python CASES`` would find it.

    Raises UserError, with the place in the user's file, for whatever is wrong with them.
    """
    seed()
    if spec.kind == "class":
        return {str(spec.cls): _class_case(spec)}
    assert spec.path is not None
    path = spec.path
    module = _blaming(spec, lambda: _import_file(path))
    cases = _listed(spec, module)
    if spec.name is None:
        return cases
    if spec.name not in cases:
        raise UserError(f"has no case named {spec.name!r}", _nearest(spec.name, cases), file=shown(str(path)))
    return {spec.name: cases[spec.name]}


def _listed(spec: CaseSpec, module: ModuleType) -> dict[str, ModelCase]:
    file = shown(str(spec.path))
    function = getattr(module, "cases", None)
    if not callable(function):
        raise UserError("has no function cases()", f"define one that does: {_YIELD}", file=file)
    produced = _blaming(spec, function, called=True)
    line = _line_of(function)
    if not isinstance(produced, Iterable) or isinstance(produced, (str, bytes)):
        raise UserError(f"cases() returned {_sort(produced)}", _YIELD, file=file, line=line)
    cases: dict[str, ModelCase] = {}
    iterator = iter(produced)
    for case in _elements(spec, iterator):
        here = getattr(getattr(iterator, "gi_frame", None), "f_lineno", line)
        if not isinstance(case, ModelCase):
            raise UserError(f"cases() gave {_sort(case)}, not a ModelCase", _YIELD, file=file, line=here)
        _check(case, file, here)
        if case.name in cases:
            raise UserError(f"two cases are named {case.name!r}", "give each a name of its own", file=file, line=here)
        cases[case.name] = case
    if not cases:
        raise UserError("cases() yields no case", _YIELD, file=file, line=line)
    return cases


def _check(case: ModelCase, file: str, line: int | None) -> None:
    if not isinstance(case.name, str) or not case.name:
        raise UserError(f"a case's name is {case.name!r}", "give it a text", file=file, line=line)
    for field in ("build", "inputs"):
        if not callable(getattr(case, field)):
            message = f"{field} of case {case.name!r} is {_sort(getattr(case, field))}, not a function"
            raise UserError(message, f"write {field}=lambda: …, so that it is made afresh in each process", file, line)
    targets = [target.value for target in Target]
    if case.target is not None and case.target not in targets:
        raise UserError(
            f"case {case.name!r} has target {case.target!r}", f"use one of {', '.join(targets)}", file, line
        )


def _elements(spec: CaseSpec, iterator: Iterator[Any]) -> Iterator[Any]:
    end = object()
    while (element := _blaming(spec, lambda: next(iterator, end), called=True)) is not end:
        yield element


def _blaming(spec: CaseSpec, step: Callable[[], Any], called: bool = False) -> Any:
    """Runs user code; what it raises, ``sys.exit`` included, becomes a UserError at the user's line.

    ``called`` says that it is cases() which runs, and not the import of its file.
    """
    try:
        return step()
    except UserError:
        raise
    except BaseException as error:
        file, line = place(error)
        if isinstance(error, ModuleNotFoundError) and error.name:
            remedy = f"install {error.name.partition('.')[0]}, or put its folder on PYTHONPATH"
        else:
            command = f"`python {'-i ' if called else ''}{shown(str(spec.path))}`"
            seen = f"; {'`list(cases())` in ' if called else ''}{command} shows the traceback"
            remedy = "mend it" + (seen if spec.path else "")
        raise UserError(
            f"CASES raised {what(error)}", remedy, file or shown(str(spec.path or spec.text)), line
        ) from error


def _class_case(spec: CaseSpec) -> ModelCase:
    module = _blaming(spec, lambda: _import_class_module(spec))
    cls: Any = module
    for part in str(spec.cls).split("."):
        if not hasattr(cls, part):
            names = [name for name, value in vars(cls).items() if inspect.isclass(value)]
            where = shown(str(module.__file__))
            raise UserError(f"has no class {spec.cls}", _nearest(part, names), file=where)
        cls = getattr(cls, part)
    if not callable(cls):
        raise UserError(f"{spec.text} is {_sort(cls)}, not a class", "name an nn.Module class")
    positional, named = parse_init(spec.init or "")

    def inputs() -> list[Inputs]:
        return [Inputs(*map(_tensor, spec.inputs))]

    return ModelCase(str(spec.cls), lambda: cls(*positional, **named).eval(), inputs)


def _tensor(text: str) -> Any:
    import torch

    name, shape = parse_input(text)
    dtype: torch.dtype = getattr(torch, name)
    if dtype.is_floating_point or dtype.is_complex:
        return torch.randn(shape, dtype=dtype)
    return torch.randint(0, 2 if dtype is torch.bool else 8, shape).to(dtype)


def _import_class_module(spec: CaseSpec) -> ModuleType:
    if spec.path is None:
        _search_first(os.getcwd())
        return importlib.import_module(str(spec.module))
    folder, parts = spec.path.parent, [spec.path.stem]
    while (folder / "__init__.py").exists():
        folder, parts = folder.parent, [folder.name, *parts]
    if len(parts) == 1:
        return _import_file(spec.path)
    _search_first(str(folder), os.getcwd())  # a module of a package: its relative imports need the package
    return importlib.import_module(".".join(parts))


def _import_file(path: Path) -> ModuleType:
    _search_first(os.path.dirname(os.path.realpath(path)), os.getcwd())
    sys.argv = [str(path)]
    name = _module_name(path.stem)
    module_spec = importlib.util.spec_from_file_location(name, path)
    assert module_spec is not None and module_spec.loader is not None
    module = importlib.util.module_from_spec(module_spec)
    sys.modules[name] = module
    module_spec.loader.exec_module(module)
    return module


def _module_name(stem: str) -> str:
    """The file's name where TorchScript can use it in a qualified name and no loaded module has it."""
    name = re.sub(r"\W", "_", stem)
    while name in sys.modules or keyword.iskeyword(name) or not name.isidentifier():
        name = f"_{name}"
    return name


def _search_first(*folders: str) -> None:
    for folder in reversed(folders):
        if folder in sys.path:
            sys.path.remove(folder)
        sys.path.insert(0, folder)


def _line_of(function: Any) -> int | None:
    code = getattr(inspect.unwrap(function), "__code__", None)
    return code.co_firstlineno if code else None


def _sort(value: Any) -> str:
    return "None" if value is None else f"a {type(value).__name__}"


def _nearest(name: str, names: Iterable[str]) -> str:
    names = list(names)
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.4) or names[:3]
    return f"did you mean {' or '.join(near)}?" if near else "check the name"
