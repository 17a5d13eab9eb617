"""The loop over one case: proactive edits, then one diagnosis after the other, then the drop of what is not needed."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from tsrefactor.facts.diagnosis import Diagnosis
from tsrefactor.facts.file import FileFacts, Function
from tsrefactor.facts.observations import Observations
from tsrefactor.rewrite import Applied, InternalError, find
from tsrefactor.rules import Finding, Rule, Settings
from tsrefactor.verification.results import Examination, Fingerprint
from tsrefactor.vocabulary import Outcome, Placement, Safety, Target, Verdict
from tsrefactor.workers.task import Result, Task

from .project import Draft, Options, readable
from .reach import model_files

Steps = Generator[Sequence[Task], list[Result], "Outcomes"]
_STAGES = {Outcome.EAGER_ERROR: 0, Outcome.CRASH: 1, Outcome.TIMEOUT: 1, Outcome.COMPILE_ERROR: 2, Outcome.RUN_ERROR: 3,
           Outcome.MISMATCH: 4, Outcome.BAKED: 4, Outcome.PASS: 5}  # fmt: skip
TRIES = 8  # candidates tried for one diagnosis


@dataclass
class Outcomes:
    """What the loop made of one case: the last examination, the draft to go on with, and the case's own changes."""

    examination: Examination
    draft: Draft
    changes: list[Applied] = field(default_factory=list)
    rounds: int = 0
    proof: Examination | None = None
    notes: list[str] = field(default_factory=list)


