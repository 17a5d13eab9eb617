"""The model as TorchScript runs it, against what eager gave: script, trace, saved and reloaded."""

from __future__ import annotations

import copy
import inspect
import io
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from .. import diagnose as diagnosing
from ..cases import Inputs
from ..facts.diagnosis import Diagnosis, Place
from ..vocabulary import Outcome, Verdict
from ..workers.seeding import seed
from ..workers.task import out_of_memory
from .eager import EXAMPLE, Observation, call, mode_name
from .errors import short
from .state import ModuleState, set_modes
from .values import copied, difference, leaves

GENERATED_SECONDS = 8.0  # of target runs on generated inputs
PASS = Verdict(Outcome.PASS)


@dataclass
class Attempt:
    """One target's program and what became of it; ``program`` is what was compiled."""

    verdict: Verdict
    diagnosis: Diagnosis | None = None
    program: Any = None


class Prover:
    """Holds TorchScript programs against eager's observations of modules built the same way.

    ``notes`` and ``warnings`` (the tracer's in user files: message, file, line) grow as targets are tried.
    """

    def __init__(
        self,
        observations: Sequence[Observation],
        training: bool,
        is_user_file: Callable[[str], bool],
        progress: Callable[[str], None],
    ):
        self._observations = observations
        self._training = training
        self._is_user_file = is_user_file
        self._progress = progress
        self.notes: list[str] = []
        self.warnings: list[tuple[str, str, int]] = []

    def script(self, module: nn.Module) -> Attempt:
        self._progress("script")
        try:
            program = torch.jit.script(module)
        except Exception as error:
            return self._failed(Outcome.COMPILE_ERROR, error)
        return self._compare("script", program, self._observations, copied_runs=program is not module)

    def trace(self, module: nn.Module) -> Attempt:
        """Only in the mode as built: a trace has that mode built in."""
        self._progress("trace")
        example = self._observations[0].call.inputs
        state = ModuleState(module)  # tracing runs the module: its buffers must start anew
        try:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                program = _traced(module, example, self._observations[0])
        except Exception as error:
            return self._failed(Outcome.COMPILE_ERROR, error)
        finally:
            state.restore()
            self._keep(caught)
        observations = [seen for seen in self._observations if seen.training == self._training]
        attempt = self._compare("trace", program, observations)
        failed = attempt.verdict
        if failed.passed or failed.input in (None, EXAMPLE):
            return attempt
        _, file, line = next(iter(self.warnings), (None, failed.file, failed.line))
        verdict = Verdict(Outcome.BAKED, failed.message, file, line, failed.input)
        place = Place(file, line) if file and line else None
        known = attempt.diagnosis
        text = known.text if known else verdict.message
        return Attempt(verdict, Diagnosis("baked", verdict.message, text, place))

    def reload(self, program: Any) -> Attempt:
        """Saves, loads and runs the example."""
        self._progress("reload")
        buffer = io.BytesIO()
        try:
            torch.jit.save(program, buffer)
            buffer.seek(0)
            loaded = torch.jit.load(buffer)
        except Exception as error:
            return self._failed(Outcome.RUN_ERROR, error)
        failure = self._check("the reloaded program", loaded, self._observations[0], times=1)
        return failure or Attempt(PASS)

    def _compare(
        self, target: str, program: Any, observations: Sequence[Observation], copied_runs: bool = True
    ) -> Attempt:
        until = time.monotonic() + GENERATED_SECONDS
        generated = [seen for seen in observations if seen.call.generated]
        left = len(generated)
        for seen in observations:
            if seen.call.generated and time.monotonic() > until:
                continue
            self._progress(f"{target} on the {self._label(seen)}")
            left -= seen.call.generated
            # Every input meets the program as it was compiled. What the author wrote as a ScriptModule comes back from
            # torch.jit.script as it is, and a copy of it loses the methods that are still Python.
            runner = copy.deepcopy(program) if copied_runs else program
            set_modes(runner, seen.modes)
            failure = self._check(target, runner, seen, times=seen.call.times)
            if failure is not None:
                return failure
        if left:
            self.notes.append(
                f"{target} was compared on {len(generated) - left} of {len(generated)} variations: out of time"
            )
        return Attempt(PASS, program=program)

    def _check(self, target: str, runner: Any, seen: Observation, times: int) -> Attempt | None:
        label = self._label(seen)
        for expected in seen.outputs[:times]:
            try:
                got = leaves(call(runner, seen.call.inputs))
            except Exception as error:
                return self._failed(Outcome.RUN_ERROR, error, label)
            found = difference(expected, got, values=seen.stable)
            if found and seen.training and seen.random and difference(expected, got, values=False) is None:
                # dropout may draw its numbers in another order there
                self._note(
                    f"{mode_name(True)} mode draws random numbers: compared in shape and dtype where they differ"
                )
                found = None
            if found:
                message = f"{target} differs from eager: {found}"
                verdict = Verdict(Outcome.MISMATCH, message, input=label)
                return Attempt(verdict, Diagnosis("mismatch", message, message))
        return None

    def _label(self, seen: Observation) -> str:
        if seen.training == self._training:
            return seen.call.label
        return f"{seen.call.label} in {seen.mode} mode"

    def _failed(self, outcome: Outcome, error: Exception, label: str | None = None) -> Attempt:
        """The verdict for what the compiler, the tracer, the interpreter or the serialiser raised."""
        if out_of_memory(error):
            raise error
        diagnosis = diagnosing.diagnose(error, self._is_user_file)
        place = diagnosis.place
        file, line = (place.file, place.line) if place else (None, None)
        return Attempt(Verdict(outcome, diagnosis.message or short(error), file, line, label), diagnosis)

    def _keep(self, caught: list[warnings.WarningMessage]) -> None:
        for warning in caught:
            known = (" ".join(str(warning.message).split()), warning.filename, warning.lineno)
            tracer = issubclass(warning.category, torch.jit.TracerWarning)
            if tracer and known not in self.warnings and self._is_user_file(warning.filename):
                self.warnings.append(known)

    def _note(self, note: str) -> None:
        if note not in self.notes:
            self.notes.append(note)


def _traced(module: nn.Module, example: Inputs, seen: Observation) -> Any:
    example = copied(example)
    strict = not seen.mapping
    seed()
    if not example.kwargs:
        return torch.jit.trace(module, example.args, check_trace=False, strict=strict)
    # trace takes positional or named examples, never both
    named = dict(inspect.signature(module.forward).bind(*example.args, **example.kwargs).arguments)
    return torch.jit.trace(module, example_kwarg_inputs=named, check_trace=False, strict=strict)
