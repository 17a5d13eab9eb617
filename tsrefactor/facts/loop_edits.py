"""Edits of loops over modules, and the element of a list that such a loop reads by its index."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tsrefactor.source.edits import Edit, Piece, Replace

from .definitions import Function
from .module_loops import Loop, container_kind


def holds_modules(function: Function, node: ast.expr) -> bool:
    """Whether an expression is a ModuleList or a Sequential."""
    return container_kind(function, node) in ("torch.nn.ModuleList", "torch.nn.Sequential")


def around_body(
    loop: Loop, template: str, depth: int, changes: Mapping[ast.expr, str] | None = None, start: int = 0
) -> Edit:
    """The loop under another header, its body (from ``start`` on) so many steps inside, with the comments beside and
    below it."""
    body = Piece(loop.node.body[start:], changes or {})
    return Replace([loop.node], template, {"body": body, "beside": loop.beside(), "below": loop.below(depth)})


@dataclass(frozen=True)
class Part:
    """One argument of `zip`: ``base[start::step]``, or ``base`` backwards. ``modules``: it is a container of them.

    ``counted``: the first number, the end and the step (1 or -1) of a range, which is ``base`` then.
    """

    target: ast.expr
    base: ast.expr
    modules: bool
    start: int = 0
    step: int = 1
    backwards: bool = False
    counted: tuple[str, str, int] | None = None

    @property
    def whole(self) -> bool:
        return (self.start, self.step, self.backwards) == (0, 1, False)

    def element(self, index: str) -> str:
        """What the loop sees of it in its round ``index``."""
        if self.counted is not None:
            first, _, step = self.counted
            return f"{first} - {index}" if step < 0 else index if first == "0" else f"{first} + {index}"
        return f"{ast.unparse(self.base)}[{f'-1 - {index}' if self.backwards else self._place(index)}]"

    def guard(self, index: str) -> str:
        """The condition that it has such an element."""
        if self.counted is not None:
            _, end, step = self.counted
            return (
                f"{self.element(index)} >= 0"
                if end == "-1"
                else f"{self.element(index)} {'<' if step > 0 else '>'} {end}"
            )
        return f"{index if self.backwards else self._place(index)} < len({ast.unparse(self.base)})"

    def as_long_as(self, counts: Iterable[str]) -> bool:
        """Whether it is a range over that many numbers, given as text."""
        first, end, step = self.counted or ("", "", 0)
        return any((first, end, step) in (("0", n, 1), (_less_one(n), "-1", -1)) for n in counts)

    def _place(self, index: str) -> str:
        scaled = index if self.step == 1 else f"{self.step} * {index}"
        return f"{scaled} + {self.start}" if self.start else scaled


def part_of(function: Function, target: ast.expr, over: ast.expr) -> Part | None:
    """An argument of `zip` as a part; None where its elements have no simple index."""
    base, start, step, backwards = over, 0, 1, False
    if (counted := _counted(function, over)) is not None:
        return Part(target, over, False, counted=counted)
    if isinstance(over, ast.Call) and function.file.origin(over.func) == "reversed" and len(over.args) == 1:
        base, backwards = over.args[0], True
    elif isinstance(over, ast.Subscript) and isinstance(over.slice, ast.Slice):
        base, bounds = over.value, over.slice
        backwards = ast.unparse(bounds) == "::-1"
        if not backwards:
            literals = [b.value if isinstance(b, ast.Constant) else None for b in (bounds.lower, bounds.step) if b]
            if bounds.upper is not None or not all(isinstance(n, int) for n in literals):
                return None
            start = bounds.lower.value if isinstance(bounds.lower, ast.Constant) else 0  # type: ignore[assignment]
            step = bounds.step.value if isinstance(bounds.step, ast.Constant) else 1  # type: ignore[assignment]
    if not isinstance(base, (ast.Name, ast.Attribute)):
        return None
    return Part(target, base, holds_modules(function, base), start, step, backwards)


def _counted(function: Function, over: ast.expr) -> tuple[str, str, int] | None:
    """The first number, the end and the step of a range with a step of 1 or -1, reversed or not."""
    if not isinstance(over, ast.Call) or over.keywords:
        return None
    origin, arguments = function.file.origin(over.func), over.args
    if origin == "reversed" and len(arguments) == 1:
        inner = _counted(function, arguments[0])
        return (_less_one(inner[1]), _less_one(inner[0]), -1) if inner is not None and inner[2] == 1 else None
    if origin != "range" or not 1 <= len(arguments) <= 3 or any(isinstance(a, ast.Starred) for a in arguments):
        return None
    if not all(map(_is_simple, arguments)):
        return None
    step = ast.unparse(arguments[2]) if len(arguments) == 3 else "1"
    start, end = (arguments[0], arguments[1]) if len(arguments) > 1 else (ast.Constant(0), arguments[0])
    return (ast.unparse(start), ast.unparse(end), int(step)) if step in ("1", "-1") else None


def _is_simple(number: ast.expr) -> bool:
    """Whether one can write it into a sum without parentheses."""
    if isinstance(number, ast.BinOp):
        arithmetic = isinstance(number.op, (ast.Add, ast.Sub, ast.Mult, ast.FloorDiv, ast.Mod))
        return arithmetic and _is_simple(number.left) and _is_simple(number.right)
    return isinstance(number, (ast.Constant, ast.Name, ast.Attribute, ast.Subscript, ast.Call, ast.UnaryOp))


def _less_one(number: str) -> str:
    return str(int(number) - 1) if number.isdigit() else f"{number} - 1"


def slice_guard(bounds: ast.Slice, text: str, index: str, first: int = 0) -> str | None:
    """The condition on the index that a slice stands for, where the slice's own numbering begins with ``first``; None
    where it is not of literals without a step."""
    parts: dict[str, str] = {}
    for bound, sign in ((bounds.lower, ">="), (bounds.upper, "<")):
        if bound is None:
            continue
        literal = literal_bound(bound)
        if literal is None:
            return None
        parts[sign] = f"{literal - first}" if literal >= 0 else f"len({text}) - {first - literal}"
    if bounds.step is not None:
        return None
    if len(parts) == 2:
        return f"{parts['>=']} <= {index} < {parts['<']}"
    return "".join(f"{index} {sign} {bound}" for sign, bound in parts.items())


def literal_bound(bound: ast.expr) -> int | None:
    """``1``, ``-1``; -0 is none, for it counts from the front."""
    negative = isinstance(bound, ast.UnaryOp) and isinstance(bound.op, ast.USub)
    literal = bound.operand if isinstance(bound, ast.UnaryOp) and negative else bound
    if not isinstance(literal, ast.Constant) or not isinstance(literal.value, int):
        return None
    return -literal.value if negative else literal.value
