"""The types that a function's uses of its names ask for, where nothing but None was ever seen in them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING

from .types import FLOAT, INT, STR, TENSOR, Type, tuple_of

if TYPE_CHECKING:
    from .definitions import Function
    from .inference import Inference

_SIZES = frozenset({"view", "reshape", "new_zeros", "new_ones", "new_empty"})
_PLAIN = (INT, FLOAT, STR)


def asked_by_uses(function: Function, types: Inference) -> dict[str, Type]:
    """name → the type that the first of its uses asks for that tells one."""
    found: dict[str, Type] = {}
    for uses in (_in_choices, _in_calls, _in_slices, _beside):
        for name, type_ in uses(function, types):
            found.setdefault(name, type_)
    return found


def _in_choices(function: Function, types: Inference) -> Iterator[tuple[str, Type]]:
    """``n if n is not None else 3``."""
    for choice in function.of(ast.IfExp):
        name, instead = _defaulted(choice)
        if name and (type_ := types.of(instead)) in _PLAIN:
            yield name, type_


def _in_calls(function: Function, types: Inference) -> Iterator[tuple[str, Type]]:
    """``range(n)``, ``kind == "x"``, ``min(n, 3)``, ``x.view(n, -1)``."""
    for node in function.of(ast.Call, ast.Compare):
        if isinstance(node, ast.Compare):
            if isinstance(node.left, ast.Name) and any(map(_is_text, node.comparators)):
                yield node.left.id, STR
            continue
        origin = function.file.origin(node.func)
        names = [a.id for a in node.args if isinstance(a, ast.Name)]
        if origin in ("min", "max") and len(node.args) == 2 and len(names) == 1:
            [other] = [types.of(a) for a in node.args if not isinstance(a, ast.Name)]
            yield from ((name, other) for name in names if other in (INT, FLOAT))
        elif origin == "range" or (
            isinstance(node.func, ast.Attribute) and node.func.attr in _SIZES and len(node.args) > 1
        ):
            yield from ((name, INT) for name in names)


def _in_slices(function: Function, types: Inference) -> Iterator[tuple[str, Type]]:
    """``x[:, :n]``."""
    for node in function.of(ast.Slice):
        yield from ((end.id, INT) for end in (node.lower, node.upper, node.step) if isinstance(end, ast.Name))


def _beside(function: Function, types: Inference) -> Iterator[tuple[str, Type]]:
    """``size = n`` where another branch has ``size = x.size(1)``; ``h, c = n``."""
    for node in function.of(ast.Assign):
        target = node.targets[0]
        if not isinstance(node.value, ast.Name) or len(node.targets) > 1:
            continue
        if isinstance(target, ast.Name):
            others = [v for v in function.bindings.values.get(target.id, ()) if v is not node.value]
            found = {types.of(v) if isinstance(v, ast.expr) else v for v in others}
            if len(found) == 1 and (type_ := found.pop()) in _PLAIN:
                yield node.value.id, type_
        elif isinstance(target, (ast.Tuple, ast.List)) and all(isinstance(e, ast.Name) for e in target.elts):
            yield node.value.id, tuple_of([TENSOR] * len(target.elts))


def _defaulted(choice: ast.IfExp) -> tuple[str, ast.expr]:
    """The name that a choice takes where it holds something (``a if a else b``), and what stands in for it."""
    test, name, instead = choice.test, choice.body, choice.orelse
    if isinstance(test, ast.Compare) and isinstance(test.comparators[0], ast.Constant) and len(test.ops) == 1:
        if test.comparators[0].value is None and isinstance(test.ops[0], ast.Is):
            name, instead = instead, name
        elif test.comparators[0].value is not None or not isinstance(test.ops[0], ast.IsNot):
            return "", instead
        test = test.left
    same = isinstance(test, ast.Name) and isinstance(name, ast.Name) and test.id == name.id
    return (name.id if same and isinstance(name, ast.Name) else ""), instead


def _is_text(node: ast.expr) -> bool:
    """Whether it is a string, or a choice of strings and None."""
    if isinstance(node, (ast.Tuple, ast.List, ast.Set)):
        values = [e.value if isinstance(e, ast.Constant) else 0 for e in node.elts]
        return any(isinstance(v, str) for v in values) and all(v is None or isinstance(v, str) for v in values)
    return isinstance(node, ast.Constant) and isinstance(node.value, str)
