"""sum-of-tensors."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tsrefactor.facts.definitions import Function
from tsrefactor.facts.diagnosis import Diagnosis
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.names import fresh
from tsrefactor.facts.types import TENSOR, list_of
from tsrefactor.source.edits import Edit, InsertBefore, Replace
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings

_MODEL = """\
import torch
from torch import nn
from typing import List


{helper}class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(4, 4) for _ in range(3)])

    def forward(self, x):
"""
_HELPER = """\
def _sum_tensors(tensors: List[torch.Tensor]):
    if not torch.jit.is_scripting():
        return sum(tensors)
    total = 0 + tensors[0]
    for tensor in tensors[1:]:
        total = total + tensor
    return total


"""


def _example(before: str, after: str) -> Example:
    """An example of a forward's body."""
    inputs = "[(torch.rand(2, 4),), (torch.rand(3, 4),)]"
    before, after = _MODEL.format(helper="") + before, _MODEL.format(helper=_HELPER) + after
    return Example(before, after, inputs, Target.SCRIPT, error="aten::sum", recorded=True)


class SumOfTensors(Rule):
    """Add the tensors of a list one by one where `sum` is called on it.

    For TorchScript `sum` of a list adds numbers only. A small function adds the tensors in the order and way of
    Python's `sum`, so that it gives the same bits, which `torch.stack(…).sum(0)` would not. In eager it calls `sum`.

    Of an empty list Python's `sum` gives the number 0; the scripted function raises an IndexError. Where nothing shows
    that the list holds a tensor, that is a caveat, and a case must prove the rewrite.

    Left alone: `sum` with a start, and of numbers.

    Source: the variants of aten::sum that "Arguments for call are not valid" lists take a tensor or a list of numbers.
    """

    name = "sum-of-tensors"
    targets = frozenset({Target.SCRIPT})
    answers = frozenset({"arguments-not-valid", "argument-match", "argument-type"})
    examples = [
        _example(
            """\
        # every layer sees the input
        return sum(layer(x) for layer in self.layers) + 1
""",
            """\
        # every layer sees the input
        return _sum_tensors([layer(x) for layer in self.layers]) + 1
""",
        ),
        _example(
            """\
        parts = [x, x * 2]
        return x * sum(parts)
""",
            """\
        parts = [x, x * 2]
        return x * _sum_tensors(parts)
""",
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        if "sum(" not in file.source.text:
            return
        existing = _helper(file)
        functions = (f for f in file.functions if existing is None or f.qualname != existing)
        found = ((f, c, self._summed(f, c)) for f in functions for c in f.calls("sum"))
        function, call, summed = next((f for f in found if f[2] is not None), (None, None, None))
        if function is None or call is None or summed is None:
            return  # one at a time: the next ones use the same function
        name = existing or fresh(file.module_names, "_sum_tensors")
        spelt, imports = file.spell_type(list_of(TENSOR))
        scripting, needed = file.spell("torch.jit.is_scripting")
        text = _HELPER.strip().replace("_sum_tensors", name).replace("List[torch.Tensor]", spelt)
        text = text.replace("torch.jit.is_scripting", scripting)
        argument, answered, sure = summed
        each: dict[str, ast.expr | str] = {"tensors": argument}
        template = f"{name}({{tensors}})"
        if isinstance(argument, ast.GeneratorExp):
            template = f"{name}([{{tensors}}])"
            each = {"tensors": file.source.segment(argument).removeprefix("(").removesuffix(")")}
        elif isinstance(argument, ast.Call) and getattr(argument.func, "attr", "") == "values":  # of a dict: no list
            template = f"{name}(list({{tensors}}))"
        edits: list[Edit] = [Replace(call, template, each)]
        if existing is None:
            edits.append(InsertBefore(file.top_level_of(function.node), f"{text}\n\n\n"))
        message = "TorchScript's `sum` adds no tensors; add them one by one"
        imported = frozenset() if existing else imports | needed
        caveat = None if sure else "the scripted sum of an empty list raises an IndexError, where eager gives 0"
        yield self.finding(call, message, *edits, imports=imported, presumed=not sure, caveat=caveat, answers=answered)

    def _summed(self, function: Function, call: ast.Call) -> tuple[ast.expr, Diagnosis | None, bool] | None:
        """What a call of `sum` adds, if that is tensors; the diagnosis of it; whether there is a first tensor."""
        if len(call.args) != 1 or call.keywords or function.types.bindings.shadows("sum"):
            return None
        argument = call.args[0]
        lines = range(call.lineno, (call.end_lineno or call.lineno) + 1)
        here = (d for d in self.diagnoses(function.file) if d.place and d.place.line in lines)
        answered = next(
            (d for d in here if d.names.get("callee", "sum").rpartition("::")[2].partition(".")[0] == "sum"), None
        )
        element = argument.elt if isinstance(argument, (ast.GeneratorExp, ast.ListComp)) else None
        type_ = function.type_of(argument) if element is None else list_of(function.type_of(element))
        known = all(t.known for t in (type_, *type_.args))
        if type_ != list_of(TENSOR) and (known or answered is None):
            return None
        return argument, answered, isinstance(argument, ast.List) and bool(argument.elts)


def _helper(file: FileFacts) -> str | None:
    """The function that an earlier edit made."""
    wanted = ast.dump(ast.parse(_HELPER).body[0].body[2])  # type: ignore[attr-defined]
    for node in file.tree.body:
        named = isinstance(node, ast.FunctionDef) and node.name.startswith("_sum_tensors")
        if named and len(node.body) == 4 and ast.dump(node.body[2]) == wanted:  # type: ignore[attr-defined]
            return node.name  # type: ignore[attr-defined]
    return None
