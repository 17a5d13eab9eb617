"""Numbers that need not leave their tensors: all that is made of them are sizes, slices and ranges of tensors."""

from __future__ import annotations

import ast

from .definitions import Function
from .types import TENSOR

_REDUCED = ("max", "min", "sum")
_FILLED = frozenset(f"torch.{name}" for name in ("zeros", "ones", "empty", "rand", "randn", "eye"))
_SIZED = frozenset("view reshape expand repeat new_zeros new_ones new_empty".split())
_ONE_SIZE = {"torch.full": (0,), "new_full": (0,), "narrow": (1, 2), "topk": (0,)}


def stays_in_tensor(function: Function, node: ast.AST) -> bool:
    """Whether it is `t.item()` of one number, from which torch would make the same sizes if it stayed a tensor.

    Torch asks a tensor for its number in a size, a slice's end or a range, in eager as in TorchScript, and a trace
    records it. One of a range only may be a float with a gradient, which torch does not take there.
    """
    if not isinstance(node, ast.Call) or node.args or node.keywords or not isinstance(node.func, ast.Attribute):
        return False
    if node.func.attr != "item" or not _is_reduced(function, node.func.value):
        return False
    uses = _uses(function, node)
    return uses is not None and all(_takes(function, u) for u in uses) and any(_is_size(function, u) for u in uses)


def _is_reduced(function: Function, tensor: ast.expr) -> bool:
    """Whether it is a tensor without dimensions: `t.max()`, `torch.max(t)`."""
    if not isinstance(tensor, ast.Call) or tensor.keywords or not isinstance(tensor.func, ast.Attribute):
        return False
    if tensor.func.attr not in _REDUCED or function.type_of(tensor, presume=True) != TENSOR:
        return False
    return len(tensor.args) == (function.file.origin(tensor.func) == f"torch.{tensor.func.attr}")


def _uses(function: Function, number: ast.Call) -> list[ast.expr] | None:
    """Where the number is used: there, or by the one name that it is given. None where something else may use it."""
    statement = function.file.parents[number]
    if not isinstance(statement, ast.Assign):
        return [number]
    [target, *others] = statement.targets
    if others or not isinstance(target, ast.Name) or target.id in function.flow.captured:
        return None
    same = [n for n in function.of(ast.Name) if n.id == target.id]
    parameter = next((p for p in function.parameters if p.name == target.id), None)
    if any(target.id in n.names for n in function.of(ast.Global, ast.Nonlocal)):
        return None
    if parameter is not None and not _is_none(parameter.default):
        return None
    if sum(not isinstance(n.ctx, ast.Load) for n in same) != 1:
        return None
    return [n for n in same if isinstance(n.ctx, ast.Load) and not _asks_for_none(function, n)]


def _takes(function: Function, use: ast.expr) -> bool:
    parent = function.file.parents[use]
    if isinstance(parent, ast.keyword):
        parent = function.file.parents[parent]
    ranges = isinstance(parent, ast.Call) and function.file.origin(parent.func) == "torch.arange"
    return ranges or _is_size(function, use)


def _is_size(function: Function, use: ast.expr) -> bool:
    """Whether torch makes a size of it, or the end of a slice of a tensor."""
    parents, node = function.file.parents, use
    parent = parents[node]
    if isinstance(parent, ast.Slice):
        sliced = parents[parent]
        sliced = parents[sliced] if isinstance(sliced, ast.Tuple) else sliced
        return isinstance(sliced, ast.Subscript) and function.type_of(sliced.value, presume=True) == TENSOR
    whole = isinstance(parent, (ast.Tuple, ast.List))
    if whole:
        node, parent = parent, parents[parent]  # type: ignore[assignment]
    if not isinstance(parent, ast.Call) or node not in parent.args:
        return False
    origin, at = function.file.origin(parent.func), parent.args.index(node)
    if origin in _FILLED or origin in _ONE_SIZE:
        return at in _ONE_SIZE.get(origin, (at,))
    method = parent.func.attr if isinstance(parent.func, ast.Attribute) else ""
    if method not in _SIZED and method not in _ONE_SIZE:
        return False
    receiver = parent.func.value  # type: ignore[attr-defined]
    return at in _ONE_SIZE.get(method, (at,)) and function.type_of(receiver, presume=True) == TENSOR


def _asks_for_none(function: Function, use: ast.expr) -> bool:
    parent = function.file.parents[use]
    return isinstance(parent, ast.Compare) and isinstance(parent.ops[0], (ast.Is, ast.IsNot)) and len(parent.ops) == 1


def _is_none(node: ast.expr | None) -> bool:
    return isinstance(node, ast.Constant) and node.value is None
