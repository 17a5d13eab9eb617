"""TorchScript's error text, taken apart: the telling head, and the source frames from the fault outward.

Nothing here needs torch or a live exception. Lines are 1-based, columns 0-based UTF-8 bytes of the *file's* line;
where TorchScript re-indented a line before it parsed it, the shift is taken out.
"""

from __future__ import annotations

import linecache
import re
from collections.abc import Callable
from dataclasses import dataclass, replace

FRAME = re.compile(r'^ {2}File "([^"\n]+)", line (\d+)(?:, in (\S+))?$')
TRACED_FRAME = re.compile(r"^(\S.*)\((\d+)\): (\S+)$")
CHAIN = re.compile(r"^'([^']+)' is being compiled since it was called from '([^']+)'$")
MARKER = re.compile(r"^( *)(~+)( <--- HERE)?\s*$")
USED_HERE = "and was used here:"
INTERPRETER = "The following operation failed in the TorchScript interpreter."
WRAPPED = "The error stack is reproduced here:"
_WRAPPER = re.compile(
    r"Module '(?P<module>[^']+)' has no attribute '(?P<attribute>[^']+)' \(This function exists as an attribute"
)
_RAISED = re.compile(r"^([A-Za-z_][\w.]*)(?::(?: (.*))?)?$")

SourceLine = Callable[[str, int], str]


@dataclass(frozen=True)
class Frame:
    """One source location of an error text. ``source`` is the highlighted line as the text shows it.

    ``use`` marks a location that was added as a hint ("and was used here") and is no caller.
    """

    file: str
    line: int
    column: int | None = None
    end_column: int | None = None
    function: str | None = None
    source: str | None = None
    use: bool = False


@dataclass(frozen=True)
class ErrorText:
    """An error text in parts.

    ``head`` is the message without locations: of an error that another one reproduces, the inner one's; of a run-time
    error, what the interpreter or the user's ``raise`` said. ``frames`` go from the fault outward. ``runtime`` says
    that the interpreter raised it; ``exception`` then is the type it names. ``wrapper`` holds the ``module`` and
    ``attribute`` through which a reproduced error was reached.
    """

    head: str
    frames: tuple[Frame, ...]
    runtime: bool = False
    exception: str | None = None
    wrapper: dict[str, str] | None = None


def parse_error(text: str, source_line: SourceLine = linecache.getline) -> ErrorText:
    """Takes an error's ``str()`` apart; a text of any other form gives a head and no frames."""
    lines = text.split("\n")
    starts = _frame_starts(lines)
    runtime = INTERPRETER in text
    frames = _frames(lines, starts, source_line)
    if runtime:
        exception, head = _raised(lines, starts)
        return ErrorText(head, (*reversed(frames), *_traced_frames(lines, source_line)), True, exception)
    begin = max((i + 1 for i, line in enumerate(lines) if line.strip() == WRAPPED), default=0)
    end = next((i for i in starts if i >= begin), len(lines))
    wrapper = None
    if begin:
        found = [m.groupdict() for line in lines[:begin] if (m := _WRAPPER.search(line))]
        wrapper = found[-1] if found else None
    return ErrorText(_clean_head(lines[begin:end], wrapped=bool(begin)), tuple(frames), wrapper=wrapper)


def _clean_head(lines: list[str], wrapped: bool) -> str:
    head = "\n".join(lines).strip()
    if wrapped:
        head = head.removesuffix("):")
    return head.removesuffix("The original call is:").rstrip().removesuffix(":").rstrip()


def _frame_starts(lines: list[str]) -> list[int]:
    """The lines that open a frame. An excerpt may hold a docstring that looks like one: a real one follows a message,
    a chain line or, at run time, any excerpt."""
    runtime = any(line.strip() == INTERPRETER for line in lines)
    starts = []
    for i, line in enumerate(lines):
        if not FRAME.match(line):
            continue
        before = next((b for b in reversed(lines[:i]) if b.strip()), "")
        in_excerpt = before.startswith("   ") or before.strip() in ('"""', "'''")
        if runtime or i == 0 or not in_excerpt or CHAIN.match(before) or before.endswith("):"):
            starts.append(i)
    return starts


def _frames(lines: list[str], starts: list[int], source_line: SourceLine) -> list[Frame]:
    frames: list[Frame] = []
    caller: str | None = None
    use = False
    for start, following in zip(starts, [*starts[1:], len(lines)], strict=False):
        match = FRAME.match(lines[start])
        assert match is not None
        excerpt, chain = _excerpt(lines[start + 1 : following])
        if start and lines[start - 1].strip() == USED_HERE:  # its callers are given once more below it
            use, caller = True, None
        callee, called_from = chain or (None, None)
        frame = _locate(match[1], int(match[2]), excerpt, source_line)
        frames.append(replace(frame, function=match[3] or caller or callee, use=use))
        caller = called_from
    return frames


def _traced_frames(lines: list[str], source_line: SourceLine) -> list[Frame]:
    """The Python stack that a trace kept of the failing operation, innermost first, up to the call of the tracer."""
    frames: list[Frame] = []
    for match in filter(None, map(TRACED_FRAME.match, lines)):
        if match[1].endswith("torch/jit/_trace.py"):
            break
        source = source_line(match[1], int(match[2])).rstrip("\r\n")
        frames.append(Frame(match[1], int(match[2]), function=match[3], source=source or None))
    return frames


def _excerpt(lines: list[str]) -> tuple[list[str], tuple[str, str] | None]:
    """The source lines and markers of one frame, and (callee, caller) of the chain line that ends it."""
    for i, line in enumerate(lines):
        if chain := CHAIN.match(line):
            return lines[:i], (chain[1], chain[2])
        if line.rstrip() in ("):", USED_HERE):
            return lines[:i], None
    return lines, None


def _locate(file: str, line: int, excerpt: list[str], source_line: SourceLine) -> Frame:
    """Finds the marker that belongs to the line: a multi-line span has one under each line, a docstring false ones."""
    real = source_line(file, line).rstrip("\r\n")
    index = _marker_index(excerpt, real.strip())
    if index is None:
        return Frame(file, line, source=real or None)
    match, shown = MARKER.match(excerpt[index]), excerpt[index - 1]
    assert match is not None
    shift = _indent(shown) - _indent(real) if real.strip() == shown.strip() else 0
    column = len(match[1]) - shift
    return Frame(file, line, column, column + len(match[2]), source=shown)


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _marker_index(excerpt: list[str], real: str) -> int | None:
    markers = [i for i, line in enumerate(excerpt) if i and MARKER.match(line) and not MARKER.match(excerpt[i - 1])]
    if not markers:
        return None
    exact = [i for i in markers if real and excerpt[i - 1].strip() == real]
    if exact:
        return exact[0]
    here = [i for i in markers if excerpt[i].rstrip().endswith("<--- HERE")]
    index = here[-1] if here else markers[0]
    while index - 2 in markers:
        index -= 2
    return index


def _raised(lines: list[str], starts: list[int]) -> tuple[str | None, str]:
    """The type and message of a run-time error: what follows the last frame's excerpt."""
    tail = lines[starts[-1] + 1 :] if starts else lines
    marker = next((i for i, line in enumerate(tail) if line.rstrip().endswith("<--- HERE")), -1)
    for i in range(marker + 1, len(tail)):
        if not tail[i].startswith((INTERPRETER[:20], "Traceback of")) and (match := _RAISED.match(tail[i])):
            message = "\n".join([match[2] or "", *tail[i + 1 :]]).strip()
            return match[1].removeprefix("builtins."), message
    return None, "\n".join(tail[marker + 1 :]).strip()
