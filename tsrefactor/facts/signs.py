"""Whole numbers that are zero or more, whatever the input."""

from __future__ import annotations

import ast

from .definitions import Function


def not_negative(function: Function, node: ast.expr) -> bool:
    """Whether a whole number is surely zero or more: a literal, a size, the variable of a plain range, their sums."""
    if isinstance(node, ast.Constant):
        return isinstance(node.value, int) and node.value >= 0
    if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Add, ast.Mult, ast.FloorDiv, ast.Mod)):
        return not_negative(function, node.left) and not_negative(function, node.right)
    if isinstance(node, ast.Call):
        method = node.func.attr if isinstance(node.func, ast.Attribute) else function.file.origin(node.func)
        return method in ("len", "size", "dim", "numel")
    if isinstance(node, ast.Subscript):
        return isinstance(node.value, ast.Attribute) and node.value.attr == "shape"
    if isinstance(node, ast.Name):
        loops = [n for n in function.nodes if isinstance(n, ast.For) and node.id in function.flow.writes(n.target)]
        counted = len(loops) == 1 and isinstance(loops[0].target, ast.Name) and _plain_range(function, loops[0].iter)
        stored = [n for n in function.nodes if isinstance(n, ast.Name) and n.id == node.id]
        return counted and sum(not isinstance(n.ctx, ast.Load) for n in stored) == 1
    return False


def _plain_range(function: Function, node: ast.expr) -> bool:
    if not isinstance(node, ast.Call) or function.file.origin(node.func) != "range" or node.keywords:
        return False
    return len(node.args) == 1 or (len(node.args) == 2 and not_negative(function, node.args[0]))
