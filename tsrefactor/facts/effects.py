"""Statements that are there only for their effect on the outside: logging, memory layout, debuggers."""

from __future__ import annotations

import ast
import re

from .definitions import Function

_LOG = frozenset("debug info warning warn error critical exception log warning_once warning_advice info_once".split())
_LOGGER = re.compile(r"_*log(ger|ging)?_*", re.IGNORECASE)
_FUNCTIONS = frozenset({
    "torch.cuda.empty_cache", "torch.cuda.synchronize", "torch.cuda.nvtx.range_push", "torch.cuda.nvtx.range_pop",
    "torch.cuda.reset_peak_memory_stats", "torch.autograd.set_detect_anomaly", "gc.collect", "pdb.set_trace",
    "ipdb.set_trace", "breakpoint", "time.sleep", "sys.stdout.flush", "sys.stdout.write", "warnings.filterwarnings",
})  # fmt: skip


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
