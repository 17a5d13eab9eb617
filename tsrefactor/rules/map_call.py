"""map-call."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tsrefactor.facts.compiled import compiled
from tsrefactor.facts.file import FileFacts, Function
from tsrefactor.facts.names import fresh
from tsrefactor.facts.operations import is_operation
from tsrefactor.source.edits import Pieces, Replace
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings

# What takes all that `map` gives at once: only there is a list the same.
_TAKERS = frozenset({"list", "tuple", "sum", "max", "min", "sorted", "set", "torch.cat", "torch.stack"})
_MODEL = """\
import torch
from torch import nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.convs = nn.ModuleList([nn.Linear(4, 4), nn.Linear(4, 4)])

    def forward(self, x):
"""


def _example(before: str, after: str) -> Example:
    """An example of a forward's body."""
    inputs = "[(torch.rand(2, 4),), (torch.rand(3, 4),)]"
    return Example(_MODEL + before, _MODEL + after, inputs, Target.SCRIPT, error="Lambda aren't supported|map")


class MapCall(Rule):
    """Write a list comprehension in the place of `map`.

    TorchScript has neither `map` nor lambdas. `q, k, v = map(lambda t: t.flatten(1), (q, k, v))` becomes
    `q, k, v = [t.flatten(1) for t in (q, k, v)]`, with `zip` for several iterables.

    Left alone: a `map` that is not taken at once by an unpacking, by `list`, `tuple`, `sum` or the like, or by a
    function of torch, since its calls would come earlier; lambdas with defaults or `*args`; functions that are
    computed.

    Source: "Lambda aren't supported", raised by torch/jit/frontend.py, and "Python builtin <built-in function map> is
    currently not supported", by torch/csrc/jit/python/python_sugared_value.cpp.
    """

    name = "map-call"
    targets = frozenset({Target.SCRIPT})
    answers = frozenset({"unsupported-syntax", "python-builtin", "python-type-as-value"})
    examples = [
        _example(
            """\
        q, k = map(lambda t: t.flatten(1) * 2, (x, x + 1))  # both
        return q + k
""",
            """\
        q, k = [t.flatten(1) * 2 for t in (x, x + 1)]  # both
        return q + k
""",
        ),
        _example(
            """\
        parts = list(map(lambda conv: conv(x), self.convs))
        return torch.cat(list(map(lambda part, n: part * n, parts, [1, 2])), dim=-1)
""",
            """\
        parts = [conv(x) for conv in self.convs]
        return torch.cat([part * n for part, n in zip(parts, [1, 2])], dim=-1)
""",
        ),
        _example(
            """\
        a, b = map(torch.relu, x.chunk(2))
        return a - b
""".replace("x.chunk(2)", "[x, x - 1]"),
            """\
        a, b = [torch.relu(item) for item in [x, x - 1]]
        return a - b
""",
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        if "map(" not in file.source.text:
            return
        for function in compiled(file):
            for call in function.calls("map"):
                found = _comprehension(function, call)
                if found is None or function.types.bindings.shadows("map"):
                    continue
                parent = file.parents[call]
                as_list = isinstance(parent, ast.Call) and file.origin(parent.func) == "list"
                if not _taken_at_once(function, call, parent):
                    continue
                message = "TorchScript has no `map`; write a comprehension"
                edit = Replace(parent if as_list else call, *found)  # type: ignore[arg-type]
                yield self.finding(call, message, edit)


def _taken_at_once(function: Function, call: ast.Call, parent: ast.AST) -> bool:
    if isinstance(parent, ast.Assign):
        return len(parent.targets) == 1 and isinstance(parent.targets[0], (ast.Tuple, ast.List))
    if isinstance(parent, ast.Call) and parent.args == [call]:
        origin = function.file.origin(parent.func)
        if origin in ("any", "all"):  # they may stop before the end
            return isinstance(call.args[0], ast.Lambda) and function.flow.is_pure(call.args[0].body)
        return origin in _TAKERS or is_operation(origin)
    return False


def _comprehension(function: Function, call: ast.Call) -> tuple[str, Pieces] | None:
    """The comprehension for a ``map``: its template and pieces; None where it has no such form."""
    if len(call.args) < 2 or call.keywords or any(isinstance(a, ast.Starred) for a in call.args):
        return None
    called, *over = call.args
    pieces: dict[str, ast.expr | str] = {f"over{i}": o for i, o in enumerate(over)}
    if isinstance(called, ast.Lambda):
        a = called.args
        if (
            a.defaults
            or a.kw_defaults
            or a.vararg
            or a.kwarg
            or a.kwonlyargs
            or len(a.posonlyargs + a.args) != len(over)
        ):
            return None
        names = [p.arg for p in (*a.posonlyargs, *a.args)]
        if any(isinstance(n, (ast.NamedExpr, ast.Lambda)) for n in ast.walk(called.body)):
            return None
        result = "{result}"
        pieces["result"] = called.body
    elif isinstance(called, (ast.Name, ast.Attribute)):
        if not (function.file.origin(called) or function.self_attribute(called)):
            return None
        taken = {n.id for n in ast.walk(function.node) if isinstance(n, ast.Name)}
        names = []
        for _ in over:
            names.append(fresh(taken | set(names), "item", "other"))
        result = f"{{called}}({', '.join(names)})"
        pieces["called"] = called
    else:
        return None
    each = ", ".join(f"{{over{i}}}" for i in range(len(over)))
    return f"[{result} for {', '.join(names)} in {each if len(over) == 1 else f'zip({each})'}]", pieces
