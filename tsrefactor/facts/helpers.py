"""Small functions and classes that edits put into a file, once for all that need them."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from tsrefactor.source.edits import InsertBefore

from .definitions import Class, Function
from .file import FileFacts
from .names import fresh


class Helper:
    """A function or class that a file has from an earlier edit, or gets: ``text`` under a ``name`` that is free."""

    def __init__(self, file: FileFacts, text: str):
        [node] = ast.parse(text).body
        assert isinstance(node, (ast.FunctionDef, ast.ClassDef))
        find = file.function_named if isinstance(node, ast.FunctionDef) else file.class_named
        top = {n.name for n in file.tree.body if isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))}
        taken = _bound(file)
        while True:
            self.name = fresh(taken, node.name)
            self.text = text.replace(node.name, self.name).rstrip()
            existing: Function | Class | None = find(self.name)
            self.is_new = existing is None and self.name not in top
            if self.is_new or (existing and ast.unparse(existing.node) == ast.unparse(ast.parse(self.text))):
                return
            taken.add(self.name)


def _bound(file: FileFacts) -> set[str]:
    """What is bound in the file, at its top level or inside a function, but for the definitions at its top level: a
    local of a function that uses the helper would hide it."""
    nested = {f.name for f in file.all_functions if f.qualname.endswith(f"<locals>.{f.name}")}
    imported = {(a.asname or a.name).partition(".")[0] for a in file.of(ast.alias)}
    caught = {h.name for h in file.of(ast.ExceptHandler) if h.name}
    stored = {n.id for n in file.of(ast.Name) if isinstance(n.ctx, ast.Store)}
    return nested | imported | caught | stored | {a.arg for a in file.of(ast.arg)}


def before(function: Function, helpers: Sequence[Helper]) -> list[InsertBefore]:
    """The edit that puts those which are new before a function or its class."""
    texts = list(dict.fromkeys(f"{h.text}\n\n\n" for h in helpers if h.is_new))
    anchor = function.file.top_level_of(function.node)
    return [InsertBefore(anchor, "{text}", {"text": "".join(texts)})] if texts else []
