"""item-type."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tsrefactor.facts.callers import callee
from tsrefactor.facts.definitions import Function
from tsrefactor.facts.diagnosis import Diagnosis
from tsrefactor.facts.elements import element_type
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.nodes import walk
from tsrefactor.facts.signatures import function_at
from tsrefactor.facts.types import FLOAT, INT, UNKNOWN, Type
from tsrefactor.source.edits import Replace
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings

_CONVERSIONS = ("int", "float", "bool", "str", "round")


class ItemType(Rule):
    """Say whether a number that is taken out of a tensor is an int or a float.

    `t.item()` has no type before the model runs: TorchScript calls it a number, which cannot be an element of a list, a
    size in one, or the end of a range, and which fails at run time on the left of a tensor, as in `t.item() * x`.
    `float(t.item())` or `int(t.item())` can. Which of them: the operation that made the tensor (`argmax`, `mean`), what
    a recorded run saw, what the place asks for; else a float, and the finding counts as presumed.

    Left alone: every other use of `item()`; where one is converted already.

    Source: `aten::item(Tensor self) -> Scalar`, and https://github.com/pytorch/pytorch/issues/39521.
    """

    name = "item-type"
    targets = frozenset({Target.SCRIPT})
    needs_diagnosis = True
    answers = frozenset(
        "scalar-argument operation-failed range-argument arguments-not-valid argument-type argument-match"
        " list-element tensor-index".split()
    )
    examples = [
        Example(
            before="""\
import torch
from torch import nn


class Model(nn.Module):
    def forward(self, x):
        scale = x.abs().mean().item()
        return scale * x  # the number on the left
""",
            after="""\
import torch
from torch import nn


class Model(nn.Module):
    def forward(self, x):
        scale = float(x.abs().mean().item())
        return scale * x  # the number on the left
""",
            inputs="[(torch.rand(3, 4),), (torch.rand(2, 5),)]",
            breaks=Target.SCRIPT,
            outcome="run-error",
            error="Cannot input a tensor of dimension other than 0 as a scalar argument",
        ),
        Example(
            before="""\
import torch
from torch import nn


class Model(nn.Module):
    def forward(self, x, lengths):
        longest = lengths.max().item()
        mask = torch.zeros([x.size(0), longest])
        for i in range(longest):
            mask[:, i] = (lengths > i).float()
        return x[:, :longest] * mask
""",
            after="""\
import torch
from torch import nn


class Model(nn.Module):
    def forward(self, x, lengths):
        longest = int(lengths.max().item())
        mask = torch.zeros([x.size(0), longest])
        for i in range(longest):
            mask[:, i] = (lengths > i).float()
        return x[:, :longest] * mask
""",
            inputs="[(torch.rand(2, 4), torch.tensor([3, 2])), (torch.rand(3, 5), torch.tensor([1, 4, 2]))]",
            breaks=Target.SCRIPT,
            error="number",
            recorded=True,
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        if ".item()" not in file.source.text:
            return
        for diagnosis in self.diagnoses(file):
            named = diagnosis.names.get("type" if diagnosis.kind == "tensor-index" else "found", "number")
            if "number" not in named and "Scalar" not in named and diagnosis.kind != "scalar-argument":
                continue
            yield from self._typed(file, diagnosis)

    def _typed(self, file: FileFacts, diagnosis: Diagnosis) -> Iterator[Finding]:
        assert diagnosis.place is not None
        function = function_at(file, diagnosis.place.line)
        if function is None:
            return
        counts = diagnosis.kind in ("range-argument", "tensor-index")
        asked = INT if counts or "int" in diagnosis.names.get("expected", "") else UNKNOWN
        for around, call in _leading_to(function, diagnosis.place.line):
            known = _element(around, call)
            type_ = known if known.known else _recorded(around, call) if not asked.known else asked
            if type_ not in (INT, FLOAT, UNKNOWN):
                continue
            text = "int" if type_ == INT else "float"
            yield self.finding(
                call,
                f"`{ast.unparse(call)}` has no type in TorchScript; it is a{'n' * (text == 'int')} {text}",
                Replace(call, f"{text}({{value}})", {"value": call}),
                presumed=not known.known,
                answers=diagnosis,
            )


def _element(function: Function, call: ast.Call) -> Type:
    """What `item` takes out of the tensor; unknown for a call of another function."""
    if not isinstance(call.func, ast.Attribute) or call.func.attr != "item":
        return UNKNOWN
    return element_type(function, call.func.value)


def _leading_to(function: Function, line: int) -> list[tuple[Function, ast.Call]]:
    """The unconverted calls of `item` on a line, in what the names there were given, and in what functions return.

    Of a function that returns a number of unknown type, its call: another one may want the other type."""
    found: dict[ast.Call, Function] = {}
    seen: set[str] = set()
    here = [n for n in function.nodes if isinstance(n, ast.expr) and n.lineno <= line <= (n.end_lineno or 0)]
    todo: list[ast.AST] = [*here]
    while todo:
        code = todo.pop()
        for call in (n for n in walk(code) if isinstance(n, ast.Call)):
            if _is_item(function, call):
                found[call] = function
            elif (called := callee(function, call)) is not None:
                returned = [r.value for r in called.of(ast.Return)]
                for item in (r for r in returned if isinstance(r, ast.Call) and _is_item(called, r)):
                    if _element(called, item).known:
                        found[item] = called
                    elif not _is_converted(function, call):
                        found[call] = function
        for name in function.flow.reads(code) - seen:
            seen.add(name)
            values = function.types.bindings.values.get(name, ())
            todo += [v for v in values if isinstance(v, ast.expr) and v in function.file.parents]
    return [(around, call) for call, around in found.items()]


def _is_item(function: Function, node: ast.Call) -> bool:
    if node.args or node.keywords or not isinstance(node.func, ast.Attribute):
        return False
    return node.func.attr == "item" and not _is_converted(function, node)


def _is_converted(function: Function, node: ast.Call) -> bool:
    parent = function.file.parents[node]
    return isinstance(parent, ast.Call) and function.file.origin(parent.func) in _CONVERSIONS


def _recorded(function: Function, call: ast.Call) -> Type:
    """The type that runs saw in the variable that the number is assigned to."""
    statement = function.file.parents[call]
    observed = function.observed
    if observed is None or not isinstance(statement, ast.Assign) or not isinstance(statement.targets[0], ast.Name):
        return UNKNOWN
    return observed.locals.get(statement.targets[0].id, UNKNOWN)
