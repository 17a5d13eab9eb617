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
        existing: Function | Class | None = find(node.name)
        self.is_new = existing is None or ast.unparse(existing.node) != ast.unparse(node)
        self.name = fresh(file.module_names, node.name) if self.is_new else node.name
        self.text = text.replace(node.name, self.name).rstrip()


def before(function: Function, helpers: Sequence[Helper]) -> list[InsertBefore]:
    """The edit that puts those which are new before a function or its class."""
    texts = list(dict.fromkeys(f"{h.text}\n\n\n" for h in helpers if h.is_new))
    anchor = function.file.top_level_of(function.node)
    return [InsertBefore(anchor, "{text}", {"text": "".join(texts)})] if texts else []
