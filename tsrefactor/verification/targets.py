"""The model as TorchScript runs it, against what eager gave: script, trace, saved and reloaded."""

from __future__ import annotations

import ast
import copy
import io
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from .. import diagnose as diagnosing
from ..facts.diagnosis import Diagnosis
from ..facts.placement import declines
from ..vocabulary import Outcome, Target, Verdict
from ..workers.seeding import seed
from ..workers.task import out_of_memory
from .eager import EXAMPLE, EagerModel, Observation, silence, tensors_of
from .errors import short
from .fingerprints import varying_paths
from .loaded import facts_of
from .state import ModuleState, set_modes
from .tracing import Warned, traced, tracer_warnings
from .values import Leaf, copied, difference, leaves

GENERATED_SECONDS = 8.0  # of target runs on generated inputs
PASS = Verdict(Outcome.PASS)
SAME_BUILD = "builds differ from one another: TorchScript was compared with eager on the very module it was made of"
DRAWS = "train mode draws random numbers in another order: "


class _Draws:
    """What is known of how one program draws random numbers in train mode.

    ``differ``: in another order than eager on the example. ``shapes_only``: also with dropout modules off.
    """

    def __init__(self, quiet_program: Callable[[], Any]):
        self._quiet_program = quiet_program
        self._made: Any = None
        self.differ = False
        self.shapes_only = False

    def program(self) -> Any:
        if self._made is None:
            self._made = self._quiet_program()
        return self._made


def compiles(module: torch.nn.Module) -> Verdict:
    """Whether `torch.jit.script` takes a module, without a diagnosis."""
    try:
        torch.jit.script(module)
    except Exception as error:
        if out_of_memory(error):
            raise
        return Verdict(Outcome.COMPILE_ERROR, short(error))
    return PASS


@dataclass
class Program:
    """What was compiled of ``model``. ``copied``: every input meets a copy of it, as it was compiled."""

    target: Target
    code: Any
    draws: _Draws
    model: EagerModel
    copied: bool = True

    def fresh(self) -> Any:
        return copy.deepcopy(self.code) if self.copied else self.code


@dataclass
class Attempt:
    """One target's program and what became of it; ``program`` is None where there is none.

    ``values_only``: the verdict is a mismatch, and structure, shapes and dtypes agree. ``left_behind``: it is one of
    buffers or inputs, after outputs that agree. ``seen``: what eager gave where the program gives something else.
    """

    verdict: Verdict
    diagnosis: Diagnosis | None = None
    program: Program | None = None
    values_only: bool = False
    left_behind: bool = False
    seen: Observation | None = None


