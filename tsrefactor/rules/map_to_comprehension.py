"""map-to-comprehension."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tsrefactor.facts.file import FileFacts, Function
from tsrefactor.facts.names import fresh
from tsrefactor.facts.nodes import walk
from tsrefactor.source.edits import Pieces, Replace
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings

_HEAD = """\
import torch
from torch import nn


class Model(nn.Module):
"""
_WHOLE = frozenset({"tuple", "sum", "min", "max", "sorted"})
_SHORT = frozenset({"any", "all"})


def _example(before: str, after: str, error: str = "Lambda aren't supported") -> Example:
    inputs = "[(torch.rand(2, 4),), (torch.rand(3, 4),)]"
    return Example(_HEAD + before, _HEAD + after, inputs, Target.SCRIPT, error=error)


class MapToComprehension(Rule):
    """Write `map(f, values)` as a list comprehension.

    TorchScript knows neither `map` nor lambdas. `[f(v) for v in values]` does the same where all of it is used at once:
    where it is unpacked, made a list or a tuple, summed up, joined or looped over. A lambda's body takes the place of
    the call.

    Left alone: maps that are kept in a variable or passed on (they are read once, and only as far as needed), `any` and
    `all` of what does more than compute, and lambdas with defaults or stars.

    Source: "Lambda aren't supported", raised by torch/jit/frontend.py; `map` is not among the builtins of
    torch/jit/_builtins.py.
    """

    name = "map-to-comprehension"
    targets = frozenset({Target.SCRIPT})
    answers = frozenset({"unsupported-syntax", "not-a-value", "undefined-value", "python-builtin", "unpack-value"})
    examples = [
        _example(
            """\
    def forward(self, x):
        h = 2
        q, k = map(lambda t: t.view(t.size(0), h, -1), (x, x + 1))  # split the heads
        return q * k
""",
            """\
    def forward(self, x):
        h = 2
        q, k = [t.view(t.size(0), h, -1) for t in (x, x + 1)]  # split the heads
        return q * k
""",
        ),
        _example(
            """\
    def forward(self, x):
        parts = list(map(torch.relu, x.split(1)))
        return torch.cat(list(map(lambda a, b: a - b, parts, x.split(1))))
""",
            """\
    def forward(self, x):
        parts = [torch.relu(v) for v in x.split(1)]
        return torch.cat([a - b for a, b in zip(parts, x.split(1))])
""",
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        if "map(" not in file.source.text:
            return
        diagnoses = list(self.diagnoses(file))
        for function in file.functions:
            for call in function.calls("map"):
                if len(call.args) < 2 or call.keywords or any(isinstance(a, ast.Starred) for a in call.args):
                    continue
                outer = _outer(function, call)
                found = _comprehension(function, call) if outer is not None else None
                if outer is None or found is None:
                    continue
                template, pieces = found
                here = next((d for d in diagnoses if d.place and d.place.line == call.lineno), None)
                message = "TorchScript has no `map`; write a list comprehension"
                yield self.finding(call, message, Replace(outer, template, pieces), answers=here)


def _outer(function: Function, call: ast.Call) -> ast.expr | None:
    """What gives way to a list, where all of the map is used at once: the call, or `list(…)` around it."""
    file, parent = function.file, function.file.parents[call]
    if isinstance(parent, ast.Assign) and all(isinstance(t, (ast.Tuple, ast.List)) for t in parent.targets):
        return call
    if isinstance(parent, ast.For) and parent.iter is call:
        return call if function.flow.is_pure([ast.Expr(call)]) or function.flow.is_pure(parent.body) else None
    if not isinstance(parent, ast.Call) or parent.func is call or (parent.keywords and call in parent.keywords):
        return None
    origin = file.origin(parent.func)
    if origin == "list" and len(parent.args) == 1:
        return parent
    if origin in _WHOLE or (isinstance(parent.func, ast.Attribute) and parent.func.attr == "join"):
        return call
    body = call.args[0].body if isinstance(call.args[0], ast.Lambda) else None
    return call if origin in _SHORT and body is not None and function.flow.is_pure([ast.Expr(body)]) else None


def _comprehension(function: Function, call: ast.Call) -> tuple[str, Pieces] | None:
    """The template of the comprehension."""
    called, over = call.args[0], call.args[1:]
    pieces: dict[str, ast.expr] = {f"s{i}": a for i, a in enumerate(over)}
    sequence = "{s0}" if len(over) == 1 else f"zip({', '.join(f'{{{p}}}' for p in pieces)})"
    if isinstance(called, ast.Lambda):
        a = called.args
        if a.defaults or a.vararg or a.kwarg or a.kwonlyargs or len(a.posonlyargs + a.args) != len(over):
            return None
        names = [p.arg for p in a.posonlyargs + a.args]
        return f"[{{body}} for {', '.join(names)} in {sequence}]", {"body": called.body, **pieces}
    if not all(isinstance(n, (ast.Name, ast.Attribute)) for n in walk(called)):
        return None
    taken = {n.id for n in walk(call) if isinstance(n, ast.Name)} | function.flow.local_names
    names = []
    for _ in over:
        names.append(fresh(taken, "v", "w", "u"))
        taken.add(names[-1])
    template = f"[{{called}}({', '.join(names)}) for {', '.join(names)} in {sequence}]"
    return template, {"called": called, **pieces}
