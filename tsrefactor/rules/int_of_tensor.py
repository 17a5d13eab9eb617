"""int-of-tensor."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from tsrefactor.facts.definitions import Function
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.sequences import SIZE_METHODS
from tsrefactor.facts.types import TENSOR
from tsrefactor.source.edits import Replace
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings, preview

# Functions that take a list of ints: where it stands, and what it is called.
_LISTS = {
    "torch.nn.functional.pad": (1, "pad"),
    "torch.nn.functional.interpolate": (1, "size"),
    "torch.nn.functional.upsample": (1, "size"),
    "torch.split": (1, "split_size_or_sections"),
    **{f"torch.{name}": (0, "size") for name in ("zeros", "ones", "empty", "rand", "randn", "full")},
}
_METHODS = SIZE_METHODS | {"split", "new_full"}
_MODEL = """\
import torch
import torch.nn.functional as F
from torch import nn


class Model(nn.Module):
"""


def _example(before: str, after: str, inputs: str, error: str) -> Example:
    """An example of the methods of a model."""
    return Example(_MODEL + before, _MODEL + after, inputs, Target.SCRIPT, error=error, recorded=True)


class IntOfTensor(Rule):
    """Read the number out of a tensor where Python takes a tensor for an int.

    Python takes a whole-number tensor with one element wherever it needs an int, TorchScript only for a single
    argument of an operator. In a list of sizes and in `range` the number is read out:
    `F.pad(x, [pad // 2, pad - pad // 2])` becomes `F.pad(x, [int(pad // 2), int(pad - pad // 2)])`,
    `range(lengths.max())` becomes `range(int(lengths.max()))`.

    Left alone: what is not known to be a tensor.

    Source: "Expected a value of type 'List[int]'" and "all inputs of range must be ints, found Tensor", raised by
    torch/csrc/jit/frontend (schema_matching.cpp, ir_emitter.cpp).
    """

    name = "int-of-tensor"
    targets = frozenset({Target.SCRIPT})
    answers = frozenset({"argument-type", "arguments-not-valid", "range-argument"})
    examples = [
        _example(
            """\
    def forward(self, x):
        pad = torch.tensor([8 - x.size(2)])
        return F.pad(x, [pad // 2, pad - pad // 2, 0, 1])  # to eight columns
""",
            """\
    def forward(self, x):
        pad = torch.tensor([8 - x.size(2)])
        return F.pad(x, [int(pad // 2), int(pad - pad // 2), 0, 1])  # to eight columns
""",
            "[(torch.rand(2, 3, 4),), (torch.rand(2, 2, 5),)]",
            r"Expected a value of type 'List\[int\]' for argument 'pad'",
        ),
        _example(
            """\
    def forward(self, x, lengths):
        total = x[:, 0]
        for i in range(1, lengths.max()):
            total = total + x[:, i] * i
        return total
""",
            """\
    def forward(self, x, lengths):
        total = x[:, 0]
        for i in range(1, int(lengths.max())):
            total = total + x[:, i] * i
        return total
""",
            "[(torch.rand(2, 6), torch.tensor([3, 2])), (torch.rand(3, 8), torch.tensor([1, 4, 5]))]",
            "all inputs of range must be ints",
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        for function in file.functions:
            for call in function.of(ast.Call):
                for value in _whole_numbers(function, call):
                    if function.type_of(value) == TENSOR:
                        edit = Replace(value, "int({value})", {"value": value})
                        shown = preview(edit.template, edit.pieces)
                        yield self.finding(value, f"TorchScript takes no tensor for an int here; write `{shown}`", edit)


def _whole_numbers(function: Function, call: ast.Call) -> Sequence[ast.expr]:
    """The values that must be ints, and that TorchScript does not convert: elements of sizes, ends of a range."""
    origin = function.file.origin(call.func)
    if origin == "range" and not function.types.bindings.shadows("range"):
        return call.args
    place, name = _LISTS.get(origin, (-1, ""))
    if place < 0 and isinstance(call.func, ast.Attribute) and call.func.attr in _METHODS:
        if function.type_of(call.func.value) != TENSOR:
            return ()
        place, name = 0, "size"
    if place < 0:
        return ()
    sizes = [k.value for k in call.keywords if k.arg == name] + call.args[place : place + 1]
    return sizes[0].elts if sizes and isinstance(sizes[0], (ast.List, ast.Tuple)) else ()
