"""Which cases run the code that a change was made in."""

from __future__ import annotations

import ast
from functools import lru_cache
from pathlib import Path

from tsrefactor.facts.observations import Observations
from tsrefactor.rewrite import Applied
from tsrefactor.source.file import SourceFile


def model_files(observations: Observations) -> set[str]:
    """The files that hold what TorchScript sees of a run: functions below a forward, classes of modules.

    Not those that only ran to build the model, such as CASES itself.
    """
    functions = {f.file for f in observations.functions.values() if f.scripted}
    return functions | {c.file for c in observations.classes.values()}


def runs(observations: Observations | None, change: Applied, original: SourceFile) -> bool:
    """Whether a case with these observations entered the function, or has an instance of the class, of a change.

    True as well where nothing was observed: then nothing speaks against it.
    """
    if observations is None:
        return True
    scopes = scopes_at(original, change.line)
    if not scopes:
        return any(f.file == change.file for f in observations.functions.values())
    return any(
        (change.file, *s) in observations.functions or has_instance(observations, change.file, s[0]) for s in scopes
    )


def has_instance(observations: Observations, file: str, qualname: str) -> bool:
    """Whether a run had an instance of a class, or of one that derives from a class of that name.

    For a class that is no module (an autograd Function), whether it entered one of its methods.
    """
    if (file, qualname) in observations.classes:
        return True
    if any(seen == file and name.startswith(f"{qualname}.") for seen, name, _ in observations.functions):
        return True
    path = Path(file)
    module = path.parent.name if path.name == "__init__.py" else path.stem
    name = f"{module}.{qualname}"
    bases = {base for c in observations.classes.values() for base in c.mro}
    return any(base == name or base.endswith("." + name) for base in bases)


@lru_cache(maxsize=4096)
def scopes_at(original: SourceFile, line: int) -> tuple[tuple[str, int], ...]:
    """(qualified name, first line) of the functions and classes around a line of the original."""
    found: list[tuple[str, int]] = []

    def search(body: list[ast.stmt], prefix: str) -> None:
        for node in body:
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
                if first <= line <= (node.end_lineno or first):
                    found.append((prefix + node.name, first))
                    search(node.body, f"{prefix}{node.name}." + ("" if isinstance(node, ast.ClassDef) else "<locals>."))
            elif hasattr(node, "body"):
                for block in ("body", "orelse", "finalbody"):
                    search(getattr(node, block, []), prefix)

    search(original.tree.body, "")
    return tuple(found)