class CaseLoop:
    """Migrates one case on top of a draft, for one target (script or trace).

    ``files`` are those that may be rewritten for it; ``observations`` what was seen of them in all cases' runs, ``own``
    in the case's; ``original`` is what eager did before any change.
    """

    def __init__(
        self,
        name: str,
        target: Target,
        options: Options,
        files: frozenset[str],
        observations: Observations,
        own: Observations,
        original: Fingerprint | None,
    ):
        self.name, self.target, self.options, self.files = name, target, options, files
        self.observations, self.own = observations, own
        placement = options.placement or (Placement.INNER if target is Target.TRACE else Placement.MODULE)
        self.settings = Settings(target, placement, options.container_style)
        self.rules = [r for r in options.rules if target in r.targets]
        self.original = original
        self.notes: list[str] = []

    # -- attempts --------------------------------------------------------------------------------------------------

    def attempt(self, draft: Draft, thorough: bool = False) -> Task:
        """The task that examines the case with a draft's text."""
        return case_task(self.options, self.name, self.target, draft, thorough)

    def _examined(self, result: Result, base: Fingerprint | None) -> Examination:
        """A result as an examination; one whose eager results differ from the original's is a failure of eager."""
        examination = as_examination(result, self.target)
        if (
            base is not None
            and examination.fingerprint is not None
            and (changed := base.differences(examination.fingerprint))
        ):
            verdict = Verdict(Outcome.EAGER_ERROR, f"the rewrite changes eager: {changed[0]}")
            return Examination({self.target.value: verdict}, seconds=examination.seconds)
        return examination

    # -- the loop --------------------------------------------------------------------------------------------------

    def run(self, draft: Draft, before: Examination) -> Steps:
        """Yields attempts until the case passes or nothing helps. On failure the draft comes back without new edits."""
        base, examination, rounds = draft, before, 0
        seen = {_signature(examination, draft)}
        proactive = None if before.passed else self._with_proactive(draft)
        if proactive is not None:
            [result] = yield [self.attempt(proactive)]
            later = self._examined(result, self.original)
            rounds += 1
            if self._better(later, examination, seen, proactive):
                draft, examination = proactive, later
                seen.add(_signature(examination, draft))
        while not examination.passed and rounds < self.options.rounds and examination.diagnosis is not None:
            rounds += 1
            for candidate in self._candidates(draft, examination):
                [result] = yield [self.attempt(candidate)]
                later = self._examined(result, self.original)
                if self._better(later, examination, seen, candidate):
                    draft, examination = candidate, later
                    seen.add(_signature(examination, draft))
                    break
            else:
                break
        if examination.passed_as is None:
            return Outcomes(examination, base, [], rounds, notes=self.notes)
        draft = yield from self._minimal(base, draft, examination.passed)
        proof = yield from self._proof(base, draft)
        if proof.passed_as is None:
            return Outcomes(proof, base, [], rounds, proof, self.notes)
        changes = [a for a in draft.applied if a not in base.applied]
        return Outcomes(proof, draft, changes, rounds, proof, self.notes)

    def _better(self, new: Examination, old: Examination, seen: set[tuple], draft: Draft) -> bool:
        """Whether an attempt made progress: it passes, or fails later or elsewhere, and not as it has failed before."""
        if new.passed or (new.passed_as is not None and old.passed_as is None):
            return True
        if _stage(new, self.target) < _stage(old, self.target):
            return False
        return _signature(new, draft) not in seen

    def _proof(self, base: Draft, draft: Draft) -> Generator[Sequence[Task], list[Result], Examination]:
        """The thorough examination of the final text, against the thorough fingerprint of the text before."""
        arguments = {"source": tuple(map(str, self.options.source))}
        first = Task(
            "tsrefactor.migration.worker:fingerprint",
            self.name,
            arguments,
            {},
            3 * self.options.seconds,
            self.options.memory_gib,
        )
        old, new = yield [first, self.attempt(draft, thorough=True)]
        return self._examined(new, old.value)

    # -- findings --------------------------------------------------------------------------------------------------

    def _accepts(self, finding: Finding) -> bool:
        return finding.fixable and (self.options.unsafe or finding.safety is Safety.SAFE)

    def _files(self, draft: Draft) -> list[str]:
        """The files whose functions the case ran, as far as they may be rewritten."""
        return readable(draft, sorted(model_files(self.own) & self.files))

    def _focus(self, path: str) -> frozenset[int]:
        """The functions of a file that the case ran below a forward, by their first lines in the original."""
        return frozenset(f.line for f in self.own.functions.values() if f.file == path and f.scripted)

    def _with_proactive(self, draft: Draft) -> Draft | None:
        """The draft with all edits that need no diagnosis, in the functions that the case ran below a forward."""
        rules = [r for r in self.rules if not r.needs_diagnosis and not r.fallback]
        return self._settled(draft, rules, [])

    def _settled(self, draft: Draft, rules: Sequence[Rule], diagnoses: Sequence[Diagnosis]) -> Draft | None:
        result, changed = draft.copy(), False
        for path in self._files(draft):
            for _ in range(3):
                facts = result.facts(path, self.observations, diagnoses, self._focus(path))
                findings = [f for f in find(rules, facts, self.settings) if self._accepts(f)]
                if not findings or not self._made(result, path, findings):
                    break
                changed = True
        return result if changed else None

    def _made(self, draft: Draft, path: str, findings: Sequence[Finding]) -> bool:
        """Makes findings of one file in a draft; whether any was made. What was not is noted, with the reason."""
        try:
            rewrite = draft.apply(path, findings)
        except InternalError as error:
            self.notes.append(str(error))
            return False
        for refused in rewrite.refused:
            self.notes.append(f"{refused.finding.rule} left line {refused.line} alone: {refused.reason}")
        return bool(rewrite.applied)

    def _candidates(self, draft: Draft, examination: Examination) -> Iterator[Draft]:
        """Drafts to try against a diagnosis, the likeliest first; each holds the findings of one rule at one place."""
        diagnosis = examination.diagnosis
        assert diagnosis is not None
        places = [p for p in (diagnosis.place, *diagnosis.chain) if p is not None and p.file in self.files]
        paths = readable(draft, dict.fromkeys([p.file for p in places] + self._files(draft)))
        ranked: list[tuple[tuple, str, list[Finding]]] = []
        for path in paths:
            focus = self._focus(path) | _functions_at(
                draft.facts(path, self.observations), [p.line for p in places if p.file == path]
            )
            facts = draft.facts(path, self.observations, [diagnosis], focus)
            for order, rule in enumerate(self.rules):
                if diagnosis.kind not in rule.answers and not rule.fallback:
                    continue
                groups: dict[tuple, list[Finding]] = {}
                for finding in find([rule], facts, self.settings):
                    if self._accepts(finding):
                        key = self._rank(facts, finding, diagnosis)
                        groups.setdefault((rule.fallback, *key, order), []).append(finding)
                ranked += [(key, path, group) for key, group in groups.items()]
        ranked.sort(key=lambda r: r[0])
        for _, path, group in ranked[:TRIES]:
            candidate = draft.copy()
            if self._made(candidate, path, group):
                yield candidate

    def _rank(self, facts: FileFacts, finding: Finding, diagnosis: Diagnosis) -> tuple[int, int]:
        """How near a finding is to what was diagnosed: made for it, on its line, in its function, elsewhere."""
        if finding.answers is diagnosis:
            return 0, 0
        place = diagnosis.place
        if place is None or place.file != str(facts.source.path):
            return 3, 0
        last = getattr(finding.node, "end_lineno", finding.line) or finding.line
        if finding.line <= place.line <= last and last - finding.line < 10:
            return 1, last - finding.line
        return (2, 0) if _enclosing(facts, place.line) is _enclosing(facts, finding.line) else (3, 0)

    # -- the smallest diff -----------------------------------------------------------------------------------------

    def _minimal(self, base: Draft, draft: Draft, reloads: bool) -> Generator[Sequence[Task], list[Result], Draft]:
        """Drops every edit of this case that it passes without; those against silent traps stay."""
        known = {a.change for a in base.applied}
        own = [a for a in draft.applied if a.change not in known and not a.finding.trap]
        size = len(own)
        while size >= 1 and own:
            chunks = [own[i : i + size] for i in range(0, len(own), size)]
            for chunk in reversed(chunks):
                smaller = draft.without(a.change for a in chunk)
                if len(chunk) == len([a for a in draft.applied if a.change not in known]):
                    continue  # without any edit it failed: known already
                [result] = yield [self.attempt(smaller)]
                examination = self._examined(result, self.original)
                if examination.passed or (not reloads and examination.passed_as is not None):
                    draft = smaller
            kept = {a.change for a in draft.applied}
            own = [a for a in own if a.change in kept]
            size = min(size, len(own)) // 2
        return draft


