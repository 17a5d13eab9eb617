"""What the forward of an autograd Function computes, without what it does for its backward."""

from __future__ import annotations

import ast
from typing import TypeGuard

from .definitions import Class, Function, Parameter
from .names import fresh
from .nodes import walk

_KEPT_FOR_BACKWARD = ("save_for_backward", "save_for_forward", "mark_non_differentiable", "set_materialize_grads")
CASTS = frozenset({"torch.cuda.amp.custom_fwd", "torch.amp.custom_fwd"})


class Refused(Exception):
    """Why a Function's forward cannot stand for it."""


def plain_forward(cls: Class) -> tuple[Function, list[Parameter]]:
    """The `forward` of the class and its parameters, ``ctx`` first. Raises `Refused`."""
    forward = cls.method("forward")
    decorators = set(forward.decorators) - CASTS if forward is not None else set()
    if forward is None or decorators not in ({"staticmethod"}, {"classmethod"}):
        raise Refused("it has no plain static `forward`")
    return forward, list(forward.parameters)


def computing(forward: Function, ctx: str | None, parameters: set[str]) -> tuple[list[ast.stmt], dict[ast.expr, str]]:
    """The statements that compute the result, and the names under which they read what `forward` put on ``ctx``."""
    body = [s for i, s in enumerate(forward.node.body) if not (i == 0 and _is_text(s))]
    if ctx is None:
        return body, {}
    kept = [s for s in body if not _for_backward(s, ctx, forward)]
    changes: dict[ast.expr, str] = {}
    while reads := [
        n for s in kept for n in walk(s) if _is_of(n, ctx) and isinstance(n.ctx, ast.Load) and n not in changes
    ]:
        first = reads[0]
        stores = [
            s for s in body if isinstance(s, ast.Assign) and [ast.unparse(t) for t in s.targets] == [ast.unparse(first)]
        ]
        every = [n for n in forward.of(ast.Attribute) if n.attr == first.attr and not isinstance(n.ctx, ast.Load)]
        if (
            len(stores) != 1
            or len(every) != 1
            or any(n.lineno <= stores[0].lineno for n in reads if n.attr == first.attr)
        ):
            break  # it is refused for what it needs
        value = stores[0].value
        passed = isinstance(value, ast.Name) and value.id in parameters - forward.flow.writes(body)
        taken = forward.flow.local_names | set(changes.values())
        name = value.id if passed and isinstance(value, ast.Name) else fresh(taken, first.attr)
        if not passed:
            changes[every[0]] = name
            kept = [s for s in body if s in kept or s is stores[0]]
        changes |= {n: name for n in reads if n.attr == first.attr}
    for target in (s.targets[0] for s in kept if isinstance(s, ast.Assign) and len(s.targets) == 1):
        if _is_of(target, ctx) and target not in changes:  # what is computed may have an effect
            changes[target] = fresh(forward.flow.local_names | set(changes.values()), target.attr)
    return kept, changes


def _is_of(node: ast.AST, ctx: str) -> TypeGuard[ast.Attribute]:
    """Whether a node is an attribute of ``ctx``."""
    return isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == ctx


def _is_text(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _for_backward(statement: ast.stmt, ctx: str, forward: Function) -> bool:
    """Whether a statement only puts something on ``ctx``: ``ctx.save_for_backward(x)``, ``ctx.n = n``."""

    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
        called = statement.value.func
        return _is_of(called, ctx) and called.attr in _KEPT_FOR_BACKWARD
    if not isinstance(statement, ast.Assign) or not all(_is_of(t, ctx) for t in statement.targets):
        return False
    return forward.flow.is_pure(statement.value)


def writes_to(node: ast.AST, parameters: set[str], forward: Function) -> bool:
    """Whether a node changes a parameter in place."""
    if isinstance(node, (ast.Subscript, ast.Attribute)) and isinstance(node.ctx, ast.Store):
        return isinstance(node.value, ast.Name) and node.value.id in parameters
    if isinstance(node, ast.AugAssign):
        return isinstance(node.target, ast.Name) and node.target.id in parameters
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        in_place = node.func.attr.endswith("_") and not node.func.attr.endswith("__")
        return in_place and isinstance(node.func.value, ast.Name) and node.func.value.id in parameters
    return False
