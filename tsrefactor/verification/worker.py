"""The proof of one case under one target. Runs in a worker process that does nothing else after it."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch

from ..cases import ModelCase
from ..vocabulary import Target
from .eager import EagerModel
from .errors import EagerError, user_files
from .observing import Observed, observe_case
from .results import Examination
from .targets import Attempt, Prover


def examine(case: ModelCase, target: str, thorough: bool, source: tuple[str, ...]) -> Examination:
    """Runs ``case`` in eager and under ``target`` (script, trace or any) and compares.

    Quick (``thorough`` false): the case's own inputs, in the mode as built. Thorough: generated values and sizes and
    the other mode as well, and gradients in the fingerprint. ``source``: the folders of the user's own files. Stops at
    the first failure of a target. What the case does wrong is a verdict; only out-of-memory is raised.
    """
    began = time.monotonic()
    is_user_file = user_files(source)
    torch.set_num_threads(1)
    try:
        with torch.enable_grad():
            observed = observe_case(case, thorough, is_user_file)
            examination = _prove(case, Target(target), observed, is_user_file)
    except EagerError as error:
        key = Target.TRACE.value if target == Target.TRACE else Target.SCRIPT.value
        examination = Examination({key: error.verdict})
    examination.seconds = time.monotonic() - began
    return examination


def _prove(case: ModelCase, target: Target, observed: Observed, is_user_file: Callable[[str], bool]) -> Examination:
    example = observed.observations[0].call.inputs

    def build() -> EagerModel:
        model = EagerModel(case, is_user_file)
        model.materialise(example)
        return model

    prover = Prover(observed.observations, observed.training, is_user_file, build)
    verdicts = {}
    failure: Attempt | None = None
    passed_as = None
    ways = [Target.SCRIPT, Target.TRACE] if target is Target.ANY else [target]
    for way in ways:
        attempt = prover.script() if way is Target.SCRIPT else prover.trace()
        verdicts[way.value] = attempt.verdict
        if attempt.verdict.passed:
            passed_as = way.value
            failure = reloaded = prover.reload(attempt)
            verdicts["reload"] = reloaded.verdict
            break
        failure = failure or attempt
    return Examination(
        verdicts=verdicts,
        diagnosis=failure.diagnosis if failure else None,
        fingerprint=observed.fingerprint,
        passed_as=passed_as,
        notes=tuple(observed.notes + prover.notes),
        coverage=observed.coverage,
        warnings=tuple(prover.warnings),
    )
