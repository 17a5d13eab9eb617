"""Migrates a zoo: a first look at every case, then group by group of cases that share files, then the merged proof."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tsrefactor.facts.observations import Observations
from tsrefactor.rewrite import Applied
from tsrefactor.source.document import Document
from tsrefactor.verification.results import Examination, Fingerprint
from tsrefactor.vocabulary import Outcome, Status, Target
from tsrefactor.workers.pool import Workers
from tsrefactor.workers.task import Task

from .case import CaseLoop, as_examination, case_task, differences, examination_task, unfinished
from .project import Draft, Options, Rewritable
from .reach import model_files, runs
from .schedule import Work, run_all
from .worker import Look


@dataclass(eq=False)
class CaseState:
    """One case on its way through a batch.

    ``changes`` were made for it; ``needs`` are all changes in code that it runs, whoever they were made for, and none
    for a case that none of them helps. ``observations`` is None until its eager run was recorded; ``files`` are the
    user's files that were loaded for it.
    """

    name: str
    target: Target
    before: Examination = field(default_factory=lambda: Examination({}))
    after: Examination | None = None
    observations: Observations | None = None
    files: frozenset[str] = frozenset()
    changes: list[Applied] = field(default_factory=list)
    needs: list[Applied] = field(default_factory=list)
    rounds: int = 0
    seconds: float = 0.0
    error: str | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def fingerprint(self) -> Fingerprint | None:
        """What eager did before any change."""
        return self.before.fingerprint

    @property
    def needs_work(self) -> bool:
        """Whether it was looked at, runs in eager, and does not pass as it stands."""
        return not self.before.passed and self.status is not Status.ERROR and self.observations is not None

    @property
    def passes(self) -> bool:
        return (self.after or self.before).passed

    @property
    def status(self) -> Status:
        if self.error is not None or any(v.outcome is Outcome.EAGER_ERROR for v in self.before.verdicts.values()):
            return Status.ERROR
        if not self.passes:
            return Status.FAILED
        if any(a.finding.partial for a in self.needs):
            return Status.PARTIAL
        return Status.ALREADY if self.before.passed else Status.MIGRATED


@dataclass(eq=False)
class Group:
    """Failing cases whose code lies in common ``files``, and the passing ones (``relatives``) that load these.

    No two groups share a file, and only these may be rewritten for its cases.

    ``draft`` is the text with what was kept so far; ``settled`` says that all its cases hold on it.
    """

    cases: list[CaseState]
    relatives: list[CaseState]
    files: frozenset[str]
    draft: Draft
    settled: bool = False


@dataclass
class Batch:
    """The outcome of a run: the cases that were finished, and the groups they were migrated in."""

    cases: list[CaseState]
    groups: list[Group] = field(default_factory=list)
    interrupted: bool = False
    start: Draft = field(default_factory=Draft)

    @property
    def documents(self) -> dict[str, Document]:
        """Path → document of every file that was rewritten and proven, here or before the start."""
        found = {p: d for p, d in self.start.documents.items() if d.changed}
        for group in self.groups:
            if group.settled:
                for path, document in group.draft.documents.items():
                    if document.changed and document is not self.start.documents.get(path):
                        found[path] = document
        return found


class Watcher:
    """Told how a batch goes on; does nothing by itself."""

    def looked(self, case: CaseState) -> None:
        """A case was examined as it stands, and may now wait for its group."""

    def worked(self, case: CaseState) -> None:
        """What can be done for a case by itself was done; it may have to wait for its group."""

    def done(self, case: CaseState) -> None:
        """A case is finished."""

    def settled(self, batch: Batch) -> None:
        """The documents hold for all the cases that are finished so far: a moment to save them."""


def migrate_all(
    workers: Workers,
    names: Sequence[tuple[str, str | None]],
    options: Options,
    jobs: int,
    watcher: Watcher,
    start: Draft | None = None,
) -> Batch:
    """Migrates the named cases (with their own targets).

    ``start`` is text that an earlier run proved, to build on. KeyboardInterrupt ends the work early: what is finished
    stays, and the batch says that it was interrupted.
    """
    cases = [CaseState(name, options.target_of(own)) for name, own in names]
    batch, finished = Batch([], start=start or Draft()), set[str]()

    def tell(told: Sequence[CaseState]) -> None:
        new = [case for case in told if case.name not in finished]
        finished.update(case.name for case in new)
        batch.cases = [case for case in cases if case.name in finished]
        for case in new:
            watcher.done(case)
        watcher.settled(batch)

    try:
        run_all(workers, [_first_look(case, options, watcher) for case in cases], 2 * jobs)
        batch.groups = _groups(cases, options, batch.start)
        waiting = {c.name for g in batch.groups for c in (*g.cases, *g.relatives)}
        tell([case for case in cases if case.name not in waiting])
        # the longest first, or it would run alone at the end; twice the jobs, since a group also computes here
        longest = sorted(batch.groups, key=lambda g: -sum(c.seconds for c in g.cases))
        run_all(workers, [_migrate_group(group, batch, options, watcher, tell) for group in longest], 2 * jobs)
    except KeyboardInterrupt:
        workers.cancel()
        batch.interrupted = True
        # A case that passed, or does not run at all, is settled by that wherever no settled group touches it.
        looked = [c for c in cases if c.name not in finished and (c.before.passed or c.status is Status.ERROR)]
        for case in looked:
            case.after = None
        tell(looked)
    return batch


def _first_look(case: CaseState, options: Options, watcher: Watcher) -> Work[None]:
    began = time.monotonic()
    [result] = yield [_look_task(case, options)]
    if isinstance(result.value, Look):
        look = result.value
        case.before, case.observations, case.files = look.examination, look.observations, look.files
    else:
        case.before = as_examination(result, case.target)
    if result.failure is not None and not case.before.passed:
        yield from run_eager(case, options)  # the compile may have ended the process: eager alone may run
    if not case.before.thorough:
        case.notes += unfinished(result)
    case.notes += case.before.notes
    case.seconds += time.monotonic() - began
    watcher.looked(case)


def _look_task(case: CaseState, options: Options) -> Task:
    arguments = {"target": case.target.value, "source": tuple(map(str, options.source))}
    return examination_task(options, "tsrefactor.migration.worker:look", case.name, arguments)


def run_eager(case: CaseState, options: Options) -> Work[None]:
    """Records the eager run of a case; the case has an error where there is no end to it, or it ends its process."""
    [result] = yield [observe_task(case, options)]
    if isinstance(result.value, Observations):
        case.observations = result.value
    else:
        case.error = result.told


def observe_task(case: CaseState, options: Options) -> Task:
    arguments = {"source": tuple(map(str, options.source))}
    return Task("tsrefactor.migration.worker:observe", case.name, arguments, {}, options.seconds, options.memory_gib)


def _groups(cases: Sequence[CaseState], options: Options, start: Draft) -> list[Group]:
    """The failing cases by the connected files of the code they ran, each with the passing cases that load these."""
    rewritable = Rewritable(options)
    groups: list[tuple[set[str], list[CaseState]]] = []
    for case in (c for c in cases if c.needs_work):
        assert case.observations is not None
        files = {f for f in model_files(case.observations) if rewritable(f)}
        touching = [g for g in groups if g[0] & files]
        merged = (files.union(*(g[0] for g in touching)), [c for g in touching for c in g[1]] + [case])
        groups = [g for g in groups if g not in touching] + [merged]
    passing = [c for c in cases if c.before.passed]
    return [
        Group(members, [c for c in passing if c.files & files], frozenset(files), start.copy())
        for files, members in groups
    ]


def _migrate_group(
    group: Group, batch: Batch, options: Options, watcher: Watcher, tell: Callable[[Sequence[CaseState]], None]
) -> Work[None]:
    """Migrates cases that share files, one after the other, each on top of what was kept for those before it."""
    observed = yield [observe_task(relative, options) for relative in group.relatives]
    for relative, result in zip(group.relatives, observed, strict=True):
        if isinstance(result.value, Observations):
            relative.observations = result.value
    joined = Observations()
    for case in (*group.cases, *group.relatives):
        if case.observations is not None:
            joined.join(case.observations)
    for case in group.cases:
        began = time.monotonic()
        yield from _migrate_case(case, group, joined, options)
        case.seconds += time.monotonic() - began
        watcher.worked(case)
    while (yield from _backed_out(group, options)):
        pass
    for case in (*group.cases, *group.relatives):
        _set_needs(case, group)
    group.settled = True
    open_groups = [g for g in batch.groups if not g.settled]
    tell([c for c in (*group.cases, *group.relatives) if not any(c in g.relatives for g in open_groups)])


def _migrate_case(case: CaseState, group: Group, joined: Observations, options: Options) -> Work[None]:
    assert case.observations is not None
    start, examined = case.before, Target.SCRIPT if case.target is Target.ANY else case.target
    for target in [Target.SCRIPT, Target.TRACE] if case.target is Target.ANY else [case.target]:
        if target is not examined or group.draft.applied:  # it may run other code now, and lines have moved
            [result] = yield [case_task(options, case.name, target, group.draft, case.before.thorough)]
            start = as_examination(result, target)
        original = case.fingerprint, case.before.thorough
        loop = CaseLoop(case.name, target, options, group.files, joined, case.observations, *original)
        outcome = yield from loop.run(group.draft, start)
        case.after, case.rounds = outcome.examination, case.rounds + outcome.rounds
        case.changes, group.draft = outcome.changes, outcome.draft
        case.notes += [n for n in (*outcome.notes, *outcome.examination.notes) if n not in case.notes]
        if outcome.examination.passed_as is not None:
            return


def _set_needs(case: CaseState, group: Group) -> None:
    """Tells a case which of the group's changes it runs; one that none helps only by a note."""
    run = [a for a in group.draft.applied if a in case.changes or _runs(case, a, group.draft)]
    if case.passes or case.changes:
        case.needs += run
    elif run:
        owners = ", ".join(c.name for c in group.cases if any(a in run for a in c.changes))
        case.notes.append(f"it runs code that was edited for {owners}" if owners else "it runs code that was edited")


