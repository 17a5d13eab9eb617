"""All that eager has to say about one case: its observations, and how far they can be relied on."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property

import torch

from ..cases import ModelCase
from .eager import Call, EagerModel, Observation, given_calls, mode_name
from .errors import short
from .fingerprints import fingerprint, gradient_digests, unstable, varying_paths
from .results import BUFFERS, INPUTS, Fingerprint
from .values import digest, sizes_of
from .variations import Variation, size_of, variations

VARIATION_SECONDS = 4.0  # of eager runs on generated inputs, both modes; a second build repeats them
VARIATION_COUNT = 32
SLOW = 1.0  # seconds of one run, beyond which the example is called fewer times, and gradients are of one mode
FEWER_CALLS = 2  # in the mode as built; one in the other
IN_A_ROW = "calls in a row on other values"
ROW = 3  # of them after the example
VARIATION_BYTES = 1 << 30  # of their outputs, which are kept for the comparison

NOTHING = "the model returns nothing: it is proven to compile and to run, and no more"
VARYING = "eager results vary from run to run: compared in shape and dtype only"
PARTLY = "eager results vary from run to run: {} compared in shape and dtype only"


class _Budget:
    """What the generated inputs may cost."""

    def __init__(self) -> None:
        self._until = time.monotonic() + VARIATION_SECONDS
        self._bytes = 0

    def spent(self, expected: float = 0.0) -> bool:
        """Whether a run that takes ``expected`` seconds is too much."""
        return time.monotonic() + expected > self._until or self._bytes > VARIATION_BYTES

    def add(self, seen: Observation) -> None:
        values = [leaf.value for outputs in seen.outputs for leaf in outputs]
        self._bytes += sum(v.numel() * v.element_size() for v in values if isinstance(v, torch.Tensor))


class EagerRuns:
    """The eager runs of one case: its own inputs in the mode as built, with `run`, and what `extend` adds.

    What varies from run to run shows on a second build, and is asked for only where something differs: with `repeat`
    or `settle`. ``coverage`` says what was generated. Raises EagerError where the case does not run.
    """

    def __init__(self, case: ModelCase, is_user_file: Callable[[str], bool]):
        self._case, self._is_user_file = case, is_user_file
        self._model = EagerModel(case, is_user_file)
        self._calls = given_calls(case, is_user_file)
        self.example = self._calls[0].inputs
        self.training = self._model.training
        self.observations: list[Observation] = []
        self._again_on = 0  # so many of them
        self._varying: set[tuple[str, str]] = set()
        self._refused: list[tuple[str, str]] = []
        self._gradients: dict[str, str] = {}
        self._settled = False
        self._notes: list[str] = []
        self.coverage = ""

    def run(self) -> None:
        """Runs the case's own inputs."""
        began = time.monotonic()
        self.observations += [self._model.observe_given(wanted, self.training) for wanted in self._calls]
        self._seconds = (time.monotonic() - began) / len(self._calls)
        if self._seconds > SLOW:
            self._calls[0].times = FEWER_CALLS
        self._notes += _custom_objects(self.observations)
        if not any(leaf.comparable for seen in self.observations for leaf in seen.outputs[0]):
            self._notes.append(NOTHING)

    def extend(self) -> list[Observation]:
        """Runs generated inputs and the other mode, and backward; returns the new observations."""
        budget = _Budget()
        more, self.coverage = self._observe_variations(budget)
        more += self._observe_row(more, budget)
        known = self.observations + more
        slow = self._seconds > SLOW
        more += _observe_other_mode(self._model, known, budget, slow, self._refused, self._notes)
        self.observations += more
        trainings = list(dict.fromkeys(seen.training for seen in self.observations))[: 1 if slow else 2]
        self._gradients = gradient_digests(self._model, self._calls, trainings)
        return more

    def repeat(self, seen: Observation) -> None:
        """Runs this one of `observations`, and those before it, once more on a second build, and marks those that vary
        by the outputs that do."""
        at = next((n for n, one in enumerate(self.observations, 1) if one is seen), 0)
        self._varying |= _mark_varying(self._again, self.observations[self._again_on : at])
        self._again_on = max(self._again_on, at)

    def settle(self) -> None:
        """Repeats all there is, the gradients too, so that the fingerprint tells what varies from run to run."""
        self.repeat(self.observations[-1])
        modes = [training for training in (False, True) if mode_name(training) in self._gradients]
        again = gradient_digests(self._again, self._calls, modes)
        self._gradients = {m: text if again[m] == text else unstable(text) for m, text in self._gradients.items()}
        self._settled = True

    @cached_property
    def _again(self) -> EagerModel:
        return EagerModel(self._case, self._is_user_file)

    def _observe_variations(self, budget: _Budget) -> tuple[list[Observation], str]:
        found: list[Observation] = []
        groups = variations(self.example)
        sized = tried = 0
        for group in groups:
            expected = self._seconds * max(size_of(v.inputs) for v in group) / max(size_of(self.example), 1)
            if budget.spent(expected) or len(found) >= VARIATION_COUNT:
                continue
            tried += 1
            accepted = _first_accepted(self._model, group, self._refused)
            if accepted is not None:
                variation, seen = accepted
                budget.add(seen)
                found.append(seen)
                sized += variation.resized
        cut = "" if tried == len(groups) else f"; {len(groups) - tried} not tried (limits of time, number and memory)"
        made = f"variations: {len(found) - sized} of values, {sized} of sizes; {tried - len(found)} that eager refuses"
        return found, made + cut

    def _observe_row(self, varied: list[Observation], budget: _Budget) -> list[Observation]:
        """Calls on other values in a row, where a call leaves something behind: on the example alone, a mean over all
        calls stays what the first one made of it."""
        sizes = sizes_of(self.example)
        others = tuple(seen.call.inputs for seen in varied if sizes_of(seen.call.inputs) == sizes)[:ROW]
        if not others or not self.observations[0].stateful or budget.spent(self._seconds * len(others)):
            return []
        row = Call(IN_A_ROW, self.example, generated=True, then=others)
        try:
            seen = self._model.observe(row, self.training)
        except Exception:  # eager is the judge of what the model takes
            self._refused.append((mode_name(self.training), row.label))
            return []
        budget.add(seen)
        return [seen]

    @property
    def notes(self) -> list[str]:
        varying = frozenset[str]().union(*(seen.varying for seen in self.observations))
        if not varying:
            return self._notes
        paths = [leaf.path for leaf in self.observations[0].outputs[0]]
        named = ", ".join(f"output{path}" for path in paths if path in varying)
        return [*self._notes, VARYING if varying.issuperset(paths) else PARTLY.format(named)]

    def fingerprint(self) -> Fingerprint:
        """Of all runs so far."""
        unsteady = {seen.mode for seen in self.observations if seen.varying and not seen.call.generated}
        gradients = {m: unstable(text) if m in unsteady else text for m, text in self._gradients.items()}
        found = fingerprint(self._model, self.observations, self._varying, self._refused, gradients)
        return replace(found, settled=self._settled)


