"""The loop over one case: proactive edits, then one diagnosis after the other, then the drop of what is not needed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tsrefactor.facts.definitions import Function
from tsrefactor.facts.diagnosis import Diagnosis
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.observations import Observations
from tsrefactor.rewrite import Applied, find
from tsrefactor.rules import Finding, Rule, Settings
from tsrefactor.verification.results import Examination, Fingerprint
from tsrefactor.vocabulary import Outcome, Placement, Safety, Target, Verdict
from tsrefactor.workers.task import Result, Task

from .project import Draft, Options, readable
from .reach import model_files
from .schedule import Work
from .signature import signature

_STAGES = {Outcome.EAGER_ERROR: 0, Outcome.CRASH: 1, Outcome.TIMEOUT: 1, Outcome.COMPILE_ERROR: 2, Outcome.RUN_ERROR: 3,
           Outcome.MISMATCH: 4, Outcome.BAKED: 4, Outcome.PASS: 5}  # fmt: skip
FEW = 6  # edits that are dropped one by one, not in groups first
TRIES, LAST_TRIES = 8, 4  # candidates tried for one diagnosis: of rules that answer it, of fallback rules


@dataclass
class Outcomes:
    """What the loop made of one case: the last examination, the draft to go on with, and the case's own changes."""

    examination: Examination
    draft: Draft
    changes: list[Applied] = field(default_factory=list)
    rounds: int = 0
    notes: list[str] = field(default_factory=list)


