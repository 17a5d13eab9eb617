"""The report as one HTML page that needs nothing else: no scripts, styles or fonts from elsewhere."""

from __future__ import annotations

from html import escape
from importlib.resources import files
from string import Template

from tsrefactor.report.model import ATTEMPTS, CaseReport, RunReport, Verdicts, described


def to_html(report: RunReport) -> str:
    """The page: counts, a table of cases that can be filtered, each with its details, and the diff of each file."""
    page = Template(files("tsrefactor.report").joinpath("page.html").read_text("utf-8"))
    counts = [(status.value, number) for status, number in report.counts.items() if number]
    return page.substitute(
        torch=escape(report.torch),
        target=escape(report.target.value),
        interrupted='<p class="error">This run was interrupted; cases are missing.</p>' if report.interrupted else "",
        cases=len(report.cases),
        filters="".join(f'<button data-status="{status}">{number} {status}</button>' for status, number in counts),
        rows="\n".join(_row(case, report) for case in report.cases),
        diffs="\n".join(_diff(file, diff) for file, diff in report.diffs.items()),
    )


def _row(case: CaseReport, report: RunReport) -> str:
    before, after = (described(verdicts, report.target) for verdicts in (case.before, case.after))
    cells = [case.status.value, before, after, case.passed_as or "", len(case.edits), case.lines_changed]
    shown = "".join(f"<td>{escape(str(cell))}</td>" for cell in [*cells, f"{case.seconds:.1f}"])
    details = _details(case)
    name = f"<details><summary>{escape(case.name)}</summary>{details}</details>" if details else escape(case.name)
    return f'<tr class="{case.status.value}"><td>{name}</td>{shown}</tr>'


def _details(case: CaseReport) -> str:
    parts = [f'<p class="error">{escape(case.error)}</p>'] if case.error else []
    parts += _verdicts("before", case.before) + _verdicts("after", case.after)
    parts += [f"<p>raises under script: {_place(place.file, place.line)}</p>" for place in case.raises_at]
    parts += [f"<p>{escape(note)}</p>" for note in case.notes]
    edits = [
        f"<li>{escape(edit.rule)} {_place(edit.file, edit.line)} {'verified' if edit.verified else 'not verified'}"
        + (f' <span class="caveat">{escape(edit.caveat)}</span></li>' if edit.caveat else "</li>")
        for edit in case.edits
    ]
    return "".join(parts) + (f"<ul>{''.join(edits)}</ul>" if edits else "")


def _verdicts(when: str, verdicts: Verdicts) -> list[str]:
    """What went wrong, in full."""
    shown = []
    for attempt in ATTEMPTS:
        verdict = verdicts.get(attempt)
        if verdict is not None and not verdict.passed:
            place = _place(verdict.file, verdict.line) if verdict.file else ""
            on = f" on {escape(verdict.input)}" if verdict.input else ""
            head = f"{attempt} {when}: {verdict.outcome.value}{on} {place}"
            shown.append(f"<p>{head}</p><pre>{escape(verdict.message)}</pre>")
    return shown


def _place(file: str, line: int | None) -> str:
    return f"<code>{escape(file)}{f':{line}' if line else ''}</code>"


def _diff(file: str, diff: str) -> str:
    lines, in_hunk = [], False
    for line in diff.removesuffix("\n").split("\n"):
        in_hunk = in_hunk or line.startswith("@@")
        kind = {"@": "hunk", "+": "added", "-": "removed"}.get(line[:1], "") if in_hunk else "head"
        lines.append(f'<span class="{kind}">{escape(line)}</span>' if kind else escape(line))
    body = "\n".join(lines)
    return f"<details open><summary><code>{escape(file)}</code></summary><pre>{body}</pre></details>"
