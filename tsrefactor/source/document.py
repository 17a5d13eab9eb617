"""A file under rewriting: its original text and the changes made to it, any of which can be left out again.

The text is kept as a piece table. Every piece belongs to the original or to the change that inserted it, and notes
the changes that deleted it; so the text with any set of changes is a matter of reading the pieces, and dropping an
edit that the proof does not need never means to redo the others.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from functools import cached_property

from .file import SourceFile
from .imports import Import, import_splices

ORIGINAL = 0


@dataclass(frozen=True)
class Splice:
    """Replaces ``[start, end)`` (character offsets in the text at hand) by ``text``."""

    start: int
    end: int
    text: str


@dataclass(frozen=True)
class Change:
    """One edit that is made, and can be left out, as a whole. ``number`` is positive and its own; ``imports`` are
    added once, where the file lacks them."""

    number: int
    splices: tuple[Splice, ...]
    imports: frozenset[Import] = frozenset()


@dataclass(frozen=True)
class _Piece:
    owner: int
    start: int  # offset in the owner's own inserted text (in the original file for ORIGINAL)
    text: str
    deleted_by: frozenset[int] = frozenset()

    def shown(self, without: Collection[int]) -> bool:
        return self.owner not in without and all(d in without for d in self.deleted_by)

    def split(self, at: int) -> tuple[_Piece, _Piece]:
        return replace(self, text=self.text[:at]), replace(self, start=self.start + at, text=self.text[at:])


class Document:
    """An immutable version of one file: `apply` and `without` return new ones.

    ``text`` is the file with all changes and the imports that they need.
    """

    def __init__(self, source: SourceFile):
        self.source = source
        self._pieces: tuple[_Piece, ...] = (_Piece(ORIGINAL, 0, source.text),)
        self._imports: dict[int, frozenset[Import]] = {}
        self._needs: dict[int, frozenset[int]] = {}

    @property
    def changes(self) -> list[int]:
        """Identifiers of the changes, in the order in which they were applied."""
        return list(self._needs)

    @cached_property
    def _body(self) -> str:
        """The text without the added imports."""
        return "".join(p.text for p in self._pieces if p.shown(()))

    @cached_property
    def _added(self) -> list[Splice]:
        needed = frozenset().union(*self._imports.values())
        return [Splice(*s) for s in import_splices(self.source.with_text(self._body), needed)] if needed else []

    @cached_property
    def current(self) -> SourceFile:
        """The file as it reads now."""
        text = self._body
        for splice in sorted(self._added, key=lambda s: s.start, reverse=True):
            text = text[: splice.start] + splice.text + text[splice.end :]
        return self.source if text == self.source.text else self.source.with_text(text)

    @property
    def text(self) -> str:
        return self.current.text

    @property
    def changed(self) -> bool:
        return self.text != self.source.text

    def apply(self, changes: Iterable[Change]) -> Document:
        """This document with more changes. Their splices are offsets in `text` as it is now and must not overlap."""
        changes = list(changes)
        pieces = list(self._pieces)
        imports, needs = dict(self._imports), dict(self._needs)
        for change in changes:
            if change.number in needs or change.number <= ORIGINAL:
                raise ValueError(f"change {change.number} is not new")
            imports[change.number], needs[change.number] = change.imports, frozenset()
        # From the end backwards, so that no splice moves another; at one offset replacements come before insertions.
        order = [(change.number, splice) for change in changes for splice in change.splices]
        order.reverse()
        for number, splice in sorted(order, key=lambda o: (-o[1].start, o[1].start == o[1].end)):
            inner = Splice(self._inner(splice.start), self._inner(splice.end), splice.text)
            needs[number] |= _insert(pieces, number, inner) - {ORIGINAL, number}
        return self._with(tuple(pieces), imports, needs)

    def without(self, changes: Collection[int]) -> Document:
        """This document without these changes and those that were made inside them."""
        gone = self.dependents(changes)
        pieces = tuple(replace(p, deleted_by=p.deleted_by - gone) for p in self._pieces if p.owner not in gone)
        kept = [c for c in self._needs if c not in gone]
        return self._with(pieces, {c: self._imports[c] for c in kept}, {c: self._needs[c] for c in kept})

    def dependents(self, changes: Collection[int]) -> frozenset[int]:
        """These changes and all that were made inside text which they inserted."""
        gone = set(changes)
        for change, needed in self._needs.items():  # in order of application: one pass reaches the fixpoint
            if needed & gone:
                gone.add(change)
        return frozenset(gone)

    def original_line(self, line: int) -> int | None:
        """The original's 1-based line for one of `text`; None for a line that a change inserted."""
        line_start = self.current.offset(line, 0)
        return self._line_at.get(self._inner(line_start)) if not self._is_import(line_start) else None

    def nearest_original_line(self, line: int) -> int:
        """The original's line for one of `text`; for an inserted line, that of the nearest one before it."""
        return next((found for n in range(line, 0, -1) if (found := self.original_line(n))), 1)

    @cached_property
    def _line_at(self) -> dict[int, int]:
        """Offset in the body of each line's start → original line, where the line begins with original text."""
        result: dict[int, int] = {}
        position = 0
        starts = {self.source.offset(n, 0): n for n in range(1, len(self.source.lines) + 1)}
        for piece in self._pieces:
            if piece.shown(()):
                if piece.owner == ORIGINAL:
                    end = piece.start + len(piece.text)
                    result |= {position + at - piece.start: n for at, n in starts.items() if piece.start <= at < end}
                position += len(piece.text)
        return result

    def _inner(self, offset: int) -> int:
        """The offset in the text without added imports."""
        for splice in sorted(self._added, key=lambda s: s.start, reverse=True):
            shift = sum(len(s.text) - (s.end - s.start) for s in self._added if s.start < splice.start)
            if offset >= splice.start + shift + len(splice.text):
                return offset - shift - len(splice.text) + (splice.end - splice.start)
        return offset

    def _is_import(self, offset: int) -> bool:
        shift = 0
        for splice in sorted(self._added, key=lambda s: s.start):
            if splice.start + shift <= offset < splice.start + shift + len(splice.text):
                return True
            shift += len(splice.text) - (splice.end - splice.start)
        return False

    def _with(
        self, pieces: tuple[_Piece, ...], imports: dict[int, frozenset[Import]], needs: dict[int, frozenset[int]]
    ) -> Document:
        result = Document(self.source)
        result._pieces, result._imports, result._needs = pieces, imports, needs
        return result


