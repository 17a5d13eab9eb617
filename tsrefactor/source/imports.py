"""Which names a file's imports bind, how the file would spell a name, and where a missing import goes."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable
from dataclasses import dataclass

from .file import SourceFile


@dataclass(frozen=True, order=True)
class Import:
    """``from module import name``, or ``import module`` where ``name`` is empty."""

    module: str
    name: str = ""

    def __str__(self) -> str:
        return f"from {self.module} import {self.name}" if self.name else f"import {self.module}"


class ImportTable:
    """The names that a file's imports bind, anywhere in it, and those that its top level is sure to have.

    ``origins`` maps a local name to its dotted origin (``F`` → ``torch.nn.functional``; ``torch`` → ``torch``).
    Relative imports keep their dots. ``certain`` holds the local names bound by an unconditional top-level import.
    """

    def __init__(self, tree: ast.Module):
        self.origins: dict[str, str] = {}
        self.stars: list[str] = []
        self.certain: set[str] = set()
        for statement in tree.body:
            if isinstance(statement, (ast.Import, ast.ImportFrom)):
                self.certain |= self._bind(statement)
            elif isinstance(statement, (ast.Try, ast.If, ast.With)):
                for node in ast.walk(statement):
                    if isinstance(node, (ast.Import, ast.ImportFrom)):
                        self._bind(node)
        self.defined = {
            name
            for s in tree.body
            for name in (
                [s.name] if isinstance(s, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef))
                else [t.id for t in s.targets if isinstance(t, ast.Name)] if isinstance(s, ast.Assign)
                else []
            )
        }  # fmt: skip

    def _bind(self, node: ast.Import | ast.ImportFrom) -> set[str]:
        bound = {}
        for alias in node.names:
            if isinstance(node, ast.Import):
                if alias.asname:
                    bound[alias.asname] = alias.name
                else:  # `import a.b` binds `a`
                    bound[alias.name.partition(".")[0]] = alias.name.partition(".")[0]
            elif alias.name == "*":
                self.stars.append("." * node.level + (node.module or ""))
            else:
                bound[alias.asname or alias.name] = f"{'.' * node.level}{node.module or ''}.{alias.name}"
        self.origins |= bound
        return set(bound)

    def has(self, item: Import) -> bool:
        """Whether the top level is sure to bind what this import binds."""
        local = item.name or item.module.partition(".")[0]
        wanted = f"{item.module}.{item.name}" if item.name else local
        return local in self.certain and self.origins[local] == wanted

    def origin(self, dotted: str) -> str:
        """The origin of a dotted name as written: ``nn.Module`` → ``torch.nn.Module``; itself when not imported."""
        head, _, rest = dotted.partition(".")
        if head not in self.origins:
            return dotted
        return f"{self.origins[head]}.{rest}" if rest else self.origins[head]

    def spell(self, origin: str) -> tuple[str, frozenset[Import]]:
        """How this file writes ``origin`` (``typing.List``, ``torch.jit.annotate``), and the imports it needs."""
        module, _, name = origin.rpartition(".")
        best: tuple[str, str] | None = None  # (origin prefix, local spelling), the longest prefix that is bound
        for local, bound in self.origins.items():  # in source order: of two names for one thing the first
            within = local in self.certain and (origin == bound or origin.startswith(bound + "."))
            if within and (best is None or len(bound) > len(best[0])):
                best = bound, local
        if best is not None:
            return best[1] + origin[len(best[0]) :], frozenset()
        if module == "typing":
            taken = name in self.defined or self.origins.get(name, origin) != origin
            return (origin, frozenset({Import("typing")})) if taken else (name, frozenset({Import("typing", name)}))
        root = origin.partition(".")[0]
        return origin, frozenset({Import(root)})


def import_splices(source: SourceFile, needed: Iterable[Import]) -> list[tuple[int, int, str]]:
    """The splices (start, end, text) that add the imports which ``source`` lacks; offsets in its text.

    A name from a module that a plain one-line ``from … import …`` already serves joins that line; anything else
    becomes a line of its own among the leading imports: the standard library's with its like, where isort would put it,
    or as a block of its own before the first other import; others after the last.
    """
    tree, table = source.tree, ImportTable(source.tree)
    missing = sorted(n for n in needed if not table.has(n))
    additions: dict[int, str] = {}  # offset → text
    by_module: dict[str, list[str]] = {}
    for item in missing:
        by_module.setdefault(item.module, []).append(item.name)
    for module, names in sorted(by_module.items(), key=lambda item: _order("" not in item[1], item[0])):
        wanted = [n for n in names if n]
        line = _extendable(source, tree, module) if wanted else None
        if line is not None:
            end = source.offset(line.end_lineno or line.lineno, line.end_col_offset or 0)
            additions[end] = "".join(f", {n}" for n in wanted)
            wanted = []
        text = f"from {module} import {', '.join(wanted)}{source.newline}" if wanted else ""
        if "" in names:
            text = f"import {module}{source.newline}" + text
        if text:
            at = _place(source, tree, module, "" not in names)
            additions[at] = additions.get(at, "") + text
    return [
        (at, at, text if text.startswith(",") else _set_apart(source, tree, at, text)) for at, text in additions.items()
    ]


def _header(tree: ast.Module) -> tuple[ast.stmt | None, list[ast.Import | ast.ImportFrom]]:
    """The docstring or last ``__future__`` import (what must stay first), and the leading imports after it."""
    last: ast.stmt | None = None
    imports: list[ast.Import | ast.ImportFrom] = []
    body = tree.body
    if ast.get_docstring(tree, clean=False) is not None:
        last, body = body[0], body[1:]
    for statement in body:
        if isinstance(statement, ast.ImportFrom) and statement.module == "__future__":
            last = statement
        elif isinstance(statement, (ast.Import, ast.ImportFrom)):
            imports.append(statement)
        elif imports or not isinstance(statement, ast.Assign):  # `__all__` or `__version__` may precede the imports
            break
    return last, imports


def _extendable(source: SourceFile, tree: ast.Module, module: str) -> ast.ImportFrom | None:
    for node in _header(tree)[1]:
        if (
            isinstance(node, ast.ImportFrom)
            and node.module == module
            and not node.level
            and node.lineno == node.end_lineno
        ):
            text = source.segment(node)
            if not text.endswith((")", "*")) and len(text) < 90:
                return node
    return None


def _order(is_from: bool, module: str) -> tuple[bool, str]:
    """isort's order of the imports of one block: plain ones first."""
    return is_from, module.lower()


