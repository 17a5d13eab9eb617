"""range-value."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from tsrefactor.facts.definitions import Class, Function
from tsrefactor.facts.diagnosis import Diagnosis
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.nodes import walk
from tsrefactor.facts.signatures import function_at
from tsrefactor.source.edits import Replace
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings

_READERS = frozenset("len enumerate zip sum max min list tuple sorted reversed iter".split())
_HEAD = """\
import torch
from torch import nn


class Model(nn.Module):
    def __init__(self, backwards=False):
        super().__init__()
"""
_INPUTS = "[(torch.rand(3, 4),), (torch.rand(2, 4),)]"


class RangeValue(Rule):
    """Keep the numbers of a range in a list where a variable or an attribute holds it.

    TorchScript knows `range` where a loop goes over it, and has no type for its values: one that a conditional
    expression chooses, that a branch gives, or that an attribute holds. `list(range(n))` has the same numbers.

    Left alone: ranges that are read otherwise than by loops, indices, `len`, `in` and the like, for a range is no list
    elsewhere.

    Source: "range cannot be used as a value", raised by torch/csrc/jit/frontend/sugared_value.h.
    """

    name = "range-value"
    targets = frozenset({Target.SCRIPT})
    answers = frozenset({"not-a-value", "unconvertible-attribute", "undefined-value"})
    needs_diagnosis = True
    examples = [
        Example(
            _HEAD
            + """\
        self.backwards = backwards

    def forward(self, x):
        # from which end it is read
        steps = range(x.size(0) - 1, -1, -1) if self.backwards else range(x.size(0))
        h = torch.zeros_like(x[0])
        for t in steps:
            h = torch.tanh(h + x[t])
        return h
""",
            _HEAD
            + """\
        self.backwards = backwards

    def forward(self, x):
        # from which end it is read
        steps = list(range(x.size(0) - 1, -1, -1)) if self.backwards else list(range(x.size(0)))
        h = torch.zeros_like(x[0])
        for t in steps:
            h = torch.tanh(h + x[t])
        return h
""",
            _INPUTS,
            Target.SCRIPT,
            error="range cannot be used as a value",
        ),
        Example(
            _HEAD
            + """\
        self.kept = range(1, 3)  # of all states

    def forward(self, x):
        states = [x, x * 2, x * 3]
        return torch.cat([states[i] for i in self.kept], dim=1)
""",
            _HEAD
            + """\
        self.kept = list(range(1, 3))  # of all states

    def forward(self, x):
        states = [x, x * 2, x * 3]
        return torch.cat([states[i] for i in self.kept], dim=1)
""",
            _INPUTS,
            Target.SCRIPT,
            error="failed to convert Python type: 'range'",
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        if not file.mentions("range"):
            return
        for diagnosis in self.diagnoses(file):
            ranges = _ranges(file, diagnosis)
            if ranges:
                edits = [Replace(node, "list({numbers})", {"numbers": node}) for node in ranges]
                message = "TorchScript has no type for a range; keep its numbers in a list"
                yield self.finding(ranges[0], message, *edits, answers=diagnosis)


def _ranges(file: FileFacts, diagnosis: Diagnosis) -> list[ast.Call]:
    """The ranges that the variable or the attribute may hold of which the compiler complains."""
    place, names = diagnosis.place, diagnosis.names
    function = function_at(file, place.line) if place is not None else None
    if function is None or place is None:
        return []
    if diagnosis.kind == "unconvertible-attribute":
        cls = function.cls
        return _held_by(cls, names.get("attribute", "")) if names.get("type") == "range" and cls is not None else []
    variable = names.get("name", "") if diagnosis.kind == "undefined-value" else None
    if variable is None:
        at_line = [a for a in function.of(ast.Assign) if a.lineno <= place.line <= (a.end_lineno or a.lineno)]
        targets = [t for a in at_line if names.get("what") == "range" for t in a.targets]
        variable = targets[0].id if len(targets) == 1 and isinstance(targets[0], ast.Name) else ""
    return _bound_to(function, variable)


def _bound_to(function: Function, variable: str) -> list[ast.Call]:
    """The ranges among the values of a local variable, where it holds nothing else and is only read as a sequence."""
    named = [n for n in walk(function.node) if isinstance(n, ast.Name) and n.id == variable]
    stores = [function.file.parents[n] for n in named if not isinstance(n.ctx, ast.Load)]
    values = [s.value for s in stores if isinstance(s, ast.Assign) and len(s.targets) == 1]
    if len(values) < len(stores) or variable in {p.name for p in function.parameters}:
        return []
    reads = [n for n in named if isinstance(n.ctx, ast.Load)]
    return _all_ranges(function.file, values) if all(_as_sequence(function.file, n) for n in reads) else []


def _held_by(cls: Class, attribute: str) -> list[ast.Call]:
    """The same of an attribute, over all methods of the class and its relatives."""
    file = cls.file
    pairs = [pair for c in (cls, *cls.ancestors, *cls.subclasses) for pair in c.assigned.get(attribute, ())]
    values = [value for _, value in pairs if value is not None]
    reads = [n for n in file.of(ast.Attribute) if n.attr == attribute and isinstance(n.ctx, ast.Load)]
    if len(values) < len(pairs) or not all(_as_sequence(file, n) for n in reads):
        return []
    return _all_ranges(file, values)


def _all_ranges(file: FileFacts, values: Iterable[ast.expr]) -> list[ast.Call]:
    """The ranges that are the values, or the arms of the values; none where another value is among them."""
    found: list[ast.Call] = []
    todo = list(values)
    for value in todo:
        if isinstance(value, ast.IfExp):
            todo += [value.body, value.orelse]
        elif isinstance(value, ast.Call) and file.origin(value.func) == "range":
            found.append(value)
        else:
            return []
    return found


def _as_sequence(file: FileFacts, node: ast.expr) -> bool:
    """Whether a read of a range gives the same for a list of its numbers."""
    parent = file.parents[node]
    match parent:
        case ast.For() | ast.comprehension():
            return parent.iter is node
        case ast.Subscript():
            return parent.value is node and not isinstance(parent.slice, ast.Slice)
        case ast.Call():
            return node in parent.args and file.origin(parent.func) in _READERS
        case ast.Compare(ops=[ast.In() | ast.NotIn()]):
            return node in parent.comparators
    return False
