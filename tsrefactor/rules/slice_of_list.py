"""slice-of-list."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tsrefactor.facts.definitions import Function
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.nodes import walk
from tsrefactor.source.edits import Pieces, Replace
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings, preview

_COPIES = ("list", "sorted")
_HEAD = """\
import torch
from torch import nn


class Model(nn.Module):
    def forward(self, x, index):
"""


class SliceOfList(Rule):
    """Put a list together anew where a slice of it is assigned.

    TorchScript assigns to elements of a list, not to a slice: `shape[1:] = ones` becomes `shape = shape[:1] + ones`.
    It is another list then, so this is done where nothing else can hold the old one: a local that the function has
    just made with `list(…)`, as a display or by a comprehension, and of which it only read or set elements since.

    Left alone: slices with steps or with bounds below zero or unknown, and values that may be no list.

    Source: "Sliced expression not yet supported for subscripted assignment", raised by
    torch/csrc/jit/frontend/ir_emitter.cpp.
    """

    name = "slice-of-list"
    targets = frozenset({Target.SCRIPT})
    answers = frozenset({"unsupported-syntax", "unknown", "operation-failed"})
    examples = [
        Example(
            before=_HEAD
            + """\
        shape = list(index.shape)
        shape[1:] = [1] * (len(shape) - 1)  # one for each of the batch
        batch = torch.arange(x.size(0)).view(shape).expand_as(index)
        return x[batch, index]
""",
            after=_HEAD
            + """\
        shape = list(index.shape)
        shape = shape[:1] + [1] * (len(shape) - 1)  # one for each of the batch
        batch = torch.arange(x.size(0)).view(shape).expand_as(index)
        return x[batch, index]
""",
            inputs="[(torch.rand(2, 4, 3), torch.ones(2, 3, dtype=torch.long)),"
            " (torch.rand(3, 4, 3), torch.zeros(3, 2, 2, dtype=torch.long))]",
            breaks=Target.SCRIPT,
            error="Sliced expression not yet supported for subscripted assignment",
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        if not file.mentions(":] =", ":]=", "] ="):
            return
        for function in file.functions:
            for statement in function.of(ast.Assign):
                target = statement.targets[0]
                if not isinstance(target, ast.Subscript) or not isinstance(target.slice, ast.Slice):
                    continue
                if not isinstance(target.value, ast.Name) or len(statement.targets) > 1:
                    continue
                if not _is_list(function, statement.value) or not _is_own(function, target.value, statement):
                    continue
                value: ast.expr | str = statement.value
                if isinstance(statement.value, ast.BinOp) and statement.lineno == statement.end_lineno:
                    value = file.source.segment(statement.value)  # a product or a sum needs no parentheses in a sum
                template, pieces = _together(target, target.slice, value)
                if template:
                    message = f"TorchScript assigns to no slice; write `{preview(template, pieces)}`"
                    yield self.finding(statement, message, Replace([statement], template, pieces))


def _together(target: ast.Subscript, bounds: ast.Slice, value: ast.expr | str) -> tuple[str, Pieces]:
    """The list with the value in the place of a slice; "" where its bounds are no literals from the front."""
    name = ast.unparse(target.value)
    lower, upper = (_count(b) if b is not None else None for b in (bounds.lower, bounds.upper))
    unknown = (bounds.lower is not None and lower is None) or (bounds.upper is not None and upper is None)
    if bounds.step is not None or unknown or (upper is not None and upper < (lower or 0)):
        return "", {}
    before = [f"{name}[:{lower}]"] if lower else []
    after = [f"{name}[{upper}:]"] if upper is not None else []
    return f"{name} = {' + '.join([*before, '{value}', *after])}", {"value": value}


def _count(bound: ast.expr) -> int | None:
    return bound.value if isinstance(bound, ast.Constant) and type(bound.value) is int else None


def _is_list(function: Function, value: ast.expr) -> bool:
    """Whether a value is a list, and not only something to iterate over."""
    if isinstance(value, (ast.List, ast.ListComp)):
        return True
    if isinstance(value, ast.BinOp) and isinstance(value.op, (ast.Mult, ast.Add)):
        sides = [_is_list(function, v) for v in (value.left, value.right)]
        return all(sides) if isinstance(value.op, ast.Add) else any(sides)
    return isinstance(value, ast.Call) and function.file.origin(value.func) in _COPIES


def _is_own(function: Function, name: ast.Name, statement: ast.stmt) -> bool:
    """Whether the name holds a list that the block has made, of which nothing but elements was taken since."""
    if name.id in function.flow.captured:
        return False
    block = function.file.block_of(statement)
    before = block[: block.index(statement)]
    made = [i for i, s in enumerate(before) if _makes(function, s, name.id)]
    since = before[made[-1] + 1 :] if made else []
    reads = [n for s in [*since, statement] for n in walk(s) if isinstance(n, ast.Name) and n.id == name.id]
    return bool(made) and all(_takes_element(function, n) for n in reads)


def _makes(function: Function, statement: ast.stmt, name: str) -> bool:
    if not isinstance(statement, ast.Assign) or len(statement.targets) != 1:
        return False
    target = statement.targets[0]
    return isinstance(target, ast.Name) and target.id == name and _is_list(function, statement.value)


def _takes_element(function: Function, node: ast.Name) -> bool:
    """Whether a read only takes or sets an element or a copy of a part, or asks for the length."""
    parent = function.file.parents[node]
    if isinstance(parent, ast.Subscript):
        return parent.value is node
    return isinstance(parent, ast.Call) and function.file.origin(parent.func) == "len"
