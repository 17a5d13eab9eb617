"""The top-level statements of a file: what an edit is made in and parsed with, however long the file is."""

from __future__ import annotations

from collections.abc import Sequence

from .document import Splice
from .file import SourceFile


def top_level_spans(source: SourceFile) -> list[tuple[int, int]]:
    """(first line, last line) of the top-level statements, decorators included; those sharing a line are one span."""
    spans: list[tuple[int, int]] = []
    for statement in source.tree.body:
        decorators = getattr(statement, "decorator_list", [])
        first = min([statement.lineno, *(d.lineno for d in decorators)])
        last = statement.end_lineno or statement.lineno
        if spans and spans[-1][1] >= first:
            spans[-1] = spans[-1][0], max(last, spans[-1][1])
        else:
            spans.append((first, last))
    return spans


def end_of(source: SourceFile, last: int) -> int:
    """The offset behind a line."""
    return source.offset(last + 1, 0) if last < len(source.lines) else len(source.text)


def check_splices(source: SourceFile, splices: Sequence[Splice]) -> None:
    """Parses what the splices make of the statements that they touch. Raises UserError where that is not Python.

    The others stay as they are: to parse all of a long file takes a second, and every attempt makes one.
    """
    spans = [(source.offset(first, 0), end_of(source, last)) for first, last in top_level_spans(source)]
    touched: list[tuple[int, int, int]] = []
    for number, splice in enumerate(splices):
        reached = [s for s in spans if s[0] <= splice.end and splice.start <= s[1]]
        start, end = min([splice.start, *(s[0] for s in reached)]), max([splice.end, *(s[1] for s in reached)])
        touched.append((start, end, number))
    for start, end, numbers in _merged(touched):
        part = source.text[start:end]
        inside = [splices[n] for n in sorted(numbers, reverse=True)]  # the order in which a document applies them
        for splice in sorted(inside, key=lambda s: (-s.start, s.start == s.end)):
            part = part[: splice.start - start] + splice.text + part[splice.end - start :]
        _ = source.with_text(part).tree


def _merged(touched: list[tuple[int, int, int]]) -> list[tuple[int, int, list[int]]]:
    """(start, end, numbers of the splices) of the pieces of text, where those that overlap are one."""
    found: list[tuple[int, int, list[int]]] = []
    for start, end, number in sorted(touched):
        if found and (start < found[-1][1] or start == end == found[-1][1]):
            first, last, numbers = found[-1]
            found[-1] = first, max(last, end), [*numbers, number]
        else:
            found.append((start, end, [number]))
    return found
