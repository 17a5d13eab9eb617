"""Whether the values of a tensor may be changed in place: where it stands, by a name for it, by what it is given to."""

from __future__ import annotations

import ast

from .callers import arguments, callee
from .definitions import Function
from .operations import is_operation
from .types import TENSOR

_READ = frozenset(
    "shape size numel nelement dim ndim ndimension dtype device is_cuda type layout requires_grad item tolist"
    " new new_zeros new_ones new_empty new_full new_tensor".split()
)
"""What is no part of the tensor's values, or a copy of them."""
_NEW = frozenset("sum mean prod max min norm std var abs exp log sqrt pow argmax argmin sort topk cumsum clone".split())
"""What gives tensors with values of their own: what happens to these is nothing to the one that they are made of."""
_BUILTINS = frozenset("len print isinstance type int float bool str repr range id max min sum abs".split())
_WRAPPERS = ("torch.autograd.Variable", "torch.autograd.variable.Variable")
_COPYING = ("math.", "torch.nn.utils.rnn.")
_COLLECTING = frozenset({"append", "extend", "insert"})
_SAME = (ast.Tuple, ast.List, ast.Starred, ast.IfExp, ast.BoolOp, ast.NamedExpr)
_Seen = frozenset[tuple[Function, str]]


def may_be_updated(function: Function, node: ast.expr, seen: _Seen = frozenset()) -> bool:
    """Whether something changes the values in place, or is given them of which that is not known."""
    parents, top = function.file.parents, node
    while not isinstance(user := parents[top], ast.stmt):
        if isinstance(user, ast.keyword):
            user = parents[user]
        if isinstance(user, ast.Attribute):
            if not isinstance(user.ctx, ast.Load) or (user.attr.endswith("_") and not user.attr.endswith("__")):
                return True
            if user.attr in _READ:
                return False
        elif isinstance(user, ast.Subscript) and user.value is top:
            if not isinstance(user.ctx, ast.Load):
                return True
        elif isinstance(user, ast.Call):
            given = _made_new(function, user, top) if user.func is top else _given(function, user, top, seen)
            if given is not None:
                return given
        elif not isinstance(user, _SAME):
            return False
        assert isinstance(user, ast.expr)
        top = user
    bound = isinstance(user, (ast.Assign, ast.AnnAssign)) or (isinstance(user, ast.For) and user.iter is top)
    names = function.flow.writes(user.target if isinstance(user, ast.For) else user) if bound else set()
    return any(_is_updated(function, name, seen) for name in names)


def _is_updated(function: Function, name: str, seen: _Seen) -> bool:
    """Whether the tensor that a name stands for may be changed anywhere in the function."""
    if (function, name) in seen:
        return False
    if name in function.flow.mutates(function.node.body):
        return True
    uses = [n for n in function.of(ast.Name) if n.id == name and isinstance(n.ctx, ast.Load)]
    return any(may_be_updated(function, use, seen | {(function, name)}) for use in uses)


def _made_new(function: Function, call: ast.Call, method: ast.expr) -> bool | None:
    """False for a method that gives values of its own, None for one that may give the same again."""
    return False if isinstance(method, ast.Attribute) and method.attr in _NEW else None


def _given(function: Function, call: ast.Call, tensor: ast.expr, seen: _Seen) -> bool | None:
    """Whether a call may change what it is given; None where it does not, and may give the same again."""
    origin, name = function.file.origin(call.func), call.func.attr if isinstance(call.func, ast.Attribute) else ""
    of_torch = origin.startswith("torch.")
    if any(e is tensor for e in function.flow.updated(call)) and (
        of_torch or function.self_attribute(call.func) is not None or not name.endswith("_")
    ):
        return True
    if origin in _BUILTINS or (of_torch and name in _NEW) or name in _COLLECTING or origin.startswith(_COPYING):
        return False
    if is_operation(origin) or origin in _WRAPPERS:
        return None
    if (called := callee(function, call)) is not None:
        names = [p for p, value in arguments(called, call).items() if value is tensor]
        return True if not names or any(_is_updated(called, n, seen) for n in names) else None
    attribute = function.self_attribute(call.func)
    if attribute is not None:
        return None if function.types.is_layer(attribute) else True
    method = isinstance(call.func, ast.Attribute) and function.type_of(call.func.value, presume=True) == TENSOR
    return not method  # a tensor's method only reads its arguments
