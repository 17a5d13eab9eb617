"""``apply --cases``: chosen rules over chosen files, with the facts of recorded runs, each edit proven by the cases."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tsrefactor.errors import UserError
from tsrefactor.facts.observations import Observations
from tsrefactor.rewrite import Applied, InternalError, Refused, rewrite
from tsrefactor.rules import Finding, Settings
from tsrefactor.vocabulary import Safety
from tsrefactor.workers.pool import Workers

from .batch import CaseState, holds, observe_task
from .case import as_examination, case_task
from .project import Draft, Options
from .schedule import Work, run_all
from .verified import entered, verified


@dataclass
class BackedOut:
    """An edit that was taken back, and why."""

    change: Applied
    reason: str


@dataclass
class Application:
    """What the rules made of the files and what the cases said to it.

    ``unstable`` names cases that differ from run to run, so that they prove nothing; ``errors`` are of files that were
    left alone.
    """

    draft: Draft = field(default_factory=Draft)
    cases: list[CaseState] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    backed_out: list[BackedOut] = field(default_factory=list)
    unstable: list[str] = field(default_factory=list)
    errors: list[Exception] = field(default_factory=list)

    def verified(self, change: Applied) -> bool:
        """Whether a case that passes ran the edited function."""
        return verified(change, self.draft.documents[change.file].source, self.cases)

    def drop(self, changes: Iterable[int], reason: str) -> None:
        """Takes changes back, and those made inside them."""
        smaller = self.draft.without(changes)
        kept = {a.change for a in smaller.applied}
        self.backed_out += [BackedOut(a, reason) for a in self.draft.applied if a.change not in kept]
        self.draft = smaller


def apply_with_cases(
    workers: Workers,
    names: Sequence[tuple[str, str | None]],
    files: Sequence[Path],
    options: Options,
    settings: Settings,
    jobs: int,
    recorded: Observations | None = None,
    require_verified: bool = False,
) -> Application:
    """Applies the rules of ``options`` to the files with what all cases showed, and takes back what breaks a case.

    An edit that rests on the presumption that a parameter is a tensor is made where a case ran the function. Each case
    must do in eager what it did, and be no worse under its target. With ``require_verified`` only the edits in
    functions that a passing case ran are kept. ``recorded`` adds the facts of a recording.
    """
    result = Application(cases=[CaseState(name, options.target_of(own)) for name, own in names])
    run_all(workers, [_look(case, options) for case in result.cases], jobs)
    joined = Observations()
    for observations in (recorded, *(case.observations for case in result.cases)):
        if observations is not None:
            joined.join(observations)
    for file in files:
        try:
            _rewrite_file(result, str(file), joined, options, settings)
        except (UserError, InternalError) as error:
            result.errors.append(error)
        except Exception as error:  # a defect on one file must not stop the others
            result.errors.append(InternalError(f"{file}: internal error, {error!r}"))
    run_all(workers, [_proof(result, options, require_verified)], 1)
    return result


def _look(case: CaseState, options: Options) -> Work[None]:
    """The case as it stands: its verdict, and what its eager run shows."""
    examined, observed = yield [
        case_task(options, case.name, case.target, Draft(), True),
        observe_task(case, options),
    ]
    case.before = as_examination(examined, case.target)
    if isinstance(observed.value, Observations):
        case.observations = observed.value
    else:
        case.error = observed.told


def _rewrite_file(result: Application, path: str, joined: Observations, options: Options, settings: Settings) -> None:
    def accepts(finding: Finding) -> bool:
        return options.unsafe or finding.safety is Safety.SAFE

    document = result.draft.document(path)
    _ = document.source.tree
    if "torch" not in document.text:
        return
    made = rewrite(document, options.rules, settings, joined, accept=accepts)
    presumed = [a for a in made.applied if a.finding.presumed and not options.unsafe]
    unspoken = {a.change for a in presumed if not entered(joined, a, document.source)}
    result.draft.documents[path] = made.document.without(unspoken) if unspoken else made.document
    kept = set(result.draft.documents[path].changes)
    result.draft.applied += [a for a in made.applied if a.change in kept]
    result.refused += made.refused


def _proof(result: Application, options: Options, require_verified: bool) -> Work[None]:
    """Examines all cases on the draft, again and again, until nothing more has to be taken back."""
    while result.draft.applied:
        tasks = [case_task(options, case.name, case.target, result.draft, True) for case in result.cases]
        results = yield tasks
        after = [as_examination(r, case.target) for case, r in zip(result.cases, results, strict=True)]
        broken = None
        for case, examination in zip(result.cases, after, strict=True):
            if case.name not in result.unstable and not (yield from holds(case, examination, options)):
                broken = case
                break
        if broken:
            yield from _back_out(result, broken, options)
            continue
        for case, examination in zip(result.cases, after, strict=True):
            case.after = examination
        unproven = [a.change for a in result.draft.applied if not result.verified(a)]
        if not (require_verified and unproven):
            return
        for case in result.cases:
            case.after = None  # of a text that is no more
        result.drop(unproven, "no case that passes runs it")


def _back_out(result: Application, case: CaseState, options: Options) -> Work[None]:
    """Takes back the fewest changes that a case does not hold with, found by putting halves of them back."""
    every = [a.change for a in result.draft.applied]
    out = set(every)
    if not (yield from _holds_without(result, case, out, options)):
        result.unstable.append(case.name)
        return
    chunks = [every]
    while chunks:
        chunk = chunks.pop()
        if len(chunk) < len(every) and (yield from _holds_without(result, case, out - set(chunk), options)):
            out -= set(chunk)
        elif len(chunk) > 1:
            middle = len(chunk) // 2
            chunks += [chunk[middle:], chunk[:middle]]
    result.drop(out, f"it breaks {case.name}")


def _holds_without(result: Application, case: CaseState, out: set[int], options: Options) -> Work[bool]:
    """Whether a case is as good as it was on the draft without some changes."""
    [answer] = yield [case_task(options, case.name, case.target, result.draft.without(out), True)]
    return (yield from holds(case, as_examination(answer, case.target), options))