def _runs(case: CaseState, change: Applied, draft: Draft) -> bool:
    return runs(case.observations, change, draft.documents[change.file].source)


def _backed_out(group: Group, options: Options) -> Work[bool]:
    """Examines on the group's draft every case that runs a change not made for it; backs out what breaks one of them.

    Returns whether something was backed out, so that all must be looked at again.
    """
    others = [
        c for c in (*group.cases, *group.relatives)
        if any(a not in c.changes and _runs(c, a, group.draft) for a in group.draft.applied)
    ]  # fmt: skip
    results = yield [case_task(options, c.name, c.target, group.draft, True) for c in others]
    broken = []
    for case, result in zip(others, results, strict=True):
        after = as_examination(result, case.target)
        if (yield from holds(case, after, options)):
            if case.after is None or not case.after.passed:
                case.after = after
        else:
            broken.append(case)
    for case in broken:
        for culprit in reversed([c for c in group.cases if c.changes and c is not case]):
            if not any(_runs(case, a, group.draft) for a in culprit.changes):
                continue
            smaller = group.draft.without(a.change for a in culprit.changes)
            [result] = yield [case_task(options, case.name, case.target, smaller, True)]
            if (yield from holds(case, as_examination(result, case.target), options)):
                group.draft = smaller
                culprit.changes, culprit.after = [], culprit.before
                culprit.notes.append(f"its edits broke {case.name} and were backed out")
                return True
        run = [a for a in group.draft.applied if _runs(case, a, group.draft)]
        smaller = group.draft.without(a.change for a in run)
        [result] = yield [case_task(options, case.name, case.target, smaller, True)]
        after = as_examination(result, case.target)
        # what it runs does not stand beside what others need
        if case.changes or (yield from holds(case, after, options)):
            group.draft = smaller
            for other in group.cases:
                if any(a in run for a in other.changes):
                    other.changes, other.after = [], other.before
                    other.notes.append(f"its edits do not hold together with {case.name} and were backed out")
            return True
        case.after = after  # not for the edits: it does not hold without them either
        case.notes.append("it passed at the first look, and did not when it was run again without any edit")
    return False


def holds(case: CaseState, after: Examination, options: Options) -> Work[bool]:
    """Whether a case is no worse than it was: it passes if it passed, and eager does what it did."""
    expected = case.after or case.before
    if expected.passed_as is not None and after.passed_as is None:
        return False
    if expected.passed and not after.passed:
        return False
    if case.fingerprint is None:
        return True  # nothing is known of what eager did, so nothing speaks against the edits
    if after.fingerprint is None:
        return False
    case.before.fingerprint, changed = yield from differences(options, case.name, case.fingerprint, after.fingerprint)
    return not changed
