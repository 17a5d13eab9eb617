"""The report as plain data: what became of every case of a run."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from tsrefactor.vocabulary import Outcome, Safety, Status, Target, Verdict

ATTEMPTS = ("script", "trace", "reload")
"""The ways a case is attempted, in the order they are shown."""

Verdicts = dict[str, Verdict | None]
"""A verdict for each of `ATTEMPTS`; None, or a missing key, when it was not run."""


@dataclass(frozen=True)
class Place:
    """A line of a file, 1-based."""

    file: str
    line: int


@dataclass(frozen=True)
class EditReport:
    """One edit. ``line`` is 1-based in the original file; ``caveat``: what a reviewer must know, if anything."""

    rule: str
    file: str
    line: int
    verified: bool
    caveat: str | None = None


@dataclass
class CaseReport:
    """One case. ``raises_at``: the lines that raise under script, in a partial migration; ``lines_changed``: added plus
    removed lines of what the case needs, imports included; ``seconds``: wall time; ``error``: why it was not attempted
    or given up; ``notes``: what else a reader should know, one sentence each; ``proven_on``: what inputs were generated
    for the proof.
    """

    name: str
    status: Status
    passed_as: str | None = None
    before: Verdicts = field(default_factory=dict)
    after: Verdicts = field(default_factory=dict)
    edits: list[EditReport] = field(default_factory=list)
    raises_at: list[Place] = field(default_factory=list)
    lines_changed: int = 0
    rounds: int = 0
    seconds: float = 0.0
    error: str | None = None
    notes: list[str] = field(default_factory=list)
    proven_on: str = ""

    @property
    def passed(self) -> bool:
        return self.status in (Status.ALREADY, Status.MIGRATED, Status.PARTIAL)

    def failure(self) -> Verdict | None:
        """The verdict that stands in the way: the first that did not pass, afterwards or, with no change, before."""
        if self.passed:
            return None
        verdicts = self.after if any(self.after.values()) else self.before
        shown = (verdicts.get(attempt) for attempt in ATTEMPTS)
        return next((verdict for verdict in shown if verdict is not None and not verdict.passed), None)


@dataclass
class RunReport:
    """A whole run. ``torch`` is torch's version; ``diffs`` the merged unified diff of each changed file, by its path;
    ``interrupted``: the run was stopped, and cases are missing.
    """

    torch: str
    target: Target
    cases: list[CaseReport] = field(default_factory=list)
    diffs: dict[str, str] = field(default_factory=dict)
    interrupted: bool = False

    @property
    def counts(self) -> dict[Status, int]:
        """How many cases have each status, zeros included."""
        counted = Counter(case.status for case in self.cases)
        return {status: counted[status] for status in Status}


@dataclass(frozen=True)
class FindingReport:
    """One finding of ``check``. ``line`` and ``column`` are 1-based, the column in characters."""

    file: str
    line: int
    column: int
    rule: str
    message: str
    fixable: bool
    safety: Safety

    def __str__(self) -> str:
        unsafe = " [unsafe]" if self.safety is Safety.UNSAFE else ""
        kind = "fixable" if self.fixable else "advice"
        return one_line(f"{self.file}:{self.line}:{self.column}: {self.rule} {self.message} [{kind}]{unsafe}")


def described(verdicts: Verdicts, target: Target) -> str:
    """The verdicts in a word or two: ``pass``, ``compile-error``, ``reload mismatch``; ``-`` where nothing was run.

    The attempt is named where it is not the target itself.
    """
    run = [(attempt, verdict) for attempt in ATTEMPTS if (verdict := verdicts.get(attempt)) is not None]
    if not run:
        return "-"
    words = [
        verdict.outcome.value if attempt == target.value else f"{attempt} {verdict.outcome.value}"
        for attempt, verdict in run
        if not verdict.passed
    ]
    passed_as = next((attempt for attempt, verdict in run if attempt != "reload" and verdict.passed), None)
    if target is Target.ANY and passed_as is not None:
        words = [f"{attempt} {v.outcome.value}" for attempt, v in run if attempt == "reload" and not v.passed]
        return ", ".join(words) or f"{Outcome.PASS.value} ({passed_as})"
    outcomes = {verdict.outcome for _, verdict in run}
    if outcomes == {Outcome.EAGER_ERROR}:
        return Outcome.EAGER_ERROR.value
    return ", ".join(words) or Outcome.PASS.value


def one_line(text: str) -> str:
    """A text as a terminal may show it: in one line, what is not printable escaped (models print what they like)."""
    words = " ".join(text.split())
    return words if words.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in words)
