"""What people see when a run ends. All of it goes to standard error; only findings go to standard output."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Sequence
from typing import IO

from rich.console import Console
from rich.text import Text

from tsrefactor.report.model import CaseReport, FindingReport, RunReport, described, one_line
from tsrefactor.source.diff import display_path
from tsrefactor.vocabulary import Safety, Status

_STYLES = {
    Status.ALREADY: "green",
    Status.MIGRATED: "green",
    Status.PARTIAL: "yellow",
    Status.FAILED: "red",
    Status.ERROR: "red",
}
_SHRINKING = {"message": 12, "case": 16}
"""The columns that give way on a narrow terminal, the first first, and the width each keeps at least."""


def stderr_console(file: IO[str] | None = None) -> Console:
    """A console on standard error. Away from a terminal it writes plain lines, as long as they need to be."""
    file = file or sys.stderr
    return Console(file=file, width=None if file.isatty() else 10_000, highlight=False, emoji=False, markup=False)


def print_findings(findings: Iterable[FindingReport], out: IO[str], console: Console) -> None:
    """The findings on ``out``, one a line, sorted by place; a summary on the console."""
    ordered = sorted(findings, key=lambda finding: (finding.file, finding.line, finding.column, finding.rule))
    for finding in ordered:
        out.write(f"{finding}\n")
    fixable = sum(finding.fixable for finding in ordered)
    unsafe = sum(finding.safety is Safety.UNSAFE for finding in ordered)
    files = counted(len({finding.file for finding in ordered}), "file")
    found = f"{counted(len(ordered), 'finding')} in {files}: {fixable} fixable, {unsafe} unsafe"
    console.print(found if ordered else "no findings")


def print_verdicts(report: RunReport, console: Console) -> None:
    """The table of ``verify``: each case with its verdict and what stands in its way; then the counts."""
    rows = [[case.name, described(case.before, report.target), *_problem(case)] for case in report.cases]
    _print_cases(["case", "verdict", "where", "message"], report.cases, rows, console)
    for case in report.cases:
        _print_lines((f"note: {case.name}: {note}" for note in case.notes), console)
    errors = report.counts[Status.ERROR]
    counts = [f"{sum(case.passed for case in report.cases)} pass", f"{report.counts[Status.FAILED]} fail"]
    _print_counts(report, [*counts, f"{errors} error"] if errors else counts, console)


def print_migration(report: RunReport, console: Console) -> None:
    """The table of ``migrate``, then what a reviewer must know (paths that raise, caveats, notes), then the counts."""
    titles = ["case", "status", "before", "after", "edits", "lines", "where", "message"]
    rows = []
    for case in report.cases:
        verdicts = [described(verdicts, report.target) for verdicts in (case.before, case.after)]
        numbers = [str(number or "") for number in (len(case.edits), case.lines_changed)]
        rows.append([case.name, case.status.value, *verdicts, *numbers, *_problem(case)])
    _print_cases(titles, report.cases, rows, console)
    for case in report.cases:
        _print_lines(_remarks(case), console)
    _print_counts(report, [f"{number} {status.value}" for status, number in report.counts.items() if number], console)


def _problem(case: CaseReport) -> tuple[str, str]:
    """What stands in the way of a case: the place, and the message in one line."""
    verdict = case.failure()
    if case.error is not None or verdict is None:
        error = one_line(case.error or "")
        placed = re.match(r"(.+?\.py(?::\d+)?): (.*)", error)
        return (placed[1], placed[2]) if placed else ("", error)
    place = "" if verdict.file is None else _place(verdict.file, verdict.line)
    told = one_line(verdict.message)
    return place, f"{told} (on {verdict.input})" if verdict.input else told


def _remarks(case: CaseReport) -> Iterable[str]:
    for place in case.raises_at:
        yield f"raises under script: {case.name}: {_place(place.file, place.line)}"
    for edit in case.edits:
        if edit.caveat:
            yield f"caveat: {case.name}: {_place(edit.file, edit.line)}: {edit.rule}: {edit.caveat}"
    for note in case.notes:
        yield f"note: {case.name}: {note}"


def _place(file: str, line: int | None) -> str:
    """``file:line`` as editors open it, the file from the current folder where it lies there."""
    shown = display_path(file)
    shown = file if shown.startswith("../") else shown
    return f"{shown}:{line}" if line else shown


def _print_cases(titles: list[str], cases: Sequence[CaseReport], rows: list[list[str]], console: Console) -> None:
    """A table that gives up the end of messages, then of names, but never of a place or a verdict."""
    if not rows:
        return
    used = [n for n, title in enumerate(titles) if title == "case" or any(row[n] for row in rows)]
    texts = [
        [Text(one_line(row[n]), _STYLES[case.status] if n == 1 else "") for n in used]
        for case, row in zip(cases, rows, strict=True)
    ]
    shown = [titles[n] for n in used]
    widths = {title: max(len(title), *(row[n].cell_len for row in texts)) for n, title in enumerate(shown)}
    gap = 2
    excess = sum(widths.values()) + gap * (len(shown) - 1) - console.width
    for title, least in _SHRINKING.items():
        if title in widths and excess > 0:
            kept = max(widths[title] - excess, min(least, widths[title]))
            excess -= widths[title] - kept
            widths[title] = kept
    for row in [[Text(title, "bold") for title in shown], *texts]:
        for title, cell in zip(shown, row, strict=True):
            cell.truncate(widths[title], overflow="ellipsis")
            cell.align("right" if title in ("edits", "lines") else "left", widths[title])
        line = Text(" " * gap).join(row)
        line.rstrip()
        console.print(line, soft_wrap=True)


def _print_lines(lines: Iterable[str], console: Console) -> None:
    for line in lines:
        console.print(one_line(line), soft_wrap=True)


def _print_counts(report: RunReport, counts: Sequence[str], console: Console) -> None:
    stopped = " (interrupted)" if report.interrupted else ""
    told = f": {', '.join(counts)}" if report.cases else ""
    console.print(f"{counted(len(report.cases), 'case')}{told}{stopped}", soft_wrap=True)


def counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
