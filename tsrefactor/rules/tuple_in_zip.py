"""tuple-in-zip."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tsrefactor.facts.definitions import Function
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.loop_edits import holds_modules
from tsrefactor.facts.signatures import function_at
from tsrefactor.source.edits import Replace
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings, preview


class TupleInZip(Rule):
    """Zip the list of a tuple's values, where the list beside it may have any length.

    TorchScript unrolls a loop over a tuple, and so must know the length of all that is zipped with it. In
    `zip(self.weights, preds)` it knows that of the tuple alone: `zip(list(self.weights), preds)` is a loop like any
    other.

    Left alone: tuples with values of more than one type, for which TorchScript has no list; modules, for which see
    zip-modules.

    Source: "Can not iterate over a module list or tuple with a value that does not have a statically determinable
    length", raised by torch/csrc/jit/frontend/ir_emitter.cpp.
    """

    name = "tuple-in-zip"
    targets = frozenset({Target.SCRIPT})
    answers = frozenset({"iterate-module"})
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
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        for diagnosis in self.diagnoses(file):
            assert diagnosis.place is not None
            function = function_at(file, diagnosis.place.line)
            for call in function.calls("zip") if function is not None else ():
                assert function is not None
                here = call.lineno <= diagnosis.place.line <= (call.end_lineno or call.lineno)
                tuples = [a for a in call.args if _is_uniform(function, a)]
                several = len(tuples) == len(call.args) or any(holds_modules(function, a) for a in call.args)
                if not here or not tuples or several:
                    continue
                if function.types.bindings.shadows("list"):
                    continue
                edits = [Replace(t, "list({values})", {"values": t}) for t in tuples]
                written = preview(edits[0].template, edits[0].pieces)
                message = f"TorchScript cannot zip a tuple with a list; write `{written}`"
                yield self.finding(call, message, *edits, answers=diagnosis)


def _is_uniform(function: Function, node: ast.expr) -> bool:
    """Whether it is a tuple of values of one type."""
    type_ = function.type_of(node)
    return type_.name == "Tuple" and type_.known and len(set(type_.args)) == 1
