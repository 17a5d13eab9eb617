"""``tsrefactor scaffold-tests``: a pytest file of the user's own that checks every case."""

from __future__ import annotations

import ast
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from tsrefactor.config import load
from tsrefactor.errors import UserError
from tsrefactor.report.terminal import counted
from tsrefactor.vocabulary import Target
from tsrefactor.workers.pool import Workers
from tsrefactor.workers.spec import CaseSpec, parse_init, parse_input, parse_spec

from .common import shown

_OF_CASES = '''\
"""Checks the models of {file} against their TorchScript, on inputs of other sizes and values too."""

{imports}


@pytest.mark.parametrize("case", {cases}, ids=lambda case: case.name)
def test_is_compatible(case):
    torch.manual_seed(0)
    assert_compatible(case.build(), *case.inputs(), target={target})
'''
_OF_CLASS = '''\
"""Checks {cls} against its TorchScript, on inputs of other sizes and values too."""

{imports}


def test_{name}_is_compatible():
    torch.manual_seed(0)
    model = {cls}({init}).eval()
    assert_compatible(model, {inputs}, target={target})
'''


def scaffold_tests(
    cases: str, output: Path, target: Target | None, init: str | None, inputs: Sequence[str], force: bool
) -> int:
    """Writes the file and says so; exit code 0.

    CASES is imported in a worker first, so that the file holds what can be run. Raises UserError for a CASES that is
    wrong or a recording, and for an output that is there already, unless ``force``.
    """
    spec = parse_spec(cases, init, inputs)
    if spec.kind == "recording":
        message = "a recording says how to run a program, and a test needs to know how to build its models"
        raise UserError(message, "write a CASES file, or name a class with --init and --input", cases)
    _check(output, force)
    config = load()
    with Workers(spec, 1, config.import_timeout, lambda line: print(line, file=sys.stderr)) as workers:
        listed = workers.case_names()
    if spec.kind == "class":
        text = _class_text(spec, output, target or config.target)
    else:
        own = any(of_case for _, of_case in listed)
        text = _cases_text(spec, output, target, config.target, own)
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"cannot be written: {error.strerror}", "give -o a file elsewhere", output) from error
    told = f"{shown(output)} checks {counted(len(listed), 'case')}; run it with `pytest {shown(output)}`"
    print(told, file=sys.stderr)
    return 0


def _check(output: Path, force: bool) -> None:
    if output.suffix != ".py" or not output.stem.isidentifier():
        raise UserError("is no name for a test module", "write -o test_models.py", output)
    if not output.absolute().parent.is_dir():
        raise UserError("its folder does not exist", "make the folder first", output)
    if output.exists() and not force:
        raise UserError("exists already", "give -o another name, or --force to replace it", output)


def _cases_text(spec: CaseSpec, output: Path, target: Target | None, default: Target, own: bool) -> str:
    assert spec.path is not None
    module, folder = _module_of(spec.path)
    paths = _paths([folder, *_imported_from_here(spec.path, folder)], output)
    cases = "list(cases())"
    if spec.name is not None:
        cases = f"[case for case in cases() if case.name == {_quoted(spec.name)}]"
    wanted = _quoted((target or default).value)
    if target is None and own:
        wanted = f"case.target or {wanted}"
    imports = _imports(["import pytest", "import torch"], paths, f"from {module} import cases")
    return _OF_CASES.format(file=spec.path.name, imports=imports, cases=cases, target=wanted)


def _class_text(spec: CaseSpec, output: Path, target: Target) -> str:
    cls = str(spec.cls)
    module, folder = _module_of(spec.path) if spec.path else (str(spec.module), Path.cwd())
    wanted = [folder] if spec.path or _lies_in(folder, module.partition(".")[0]) else []  # else it is installed
    own = f"from {module} import {cls.partition('.')[0]}"
    positional, named = parse_init(spec.init or "")
    init = ", ".join([*map(repr, positional), *(f"{name}={value!r}" for name, value in named.items())])
    calls = [_tensor(text) for text in spec.inputs]
    return _OF_CLASS.format(
        cls=cls,
        imports=_imports(["import torch"], _paths(wanted, output), own),
        name=re.sub(r"(?<=[a-z0-9])(?=[A-Z])|\.", "_", cls).lower(),
        init=init.replace("'", '"') if '"' not in init else init,
        inputs=calls[0] if len(calls) == 1 else f"({', '.join(calls)})",
        target=_quoted(target.value),
    )


def _imports(installed: Sequence[str], paths: Sequence[str], own: str) -> str:
    """The head of the file; ``paths`` are lines that ``own`` needs before it."""
    ours = "from tsrefactor.testing import assert_compatible"
    if not paths:
        return "\n".join([*installed, "", ours, "", own])
    return "\n".join(
        ["import sys", "from pathlib import Path", "", *installed, "", ours, "", *paths, f"{own}  # noqa: E402"]
    )


def _module_of(path: Path) -> tuple[str, Path]:
    """The dotted name of a file, and the folder from which it is imported so."""
    folder, parts = path.parent, [path.stem]
    while (folder / "__init__.py").exists():
        folder, parts = folder.parent, [folder.name, *parts]
    odd = next((part for part in parts if not part.isidentifier()), None)
    if odd is not None:
        raise UserError(f"cannot be imported: {odd!r} is no name in Python", "rename it", path)
    return ".".join(parts), folder


def _imported_from_here(file: Path, folder: Path) -> list[Path]:
    """The current folder, where ``file`` imports something that lies in it and not in its own ``folder``."""
    here = Path.cwd()
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_bytes())):
        if isinstance(node, ast.Import):
            names.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.partition(".")[0])
    return [here] if any(_lies_in(here, name) and not _lies_in(folder, name) for name in names) else []


def _lies_in(folder: Path, name: str) -> bool:
    return (folder / name).is_dir() or (folder / f"{name}.py").is_file()


def _paths(folders: Sequence[Path], output: Path) -> list[str]:
    """Lines that let modules be imported from these folders, those left out which pytest itself makes importable."""
    home = output.absolute().parent
    base = next(at for at in (home, *home.parents) if not (at / "__init__.py").exists())
    known = {base, *(at for at in home.parents if (at / "conftest.py").exists())}
    lines = []
    for folder in dict.fromkeys(folders):
        if folder in known:
            continue
        steps = Path(os.path.relpath(folder, home)).parts
        rest = [step for step in steps if step != ".."]
        place = f"Path(__file__).parents[{len(steps) - len(rest)}]" + "".join(f" / {_quoted(step)}" for step in rest)
        lines.append(f"sys.path.insert(0, str({place}))")
    return lines


def _tensor(text: str) -> str:
    """The expression that makes one argument as `tsrefactor` makes it."""
    name, shape = parse_input(text)
    sizes = ", ".join(map(str, shape))
    if name == "float32":
        return f"torch.randn({sizes or '()'})"
    if name in ("float64", "float16", "bfloat16", "complex64", "complex128"):
        return f"torch.randn({sizes or '()'}, dtype=torch.{name})"
    return f"torch.randint({2 if name == 'bool' else 8}, ({sizes}{',' if len(shape) == 1 else ''}), dtype=torch.{name})"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
