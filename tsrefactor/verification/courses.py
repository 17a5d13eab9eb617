"""The course of an eager run through the user's source: the lines it took, in order, and from which to which."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

LONGEST = 200_000  # steps; a longer course is cut: what tells two runs apart comes early

Step = tuple[str, int]
"""File and line."""


@dataclass
class Course:
    """``steps``: the lines taken, in order. ``moves``: (file, line, next line) within one call of a function.
    ``functions``: file and first line of what was called.
    """

    steps: list[Step] = field(default_factory=list)
    moves: set[tuple[str, int, int]] = field(default_factory=set)
    functions: set[Step] = field(default_factory=set)

    def parting(self, other: Course) -> Step | None:
        """The last line that two courses have in common before they part; None where they never do."""
        last = None
        for mine, theirs in zip(self.steps, other.steps, strict=False):
            if mine != theirs:
                return last
            last = mine
        return last if len(self.steps) != len(other.steps) else None


class Following:
    """While it lasts, lines of the user's files that run in this thread go into ``course``."""

    def __init__(self, is_user_file: Callable[[str], bool]):
        self._is_user_file, self.course = is_user_file, Course()

    def __enter__(self) -> Course:
        self._before = sys.gettrace()
        sys.settrace(self._called)
        return self.course

    def __exit__(self, *_: object) -> None:
        sys.settrace(self._before)

    def _called(self, frame: FrameType, event: str, _: Any) -> Callable[..., Any] | None:
        code = frame.f_code
        if not self._is_user_file(code.co_filename):
            return None
        course, file, last = self.course, code.co_filename, 0
        course.functions.add((file, code.co_firstlineno))

        def step(frame: FrameType, event: str, _: Any) -> Callable[..., Any]:
            nonlocal last
            if event == "line":
                line = frame.f_lineno
                if len(course.steps) < LONGEST:
                    course.steps.append((file, line))
                course.moves.add((file, last, line))
                last = line
            elif event == "return":
                course.moves.add((file, last, 0))
            return step

        return step