def _custom_objects(observations: list[Observation]) -> list[str]:
    kinds = {
        type(leaf.value).__name__
        for seen in observations
        for leaf in seen.outputs[0]
        if not leaf.comparable and leaf.value is not None
    }
    return [f"outputs of type {', '.join(sorted(kinds))} are compared by type only"] if kinds else []


def _first_accepted(
    model: EagerModel, group: list[Variation], refused: list[tuple[str, str]]
) -> tuple[Variation, Observation] | None:
    for variation in group:
        wanted = Call(variation.label, variation.inputs, generated=True)
        try:
            return variation, model.observe(wanted, model.training)
        except Exception:  # eager is the judge of what the model takes
            refused.append((mode_name(model.training), variation.label))
    return None


def _observe_other_mode(
    model: EagerModel,
    observations: list[Observation],
    budget: _Budget,
    once: bool,
    refused: list[tuple[str, str]],
    notes: list[str],
) -> list[Observation]:
    """The same calls in the mode that the model was not built in; none where the example does not run there.

    ``once``: also of those that are to be repeated.
    """
    training = not model.training
    found: list[Observation] = []
    for seen in observations:
        if seen.call.generated and budget.spent():
            break
        try:
            found.append(model.observe(replace(seen.call, times=1) if once else seen.call, training))
        except Exception as error:
            refused.append((mode_name(training), seen.call.label))
            if not found:
                notes.append(f"not run in {mode_name(training)} mode, where eager raises {short(error, 120)}")
                break
        else:
            budget.add(found[-1])
    return found


def _mark_varying(again: EagerModel, observations: list[Observation]) -> set[tuple[str, str]]:
    """Runs everything on a second build; returns (mode, "buffers" or "inputs") that the given inputs left otherwise."""
    varying: set[tuple[str, str]] = set()
    for seen in observations:
        if seen.call.generated or seen.training != again.training:
            try:
                second = again.observe(seen.call, seen.training)
            except Exception:  # it ran before: that too is a result that varies
                seen.varying = varying_paths(seen, replace(seen, outputs=[]))
                continue
        else:
            second = again.observe_given(seen.call, seen.training)
        seen.varying = varying_paths(seen, second)
        alike = second.inputs == seen.inputs and digest(second.updated) == digest(seen.updated)
        same = digest(second.buffers) == digest(seen.buffers), alike
        seen.leaves_same = all(same)
        if not seen.call.generated:
            varying |= {(seen.mode, what) for what, agree in zip((BUFFERS, INPUTS), same, strict=True) if not agree}
    return varying
