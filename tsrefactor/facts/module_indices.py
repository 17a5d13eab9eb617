"""Computed indices into containers of modules."""

from __future__ import annotations

import ast

from .attributes import Attributes
from .definitions import Function
from .module_loops import container_kind


def is_computed_index(function: Function, node: ast.Subscript) -> bool:
    """Whether a container of modules is indexed by something that is no constant for the compiler, and no slice."""
    index = node.slice.operand if isinstance(node.slice, ast.UnaryOp) else node.slice
    if isinstance(index, (ast.Constant, ast.Slice)) or container_kind(function, node.value) is None:
        return False
    attribute, cls = function.self_attribute(index), function.cls
    return attribute is None or cls is None or not Attributes(function.file).is_final(cls, attribute)


def from_end(node: ast.Subscript) -> int | None:
    """``k`` of ``l[len(l) - k]``."""
    index = node.slice
    if isinstance(index, ast.BinOp) and isinstance(index.op, ast.Sub) and isinstance(index.right, ast.Constant):
        counted = ast.unparse(index.left) == f"len({ast.unparse(node.value)})"
        return index.right.value if counted and isinstance(index.right.value, int) else None
    return None


def never_negative(function: Function, index: ast.expr) -> bool:
    """Whether an index is built of loop counters that begin at zero or above, and constants, by + and *."""
    if isinstance(index, ast.Constant):
        return isinstance(index.value, int) and index.value >= 0
    if isinstance(index, ast.BinOp) and isinstance(index.op, (ast.Add, ast.Mult, ast.FloorDiv, ast.Mod)):
        return all(never_negative(function, n) for n in (index.left, index.right))
    if not isinstance(index, ast.Name):
        return False
    loops = [n for n in function.of(ast.For) if index.id in function.flow.writes(n.target)]
    bound = sum(n.id == index.id and isinstance(n.ctx, ast.Store) for n in function.of(ast.Name))
    return bool(loops) and bound == len(loops) and all(_counts_up(function, n, index.id) for n in loops)


def _counts_up(function: Function, loop: ast.For, name: str) -> bool:
    """Whether the loop gives the name whole numbers from zero up, or down to zero."""
    over = loop.iter
    if not isinstance(over, ast.Call):
        return False
    origin = function.file.origin(over.func)
    if origin == "reversed" and len(over.args) == 1 and isinstance(inner := over.args[0], ast.Call):
        over, origin = inner, function.file.origin(inner.func)
        if origin != "range":
            return False
    arguments = over.args
    if origin == "range" and isinstance(loop.target, ast.Name):
        if len(arguments) == 3:
            return ast.unparse(arguments[1]) == "-1" and isinstance(arguments[2], ast.UnaryOp)
        return len(arguments) == 1 or (isinstance(arguments[0], ast.Constant) and len(arguments) == 2)
    counter = loop.target.elts[0] if isinstance(loop.target, ast.Tuple) else None
    return origin == "enumerate" and isinstance(counter, ast.Name) and counter.id == name and len(arguments) == 1


def container_at(function: Function, node: ast.expr) -> bool:
    """Whether an expression is an attribute of self, or one of an attribute's own: ``self.encoder.layers``."""
    while isinstance(node, ast.Attribute):
        if function.self_attribute(node) is not None:
            return True
        node = node.value
    return False
