"""Lists that grow in a loop whose number of turns a trace keeps: what goes over them is kept with it."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from .definitions import Function
from .types import TENSOR


def grown(function: Function) -> set[str]:
    """The names of such lists."""
    loops = [n for n in function.of(ast.For, ast.While) if function.dependence.freezes_block(n)]
    return {name for loop in loops for name in _growing(loop) if function.types.of_name(name) != TENSOR}


def is_kept(function: Function, block: ast.AST) -> bool:
    """Whether a trace keeps the example's way through an `if`, a `while` or a `for`, also of a list that `grown` tells
    of."""
    if function.dependence.freezes_block(block):
        return True
    return isinstance(block, ast.For) and bool(function.flow.reads(block.iter) & grown(function))


def _growing(loop: ast.AST) -> Iterator[str]:
    """Names of what the loop appends to."""
    for node in ast.walk(loop):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "append":
            if isinstance(node.func.value, ast.Name):
                yield node.func.value.id
        elif isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name) and isinstance(node.value, ast.List):
            yield node.target.id
