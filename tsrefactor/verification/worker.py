"""The proof of one case under one target. Runs in a worker process that does nothing else after it."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch

from ..cases import ModelCase
from ..vocabulary import Target
from .eager import EagerModel, Observation
from .errors import EagerError, user_files
from .generality import Generality
from .observing import EagerRuns
from .origins import left_alone
from .results import Examination, Fingerprint
from .targets import Attempt, Prover


def examine(case: ModelCase, target: str, thorough: bool, source: tuple[str, ...]) -> Examination:
    """Runs ``case`` in eager and under ``target`` (script, trace or any) and compares.

    Quick (``thorough`` false): the case's own inputs, in the mode as built. Thorough: where these pass, generated
    values and sizes and the other mode as well, and gradients in the fingerprint. ``source``: the folders of the user's
    own files. Stops at the first failure of a target. What the case does wrong is a verdict; only out-of-memory is
    raised.
    """
    began = time.monotonic()
    is_user_file = user_files(source)
    torch.set_num_threads(1)
    try:
        with torch.enable_grad():
            examination = _prove(case, Target(target), thorough, is_user_file)
    except EagerError as error:
        key = Target.TRACE.value if target == Target.TRACE else Target.SCRIPT.value
        examination = Examination({key: error.verdict})
    examination.seconds = time.monotonic() - began
    return examination


def _prove(case: ModelCase, target: Target, thorough: bool, is_user_file: Callable[[str], bool]) -> Examination:
    runs = EagerRuns(case, is_user_file)
    example = runs.observations[0].call.inputs

    def build() -> EagerModel:
        model = EagerModel(case, is_user_file)
        model.materialise(example)
        return model

    prover = Prover(list(runs.observations), runs.training, is_user_file, build)
    verdicts = {}
    failure: Attempt | None = None
    passed_as = None
    more: list[Observation] | None = None
    searched = ""
    ways = [Target.SCRIPT, Target.TRACE] if target is Target.ANY else [target]
    for way in ways:
        attempt = prover.script() if way is Target.SCRIPT else prover.trace()
        if attempt.verdict.passed and thorough:
            more = runs.extend() if more is None else more
            attempt = prover.further(attempt, more)
        if way is Target.TRACE:
            generality = Generality(prover, runs.observations, is_user_file, build)
            attempt = generality.proven(attempt) if attempt.verdict.passed and thorough else attempt
            attempt = generality.judged(attempt)
            searched = generality.coverage
        verdicts[way.value] = attempt.verdict
        if attempt.verdict.passed:
            passed_as = way.value
            failure = reloaded = prover.reload(attempt)
            verdicts["reload"] = reloaded.verdict
            break
        failure = failure or attempt
    diagnosis = failure.diagnosis if failure else None
    unplaced = diagnosis is not None and diagnosis.place is None
    return Examination(
        verdicts=verdicts,
        diagnosis=diagnosis,
        fingerprint=runs.fingerprint(),
        passed_as=passed_as,
        notes=tuple(runs.notes + prover.notes + (left_alone(build().module, is_user_file) if unplaced else [])),
        coverage="; ".join(filter(None, [runs.coverage, searched])),
        warnings=tuple((w.message, w.file, w.line) for w in prover.warnings),
        thorough=more is not None,
    )


def fingerprint(case: ModelCase, source: tuple[str, ...]) -> Fingerprint | None:
    """What eager does with a case on all inputs and variations, in both modes; None when it does not run."""
    torch.set_num_threads(1)
    try:
        with torch.enable_grad():
            runs = EagerRuns(case, user_files(source))
            runs.extend()
            return runs.fingerprint()
    except EagerError:
        return None
