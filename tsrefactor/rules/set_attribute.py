"""set-attribute."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tsrefactor.facts.definitions import Class, Function
from tsrefactor.facts.family import attributes_in_use
from tsrefactor.facts.fields import Held, stored_at
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.names import fresh
from tsrefactor.facts.placement import always_evaluated
from tsrefactor.facts.signatures import function_at
from tsrefactor.facts.types import INT, STR
from tsrefactor.source.edits import InsertAfter, Replace
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings


class SetAttribute(Rule):
    """Ask a list whether it holds a value, where methods ask a set that the module keeps.

    TorchScript has no sets. `__init__` keeps a list of what is in the set beside it, and `i in self.taps` becomes
    `i in self.taps_list`: for numbers and strings the answer is the same.

    Left alone: sets that are used otherwise than by `in`, that are changed, or set elsewhere than in `__init__`;
    attributes that may hold no set. Where it is not seen that numbers or strings are asked for, a case has to prove it.

    Source: "failed to convert Python type: 'set' to a TorchScript type", raised by
    torch/csrc/jit/python/python_sugared_value.cpp.
    """

    name = "set-attribute"
    targets = frozenset({Target.SCRIPT})
    answers = frozenset({"unconvertible-attribute"})
    needs_diagnosis = True
    examples = [
        Example(
            before="""\
import torch
from torch import nn


class Model(nn.Module):
    def __init__(self, taps=(0, 2)):
        super().__init__()
        self.taps = set(taps)  # what is given back
        self.layers = nn.ModuleList([nn.Linear(4, 4) for _ in range(3)])

    def forward(self, x):
        outs = []
        for i, layer in enumerate(self.layers):
            x = layer(x)
            if i in self.taps:
                outs.append(x)
        return torch.cat(outs)
""",
            after="""\
import torch
from torch import nn


class Model(nn.Module):
    def __init__(self, taps=(0, 2)):
        super().__init__()
        self.taps = set(taps)  # what is given back
        self.taps_list = list(self.taps)
        self.layers = nn.ModuleList([nn.Linear(4, 4) for _ in range(3)])

    def forward(self, x):
        outs = []
        for i, layer in enumerate(self.layers):
            x = layer(x)
            if i in self.taps_list:
                outs.append(x)
        return torch.cat(outs)
""",
            inputs="[(torch.rand(2, 4),), (torch.rand(3, 4),)]",
            breaks=Target.SCRIPT,
            error="failed to convert Python type: 'set'",
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        for diagnosis in self.diagnoses(file):
            assert diagnosis.place is not None
            function, name = function_at(file, diagnosis.place.line), diagnosis.names["attribute"]
            if function is None or function.cls is None or diagnosis.names.get("type") not in ("set", "frozenset"):
                continue
            found = _asked(function.cls, name)
            why = f"TorchScript has no sets, as `self.{name}` is one"
            if isinstance(found, str):
                yield self.finding(function.node, f"{why}, and {found}", answers=diagnosis)
                continue
            place, reads = found
            kept = fresh(attributes_in_use(function.cls), f"{name}_list")
            line = f"{place.self_name}.{kept} = list({place.self_name}.{name})"
            yield self.finding(
                reads[0][1],
                f"{why}; ask a list that `__init__` keeps, `{line}`",
                InsertAfter(place.anchor, line),
                *(Replace(node, f"{method.self_name}.{kept}") for method, node in reads),
                presumed=not all(m.type_of(m.file.parents[n].left) in (INT, STR) for m, n in reads),  # type: ignore[attr-defined]
                caveat=f"`{function.cls.name}` lists `{name}` once, in `__init__`: a later change has no effect",
                answers=diagnosis,
            )


def _asked(cls: Class, name: str) -> tuple[Held, list[tuple[Function, ast.Attribute]]] | str:
    """Where `__init__` stores the set and where methods ask it, or why a list cannot take its place."""
    place = stored_at(cls, name)
    if place is None:
        return "it is not set once, by `__init__`"
    init = cls.methods["__init__"]
    values = [v for m, v in cls.assigned.get(name, ()) if m is init]
    sure = len(values) == 1 and _is_set(init, values[0])
    reads: list[tuple[Function, ast.Attribute]] = []
    for method in (m for c in (cls, *cls.ancestors, *cls.subclasses) for m in c.methods.values()):
        for node in method.self_attributes.get(name, ()):
            if method is init and node.lineno <= (place.anchor.end_lineno or 0):
                continue
            asks = method.file.parents[node]
            among = isinstance(asks, ast.Compare) and asks.comparators == [node]
            if not among or not isinstance(asks.ops[0], (ast.In, ast.NotIn)):  # type: ignore[attr-defined]
                return "it is used otherwise than by `in`"
            if method is not init:
                reads.append((method, node))
                sure = sure or (method.name == "forward" and always_evaluated(method, node))
    if not reads or not sure:
        return "it may be none"
    return place, reads


def _is_set(init: Function, value: ast.expr | None) -> bool:
    made = isinstance(value, ast.Call) and init.file.origin(value.func) in ("set", "frozenset")
    return made or isinstance(value, (ast.Set, ast.SetComp))
