"""Unified diffs that `git apply` and `patch -p1` take."""

from __future__ import annotations

import os
from collections.abc import Sequence
from difflib import SequenceMatcher
from pathlib import Path

from tsrefactor.source.file import SourceFile

_CONTEXT = 3
_ESCAPES = {ord(c): f"\\{e}".encode() for c, e in zip('\a\b\t\n\v\f\r"\\', 'abtnvfr"\\', strict=True)}


def display_path(path: str | Path, cwd: str | Path = ".") -> str:
    """A path as shown to the user: relative to ``cwd``, with ``/``. What lies outside starts with ``../``."""
    return Path(os.path.relpath(os.path.realpath(path), os.path.realpath(cwd))).as_posix()


def unified(old: SourceFile, new_text: str, shown: str) -> bytes:
    """The unified diff from a file to its new text, empty when they are equal.

    ``shown`` is the path below ``a/`` and ``b/``, as `display_path` gives it; `git apply` refuses one with ``../``. The
    result is bytes in the file's own encoding, BOM and line endings included, since that is what is patched. Lines
    end at ``\\n`` only, as they do for git.

    Raises UserError when the new text cannot be encoded.
    """
    before, after = (_lines(version.encode()) for version in (old, old.with_text(new_text)))
    groups = list(_matcher(before, after).get_grouped_opcodes(_CONTEXT))
    if before == after:
        return b""
    name = os.fsencode(shown)
    out: list[bytes] = []
    if not (before and after):
        # With git's header an emptied file is not taken for a deleted one, nor an empty one for a new one. Elsewhere it
        # would do harm: below the root of a work tree `git apply` skips, in silence, what has the header.
        out = [b"diff --git %s %s\n" % (_quoted(b"a/" + name), _quoted(b"b/" + name))]
    # The tab ends a name that holds blanks; without it patch would take what follows the blank for a date.
    end = b"\t\n" if b" " in name else b"\n"
    out += [b"--- ", _quoted(b"a/" + name), end, b"+++ ", _quoted(b"b/" + name), end]
    for group in groups:
        spans = _span(group[0][1], group[-1][2]), _span(group[0][3], group[-1][4])
        out.append(b"@@ -%s +%s @@\n" % spans)
        for tag, i1, i2, j1, j2 in group:
            if tag == "equal":
                out += [_marked(b" ", line) for line in before[i1:i2]]
            else:
                out += [_marked(b"-", line) for line in before[i1:i2]]
                out += [_marked(b"+", line) for line in after[j1:j2]]
    return b"".join(out)


def changed_lines(old_text: str, new_text: str) -> int:
    """How many lines a diff between the texts removes and adds, together."""
    before, after = (_lines(text.encode("utf-8", "surrogatepass")) for text in (old_text, new_text))
    blocks = _matcher(before, after).get_matching_blocks()
    return len(before) + len(after) - 2 * sum(block.size for block in blocks)


def _matcher(before: Sequence[bytes], after: Sequence[bytes]) -> SequenceMatcher:
    # Without autojunk: it takes the frequent lines of a long file out of the comparison, and diffs grow.
    return SequenceMatcher(None, before, after, autojunk=False)


def _lines(data: bytes) -> list[bytes]:
    lines = [line + b"\n" for line in data.split(b"\n")]
    last = lines.pop()[:-1]
    return [*lines, last] if last else lines


def _marked(mark: bytes, line: bytes) -> bytes:
    return mark + line + (b"" if line.endswith(b"\n") else b"\n\\ No newline at end of file\n")


def _span(start: int, stop: int) -> bytes:
    """A hunk's range: first line (the one before, where it is empty) and length, which is left out when it is one."""
    length = stop - start
    return b"%d" % stop if length == 1 else b"%d,%d" % (start + 1 if length else start, length)


def _quoted(name: bytes) -> bytes:
    """A file name as git writes it: in C quotes where it holds a quote, a backslash or a control character."""
    escaped = b"".join(
        _ESCAPES.get(byte, b"\\%03o" % byte if byte < 0x20 or byte == 0x7F else bytes([byte])) for byte in name
    )
    return name if escaped == name else b'"' + escaped + b'"'
