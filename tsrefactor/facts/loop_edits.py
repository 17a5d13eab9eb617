"""Edits of loops over modules, and the element of a list that such a loop reads by its index."""

from __future__ import annotations

import ast
from collections.abc import Mapping
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
    """One argument of `zip`: ``base[start::step]``, or ``base`` backwards. ``modules``: it is a container of them."""

    target: ast.expr
    base: ast.expr
    modules: bool
    start: int = 0
    step: int = 1
    backwards: bool = False

    @property
    def whole(self) -> bool:
        return (self.start, self.step, self.backwards) == (0, 1, False)

    def element(self, index: str) -> str:
        """What the loop sees of it in its round ``index``."""
        return f"{ast.unparse(self.base)}[{f'-1 - {index}' if self.backwards else self._place(index)}]"

    def guard(self, index: str) -> str:
        """The condition that it has such an element."""
        return f"{index if self.backwards else self._place(index)} < len({ast.unparse(self.base)})"

    def _place(self, index: str) -> str:
        scaled = index if self.step == 1 else f"{self.step} * {index}"
        return f"{scaled} + {self.start}" if self.start else scaled


def part_of(function: Function, target: ast.expr, over: ast.expr) -> Part | None:
    """An argument of `zip` as a part; None where its elements have no simple index."""
    base, start, step, backwards = over, 0, 1, False
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
