"""What a trace froze, and where, once an input is known on which it is wrong."""

from __future__ import annotations

import ast
import linecache
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from .courses import Course, Following
from .eager import Call, EagerModel, Observation
from .graphs import Difference, Frame, Operation, first_difference, operations
from .state import ModuleState
from .tracing import Warned, traced, tracer_warnings

_KEPT: dict[type[ast.AST], str] = {
    ast.If: "the trace keeps the side of this `if` that the example took",
    ast.While: "the trace keeps the example's number of turns of this `while`",
    ast.For: "the trace keeps the example's number of turns of this `for`",
}
_CONTROL = (ast.If, ast.While, ast.For)


@dataclass(frozen=True)
class Baked:
    """The line to blame, and what happens there in a sentence."""

    file: str
    line: int
    told: str


class Blame:
    """Finds what one trace froze. ``model`` is built as the traced one was; ``example`` is what that was traced on."""

    def __init__(self, model: EagerModel, example: Observation, is_user_file: Callable[[str], bool]):
        self._model, self._example, self._is_user_file = model, example, is_user_file
        self._state = ModuleState(model.module)

    def of(self, wrong: Observation, warned: Sequence[Warned]) -> Baked | None:
        """What makes the trace wrong on ``wrong``: by the recordings, else the courses of eager, else the tracer."""
        difference, parting = self.difference(wrong), self._parting(wrong)
        if difference is not None and difference.constants is not None:
            frames = self._users(difference.first)
            if frames and (difference.alike or parting is None):
                return _constant(frames[-1], difference.constants, warned)
        if difference is not None:
            found = self._fork(self._users(difference.first), self._users(difference.second), parting)
            if found is not None:
                return found
        if parting is not None:
            return _at(*parting)
        for warning in sorted(warned, key=lambda w: not w.direct):
            return _at(warning.file, warning.line)
        return None

    def difference(self, other: Observation) -> Difference | None:
        """The first thing that a trace on ``other`` records otherwise; None where that cannot be told."""
        try:
            recorded = []
            for seen in (self._example, other):
                with tracer_warnings(self._is_user_file):
                    recorded.append(operations(traced(self._model.module, seen.call.inputs, seen.mapping)))
                self._state.restore()
        except Exception:  # it takes eager runs only: what follows is told by these
            return None
        finally:
            self._state.restore()
        return first_difference(*recorded)

    def _users(self, operation: Operation | None) -> list[Frame]:
        """The frames of an operation in the user's source, outermost first."""
        frames = operation.frames if operation is not None else ()
        return [frame for frame in reversed(frames) if self._is_user_file(frame[0])]

    def _parting(self, wrong: Observation) -> Frame | None:
        """The last line that eager takes with the example before it takes another way with ``wrong``."""
        return self._course(self._example).parting(self._course(wrong))

    def _course(self, seen: Observation) -> Course:
        with Following(self._is_user_file) as course:
            try:
                self._model.observe(Call(seen.call.label, seen.call.inputs, seen.call.generated), seen.training)
            except Exception:  # it ran before; what it did until now is its course
                return course
        return course

    def _fork(self, first: list[Frame], second: list[Frame], parting: Frame | None) -> Baked | None:
        """The statement that sent two recordings on to different lines of one function."""
        common = None
        for mine, theirs in zip(first, second, strict=False):
            if mine == theirs:
                common = mine
                continue
            if mine[0] != theirs[0]:
                break
            fork = separating(_tree(mine[0]).body, mine[1], theirs[1])
            if fork is not None:
                return Baked(mine[0], fork.lineno, _KEPT[type(fork)])
            break
        if parting is not None:
            return _at(*parting)
        return _at(*common) if common is not None else None


def separating(block: Sequence[ast.stmt], a: int, b: int) -> ast.stmt | None:
    """The outermost ``if`` or loop that takes a run to line ``a`` rather than ``b``."""
    first, second = _holding(block, a), _holding(block, b)
    if first is None or second is None:
        return None
    if first is not second:
        both = sorted((first, second), key=lambda s: s.lineno)
        return next((s for s in both if isinstance(s, _CONTROL)), None)
    sections = _sections(first)
    mine = next((s for s in sections if _holding(s, a)), None)
    theirs = next((s for s in sections if _holding(s, b)), None)
    if mine is not theirs:
        return first if isinstance(first, _CONTROL) else None
    return separating(mine, a, b) if mine is not None else None


def _holding(block: Sequence[ast.stmt], line: int) -> ast.stmt | None:
    return next((s for s in block if s.lineno <= line <= (s.end_lineno or s.lineno)), None)


def _sections(statement: ast.stmt) -> list[list[ast.stmt]]:
    blocks = [getattr(statement, name, None) or [] for name in ("body", "orelse", "finalbody")]
    blocks += [handler.body for handler in getattr(statement, "handlers", [])]
    return blocks + [case.body for case in getattr(statement, "cases", [])]


def _constant(place: Frame, constants: tuple[str, str], warned: Sequence[Warned]) -> Baked:
    """A number or tensor of the example in the graph: where it left the trace, else where it is used."""
    file, line = place
    here = [w.line for w in warned if w.file == file and w.direct]
    origin = max((n for n in feeding(_tree(file), line) if n in here), default=line)
    kept, other = constants
    told = f"{kept} of the example, where this input gives {other}"
    if kept.startswith("tensor "):
        told = "a tensor that was computed from the example"
    elif "input " in kept or len(told) > 100:
        told = "a list as long as the example made it"
    return Baked(file, origin, f"the trace keeps {told}")


def feeding(tree: ast.Module, line: int) -> set[int]:
    """Lines of the innermost function around ``line`` whose assignments its names may come from; itself included."""
    inside = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and n.lineno <= line <= (n.end_lineno or 0)]
    if not inside:
        return {line}
    statements = [s for s in ast.walk(inside[-1]) if isinstance(s, ast.stmt) and not any(_sections(s))]
    found = [s for s in statements if s.lineno <= line <= (s.end_lineno or s.lineno)]
    wanted = {n.id for s in found for n in ast.walk(s) if isinstance(n, ast.Name)}
    while True:
        more = [s for s in statements if s not in found and s.lineno <= line and wanted & _stored(s)]
        if not more:
            return {n for s in found for n in range(s.lineno, (s.end_lineno or s.lineno) + 1)} | {line}
        found += more
        wanted |= {n.id for s in more for n in ast.walk(s) if isinstance(n, ast.Name)}


def _stored(statement: ast.stmt) -> set[str]:
    return {n.id for n in ast.walk(statement) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}


def _at(file: str, line: int) -> Baked:
    """A line where the course of the example was kept, told by the statement that begins there."""
    controls = (n for n in ast.walk(_tree(file)) if isinstance(n, _CONTROL))
    head = next((n for n in controls if n.lineno <= line < n.body[0].lineno), None)
    if head is None:
        return Baked(file, line, "the trace keeps what this line did with the example")
    return Baked(file, head.lineno, _KEPT[type(head)])


@lru_cache(maxsize=8)
def _tree(file: str) -> ast.Module:
    """The file as it was loaded, which may be a rewritten text."""
    return ast.parse("".join(linecache.getlines(file)))
