"""``--resume``: the earlier report is the whole state of a batch, its finished cases and the diffs that they need."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from pathlib import Path

from tsrefactor.errors import UserError
from tsrefactor.migration.project import Draft
from tsrefactor.report.model import CaseReport
from tsrefactor.report.save import load_report
from tsrefactor.source.document import Change, Document, Splice
from tsrefactor.source.file import SourceFile

_FIRST = 1 << 40
"""The numbers of changes that come from an earlier run start here, out of the way of those made in this one."""


@dataclass
class Earlier:
    """The cases that an earlier run finished, by name, and the text that it proved for them.

    ``in_place`` holds the diffs of files that have this text already.
    """

    cases: dict[str, CaseReport] = field(default_factory=dict)
    draft: Draft = field(default_factory=Draft)
    in_place: dict[str, str] = field(default_factory=dict)


def earlier_run(report: Path) -> Earlier:
    """What a report says is done. Its diffs are made again on the files; those already in place need nothing.

    Raises UserError for a file that is no report, and for a source file that changed since.
    """
    found = load_report(report)
    result = Earlier({case.name: case for case in found.cases})
    for number, (shown, diff) in enumerate(found.diffs.items(), _FIRST):
        source = SourceFile.read(shown)
        data = diff.encode("utf-8", "surrogateescape")
        before = source.encode()
        if patched(before, data, backwards=True) is not None:
            result.in_place[shown] = diff
            continue
        after = patched(before, data)
        if after is None:
            raise UserError("was changed after the earlier run", "migrate again without --resume", shown)
        change = Change(number, tuple(_splices(source.text, _decoded(after, source))))
        result.draft.documents[os.path.realpath(shown)] = Document(source).apply([change])
    return result


def patched(data: bytes, diff: bytes, backwards: bool = False) -> bytes | None:
    """The bytes of a file after a unified diff of `tsrefactor.source.diff.unified`; None where it does not fit.

    ``backwards`` takes the diff back.
    """
    lines = re.findall(rb"[^\n]*\n|[^\n]+", data)
    out: list[bytes] = []
    position = 0
    for start, old, new in _hunks(diff, backwards):
        if start < position or lines[start : start + len(old)] != old:
            return None
        out += [*lines[position:start], *new]
        position = start + len(old)
    return b"".join([*out, *lines[position:]])


def _hunks(diff: bytes, backwards: bool) -> Iterator[tuple[int, list[bytes], list[bytes]]]:
    """(0-based first line, lines that must be there, lines that come there instead) of each hunk."""
    ours, theirs = (b"+", b"-") if backwards else (b"-", b"+")
    for hunk in re.split(rb"^(?=@@ )", diff, flags=re.MULTILINE)[1:]:
        head, *body = re.findall(rb"[^\n]*\n", hunk)
        numbers = re.match(rb"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@", head)
        assert numbers is not None
        line, length = (numbers[3], numbers[4]) if backwards else (numbers[1], numbers[2])
        sides: dict[bytes, list[bytes]] = {ours: [], theirs: []}
        last: list[list[bytes]] = []
        for text in body:
            mark, rest = text[:1], text[1:]
            if mark == b"\\":  # "No newline at end of file" speaks of the line before
                for side in last:
                    side[-1] = side[-1].removesuffix(b"\n")
                continue
            last = [sides[mark]] if mark in sides else list(sides.values())
            for side in last:
                side.append(rest)
        yield int(line) - (length != b"0"), sides[ours], sides[theirs]


def _decoded(data: bytes, source: SourceFile) -> str:
    return data.decode("utf-8-sig" if source.bom else source.encoding)


def _splices(old: str, new: str) -> Iterator[Splice]:
    """What turns one text into the other, line by line."""
    before, after = (text.split("\n") for text in (old, new))
    before, after = ([f"{line}\n" for line in lines[:-1]] + lines[-1:] for lines in (before, after))
    starts = [0]
    for line in before:
        starts.append(starts[-1] + len(line))
    for tag, i1, i2, j1, j2 in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if tag != "equal":
            yield Splice(starts[i1], starts[i2], "".join(after[j1:j2]))
