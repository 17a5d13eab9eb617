"""Whole numbers that are zero or more, whatever the input."""

from __future__ import annotations

import ast

from .definitions import Function


def not_negative(function: Function, node: ast.expr) -> bool:
    """Whether a whole number is surely zero or more: a literal, a size, the variable of a plain range, what is
    given one of these once, their sums."""
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
        once = sum(not isinstance(n.ctx, ast.Load) for n in stored) == 1
        return once and (counted or any(not_negative(function, v) for v in _given(function, node.id)))
    return False


def _given(function: Function, name: str) -> list[ast.expr]:
    """What a variable is given by a plain assignment; nothing for a parameter."""
    if any(p.name == name for p in function.parameters):
        return []
    single = (s for s in function.of(ast.Assign) if len(s.targets) == 1 and isinstance(s.targets[0], ast.Name))
    return [s.value for s in single if ast.unparse(s.targets[0]) == name and name not in function.flow.reads(s.value)]


def _plain_range(function: Function, node: ast.expr) -> bool:
    if not isinstance(node, ast.Call) or function.file.origin(node.func) != "range" or node.keywords:
        return False
    return len(node.args) == 1 or (len(node.args) == 2 and not_negative(function, node.args[0]))
