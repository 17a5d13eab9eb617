"""From the state of a case to its line in the report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from importlib import metadata

from tsrefactor.migration.batch import CaseState
from tsrefactor.migration.verified import verified
from tsrefactor.report.model import ATTEMPTS, CaseReport, EditReport, Place, Verdicts
from tsrefactor.rewrite import Applied
from tsrefactor.source.diff import changed_lines
from tsrefactor.source.document import Document
from tsrefactor.vocabulary import Outcome, Status, Verdict

from .common import shown


def case_report(case: CaseState, documents: Mapping[str, Document]) -> CaseReport:
    """One case, with the documents that hold its edits. ``after`` is ``before`` where no edit touches the case."""
    examination = case.after or case.before
    needs = [change for change in case.needs if change.file in documents]
    return CaseReport(
        name=case.name,
        status=case.status,
        passed_as=examination.passed_as,
        before=_verdicts(case.before.verdicts),
        after=_verdicts(examination.verdicts),
        edits=[_edit(change, case, documents[change.file]) for change in needs],
        raises_at=[Place(shown(change.file), change.line) for change in needs if change.finding.partial],
        lines_changed=_lines_changed(needs, documents),
        rounds=case.rounds,
        seconds=case.seconds,
        error=case_error(case),
        notes=list(case.notes),
        proven_on=examination.coverage,
    )


def case_error(case: CaseState) -> str | None:
    """Why a case does not run in eager, with its place; None where it does."""
    if case.status is not Status.ERROR:
        return None
    verdict = next((v for v in case.before.verdicts.values() if v.outcome is Outcome.EAGER_ERROR), None)
    if case.error is not None or verdict is None:
        return case.error
    line = f":{verdict.line}" if verdict.line else ""
    return f"{shown(verdict.file)}{line}: {verdict.message}" if verdict.file else verdict.message


def torch_version() -> str:
    """The version of torch that the models run under, read without importing it; empty without torch."""
    try:
        return metadata.version("torch")
    except metadata.PackageNotFoundError:
        return ""


def _verdicts(verdicts: Mapping[str, Verdict]) -> Verdicts:
    found: Verdicts = {}
    for attempt in ATTEMPTS:
        verdict = verdicts.get(attempt)
        placed = verdict is not None and verdict.file is not None
        found[attempt] = replace(verdict, file=shown(verdict.file)) if placed else verdict  # type: ignore
    return found


def _edit(change: Applied, case: CaseState, document: Document) -> EditReport:
    finding = change.finding
    proven = verified(change, document.source, [case])
    return EditReport(finding.rule, shown(change.file), change.line, proven, finding.caveat)


def _lines_changed(needs: list[Applied], documents: Mapping[str, Document]) -> int:
    """Lines added plus lines removed by these changes alone."""
    total = 0
    for path in {change.file for change in needs}:
        document = documents[path]
        needed = {change.change for change in needs}
        alone = document.without([change for change in document.changes if change not in needed])
        total += changed_lines(document.source.text, alone.text)
    return total
