"""The proof of one case under one target. Runs in a worker process that does nothing else after it."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator

import torch

from ..cases import ModelCase
from ..vocabulary import Target, Verdict
from .eager import EagerModel, Observation
from .errors import EagerError, user_files
from .generality import Generality
from .observing import EagerRuns
from .origins import left_alone
from .results import Examination, Fingerprint
from .targets import Attempt, Prover, compiles


def examine(case: ModelCase, target: str, thorough: bool, source: tuple[str, ...]) -> Examination:
    """Runs ``case`` in eager and under ``target`` (script, trace or any) and compares.

    Quick (``thorough`` false): the case's own inputs, in the mode as built. Thorough: where these pass, generated
    values and sizes and the other mode as well, and gradients in the fingerprint. ``source``: the folders of the user's
    own files. Stops at the first failure of a target. What the case does wrong is a verdict; only out-of-memory is
    raised.
    """
    *_, last = examine_in_steps(case, target, thorough, source)
    return last


def examine_in_steps(
    case: ModelCase, target: str, thorough: bool, source: tuple[str, ...], bare: bool = False
) -> Iterator[Examination]:
    """Yields what `examine` returns, last; before that the quick examination, where it passes and more follows.

    ``bare``: a script that does not compile is told at once, with neither diagnosis nor fingerprint.
    """
    began = time.monotonic()
    is_user_file = user_files(source)
    torch.set_num_threads(1)
    try:
        with torch.enable_grad():
            examination = yield from _prove(case, Target(target), thorough, is_user_file, bare)
    except EagerError as error:
        key = Target.TRACE.value if target == Target.TRACE else Target.SCRIPT.value
        examination = Examination({key: error.verdict})
    examination.seconds = time.monotonic() - began
    yield examination


def _prove(
    case: ModelCase, target: Target, thorough: bool, is_user_file: Callable[[str], bool], bare: bool
) -> Generator[Examination, None, Examination]:
    runs = EagerRuns(case, is_user_file)

    def build() -> EagerModel:
        model = EagerModel(case, is_user_file)
        model.materialise(runs.example)
        return model

    if bare and target is Target.SCRIPT:
        verdict = compiles(build().module)
        if not verdict.passed:
            return Examination({target.value: verdict})
    runs.run()
    prover = Prover(list(runs.observations), runs.training, is_user_file, build, runs.repeat)
    verdicts: dict[str, Verdict] = {}
    more: list[Observation] | None = None
    searched, held = "", False

    def examination(failure: Attempt | None, passed_as: str | None) -> Examination:
        diagnosis = failure.diagnosis if failure else None
        unplaced = diagnosis is not None and diagnosis.place is None
        return Examination(
            verdicts=dict(verdicts),
            diagnosis=diagnosis,
            fingerprint=runs.fingerprint(),
            passed_as=passed_as,
            notes=tuple(runs.notes + prover.notes + (left_alone(build().module, is_user_file) if unplaced else [])),
            coverage="; ".join(filter(None, [runs.coverage, searched])),
            warnings=tuple((w.message, w.file, w.line) for w in prover.warnings),
            thorough=more is not None,
            far_fetched=held and passed_as is None,
        )

    failure: Attempt | None = None
    ways = [Target.SCRIPT, Target.TRACE] if target is Target.ANY else [target]
    for way in ways:
        attempt = prover.script() if way is Target.SCRIPT else prover.trace()
        reloaded = prover.reload(attempt) if attempt.verdict.passed else None
        if reloaded is not None and thorough:
            if more is None:
                verdicts |= {way.value: attempt.verdict, "reload": reloaded.verdict}
                yield examination(reloaded, way.value)
                del verdicts["reload"]
                more = runs.extend()
            attempt = prover.further(attempt, more)
        if way is Target.TRACE:
            generality = Generality(prover, runs.observations, is_user_file, build)
            held = attempt.verdict.passed and thorough
            attempt = generality.proven(attempt) if held else attempt
            attempt = generality.judged(attempt)
            searched = generality.coverage
        verdicts[way.value] = attempt.verdict
        if attempt.verdict.passed and reloaded is not None:
            verdicts["reload"] = reloaded.verdict
            return examination(reloaded, way.value)
        failure = failure or attempt
    return examination(failure, None)


def fingerprint(case: ModelCase, source: tuple[str, ...], settled: bool = False) -> Iterator[Fingerprint | None]:
    """Yields what eager does with a case on its own inputs, then on all variations as well, and in both modes; None
    where it does not run. ``settled``: what varies from run to run is looked for, at the cost of a second run."""
    torch.set_num_threads(1)
    try:
        with torch.enable_grad():
            runs = EagerRuns(case, user_files(source))
            for go_on in (runs.run, runs.extend):
                go_on()
                if settled:
                    runs.settle()
                yield runs.fingerprint()
    except EagerError:
        yield None