class Prover:
    """Holds TorchScript programs against eager's observations of modules that ``build`` builds the same way.

    ``repeat`` marks the outputs of an observation that vary from run to run. ``notes`` and ``warnings`` (the
    tracer's) grow as targets are tried.
    """

    def __init__(
        self,
        observations: Sequence[Observation],
        training: bool,
        is_user_file: Callable[[str], bool],
        build: Callable[[], EagerModel],
        repeat: Callable[[Observation], None],
    ):
        self._observations = observations
        self._repeat = repeat
        self._training = training
        self._is_user_file = is_user_file
        self._build = build
        self._quiet: EagerModel | None = None
        self.notes: list[str] = []
        self.warnings: list[Warned] = []

    def script(self) -> Attempt:
        model = self._build()
        try:
            code = torch.jit.script(model.module)
        except Exception as error:
            return self._failed(Outcome.COMPILE_ERROR, error)
        # What the author wrote as a ScriptModule comes back from torch.jit.script as it is, and a copy of it loses the
        # methods that are still Python.
        program = Program(Target.SCRIPT, code, _Draws(lambda: code), model, copied=code is not model.module)
        return self._compare(program, self._observations)

    def trace(self, model: EagerModel | None = None) -> Attempt:
        """A trace on the example, compared. ``model``: as it is now, instead of one newly built."""
        called, model = model is not None, model or self._build()
        example = self._observations[0]
        state = ModuleState(model.module)  # tracing runs the module: its buffers must start anew
        with tracer_warnings(self._is_user_file) as warned:
            try:
                code = traced(model.module, example.call.inputs, example.mapping)
            except Exception as error:
                return self._failed(Outcome.COMPILE_ERROR, error)
            finally:
                state.restore()
                self.warnings += [w for w in warned if w not in self.warnings]
        program = Program(Target.TRACE, code, _Draws(self._quietly_traced), model)
        return Attempt(PASS, program=program) if called else self._compare(program, self._observations)

    def further(self, passed: Attempt, observations: Sequence[Observation]) -> Attempt:
        """Holds the program that ``passed`` against more of what eager gave."""
        assert passed.program is not None
        return self._compare(passed.program, observations)

    def reload(self, passed: Attempt) -> Attempt:
        """Saves and loads the program that ``passed``, and runs the example."""
        assert passed.program is not None
        buffer = io.BytesIO()
        try:
            torch.jit.save(passed.program.code, buffer)
            buffer.seek(0)
            loaded = torch.jit.load(buffer)
        except Exception as error:
            return self._failed(Outcome.RUN_ERROR, error)
        failure = self._check("the reloaded program", loaded, self._observations[0], rounds=1)
        if failure is None or (failure.values_only and passed.program.draws.differ):
            return Attempt(PASS)
        return failure

    def _compare(self, program: Program, observations: Sequence[Observation]) -> Attempt:
        if program.target is Target.TRACE:  # a trace has the mode built in
            observations = [seen for seen in observations if seen.training == self._training]
        until = time.monotonic() + GENERATED_SECONDS
        generated = [seen for seen in observations if seen.call.generated]
        left = len(generated)
        for seen in observations:
            if seen.call.generated and time.monotonic() > until:
                continue
            left -= seen.call.generated
            failure = self.failure(program, seen)
            if failure is not None and not self._is_declined(failure, seen):
                return failure
        if left:
            done = f"{len(generated) - left} of {len(generated)}"
            self.notes.append(f"{program.target.value} was compared on {done} variations: out of time")
        return Attempt(PASS, program=program)

    def _is_declined(self, failure: Attempt, seen: Observation) -> bool:
        """Whether the source itself says that TorchScript raises there: on other inputs than the case's own, or in the
        other mode, that is a partial migration's price and no defect of the rest.
        """
        asked = not seen.call.generated and seen.training == self._training
        file, line = failure.verdict.file, failure.verdict.line
        if asked or failure.verdict.outcome is not Outcome.RUN_ERROR or file is None or line is None:
            return False
        facts = facts_of(file)
        guards = (n for n in facts.of(ast.If) if n.body[-1].lineno <= line <= (n.body[-1].end_lineno or line))
        if not any(declines(facts, guard) for guard in guards):
            return False
        where = "on generated inputs" if seen.training == self._training else f"in {seen.mode} mode"
        self.note(f"raises under script {where}, as its source says: {failure.verdict.message}")
        return True

    def failure(self, program: Program, seen: Observation) -> Attempt | None:
        """What is wrong with a program on the inputs of ``seen``; None where it gives what eager gave.

        Where builds differ, what eager gives on the very module that was compiled tells more than another build's.
        """
        failure = self._failure(program, seen)
        if failure is not None or not seen.varying or not program.copied:
            return failure
        own = self._of_same_build(program.model, seen)
        if own is None or not own.varying < seen.varying:
            return None
        self.note(SAME_BUILD)
        return self._failure(program, own)

    def _of_same_build(self, model: EagerModel, seen: Observation) -> Observation | None:
        """Eager on the inputs of ``seen``; None where it does not run."""
        try:
            own, again = (model.observe(seen.call, seen.training) for _ in range(2))
        except Exception as error:
            if out_of_memory(error):
                raise
            return None
        finally:
            model.restore()  # the program shares its tensors
        own.varying = varying_paths(own, again)
        return own

    def _failure(self, program: Program, seen: Observation) -> Attempt | None:
        runner = program.fresh()
        set_modes(runner, seen.modes)
        failure = self._check(program.target.value, runner, seen, left=program.copied)
        if failure is not None and failure.values_only and seen.training and seen.random:
            failure = self._judge_draws(program, seen, failure)
        if failure is not None:
            failure.program, failure.seen = program, seen
        return failure

    def _check(
        self, target: str, runner: Any, seen: Observation, rounds: int | None = None, left: bool = False
    ) -> Attempt | None:
        """The first failure of the call's rounds, or the first so many of them; None when all agree. One in values only
        gives way to any other. ``left``: what the calls leave in buffers and inputs is compared, too."""
        apart: Attempt | None = None
        # a slow model is called fewer times than eager was
        pairs = list(zip(seen.outputs, seen.call.rounds, strict=False))[:rounds]
        for expected, inputs in pairs:
            given = copied(inputs)
            tensors = tensors_of(given)
            seed()
            try:
                got = leaves(runner(*given.args, **given.kwargs))
            except Exception as error:
                return self._failed(Outcome.RUN_ERROR, error, self._label(seen))
            found = difference(expected, got, varying=seen.varying)
            if found is not None:
                self._repeat(seen)
                found = difference(expected, got, varying=seen.varying)
            if found is None:
                continue
            failure = self._mismatch(f"{target} differs from eager: {found}", seen)
            if difference(expected, got, values=False) is not None:
                return failure
            failure.values_only = True
            apart = apart or failure
        if not left or apart is not None or seen.varying or (seen.stateful and len(pairs) < len(seen.outputs)):
            return apart
        found = _left_otherwise(runner, tensors, seen)
        if found is not None:
            self._repeat(seen)
        if found is None or not seen.leaves_same:
            return None
        failure = self._mismatch(f"{target} leaves something else behind than eager: {found}", seen)
        failure.values_only = failure.left_behind = True
        return failure

    def _mismatch(self, message: str, seen: Observation) -> Attempt:
        verdict = Verdict(Outcome.MISMATCH, message, input=self._label(seen))
        return Attempt(verdict, Diagnosis("mismatch", message, message))

    def _judge_draws(self, program: Program, seen: Observation, failure: Attempt) -> Attempt | None:
        """What is left of a ``failure`` in values where eager drew random numbers; None when they account for it.

        They do only if the example differs too: a program that draws as eager does there has no other order elsewhere.
        Then dropout modules are turned off on both sides; only if draws remain that spoil the example even so, shapes
        are all that can be compared.
        """
        draws, example = program.draws, seen.call.label == EXAMPLE
        if example:
            draws.differ = True
        if not draws.differ:
            return failure
        quiet = None if draws.shapes_only else self._without_dropout(draws, seen)
        if quiet is not None:
            code, expected = quiet
            runner = copy.deepcopy(code) if program.copied else code
            set_modes(runner, expected.modes)
            label = f"{program.target.value} with dropout off"
            failing = self._check(label, runner, expected, left=program.copied)
            if failing is None:
                self.note(f"{DRAWS}compared with dropout modules off where they differ")
                return None
            if not (example and expected.random and failing.values_only):
                return failing
            draws.shapes_only = True
        self.note(f"{DRAWS}compared in shape and dtype where they differ")
        return None

    def _without_dropout(self, draws: _Draws, seen: Observation) -> tuple[Any, Observation] | None:
        """The program, and eager on the same call, with dropout modules off; None where the model cannot do that."""
        self._quiet = self._quiet or self._build()
        try:
            return draws.program(), self._quiet.observe(seen.call, seen.training, quiet=True)
        except Exception as error:
            if out_of_memory(error):
                raise
            return None

    def _quietly_traced(self) -> Any:
        module = self._build().module
        silence(module)
        example = self._observations[0]
        state = ModuleState(module)
        with tracer_warnings(self._is_user_file):
            program = traced(module, example.call.inputs, example.mapping)
        state.restore()
        return program

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

    def note(self, note: str) -> None:
        if note not in self.notes:
            self.notes.append(note)


def _left_otherwise(runner: Any, tensors: list[Leaf], seen: Observation) -> str | None:
    """What a program left in a buffer or in the ``tensors`` of its inputs, where that is not what eager left there."""
    buffers = leaves(dict(runner.named_buffers()))
    pairs = (("buffer", seen.buffers, buffers), ("input", seen.updated, tensors))
    for what, expected, got in pairs:
        both = {leaf.path for leaf in expected} & {leaf.path for leaf in got}
        found = difference(_of(expected, both), _of(got, both), what=what)
        if found is not None:
            return found
    return None


def _of(found: list[Leaf], paths: set[str]) -> list[Leaf]:
    return [leaf for leaf in found if leaf.path in paths]