def _imported(node: ast.Import | ast.ImportFrom) -> str:
    """The module that an import statement names (first); with its dots where it is relative."""
    return node.names[0].name if isinstance(node, ast.Import) else "." * node.level + (node.module or "")


def _is_standard(module: str) -> bool:
    return module.partition(".")[0] in sys.stdlib_module_names


def _place(source: SourceFile, tree: ast.Module, module: str, is_from: bool) -> int:
    """The offset of the line start where an import of ``module`` goes."""
    last, imports = _header(tree)
    if _is_standard(module):
        block = [node for node in imports if _is_standard(_imported(node))]
        before = [n for n in block if _order(isinstance(n, ast.ImportFrom), _imported(n)) <= _order(is_from, module)]
        if before:
            return _line_after(source, before[-1].end_lineno or before[-1].lineno)
        if imports:
            return source.offset((block or imports)[0].lineno, 0)
    anchor: ast.stmt | None = imports[-1] if imports else last
    if anchor is not None:
        return _line_after(source, anchor.end_lineno or anchor.lineno)
    first = tree.body[0] if tree.body else None
    if first is None:
        return len(source.text)
    decorators = getattr(first, "decorator_list", [])
    line = min([first.lineno, *(d.lineno for d in decorators)])
    while line > 1 and source.lines[line - 2].lstrip().startswith("#") and not source.lines[line - 2].startswith("#!"):
        line -= 1  # a comment right above the first statement belongs to it
    return source.offset(line, 0)


def _set_apart(source: SourceFile, tree: ast.Module, at: int, text: str) -> str:
    """New lines with the line end that the text before them may lack, and blank lines between them and other blocks."""
    last, imports = _header(tree)
    following = source.text[at:]
    starts_block = not imports or (
        at == source.offset(imports[0].lineno, 0) and not _is_standard(_imported(imports[0]))
    )
    if starts_block:
        if last is not None and not imports and at == _line_after(source, last.end_lineno or last.lineno):
            text = source.newline + text
        if following.strip() and following[:1] not in "\r\n":
            text += source.newline
    return text if not at or source.text[at - 1] in "\r\n" else source.newline + text


def _line_after(source: SourceFile, line: int) -> int:
    return source.offset(line + 1, 0) if line < len(source.lines) else len(source.text)