def _insert(pieces: list[_Piece], change: int, splice: Splice) -> set[int]:
    """Makes one splice in a piece table; returns the owners of the text it deleted or was put inside of."""
    touched: set[int] = set()
    first = _boundary(pieces, splice.start)
    if splice.end > splice.start:
        last = _boundary(pieces, splice.end)
        for i in range(first, last):
            if pieces[i].shown(()):
                touched.add(pieces[i].owner)
                pieces[i] = replace(pieces[i], deleted_by=pieces[i].deleted_by | {change})
    else:
        before = next((p for p in reversed(pieces[:first]) if p.shown(())), None)
        after = next((p for p in pieces[first:] if p.shown(())), None)
        if before is not None and after is not None and before.owner == after.owner:
            touched.add(before.owner)
    if splice.text:
        pieces.insert(first, _Piece(change, 0, splice.text))
    return touched


def _boundary(pieces: list[_Piece], offset: int) -> int:
    """The index of the shown piece that begins at ``offset``, after splitting one there if need be."""
    position = 0
    for i, piece in enumerate(pieces):
        if not piece.shown(()):
            continue
        if position == offset:
            return i
        if offset < position + len(piece.text):
            pieces[i : i + 1] = piece.split(offset - position)
            return i + 1
        position += len(piece.text)
    if position != offset:
        raise ValueError(f"offset {offset} is past the end of the text ({position})")
    return len(pieces)
