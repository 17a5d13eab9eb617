"""tuple-in-zip."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tsrefactor.facts.definitions import Function
from tsrefactor.facts.diagnosis import Diagnosis
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.loop_edits import holds_modules
from tsrefactor.facts.signatures import function_at
from tsrefactor.source.edits import Replace
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings, preview


class TupleInZip(Rule):
    """Loop over the list of a tuple's values, where the list beside it may have any length, or a `break` leaves it.

    TorchScript unrolls a loop over a tuple, and so must know the length of all that is zipped with it. In
    `zip(self.weights, preds)` it knows that of the tuple alone: `zip(list(self.weights), preds)` is a loop like any
    other. So is one that has a `break` or `continue`, which an unrolled loop cannot have.

    Left alone: tuples with values of more than one type, for which TorchScript has no list; modules, for which see
    zip-modules.

    Source: "Can not iterate over a module list or tuple with a value that does not have a statically determinable
    length", and "we do not support break or continue inside the body of these loops", raised by
    torch/csrc/jit/frontend/ir_emitter.cpp.
    """

    name = "tuple-in-zip"
    targets = frozenset({Target.SCRIPT})
    answers = frozenset({"iterate-module", "unsupported-syntax"})
    needs_diagnosis = True
    examples = [
        Example(
            before="""\
import torch
from torch import nn


class Model(nn.Module):
    def __init__(self, weights=(1.0, 0.4)):
        super().__init__()
        self.weights = weights

    def forward(self, preds: list[torch.Tensor]):
        loss = torch.zeros(())
        for weight, pred in zip(self.weights, preds):  # deep supervision
            loss = loss + weight * pred.mean()
        return loss
""",
            after="""\
import torch
from torch import nn


class Model(nn.Module):
    def __init__(self, weights=(1.0, 0.4)):
        super().__init__()
        self.weights = weights

    def forward(self, preds: list[torch.Tensor]):
        loss = torch.zeros(())
        for weight, pred in zip(list(self.weights), preds):  # deep supervision
            loss = loss + weight * pred.mean()
        return loss
""",
            inputs="[([torch.rand(2), torch.rand(3)],), ([torch.rand(2)],)]",
            breaks=Target.SCRIPT,
            error="statically determinable",
            recorded=True,
        ),
        Example(
            before="""\
import torch
from torch import nn


class Model(nn.Module):
    def __init__(self, sizes=(2, 4, 8)):
        super().__init__()
        self.sizes = sizes

    def forward(self, x):
        for size in self.sizes:
            if size > x.size(0):
                x = x * size
                break
        return x
""",
            after="""\
import torch
from torch import nn


class Model(nn.Module):
    def __init__(self, sizes=(2, 4, 8)):
        super().__init__()
        self.sizes = sizes

    def forward(self, x):
        for size in list(self.sizes):
            if size > x.size(0):
                x = x * size
                break
        return x
""",
            inputs="[(torch.rand(2, 4),), (torch.rand(5, 4),)]",
            breaks=Target.SCRIPT,
            error="break or continue",
            recorded=True,
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        for diagnosis in self.diagnoses(file):
            assert diagnosis.place is not None
            function = function_at(file, diagnosis.place.line)
            if function is None or function.types.bindings.shadows("list"):
                continue
            if diagnosis.kind == "unsupported-syntax":
                yield from self._left(function, diagnosis)
                continue
            for call in function.calls("zip"):
                here = call.lineno <= diagnosis.place.line <= (call.end_lineno or call.lineno)
                tuples = [a for a in call.args if _is_uniform(function, a)]
                several = len(tuples) == len(call.args) or any(holds_modules(function, a) for a in call.args)
                if not here or not tuples or several:
                    continue
                edits = [Replace(t, "list({values})", {"values": t}) for t in tuples]
                written = preview(edits[0].template, edits[0].pieces)
                message = f"TorchScript cannot zip a tuple with a list; write `{written}`"
                yield self.finding(call, message, *edits, answers=diagnosis)

    def _left(self, function: Function, diagnosis: Diagnosis) -> Iterator[Finding]:
        """A loop over a tuple that a `break` or `continue` is in."""
        line = diagnosis.place.line if diagnosis.place is not None else 0
        if not any(n.lineno == line for n in function.of(ast.Break, ast.Continue)):
            return
        for loop in function.of(ast.For):
            over = loop.iter
            if isinstance(over, ast.Call) and function.file.origin(over.func) == "enumerate" and over.args:
                over = over.args[0]
            inside = loop.body[0].lineno <= line <= (loop.body[-1].end_lineno or line)
            if inside and isinstance(over, (ast.Name, ast.Attribute)) and _is_uniform(function, over):
                edit = Replace(over, "list({values})", {"values": over})
                written = preview(edit.template, edit.pieces)
                message = f"TorchScript leaves no loop over a tuple before its end; write `{written}`"
                yield self.finding(over, message, edit, answers=diagnosis)


def _is_uniform(function: Function, node: ast.expr) -> bool:
    """Whether it is a tuple of values of one type."""
    type_ = function.type_of(node)
    return type_.name == "Tuple" and type_.known and len(set(type_.args)) == 1
