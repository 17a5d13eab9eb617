"""Who calls what within one file: a function of the file behind a call, and the calls of a function."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator

from .definitions import Function
from .file import FileFacts


def callee(function: Function, call: ast.Call) -> Function | None:
    """The function or method of this file that a call in ``function`` runs; None where that is another or unknown."""
    if isinstance(call.func, ast.Name):
        return function.file.function_named(call.func.id)
    method = function.self_attribute(call.func)
    return function.cls.method(method) if method is not None and function.cls is not None else None


def arguments(called: Function, call: ast.Call) -> dict[str, ast.expr]:
    """What a call gives the parameters of the function that it runs."""
    names = [p.name for p in called.parameters]
    return dict(zip(names, call.args, strict=False)) | {k.arg: k.value for k in call.keywords if k.arg}


class Callers:
    """The calls in a file of its own functions and methods."""

    def __init__(self, file: FileFacts):
        self._calls: dict[Function, list[tuple[Function, ast.Call]]] = defaultdict(list)
        for function in file.all_functions:
            for call in function.of(ast.Call):
                called = callee(function, call)
                if called is not None:
                    self._calls[called].append((function, call))

    def given(self, function: Function, name: str) -> Iterator[tuple[Function, ast.expr]]:
        """What the calls pass for a parameter, each with the function that calls."""
        for caller, call in self._calls.get(function, ()):
            given = arguments(function, call)
            if name in given:
                yield caller, given[name]
