"""The report as JSON, in the form that ``--report`` promises, and back for ``--resume``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tsrefactor.errors import UserError
from tsrefactor.report.model import ATTEMPTS, CaseReport, EditReport, Place, RunReport, Verdicts
from tsrefactor.vocabulary import Outcome, Status, Target, Verdict

VERSION = 1


def to_json(report: RunReport) -> str:
    """The report as indented JSON, `VERSION` included, with a final newline."""
    counts = {status.value: number for status, number in report.counts.items()}
    data = {
        "version": VERSION,
        "torch": report.torch,
        "target": report.target.value,
        "summary": {"cases": len(report.cases), **counts},
        "interrupted": report.interrupted,
        "cases": [_case_to_json(case) for case in report.cases],
        "diffs": report.diffs,
    }
    # Surrogates stand for bytes in file names and in what models print: escaped as ASCII, they survive.
    return json.dumps(data, indent=1, ensure_ascii=True, allow_nan=False) + "\n"


def from_json(text: str | bytes, file: str | Path) -> RunReport:
    """Reads what `to_json` wrote; ``file`` names it in errors. Raises UserError for anything else."""
    remedy = "name a report that tsrefactor wrote, or remove the file"
    try:
        data = json.loads(text)
        version = data["version"]
    except (ValueError, KeyError, TypeError):
        raise UserError("is not a report of tsrefactor", remedy, file) from None
    if version != VERSION:
        raise UserError(f"is a report of version {version}, this tsrefactor reads {VERSION}", remedy, file)
    try:
        cases = [_case_from_json(case) for case in data["cases"]]
        return RunReport(data["torch"], Target(data["target"]), cases, dict(data["diffs"]), data["interrupted"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"is a damaged report: {type(error).__name__} {error}", remedy, file) from None


def _case_to_json(case: CaseReport) -> dict[str, Any]:
    return {
        "name": case.name,
        "status": case.status.value,
        "passed_as": case.passed_as,
        "before": _verdicts_to_json(case.before),
        "after": _verdicts_to_json(case.after),
        "edits": [vars(edit) for edit in case.edits],
        "raises_at": [vars(place) for place in case.raises_at],
        "lines_changed": case.lines_changed,
        "rounds": case.rounds,
        "seconds": round(case.seconds, 3),
        "error": case.error,
        "notes": case.notes,
        "proven_on": case.proven_on,
    }


def _case_from_json(data: dict[str, Any]) -> CaseReport:
    return CaseReport(
        name=data["name"],
        status=Status(data["status"]),
        passed_as=data["passed_as"],
        before=_verdicts_from_json(data["before"]),
        after=_verdicts_from_json(data["after"]),
        edits=[EditReport(**edit) for edit in data["edits"]],
        raises_at=[Place(**place) for place in data["raises_at"]],
        lines_changed=data["lines_changed"],
        rounds=data["rounds"],
        seconds=data["seconds"],
        error=data["error"],
        notes=list(data["notes"]),
        proven_on=data["proven_on"],
    )


def _verdicts_to_json(verdicts: Verdicts) -> dict[str, Any]:
    return {attempt: _verdict_to_json(verdicts.get(attempt)) for attempt in ATTEMPTS}


def _verdict_to_json(verdict: Verdict | None) -> dict[str, Any] | None:
    if verdict is None:
        return None
    place = {"file": verdict.file, "line": verdict.line, "input": verdict.input}
    return {"verdict": verdict.outcome.value, "message": verdict.message, **place}


def _verdicts_from_json(data: dict[str, Any]) -> Verdicts:
    return {attempt: _verdict_from_json(data[attempt]) for attempt in ATTEMPTS}


def _verdict_from_json(data: dict[str, Any] | None) -> Verdict | None:
    if data is None:
        return None
    return Verdict(Outcome(data["verdict"]), data["message"], data["file"], data["line"], data["input"])