class CaseLoop:
    """Migrates one case on top of a draft, for one target (script or trace).

    ``files`` are those that may be rewritten for it; ``observations`` what was seen of them in all cases' runs, ``own``
    in the case's; ``original`` is what eager did before any change; ``thorough``: only a thorough examination failed.
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
        thorough: bool,
    ):
        self.name, self.target, self.options, self.files = name, target, options, files
        self.observations, self.own = observations, own
        placement = options.placement or (Placement.INNER if target is Target.TRACE else Placement.MODULE)
        self.settings = Settings(target, placement, options.container_style, options.unsafe)
        self.rules = [r for r in options.rules if target in r.targets]
        # What a trace compiles, the helpers that soft-refactor makes, TorchScript may complain about.
        self.helping = [r for r in options.rules if target is Target.TRACE and r not in self.rules and not r.fallback]
        self.original, self.original_is_thorough, self.thorough = original, thorough, thorough
        self.rounds = 0
        self.seconds = 0.0  # that its attempts ran: waiting for other cases does not count
        self.notes: list[str] = []

    # -- attempts --------------------------------------------------------------------------------------------------

    def attempt(self, draft: Draft) -> Task:
        """The task that examines the case with a draft's text."""
        return case_task(self.options, self.name, self.target, draft, self.thorough)

    def _examined(self, result: Result) -> Work[Examination]:
        """A result as an examination; one whose eager results differ from the original's is a failure of eager."""
        self.seconds += result.seconds
        examination = as_examination(result, self.target)
        if self.original is None or examination.fingerprint is None:
            return examination
        old, changed = yield from differences(self.options, self.name, self.original, examination.fingerprint)
        self.original = old
        return self._eager_error(f"the rewrite changes eager: {changed[0]}") if changed else examination

    def _eager_error(self, message: str) -> Examination:
        return Examination({self.target.value: Verdict(Outcome.EAGER_ERROR, message)})

    def _place(self, draft: Draft) -> Work[None]:
        """Puts helpers of a trace at module level where the source must also script.

        That is where files were rewritten for another case, maybe a scripted one, or the model scripts as it stands.
        """
        if self.options.placement is not None or self.target is not Target.TRACE:
            return
        scripts = any(a.file in self.files for a in draft.applied)
        if not scripts:
            [result] = yield [case_task(self.options, self.name, Target.SCRIPT, draft, False)]
            self.seconds += result.seconds
            scripts = as_examination(result, Target.SCRIPT).passed_as is not None
        if scripts:
            self.settings = replace(self.settings, placement=Placement.MODULE)

    # -- the loop --------------------------------------------------------------------------------------------------

    def run(self, draft: Draft, before: Examination) -> Work[Outcomes]:
        """Yields attempts until the case passes or nothing helps. On failure the draft comes back without new edits.

        The attempts are quick until the quick proof holds; when the thorough one does not, its diagnosis is the next.
        """
        yield from self._place(draft)
        starts = [(draft, before)]
        proactive = None if before.passed else self._with_proactive(draft)
        if proactive is not None:
            [result] = yield [self.attempt(proactive)]
            later = yield from self._examined(result)
            self.rounds += 1
            if self._better(later, before, {signature(before, draft)}, proactive):
                starts = [(proactive, later)]
            elif _stage(later, self.target) == _STAGES[Outcome.COMPILE_ERROR]:
                starts.insert(0, (proactive, later))  # an Optional must be refined, an unseen None ran
        outcomes = Outcomes(before, draft, [], self.rounds, self.notes)
        for start, examination in starts:
            outcomes = yield from self._from(draft, start, examination)
            if outcomes.examination.passed_as is not None:
                return outcomes
        if proactive is not None and self.target is Target.TRACE:
            whole = yield from self._undiminished(draft, proactive)
            if whole.examination.passed_as is not None or (whole.examination.far_fetched and not before.far_fetched):
                return whole
        return outcomes

    def _undiminished(self, base: Draft, draft: Draft) -> Work[Outcomes]:
        """What all the edits that need no diagnosis make of a trace: other inputs than the case's own may need them.

        They are worth it also where only far-fetched inputs still prove the trace wrong.
        """
        self.thorough = True
        examination = yield from self._proof(draft)
        if examination.far_fetched:
            self._note("with its edits the trace holds on the usual inputs, and not on all that can be made")
        changes = [a for a in draft.applied if a not in base.applied]
        return Outcomes(examination, draft, changes, self.rounds, self.notes)

    def _from(self, base: Draft, draft: Draft, examination: Examination) -> Work[Outcomes]:
        """Mends, makes smaller and proves a draft; what comes back for a failure is the base."""
        while True:
            draft, examination = yield from self._mended(draft, examination)
            if examination.passed_as is None:
                return Outcomes(examination, base, [], self.rounds, self.notes)
            draft = yield from self._minimal(base, draft, examination.passed)
            quick, self.thorough = not self.thorough, True
            examination = yield from self._proof(draft)
            if examination.passed_as is not None:
                changes = [a for a in draft.applied if a not in base.applied]
                return Outcomes(examination, draft, changes, self.rounds, self.notes)
            if not quick:
                return Outcomes(examination, base, [], self.rounds, self.notes)

    def _mended(self, draft: Draft, examination: Examination) -> Work[tuple[Draft, Examination]]:
        """Answers one diagnosis after the other, until the case passes or nothing helps."""
        seen = {signature(examination, draft)}
        while not examination.passed and examination.diagnosis is not None:
            if self.rounds >= self.options.rounds or self.seconds > self.options.case_seconds:
                self._note(f"given up after {self.rounds} rounds: out of rounds or time")
                break
            self.rounds += 1
            for candidate in self._candidates(draft, examination):
                [result] = yield [self.attempt(candidate)]
                later = yield from self._examined(result)
                if self._better(later, examination, seen, candidate):
                    draft, examination = candidate, later
                    seen.add(signature(examination, draft))
                    break
            else:
                break
        return draft, examination

    def _better(self, new: Examination, old: Examination, seen: set[tuple], draft: Draft) -> bool:
        """Whether an attempt made progress: it passes, or fails later or elsewhere, and not as it has failed before."""
        if new.passed or (new.passed_as is not None and old.passed_as is None):
            return True
        if _stage(new, self.target) < _stage(old, self.target):
            return False
        told = signature(new, draft)
        if told[-1] == "" and any(s[:-1] == told[:-1] for s in seen):
            return False  # what an edit wrote there fails as the author's code did
        return told not in seen

    def _proof(self, draft: Draft) -> Work[Examination]:
        """The thorough examination of the final text, against what eager did before on the same inputs."""
        tasks = [self.attempt(draft)]
        if not self.original_is_thorough:
            tasks.append(_fingerprint_task(self.options, self.name, settled=False))
        new, *old = yield tasks
        for note in (note for result in (new, *old) for note in unfinished(result)):
            self._note(note)
        if old:
            if old[0].value is None:
                return self._eager_error(f"what eager did before cannot be told: {old[0].told or 'it does not run'}")
            self.original, self.original_is_thorough = old[0].value, True
        return (yield from self._examined(new))

    # -- findings --------------------------------------------------------------------------------------------------

    def _found(self, rules: Sequence[Rule], facts: FileFacts) -> list[Finding]:
        """What the rules find and may mend. A rule that raises is a defect: it is noted, and the others go on."""
        found = []
        for rule in rules:
            try:
                found += find([rule], facts, self.settings)
            except Exception as error:
                self._note(f"internal error: {rule.name} raised {error!r} on {facts.source.path}")
        return [f for f in found if f.fixable and (self.options.unsafe or f.safety is Safety.SAFE)]

    def _note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)

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
                findings = self._found(rules, facts)
                if not findings or not self._made(result, path, findings):
                    break
                changed = True
        return result if changed else None

    def _made(self, draft: Draft, path: str, findings: Sequence[Finding]) -> bool:
        """Makes findings of one file in a draft; whether any was made. What was not is noted, with the reason."""
        try:
            rewrite = draft.apply(path, findings)
        except Exception as error:  # of a rule's template, or of libcst on an odd file: the case goes on without
            self._note(f"internal error: {', '.join(sorted({f.rule for f in findings}))} on {path}: {error!r}")
            return False
        for refused in rewrite.refused:
            self._note(f"{refused.finding.rule} left line {refused.line} alone: {refused.reason}")
        return bool(rewrite.applied)

    def _candidates(self, draft: Draft, examination: Examination) -> Iterator[Draft]:
        """Drafts to try against a diagnosis, the likeliest first; each holds the findings of one rule at one place.

        The findings of a fallback rule are alternatives, each of which is tried by itself.
        """
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
            for order, rule in enumerate([*self.rules, *self.helping]):
                if diagnosis.kind not in rule.answers and not rule.fallback:
                    continue
                groups: dict[tuple, list[Finding]] = {}
                for number, finding in enumerate(self._found([rule], facts)):
                    key = self._rank(facts, finding, diagnosis)
                    if rule in self.helping and key[0] > 2:
                        continue
                    alternative = number if rule.fallback else 0
                    groups.setdefault((rule.fallback, *key, order, alternative), []).append(finding)
                ranked += [(key, path, group) for key, group in groups.items()]
        ranked.sort(key=lambda r: r[0])
        first, last = [r for r in ranked if not r[0][0]], [r for r in ranked if r[0][0]]
        for _, path, group in first[:TRIES] + last[:LAST_TRIES]:
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

    def _minimal(self, base: Draft, draft: Draft, reloads: bool) -> Work[Draft]:
        """Drops every edit of this case that it passes without; those against silent traps stay."""
        known = {a.change for a in base.applied}
        own = [a for a in draft.applied if a.change not in known and not a.finding.trap]
        for size in (round(len(own) ** 0.5), 1) if len(own) > FEW else (1,):
            chunks = [own[i : i + size] for i in range(0, len(own), size)]
            for chunk in reversed(chunks):
                smaller = draft.without(a.change for a in chunk)
                if not any(a.change not in known for a in smaller.applied):
                    continue  # without any edit it failed: known already
                [result] = yield [case_task(self.options, self.name, self.target, smaller, self.thorough, bare=True)]
                examination = yield from self._examined(result)
                if examination.passed or (not reloads and examination.passed_as is not None):
                    draft = smaller
            kept = {a.change for a in draft.applied}
            own = [a for a in own if a.change in kept]
        return draft


