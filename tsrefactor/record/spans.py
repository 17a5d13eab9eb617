"""Where the functions of a file lie: the bridge between running code objects and source text."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tsrefactor.facts.observations import source_digest

_Def = ast.FunctionDef | ast.AsyncFunctionDef
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

    ``functions`` holds those of all definitions, ``classes`` the qualified names of all classes. Lambdas and
    comprehensions are looked for in the function around them when they are asked for: a file may be long, and a run
    enters few of its functions.
    """

    def __init__(self, lines: Sequence[str]):
        self._lines = lines
        self.functions: set[Span] = set()
        self.classes: set[str] = set()
        self._codes: dict[tuple[int, str], Span] = {}
        self._nodes: list[tuple[Span, _Def]] = []
        try:
            self._tree = ast.parse("".join(lines))
        except (SyntaxError, ValueError):
            self._tree = ast.Module([], [])
        self._read_definitions()

    def find(self, line: int, name: str) -> Span | None:
        """The span of the code object with this `co_firstlineno` and `co_name`; a comprehension's is its function's."""
        if (line, name) not in self._codes and name.startswith("<"):
            around = [pair for pair in self._nodes if pair[0].first <= line <= pair[0].last]
            if around:
                # The outermost: what it holds may be a default or a decorator of an inner one.
                self._read_expressions(around[0][1], around[0][0])
            else:
                self._read_module_lambdas()
        return self._codes.get((line, name))

    def digest(self, span: Span) -> str:
        """The `source_digest` of its text."""
        return source_digest(self._lines[span.first - 1 : span.last])

    def _read_definitions(self) -> None:
        todo: list[tuple[ast.AST, str]] = [(self._tree, "")]
        while todo:
            node, prefix = todo.pop()
            if isinstance(node, _Def):
                span = self._add(node, prefix)
                self.functions.add(span)
                self._nodes.append((span, node))
                prefix = f"{span.qualname}.<locals>."
            elif isinstance(node, ast.ClassDef):
                self.classes.add(prefix + node.name)
                prefix = f"{prefix}{node.name}."
            todo.extend((part, prefix) for part in reversed(list(_statements(node))))

    def _read_expressions(self, root: ast.AST, owner: Span | None) -> None:
        """Notes the lambdas and comprehensions below a function or a module."""
        # A stack and no recursion: expressions of generated code nest deeper than Python calls may. An entry is a node,
        # what the qualname of a definition starts with there, and the innermost function around it.
        todo: list[tuple[ast.AST, str, Span | None]] = [(root, "", owner)]
        if owner is not None:
            prefix = owner.qualname.rpartition(".")
            todo = [(root, prefix[0] + prefix[1], None)]
        while todo:
            node, prefix_, around = todo.pop()
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
                pass
