"""Where the functions of a file lie: the bridge between running code objects and source text."""

from __future__ import annotations

import ast
import bisect
from collections.abc import Sequence
from dataclasses import dataclass

from tsrefactor.facts.observations import source_digest

_COMPREHENSIONS: dict[type[ast.AST], str] = {
    ast.ListComp: "<listcomp>",
    ast.SetComp: "<setcomp>",
    ast.DictComp: "<dictcomp>",
    ast.GeneratorExp: "<genexpr>",
}


@dataclass(frozen=True)
class Span:
    """One function or lambda: its `__qualname__` and its lines, 1-based, decorators included."""

    qualname: str
    first: int
    last: int


class FileSpans:
    """The spans of one file, given by its lines. A text that does not parse has none.

    A top-level statement is read when something in it is asked for: generated files are long, and a run enters little
    of them.
    """

    def __init__(self, lines: Sequence[str]):
        self._lines = lines
        try:
            statements = ast.parse("".join(lines)).body
        except (SyntaxError, ValueError):
            statements = []
        self._unread = {_first_line(statement): statement for statement in statements}
        self._starts = sorted(self._unread)
        self._codes: dict[tuple[int, str], Span] = {}
        self._classes: set[str] = set()

    def find(self, line: int, name: str) -> Span | None:
        """The span of the code object with this `co_firstlineno` and `co_name`; a comprehension's is its function's."""
        at = bisect.bisect_right(self._starts, line) - 1
        if at >= 0:
            self._read(self._starts[at])
        return self._codes.get((line, name))

    def digest(self, span: Span) -> str:
        """The `source_digest` of the span's text."""
        return source_digest(self._lines[span.first - 1 : span.last])

    def functions(self) -> set[Span]:
        """All of them, lambdas included."""
        self._read(*self._starts)
        return set(self._codes.values())

    def classes(self) -> set[str]:
        """The qualified names of all classes."""
        self._read(*self._starts)
        return self._classes

    def _read(self, *starts: int) -> None:
        # A stack and no recursion: expressions of generated code nest deeper than Python calls may. An entry is a node,
        # what the qualname of a definition starts with there, and the innermost function around it.
        todo: list[tuple[ast.AST, str, Span | None]]
        todo = [(self._unread.pop(start), "", None) for start in starts if start in self._unread]
        while todo:
            node, prefix, owner = todo.pop()
            outside: list[ast.AST] = []
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
                # Decorators and defaults run in the scope around the function.
                outside = [node.args, *getattr(node, "decorator_list", ())]
                span = _span(node, prefix)
                self._codes.setdefault((span.first, getattr(node, "name", "<lambda>")), span)
                body = [node.body] if isinstance(node, ast.Lambda) else node.body
                todo.extend((part, f"{span.qualname}.<locals>.", span) for part in body)
            elif isinstance(node, ast.ClassDef):
                self._classes.add(prefix + node.name)
                outside = [*node.decorator_list, *node.bases, *node.keywords]
                todo.extend((part, f"{prefix}{node.name}.", None) for part in node.body)
            else:
                if owner and isinstance(node, (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)):
                    self._codes.setdefault((node.lineno, _COMPREHENSIONS[type(node)]), owner)
                outside = list(ast.iter_child_nodes(node))
            todo.extend((part, prefix, owner) for part in outside)


def _first_line(node: ast.stmt | ast.Lambda) -> int:
    return min([node.lineno, *(decorator.lineno for decorator in getattr(node, "decorator_list", ()))])


def _span(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda, prefix: str) -> Span:
    first = _first_line(node)
    name = "<lambda>" if isinstance(node, ast.Lambda) else node.name
    return Span(prefix + name, first, node.end_lineno or first)