def unfinished(result: Result) -> list[str]:
    """What a reader must know of a case whose thorough examination met a limit: that says nothing against the case."""
    if result.value is None or result.failure is None:
        return []
    return [f"only its own inputs were compared; the thorough examination did not end: {result.message}"]


def differences(options: Options, name: str, old: Fingerprint, new: Fingerprint) -> Work[tuple[Fingerprint, list[str]]]:
    """What differs between eager before and after; and eager before, looked at twice where anything does."""
    changed = old.differences(new)
    if changed and not old.settled:
        [result] = yield [_fingerprint_task(options, name, settled=True)]
        if result.failure is None and result.value is not None:  # one that met a limit holds fewer inputs
            old = old.settled_by(result.value)
            changed = old.differences(new)
    return old, changed


def _fingerprint_task(options: Options, name: str, settled: bool) -> Task:
    """The task that tells what eager did with a case before any change."""
    arguments = {"source": tuple(map(str, options.source)), "settled": settled}
    return examination_task(options, "tsrefactor.verification.worker:fingerprint", name, arguments)


def case_task(options: Options, name: str, target: Target, draft: Draft, thorough: bool, bare: bool = False) -> Task:
    """The task that examines one case with a draft's text. ``bare``: only whether it passes is asked for."""
    source = tuple(map(str, options.source))
    arguments = {"target": target.value, "thorough": thorough, "source": source, "bare": bare}
    function = "tsrefactor.verification.worker:examine_in_steps"
    return examination_task(options, function, name, arguments, draft.overlay)


def examination_task(
    options: Options, function: str, name: str, arguments: dict[str, Any], overlay: Mapping[str, str] | None = None
) -> Task:
    """A task that examines a case: its own inputs within the time limit, whatever is generated in three times that."""
    limits = options.seconds, options.memory_gib, 2 * options.seconds
    return Task(function, name, arguments, dict(overlay or {}), *limits)


def as_examination(result: Result, target: Target) -> Examination:
    """A task's result as an examination: what ended the process is a verdict like any other."""
    if isinstance(result.value, Examination):
        return result.value
    outcome = Outcome.TIMEOUT if result.failure == "timeout" else Outcome.CRASH
    key = Target.TRACE.value if target is Target.TRACE else Target.SCRIPT.value
    return Examination({key: Verdict(outcome, result.message, result.file, result.line)}, seconds=result.seconds)


def _stage(examination: Examination, target: Target) -> int:
    verdict = examination.verdicts.get(target.value)
    if verdict is None:
        return min((_STAGES[v.outcome] for v in examination.verdicts.values()), default=0)
    return _STAGES[verdict.outcome]


def _enclosing(facts: FileFacts, line: int) -> Function | None:
    inside = [f for f in facts.all_functions if f.node.lineno <= line <= (f.node.end_lineno or f.node.lineno)]
    return inside[-1] if inside else None


def _functions_at(facts: FileFacts, lines: Iterable[int]) -> frozenset[int]:
    """The functions around these lines, as a focus."""
    found = (_enclosing(facts, line) for line in lines)
    firsts = (facts.first_original_line(f) for f in found if f is not None)
    return frozenset(first for first in firsts if first is not None)
