"""length-in-tensor."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.lengths import stays_in_tensor
from tsrefactor.facts.types import TENSOR
from tsrefactor.source.edits import Replace
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings, shortened


def _example(before: str, after: str) -> Example:
    inputs = "[(torch.rand(2, 5, 4), torch.tensor([3, 2])), (torch.rand(3, 5, 4), torch.tensor([1, 4, 2]))]"
    settings = Settings(Target.TRACE)
    return Example(before, after, inputs, Target.TRACE, "baked", recorded=True, settings=settings)


class LengthInTensor(Rule):
    """Leave a length in its tensor where all that is made of it are sizes, slices and ranges.

    `lengths.max().item()` is a plain number, the example's for ever in a trace. Where torch makes a size of a tensor
    without dimensions (`expand(-1, longest)`, `x[:, :longest]`, `torch.arange(longest)`), it asks for the number
    itself, and a trace records that. So `.item()` goes.

    Left alone: numbers that are used for something else, too, such as arithmetic, `range` or a condition, for
    soft-refactor; what makes nothing but ranges, since it may be a float that has a gradient; `int(…)`.

    Source: the TracerWarning "Converting a tensor to a Python number"; the graph of a trace, in which the size is an
    `aten::Int` of the tensor.
    """

    name = "length-in-tensor"
    targets = frozenset({Target.TRACE})
    examples = [
        # The mask that many recurrent and speech models make.
        _example(
            """\
import torch
from torch import nn


def mask_of(lengths, longest=None):
    if longest is None:
        longest = torch.max(lengths).item()  # of this batch
    steps = torch.arange(0, longest).unsqueeze(0).expand(lengths.shape[0], -1)
    return steps >= lengths.unsqueeze(1).expand(-1, longest)


class Model(nn.Module):
    def forward(self, x, lengths):
        return x, mask_of(lengths)
""",
            """\
import torch
from torch import nn


def mask_of(lengths, longest=None):
    if longest is None:
        longest = torch.max(lengths)  # of this batch
    steps = torch.arange(0, longest).unsqueeze(0).expand(lengths.shape[0], -1)
    return steps >= lengths.unsqueeze(1).expand(-1, longest)


class Model(nn.Module):
    def forward(self, x, lengths):
        return x, mask_of(lengths)
""",
        ),
        # Used at once.
        _example(
            """\
import torch
from torch import nn


class Model(nn.Module):
    def forward(self, x, lengths):
        x = x[:, :lengths.max().item()]
        count = (x > 0.5).sum().item()
        return x, x.new_zeros((count, 2))
""",
            """\
import torch
from torch import nn


class Model(nn.Module):
    def forward(self, x, lengths):
        x = x[:, :lengths.max()]
        count = (x > 0.5).sum()
        return x, x.new_zeros((count, 2))
""",
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        if not file.mentions(".item("):
            return
        for function in file.functions:
            if function.dependence.is_compiled:
                continue
            for call in function.of(ast.Call):
                if not stays_in_tensor(function, call):
                    continue
                assert isinstance(call.func, ast.Attribute)
                tensor = call.func.value
                message = f"a trace keeps the example's `{shortened(call)}`; leave it in the tensor, "
                message += f"write `{shortened(tensor)}`"
                presumed = function.type_of(tensor) != TENSOR
                edit = Replace(call, "{tensor}", {"tensor": tensor})
                yield self.finding(call, message, edit, presumed=presumed, trap=True)
