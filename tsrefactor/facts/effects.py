"""Statements that are there only for their effect on the outside: logging, memory layout, debuggers."""

from __future__ import annotations

import ast
import re

from .definitions import Function
from .operations import is_operation

_LOG = frozenset("debug info warning warn error critical exception log warning_once warning_advice info_once".split())
_LOGGER = re.compile(r"_*log(ger|ging)?_*", re.IGNORECASE)
_FUNCTIONS = frozenset({
    "torch.cuda.empty_cache", "torch.cuda.synchronize", "torch.cuda.nvtx.range_push", "torch.cuda.nvtx.range_pop",
    "torch.cuda.reset_peak_memory_stats", "torch.autograd.set_detect_anomaly", "gc.collect", "pdb.set_trace",
    "ipdb.set_trace", "breakpoint", "time.sleep", "sys.stdout.flush", "sys.stdout.write", "warnings.filterwarnings",
})  # fmt: skip
_BUILTINS = frozenset(
    "all any len next iter isinstance hasattr type str repr int float bool set list tuple zip enumerate range min max"
    " ValueError TypeError RuntimeError AssertionError IndexError".split()
)
_ASKS = frozenset("size dim numel ndimension dtype is_contiguous format join".split())


def is_effect(function: Function, statement: ast.stmt) -> bool:
    """Whether a statement is a call that gives nothing, and that TorchScript does not know in any form."""
    if not isinstance(statement, ast.Expr) or not isinstance(statement.value, ast.Call):
        return False
    call = statement.value
    if function.file.origin(call.func) in _FUNCTIONS:
        return True
    if not isinstance(call.func, ast.Attribute):
        return False
    if call.func.attr in ("flatten_parameters", "register_hook"):
        return True
    receiver = call.func.value
    name = receiver.id if isinstance(receiver, ast.Name) else function.self_attribute(receiver) or ""
    return call.func.attr in _LOG and _LOGGER.fullmatch(name) is not None


def only_checks(function: Function) -> bool:
    """Whether a function does nothing but raise where something does not hold: ``aeq(n, m)``."""
    if not any(isinstance(s, (ast.Assert, ast.Raise)) for s in function.statements):
        return False
    if function.flow.mutates(function.node.body) or function.node.decorator_list:
        return False
    return all(map(_checks, function.statements)) and all(_asks(function, c) for c in function.of(ast.Call))


def _checks(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.Return):
        return statement.value is None
    if isinstance(statement, ast.Assign):
        return all(isinstance(target, ast.Name) for target in statement.targets)
    text = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    return text or isinstance(statement, (ast.Assert, ast.Raise, ast.If, ast.For, ast.Pass))


def _asks(function: Function, call: ast.Call) -> bool:
    """Whether a call has no effect but on what the function itself made."""
    if isinstance(call.func, ast.Attribute) and call.func.attr in _ASKS:
        return True
    origin = function.file.origin(call.func)
    return (origin in _BUILTINS and origin not in function.flow.local_names) or is_operation(origin)
