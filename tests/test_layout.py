"""The package's folders import only from those to their left, and torch stays in worker processes."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "tsrefactor"

BOTTOM = ("errors", "vocabulary", "cases", "config")
ORDER = (
    "source facts rules rewrite diagnose workers record verification migration testing report commands cli __main__"
).split()
TOP = "__init__"
"""The package itself: its functions load the commands when they are called, and its classes are those of `cases`."""

EXCEPTIONS = {("workers", "tsrefactor.record.replay")}
"""A worker that is given a recording loads what replays it by name, when it runs: the cases come from there."""


def room(module: str) -> str:
    """The folder (or single module) of the package that a dotted name lies in."""
    return module.split(".")[1] if "." in module else TOP


def level(name: str) -> int:
    return 0 if name in BOTTOM else len(ORDER) + 1 if name == TOP else 1 + ORDER.index(name)


def dotted(file: Path) -> str:
    return ".".join(file.relative_to(PACKAGE.parent).with_suffix("").parts)


def imported(file: Path) -> Iterator[tuple[int, str]]:
    """(line, module of this package) of every import in a file, those inside functions and those by name, too."""
    here = dotted(file).split(".")
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names if alias.name.startswith("tsrefactor"))
        elif isinstance(node, ast.ImportFrom):
            base = here[: len(here) - node.level] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            if module == "tsrefactor":
                inside = ((PACKAGE / f"{a.name}.py").exists() or (PACKAGE / a.name).is_dir() for a in node.names)
                yield from (
                    (node.lineno, f"tsrefactor.{alias.name}" if is_module else module)
                    for alias, is_module in zip(node.names, inside, strict=True)
                )
            elif module.startswith("tsrefactor."):
                yield node.lineno, module
        elif (
            isinstance(node, ast.Call)
            and ast.unparse(node.func).endswith("import_module")
            and isinstance(node.args[0], ast.Constant)
            and str(node.args[0].value).startswith("tsrefactor.")
        ):
            yield node.lineno, node.args[0].value


FILES = sorted(PACKAGE.rglob("*.py"))


def test_every_folder_has_its_place():
    entries = [path for path in PACKAGE.iterdir() if not path.name.startswith((".", "__pycache__"))]
    assert {path.stem if path.is_file() else path.name for path in entries} == {*BOTTOM, *ORDER, TOP}


def test_imports_only_go_left():
    wrong = [
        f"{file.relative_to(PACKAGE.parent)}:{line}: {here} imports {module}"
        for file in FILES
        for here in [room(dotted(file))]
        for line, module in imported(file)
        if module != "tsrefactor" and room(module) != here and level(room(module)) >= level(here)
        if (here, module) not in EXCEPTIONS and not (here in BOTTOM and room(module) in BOTTOM)
    ]
    assert wrong == []


def test_the_package_itself_is_imported_only_for_its_version():
    """Its functions lie to the right of every folder."""
    wrong = [
        f"{file.relative_to(PACKAGE.parent)}:{node.lineno}"
        for file in FILES
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and (node.module, node.level) in (("tsrefactor", 0), (None, 1))
        if not node.level or file.parent == PACKAGE
        if {a.name for a in node.names} - {"__version__"} - {path.stem for path in PACKAGE.iterdir()}
    ]
    assert wrong == []


def loaded_by(code: str, folder: Path) -> set[str]:
    """The modules that a new interpreter has loaded after some code, run in a folder."""
    told = (
        f"import sys\ntry:\n    {code}\nexcept SystemExit:\n    pass\nprint(*sys.modules, sep='\\n', file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", told],
        cwd=folder, env={"PYTHONPATH": str(PACKAGE.parent)}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return set(done.stderr.split("\n"))


@pytest.mark.parametrize("command", ["check", "apply --diff", "undo", "migrate cases.py"])
def test_torch_is_never_loaded_by_a_command_itself(command, tmp_path):
    (tmp_path / "model.py").write_text("import torch\n\n\ndef f(x: torch.Tensor):\n    return torch.arange(len(x))\n")
    (tmp_path / "cases.py").write_text("def cases():\n    return []\n")
    code = f"sys.argv = ['tsrefactor', *{command.split()!r}]; from tsrefactor.cli import main; main()"
    loaded = loaded_by(code, tmp_path)
    assert f"tsrefactor.commands.{command.split()[0]}" in loaded
    assert not {"torch", "numpy"} & loaded
