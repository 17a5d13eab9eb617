"""What tells one failure of a case from another, so that the loop sees whether it gets on."""

from __future__ import annotations

from tsrefactor.facts.diagnosis import Place
from tsrefactor.source.document import Document
from tsrefactor.verification.results import Examination

from .project import Draft, readable


def signature(examination: Examination, draft: Draft) -> tuple:
    """What tells one failure from another: its kind, message, the line in the original, and what it points at there.

    The last is empty where that is not the author's: of two numbers in one line the second may fail as the first did.
    """
    d = examination.diagnosis
    if d is None:
        verdict = next((v for v in examination.verdicts.values() if not v.passed), None)
        return ("", verdict.message if verdict else "")
    if d.place is None:
        return (d.kind, d.message, None, None, "")
    path = d.place.file
    if not readable(draft, [path]):
        return (d.kind, d.message, path, d.place.line, "")
    document = draft.document(path)
    if d.place.line > len(document.current.lines):  # a decorated function may be told of with another file's lines
        return (d.kind, d.message, path, d.place.line, "")
    line = document.nearest_original_line(d.place.line)
    return (d.kind, d.message, path, line, _pointed_at(document, d.place, line))


def _pointed_at(document: Document, place: Place, line: int | None) -> str:
    """The text at a place, where the line of the original has it, too."""
    if place.end_column is None or line is None:
        return ""
    text = document.current.lines[place.line - 1].encode()[place.column : place.end_column].decode(errors="replace")
    return text if text in document.source.lines[line - 1] else ""
