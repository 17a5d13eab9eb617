"""The functions that TorchScript compiles, as far as the source shows."""

from __future__ import annotations

import ast

from .file import FileFacts, Function


def compiled(file: FileFacts) -> list[Function]:
    """What a run reached below a forward; without a run, the forwards, what they call, and jit-decorated functions."""
    if file.observations is not None or file.focus is not None:
        return file.functions
    visible = set(file.functions)
    found = [f for f in file.functions if _is_entry(f)]
    for function in found:  # grows while it is walked
        for node in function.nodes:
            called = _called(function, node) if isinstance(node, ast.Call) else None
            if called in visible and called not in found:
                found.append(called)
    return found


def _is_entry(function: Function) -> bool:
    jitted = any(d.startswith("torch.jit.") for d in function.decorators)
    return jitted or (function.cls is not None and function.name == "forward")


def _called(function: Function, call: ast.Call) -> Function | None:
    """The function or method of this file that a call names."""
    if isinstance(call.func, ast.Name):
        return function.file.function_named(call.func.id)
    method = function.self_attribute(call.func)
    return function.cls.method(method) if method is not None and function.cls is not None else None
