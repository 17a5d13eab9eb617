"""Whether a trace holds on other inputs than its example: a search for one on which it does not, and its cause."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import torch

from ..cases import Inputs
from ..facts.diagnosis import Diagnosis, Place
from ..vocabulary import Outcome, Verdict
from .baking import Blame
from .eager import EXAMPLE, Call, EagerModel, Observation
from .fingerprints import varying_paths
from .forgetting import forgotten
from .search import Search
from .state import ModuleState
from .targets import Attempt, Program, Prover
from .variations import Argument, arguments_of, with_tensors

SMALLEST_SECONDS = 1.5  # for a counterexample smaller than the first one
CALLED_SECONDS = 2.0  # of runs of a trace that was made of a model called before
CALLED = ", traced after a call"


class Generality:
    """Judges the traces of one case, of which eager made the ``observations``; the first is the example."""

    def __init__(
        self,
        prover: Prover,
        observations: Sequence[Observation],
        is_user_file: Callable[[str], bool],
        build: Callable[[], EagerModel],
    ):
        self._prover, self._is_user_file, self._build = prover, is_user_file, build
        example = observations[0]
        self._example = example
        self._observations = [seen for seen in observations if seen.training == example.training]
        self.coverage = ""

    def proven(self, passed: Attempt) -> Attempt:
        """A trace that passed the usual variations, held against inputs made to prove it wrong; then a trace of the
        model after a call, where calls leave something behind that the next one reads."""
        assert passed.program is not None
        search = Search(self._build(), self._observations, self._is_user_file)
        for seen in search:
            seen.varying = self._example.varying
            failure = self._prover.failure(passed.program, seen)
            if failure is not None and (varying := self._varying(seen)) - seen.varying:
                seen.varying |= varying
                failure = self._prover.failure(passed.program, seen)
            if failure is not None:
                self.coverage = search.coverage
                return failure
        self.coverage = search.coverage
        return self._called_before() or passed

    def _varying(self, seen: Observation) -> frozenset[str]:
        """The outputs of which eager gives something else when it is run again."""
        try:
            again = self._build().observe(seen.call, seen.training)
        except Exception:  # it ran before: that too is a result that varies
            again = replace(seen, outputs=[])
        return varying_paths(seen, again)

    def _called_before(self) -> Attempt | None:
        """The failure of a trace of the model that was called before; None where it holds, or nothing is left behind.

        What the first call keeps (a mask, a table of positions) is recorded when it is traced, and a constant after.
        """
        model = self._build()
        state = ModuleState(model.module)
        model.warm_up(self._example.call.inputs)
        if not state.rebound():
            return None
        attempt = self._prover.trace(model)
        if attempt.program is None:
            return attempt
        until = time.process_time() + CALLED_SECONDS
        for seen in self._observations:
            if time.process_time() > until:
                break
            if seen.call.then:
                continue
            try:
                again = model.observe(Call(seen.call.label, seen.call.inputs, seen.call.generated), seen.training)
            except Exception:  # what the first call left does not take this input
                continue
            again.varying = seen.varying | self._example.varying
            failure = self._prover.failure(attempt.program, again)
            if failure is not None:
                again.call.label += CALLED
                return failure
        return None

    # -- baked -----------------------------------------------------------------------------------------------------

    def judged(self, failure: Attempt) -> Attempt:
        """A trace's failure on other inputs than the traced ones, or in what it leaves behind: baked, with the smallest
        counterexample at hand and the line to blame. Any other failure as it is."""
        if failure.program is None or failure.seen is None:
            return failure
        if failure.seen.call.label == EXAMPLE and not failure.left_behind:
            return failure
        called = failure.seen.call.label.endswith(CALLED)
        in_a_row = bool(failure.seen.call.then)
        if not called and not in_a_row and failure.seen.call.generated:
            failure = self._smallest(failure, failure.program)
        assert failure.seen is not None
        model = self._build()
        if called:
            model.warm_up(self._example.call.inputs)
        failed = failure.verdict
        if in_a_row or (failure.left_behind and failure.seen.call.label == EXAMPLE):
            baked = forgotten(model, self._example, self._is_user_file)
        else:
            baked = Blame(model, self._example, self._is_user_file).of(failure.seen, self._prover.warnings)
        file, line, told = failed.file, failed.line, failed.message
        if baked is not None:
            file, line, told = baked.file, baked.line, f"{baked.told}: {failed.message}"
        verdict = Verdict(Outcome.BAKED, told, file, line, failed.input if not called else failure.seen.call.label)
        place = Place(file, line) if file and line else None
        text = failure.diagnosis.text if failure.diagnosis else told
        return Attempt(verdict, Diagnosis("baked", told, text, place))

    def _smallest(self, failure: Attempt, program: Program) -> Attempt:
        """The failure on the input that differs least from the example, of those known and of parts of the first."""
        until = time.process_time() + SMALLEST_SECONDS
        first = failure.seen
        assert first is not None
        best, size = failure, self._distance(first)
        for seen in (*self._parts(first), *self._observations):
            if time.process_time() > until:
                break
            if seen is first or seen.call.then or not seen.call.generated or self._distance(seen) >= size:
                continue
            other = self._prover.failure(program, seen)
            if other is not None:
                best, size = other, self._distance(seen)
        return best

    def _parts(self, seen: Observation) -> Iterator[Observation]:
        """Eager runs with only one of several tensors changed."""
        example = arguments_of(self._example.call.inputs)
        pairs = list(zip(example, arguments_of(seen.call.inputs), strict=True))
        changed = [pair for pair in pairs if _differ(*pair)]
        if len(changed) < 2:
            return
        model = self._build()
        for mine, theirs in changed:
            inputs = with_tensors(self._example.call.inputs, {id(mine.tensor): theirs.tensor})
            label = f"{seen.call.label}, in {mine.name} alone"
            try:
                part = model.observe(Call(label, inputs, generated=True), seen.training)
            except Exception:  # eager is the judge of what the model takes
                continue
            part.varying = seen.varying
            yield part

    def _distance(self, seen: Observation) -> tuple[int, int, int]:
        return distance(self._example.call.inputs, seen.call.inputs)


def distance(example: Inputs, inputs: Inputs) -> tuple[int, int, int]:
    """How far inputs are from the example: tensors changed, dims resized, numbers more or less."""
    pairs = list(zip(arguments_of(example), arguments_of(inputs), strict=True))
    changed = sum(_differ(a, b) for a, b in pairs)
    dims = sum(n != m for a, b in pairs for n, m in zip(a.tensor.shape, b.tensor.shape, strict=True))
    return changed, dims, sum(abs(a.tensor.numel() - b.tensor.numel()) for a, b in pairs)


def _differ(a: Argument, b: Argument) -> bool:
    return a.tensor.shape != b.tensor.shape or not torch.equal(a.tensor, b.tensor)
