"""Where the functions of a file lie: the bridge between running code objects and source text."""

from __future__ import annotations

import ast
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
    digest: str


@dataclass(frozen=True)
class FileSpans:
    """The spans of one file.

    ``codes`` finds the span of a code object by (`co_firstlineno`, `co_name`); that of a comprehension is the
    function around it. ``classes`` holds the qualified names of all classes.
    """

    codes: dict[tuple[int, str], Span]
    classes: frozenset[str]

    @property
    def functions(self) -> set[Span]:
        return set(self.codes.values())


def spans_of(lines: Sequence[str]) -> FileSpans:
    """The spans of a file given by its lines. A text that does not parse has none."""
    try:
        tree = ast.parse("".join(lines))
    except (SyntaxError, ValueError):
        return FileSpans({}, frozenset())
    codes: dict[tuple[int, str], Span] = {}
    classes: set[str] = set()
    # A stack and no recursion: expressions of generated code nest deeper than Python calls may. An entry is a node,
    # what the qualname of a definition starts with there, and the innermost function around it.
    todo: list[tuple[ast.AST, str, Span | None]] = [(tree, "", None)]
    while todo:
        node, prefix, owner = todo.pop()
        outside: list[ast.AST] = []
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            # Decorators and defaults run in the scope around the function.
            outside = [node.args, *getattr(node, "decorator_list", ())]
            span = _span(node, prefix, lines)
            codes.setdefault((span.first, getattr(node, "name", "<lambda>")), span)
            body = [node.body] if isinstance(node, ast.Lambda) else node.body
            todo.extend((part, f"{span.qualname}.<locals>.", span) for part in body)
        elif isinstance(node, ast.ClassDef):
            classes.add(prefix + node.name)
            outside = [*node.decorator_list, *node.bases, *node.keywords]
            todo.extend((part, f"{prefix}{node.name}.", None) for part in node.body)
        else:
            if owner and isinstance(node, (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)):
                codes.setdefault((node.lineno, _COMPREHENSIONS[type(node)]), owner)
            outside = list(ast.iter_child_nodes(node))
        todo.extend((part, prefix, owner) for part in outside)
    return FileSpans(codes, frozenset(classes))


def _span(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda, prefix: str, lines: Sequence[str]) -> Span:
    decorators = [] if isinstance(node, ast.Lambda) else node.decorator_list
    first = min([node.lineno, *(d.lineno for d in decorators)])
    last = node.end_lineno or first
    name = "<lambda>" if isinstance(node, ast.Lambda) else node.name
    return Span(prefix + name, first, last, source_digest(lines[first - 1 : last]))
