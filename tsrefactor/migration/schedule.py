"""Many lines of work over one pool of workers: each is a generator that yields tasks and is sent their results."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import TypeVar

from tsrefactor.workers.pool import Workers
from tsrefactor.workers.task import Result, Task

T = TypeVar("T")
Work = Generator[Sequence[Task], list[Result], T]


def run_all(workers: Workers, works: Sequence[Work[T]], at_once: int) -> list[T]:
    """Runs the generators to their ends, ``at_once`` of them side by side, and returns what they return, in order.

    Each yield hands over tasks, which may run at the same time, and resumes with their results in that order.
    """
    results: dict[int, T] = {}
    waiting: dict[int, tuple[int, int]] = {}  # task number → (work, position among the tasks it yielded)
    collected: dict[int, list[Result | None]] = {}
    queue = list(enumerate(works))
    active = 0

    def advance(work: int, answers: list[Result] | None) -> bool:
        """Resumes one generator until it waits for a task; whether it does."""
        while True:
            try:
                tasks = next(works[work]) if answers is None else works[work].send(answers)
            except StopIteration as end:
                results[work] = end.value
                return False
            if tasks:
                collected[work] = [None] * len(tasks)
                for position, task in enumerate(tasks):
                    waiting[workers.submit(task)] = work, position
                return True
            answers = []

    def fill() -> None:
        nonlocal active
        while queue and active < at_once:
            active += advance(queue.pop(0)[0], None)

    fill()
    while active:
        for number, result in workers.completed():
            work, position = waiting.pop(number)
            collected[work][position] = result
            if None not in collected[work]:
                active -= not advance(work, collected.pop(work))  # type: ignore[arg-type]
                fill()
    return [results[i] for i in range(len(works))]