def case_task(options: Options, name: str, target: Target, draft: Draft, thorough: bool) -> Task:
    """The task that examines one case with a draft's text."""
    arguments = {"target": target.value, "thorough": thorough, "source": tuple(map(str, options.source))}
    seconds = options.seconds * (3 if thorough else 1)
    return Task("tsrefactor.verification.worker:examine", name, arguments, draft.overlay, seconds, options.memory_gib)


def as_examination(result: Result, target: Target) -> Examination:
    """A task's result as an examination: what ended the process is a verdict like any other."""
    if isinstance(result.value, Examination):
        return result.value
    outcome = Outcome.TIMEOUT if result.failure == "timeout" else Outcome.CRASH
    key = Target.TRACE.value if target is Target.TRACE else Target.SCRIPT.value
    return Examination({key: Verdict(outcome, result.message)}, seconds=result.seconds)


def _stage(examination: Examination, target: Target) -> int:
    verdict = examination.verdicts.get(target.value)
    if verdict is None:
        return min((_STAGES[v.outcome] for v in examination.verdicts.values()), default=0)
    return _STAGES[verdict.outcome]


def _signature(examination: Examination, draft: Draft) -> tuple:
    """What tells one failure from another: its kind, message and the line in the original."""
    d = examination.diagnosis
    if d is None:
        verdict = next((v for v in examination.verdicts.values() if not v.passed), None)
        return ("", verdict.message if verdict else "")
    line = None
    if d.place is not None:
        document = draft.documents.get(d.place.file)
        line = document.nearest_original_line(d.place.line) if document else d.place.line
    return (d.kind, d.message, d.place.file if d.place else None, line)


def _enclosing(facts: FileFacts, line: int) -> Function | None:
    inside = [f for f in facts.all_functions if f.node.lineno <= line <= (f.node.end_lineno or f.node.lineno)]
    return inside[-1] if inside else None


def _functions_at(facts: FileFacts, lines: Iterable[int]) -> frozenset[int]:
    """The functions around these lines, as a focus."""
    found = (_enclosing(facts, line) for line in lines)
    firsts = (facts.first_original_line(f) for f in found if f is not None)
    return frozenset(first for first in firsts if first is not None)
