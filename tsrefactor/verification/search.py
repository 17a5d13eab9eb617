"""The search for an input on which a trace is wrong: eager runs on inputs beyond the usual variations."""

from __future__ import annotations

import ast
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ..facts.definitions import Function
from .aiming import aimed, extremes
from .courses import Course, Following
from .eager import Call, EagerModel, Observation
from .loaded import facts_of
from .variations import Variation

SEARCH_SECONDS = 3.0  # of eager and traced runs on these inputs
Arm = tuple[str, int, bool]
"""File, line of the condition, and whether it held."""


class Search:
    """Eager runs on inputs that may prove a trace wrong: extreme ones, then ones aimed at branches not yet taken.

    Iterate over it: each run is made when it is asked for, so that the time limit counts what is done in between.
    ``coverage`` says what was tried. ``seen`` are the runs so far; the first is the example.
    """

    def __init__(self, model: EagerModel, seen: Sequence[Observation], is_user_file: Callable[[str], bool]):
        self._model, self._seen, self._is_user_file = model, seen, is_user_file
        self._until = time.process_time() + SEARCH_SECONDS
        self._made = self._refused = self._left = 0
        self._branches = self._open = 0

    def __iter__(self) -> Iterator[Observation]:
        example = self._seen[0].call.inputs
        for variation in extremes(example):
            if self._spent():
                self._left += 1
            elif (seen := self._run(variation)) is not None:
                yield seen
        yield from self._aimed()

    @property
    def coverage(self) -> str:
        """What was tried, for the report."""
        told = f"{self._made} extreme or aimed; {self._refused} of these that eager refuses"
        if self._branches:
            told += f"; {self._branches - self._open} of {self._branches} branches on data or sizes taken both ways"
        return told + (f"; {self._left} not tried (out of time)" if self._left else "")

    def _spent(self) -> bool:
        return time.process_time() > self._until

    def _run(self, variation: Variation) -> Observation | None:
        try:
            seen = self._model.observe(Call(variation.label, variation.inputs, generated=True), self._model.training)
        except Exception:  # eager is the judge of what the model takes
            self._refused += 1
            return None
        self._made += 1
        return seen

    # -- branches --------------------------------------------------------------------------------------------------

    def _aimed(self) -> Iterator[Observation]:
        course = self._course(self._seen[0].call)
        conditions = [c for file in {f for f, _ in course.functions} for c in _frozen_conditions(file, course)]
        self._branches = len(conditions)
        taken = set[Arm]()
        for seen in self._seen:
            taken |= _taken(conditions, course if seen is self._seen[0] else self._course(seen.call))
            if len(taken) == 2 * len(conditions) or self._spent():
                break
        numbers = sorted({n for _, test in conditions for n in self._numbers(test.test)})
        example = self._seen[0].call.inputs
        for variation in aimed(example, numbers) if len(taken) < 2 * len(conditions) else ():
            if self._spent():
                self._left += 1
                continue
            with Following(self._is_user_file) as course:
                found = self._run(variation)
            if found is None:
                continue
            new = _taken(conditions, course) - taken
            taken |= new
            if new:
                yield found
            if len(taken) == 2 * len(conditions):
                break
        self._open = sum({(f, t.lineno, True), (f, t.lineno, False)} - taken != set() for f, t in conditions)

    def _course(self, call: Call) -> Course:
        with Following(self._is_user_file) as course:
            try:
                self._model.observe(Call(call.label, call.inputs, generated=True), self._model.training)
            except Exception:  # it ran before; what it did until now counts
                return course
        return course

    def _numbers(self, test: ast.expr) -> Iterator[float]:
        """The numbers that a condition compares with: literals, and those of the model's attributes."""
        for node in ast.walk(test):
            value: Any = None
            if isinstance(node, ast.Constant):
                value = node.value
            elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self":
                held = (getattr(m, node.attr, None) for m in self._model.module.modules())
                value = next((v for v in held if _is_number(v)), None)
            if _is_number(value):
                yield float(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


Condition = tuple[str, ast.If | ast.While]
"""A file, and a statement of it whose condition depends on tensor data or sizes."""


def _frozen_conditions(file: str, course: Course) -> list[Condition]:
    """The conditions of the functions that ran of which a trace keeps the example's outcome."""
    facts = facts_of(file)
    return [
        (file, node)
        for function in facts.all_functions
        if (file, _first_line(function)) in course.functions
        for node in function.of(ast.If, ast.While)
        if function.dependence.freezes(node.test, presume=True) and node.body[0].lineno > _last_line(node)
    ]


def _first_line(function: Function) -> int:
    return min([function.node.lineno, *(d.lineno for d in function.node.decorator_list)])


def _last_line(node: ast.If | ast.While) -> int:
    """Of its condition."""
    return node.test.end_lineno or node.test.lineno


def _taken(conditions: Sequence[Condition], course: Course) -> set[Arm]:
    """The arms of the conditions that a run took."""
    found = set()
    for file, node in conditions:
        last = _last_line(node)
        for moved, a, b in course.moves:
            if moved == file and node.lineno <= a <= last and not node.lineno <= b <= last:
                found.add((file, node.lineno, b == node.body[0].lineno))
    return found
