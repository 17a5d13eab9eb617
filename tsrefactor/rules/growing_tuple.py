"""growing-tuple."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from tsrefactor.facts.definitions import Function
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.signatures import function_at
from tsrefactor.source.edits import Edit, Replace
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings

_HEAD = """\
import torch
from torch import nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.cell = nn.GRUCell(4, 4)

    def forward(self, x):
"""


def _example(before: str, after: str, error: str) -> Example:
    inputs = "[(torch.rand(3, 2, 4),), (torch.rand(2, 1, 4),)]"
    return Example(_HEAD + before, _HEAD + after, inputs, Target.SCRIPT, error=error)


class GrowingTuple(Rule):
    """Collect in a list what a loop gathers in a tuple.

    The length of a tuple is part of its type in TorchScript, so it cannot grow in a loop that is not unrolled:
    `outs = outs + (x,)` becomes `outs.append(x)`. The list serves `torch.cat`, `torch.stack`, loops, `len` and
    indices as the tuple did; where it is returned, it becomes a tuple first (which tuple-of-list leaves out under
    TorchScript).

    Left alone: tuples that are passed on or kept in another way, that more than one element is added to at
    a time, or that two names may share; loops over modules, which TorchScript unrolls.

    Source: "Variable 'outs' previously had type Tuple[()]", raised by torch/csrc/jit/frontend/ir_emitter.cpp.
    """

    name = "growing-tuple"
    targets = frozenset({Target.SCRIPT})
    answers = frozenset({"reassign-type", "arguments-not-valid", "builtin-arity"})
    needs_diagnosis = True
    examples = [
        _example(
            """\
        state = torch.zeros(x.size(1), 4)
        outs = ()
        for step in range(x.size(0)):
            state = self.cell(x[step], state)
            outs = outs + (state,)  # one more
        return torch.stack(outs)
""",
            """\
        state = torch.zeros(x.size(1), 4)
        outs = []
        for step in range(x.size(0)):
            state = self.cell(x[step], state)
            outs.append(state)  # one more
        return torch.stack(outs)
""",
            error="previously had type Tuple",
        ),
        _example(
            """\
        outs = ()
        for row in x:
            outs += (self.cell(row),)
        return torch.cat(outs, 0) / len(outs) + outs[-1].sum()
""",
            """\
        outs = []
        for row in x:
            outs.append(self.cell(row))
        return torch.cat(outs, 0) / len(outs) + outs[-1].sum()
""",
            error="Could not match type Tuple",
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        seen: set[tuple[Function, str]] = set()
        for diagnosis in self.diagnoses(file):
            function = function_at(file, diagnosis.place.line) if diagnosis.place is not None else None
            if function is None:
                continue
            assert diagnosis.place is not None
            line = diagnosis.place.line
            growing = {g.name for s in function.of(ast.Assign, ast.AugAssign) if (g := _growth(s)) is not None}
            for statement in function.of(ast.Assign, ast.AugAssign):
                target = statement.target if isinstance(statement, ast.AugAssign) else statement.targets[0]
                if not isinstance(target, ast.Name) or not statement.lineno <= line <= (statement.end_lineno or 0):
                    continue
                name = target.id
                if name not in growing or (function, name) in seen:
                    continue
                seen.add((function, name))
                edits = _as_list(function, name)
                message = f"TorchScript knows the length of the tuple `{name}`, and a loop changes it"
                if edits is None:
                    yield self.finding(statement, f"{message}; it is used as more than a list", answers=diagnosis)
                else:
                    yield self.finding(statement, f"{message}; append to a list", *edits, answers=diagnosis)


@dataclass(frozen=True)
class _Growth:
    """``name = name + (added,)`` or ``name += (added,)``."""

    name: str
    added: ast.expr
    own: tuple[ast.expr, ...]  # where the name itself stands in it


def _growth(statement: ast.stmt) -> _Growth | None:
    match statement:
        case ast.Assign(
            targets=[ast.Name(id=name) as target],
            value=ast.BinOp(left=ast.Name(id=again) as left, op=ast.Add(), right=ast.Tuple(elts=[added])),
        ) if name == again and not isinstance(added, ast.Starred):
            return _Growth(name, added, (target, left))
        case ast.AugAssign(target=ast.Name(id=name) as target, op=ast.Add(), value=ast.Tuple(elts=[added])) if (
            not isinstance(added, ast.Starred)
        ):
            return _Growth(name, added, (target,))
    return None


def _as_list(function: Function, name: str) -> list[Edit] | None:
    """The edits that make it a list; None where it is bound in other ways, or used as no list is."""
    if name in {p.name for p in function.parameters} or name in function.flow.captured:
        return None
    if any(name in n.names for n in function.of(ast.Global, ast.Nonlocal)):
        return None
    edits: list[Edit] = []
    known: set[ast.AST] = set()
    starts = 0
    for statement in function.of(ast.Assign, ast.AugAssign):
        growth = _growth(statement)
        if growth is not None and growth.name == name:
            if any(growth.name in function.flow.reads([ast.Expr(o)]) for o in _iterated_around(function, statement)):
                return None  # a loop over the list would go over what it appends
            known |= set(growth.own)
            edits.append(Replace([statement], f"{name}.append({{added}})", {"added": growth.added}))
        elif isinstance(statement, ast.Assign) and _is_empty(function, statement.value):
            [target, *more] = statement.targets
            if not more and isinstance(target, ast.Name) and target.id == name:
                known.add(target)
                starts += 1
                edits.append(Replace(statement.value, "[]"))
    uses = [n for n in function.of(ast.Name) if n.id == name and n not in known]
    for use in uses:
        if _is_returned(function, use):
            edits.append(Replace(use, f"tuple({name})"))
        elif not _is_looked_at(function, use):
            return None
    return edits if starts else None


def _iterated_around(function: Function, node: ast.AST) -> Iterator[ast.expr]:
    """What the loops around a statement go over."""
    while node is not function.node:
        node = function.file.parents[node]
        if isinstance(node, ast.For):
            yield node.iter


def _is_returned(function: Function, node: ast.Name) -> bool:
    """Whether it is returned, alone or with others; where the return names no type."""
    parent = function.file.parents[node]
    parent = function.file.parents[parent] if isinstance(parent, ast.Tuple) else parent
    return isinstance(parent, ast.Return) and function.node.returns is None


def _is_empty(function: Function, value: ast.expr) -> bool:
    if isinstance(value, ast.Call):
        return function.file.origin(value.func) == "tuple" and not value.args and not value.keywords
    return isinstance(value, ast.Tuple) and not value.elts


def _is_looked_at(function: Function, node: ast.Name) -> bool:
    """Whether a list does there what the tuple did."""
    match function.file.parents[node]:
        case ast.For() | ast.comprehension():
            return _is_gone_over(function, node)
        case ast.Subscript(value=value, slice=index, ctx=ast.Load()):
            return value is node and not isinstance(index, ast.Slice)
        case ast.Call(func=called) as call:
            name = function.file.origin(called)
            listed = ("len", "torch.cat", "torch.stack", "torch.concat", "torch.hstack", "torch.vstack")
            return name in listed or (name in ("enumerate", "zip") and _is_gone_over(function, call))
    return False


def _is_gone_over(function: Function, node: ast.expr) -> bool:
    """Whether a loop goes over it right there; a generator might do so when the list has grown."""
    parent = function.file.parents[node]
    over = isinstance(parent, (ast.For, ast.comprehension)) and parent.iter is node
    return over and not isinstance(function.file.parents[parent], ast.GeneratorExp)
