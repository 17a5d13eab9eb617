"""The author's own text of some statements, at the left margin, for putting it elsewhere."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence

from .file import SourceFile

_LONG = 92  # of a line before it is indented


def excerpt(
    source: SourceFile,
    statements: Sequence[ast.stmt],
    changes: Mapping[ast.expr, str] | None = None,
    before: Mapping[ast.stmt, str] | None = None,
    after: Mapping[ast.expr, str] | None = None,
) -> str:
    """The text of consecutive statements of one block, with the comments inside them, its lines ending in ``\\n``.

    ``changes`` gives new source for expressions, ``before`` a statement to put before one of them, ``after`` what is
    to follow an expression on its line. The comments above the first statement are left out, and those at the end of a
    first statement's only line: a replacement of the statements keeps them. Raises ValueError where the text cannot be
    moved: when another statement shares a line, or a string goes over several lines.
    """
    first, last = statements[0], statements[-1]
    start = source.offset(_first_line(first), 0)
    margin = source.text[start : source.span(first)[0]] if _first_line(first) == first.lineno else ""
    if margin.strip() or any(_is_followed(source, s) for s in (first, last)):
        raise ValueError("it shares its line with other code")
    for node in (n for s in statements for n in ast.walk(s) if isinstance(n, (ast.Constant, ast.JoinedStr))):
        text = source.segment(node)
        if "\n" in text and ('"""' in text or "'''" in text or "\\\n" in text.replace("\r", "")):
            raise ValueError("it holds a string over several lines")
    stop = source.offset(_last_line(source, last, len(margin)) + 1, 0)
    spans = [(*source.span(node), new) for node, new in (changes or {}).items()]
    spans += [(source.span(node)[1], source.span(node)[1], new) for node, new in (after or {}).items()]
    for statement, text in (before or {}).items():
        at = source.span(statement)[0]
        indent = source.text[source.offset(statement.lineno, 0) : at]
        if indent.strip():
            raise ValueError("it shares its line with other code")
        spans.append((at, at, f"{text}\n{indent}"))
    if not isinstance(first, (ast.If, ast.For, ast.While, ast.With, ast.Try)):
        spans.append((source.span(first)[1], _line_end(source, first), ""))
    text = source.text[start:stop]
    for a, b, new in sorted(s for s in spans if start <= s[0] and s[1] <= stop)[::-1]:
        text = text[: a - start] + new + text[b - start :]
    lines = text.replace("\r\n", "\n").replace("\r", "\n").rstrip("\n").split("\n")
    return "\n".join(line.removeprefix(margin) for line in lines)


def indented(text: str, indent: str) -> str:
    """The text with its lines indented, but for the empty ones."""
    return "\n".join(indent + line if line.strip() else line for line in text.split("\n"))


def spread(opening: str, parts: Sequence[str], closing: str, indent: str) -> str:
    """``f(a, b)``, with the arguments on lines of their own where one line would be long."""
    line = f"{opening}{', '.join(parts)}{closing}"
    if len(line) <= _LONG:
        return line
    lines = [""]
    for part in parts:
        if lines[-1] and len(lines[-1]) + len(part) + 2 > _LONG:
            lines.append("")
        lines[-1] += f"{' ' if lines[-1] else ''}{part},"
    lines[-1] = lines[-1].rstrip(",")
    return "\n".join([opening, *(indent + line for line in lines), closing])


def indent_of(source: SourceFile) -> str:
    """The file's indentation: that of its first indented line of code."""
    for line in source.lines:
        stripped = line.lstrip(" \t")
        if stripped and stripped[0] not in "#\r\n\f" and len(stripped) < len(line):
            return line[: len(line) - len(stripped)]
    return "    "


def trailing_comment(source: SourceFile, statement: ast.stmt) -> str:
    """The comment on a statement's last line, after it; "" when there is none."""
    rest = source.text[source.span(statement)[1] : _line_end(source, statement)].strip()
    return rest if rest.startswith("#") else ""


def is_commented(source: SourceFile, statement: ast.stmt) -> bool:
    """Whether a comment stands beside a statement or directly above it."""
    return bool(comments_above(source, statement) or trailing_comment(source, statement))


def comments_above(source: SourceFile, statement: ast.stmt) -> str:
    """The comment lines right above a statement, at the left margin, each ending in ``\\n``."""
    first = start = _first_line(statement)
    while start > 1 and source.lines[start - 2].strip().startswith("#"):
        start -= 1
    return "".join(f"{line.strip()}\n" for line in source.lines[start - 1 : first - 1])


def _line_end(source: SourceFile, statement: ast.stmt) -> int:
    """Where the line that the statement ends on ends, without its line break."""
    line = statement.end_lineno or statement.lineno
    return source.offset(line, 0) + len(source.lines[line - 1].rstrip("\r\n"))


def _is_followed(source: SourceFile, statement: ast.stmt) -> bool:
    """Whether another statement begins on the line that the statement ends on."""
    rest = source.text[source.span(statement)[1] : _line_end(source, statement)].strip(" \t;")
    return bool(rest) and not rest.startswith("#")


def _first_line(statement: ast.stmt) -> int:
    return min([statement.lineno, *(d.lineno for d in getattr(statement, "decorator_list", []))])


def _last_line(source: SourceFile, statement: ast.stmt, margin: int) -> int:
    """The statement's last line, or that of the comments after it that are indented deeper than the statement."""
    last = line = statement.end_lineno or statement.lineno
    while line < len(source.lines):
        text = source.lines[line]
        stripped = text.strip()
        if stripped and not (stripped.startswith("#") and len(text) - len(text.lstrip()) > margin):
            break
        line += 1
        if stripped:
            last = line
    return last
