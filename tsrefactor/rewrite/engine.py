"""Applies the findings of rules to a document: outermost first, the rest in the next round, to a fixpoint."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from tsrefactor.errors import UserError
from tsrefactor.facts.diagnosis import Diagnosis
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.observations import Observations
from tsrefactor.rules import Finding, Rule, Settings
from tsrefactor.source.document import Change, Document, Splice
from tsrefactor.source.statements import check_splices
from tsrefactor.source.surgery import EditRefused, Surgeon

ROUNDS = 10
_numbers = itertools.count(1)


class InternalError(Exception):
    """A defect of tsrefactor: the file is left alone."""


@dataclass(frozen=True, eq=False)
class Applied:
    """One finding that was made in a document. ``line`` is the line in the original; ``change`` its number there."""

    change: int
    finding: Finding
    file: str
    line: int


@dataclass(frozen=True, eq=False)
class Refused:
    """One finding that could not be made, and why."""

    finding: Finding
    file: str
    line: int
    reason: str


@dataclass
class Rewrite:
    """A document after its findings were applied, and what could not be."""

    document: Document
    applied: list[Applied] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)


def find(rules: Iterable[Rule], file: FileFacts, settings: Settings) -> list[Finding]:
    """All findings of the rules in a file, in source order."""
    found = [f for rule in rules for f in rule.findings(file, settings)]
    return sorted(found, key=lambda f: (f.line, f.column, f.rule))


def apply_findings(document: Document, findings: Sequence[Finding]) -> tuple[Rewrite, list[Finding]]:
    """Makes those findings that do not overlap, outermost first; returns the others as left for the next round.

    The findings must be of ``document.current``. Raises InternalError when the result does not parse.
    """
    surgeon, path = Surgeon(document.current), str(document.source.path)
    result, made = Rewrite(document), []
    for finding in findings:
        try:
            splices = [surgeon.splice(edit) for edit in finding.edits]
            if any(
                _overlap(a, b) and max(a.end, b.end) > min(a.start, b.start)
                for a, b in itertools.combinations(splices, 2)
            ):
                raise EditRefused("its edits overlap")
            made.append((finding, splices))
        except EditRefused as reason:
            line = document.nearest_original_line(finding.line)
            result.refused.append(Refused(finding, path, line, str(reason)))
    made.sort(key=lambda m: -max(s.end - s.start for s in m[1]))
    chosen: list[tuple[Finding, list[Splice]]] = []
    left: list[Finding] = []
    for finding, splices in made:
        clash = any(_overlap(a, b) for a in splices for _, others in chosen for b in others)
        left.append(finding) if clash else chosen.append((finding, splices))
    changes = []
    for finding, splices in chosen:
        changes.append(Change(next(_numbers), tuple(splices), finding.imports))
        line = document.nearest_original_line(finding.line)
        result.applied.append(Applied(changes[-1].number, finding, path, line))
    result.document = document.apply(changes)
    try:
        check_splices(document.current, [s for _, splices in chosen for s in splices])
    except UserError as error:
        raise InternalError(
            f"{path}: {', '.join(sorted({f.rule for f, _ in chosen}))} made text that does not parse ({error.message})"
        ) from error
    return result, left


def rewrite(
    document: Document,
    rules: Sequence[Rule],
    settings: Settings,
    observations: Observations | None = None,
    diagnoses: Sequence[Diagnosis] = (),
    accept: Callable[[Finding], bool] = lambda finding: True,
) -> Rewrite:
    """Applies the accepted fixable findings of the rules, round after round, until none is left.

    Raises InternalError when the rounds do not come to an end, or when a result does not parse.
    """
    total = Rewrite(document)
    refused: set[tuple[str, str, int]] = set()
    for _ in range(ROUNDS):
        facts = FileFacts(total.document, observations, diagnoses)
        findings = [f for f in find(rules, facts, settings) if f.fixable and accept(f)]
        findings = [f for f in findings if (f.rule, f.message, f.line) not in refused]
        if not findings:
            return total
        step, _left = apply_findings(total.document, findings)
        total.document = step.document
        total.applied += step.applied
        total.refused += step.refused
        refused |= {(r.finding.rule, r.finding.message, r.finding.line) for r in step.refused}
        if not step.applied:
            return total
        diagnoses = ()  # they speak of the text before this round
    rules_left = ", ".join(sorted({f.rule for f in findings}))
    raise InternalError(f"{document.source.path}: {rules_left} still finds something after {ROUNDS} rounds")


def _overlap(a: Splice, b: Splice) -> bool:
    if a.start == a.end == b.start == b.end:  # whole lines can follow one another, two annotations cannot
        return not (a.text.endswith(("\n", "\r")) and b.text.endswith(("\n", "\r")))
    if a.start == a.end or b.start == b.end:  # an insertion is in the way only strictly inside
        return a.start < b.start < a.end or b.start < a.start < b.end
    return a.start < b.end and b.start < a.end
