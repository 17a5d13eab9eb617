"""len-to-shape."""

from __future__ import annotations

from collections.abc import Iterator

from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.types import TENSOR, optional
from tsrefactor.source.edits import Replace
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings


class LenToShape(Rule):
    """Read a tensor's length from its shape.

    In a trace `len(x)` is a plain number, so the example's length is frozen into the graph; `x.shape[0]` is recorded
    as an operation and follows the input. It helps `torch.export` in the same way. `torch.numel(x)`, too, is a plain
    number in a trace, and `x.numel()` is recorded.

    The length of a list, string, dict or ModuleList, and of a value whose type nothing tells, is left alone. A
    parameter is taken for a tensor when its annotation, a recorded run or what the function does to it says so, and
    nothing else is bound to its name; where arrays, images or modules allow the same uses it is only presumed one.

    Source: `torch.Tensor.__len__` warns when it is called while tracing ("Using len to get tensor shape might cause
    the trace to be incorrect").
    """

    name = "len-to-shape"
    targets = frozenset({Target.TRACE})
    answers = frozenset({"trace-len"})
    examples = [
        Example(
            before="""\
import torch


class Model(torch.nn.Module):
    def forward(self, x: torch.Tensor):
        return torch.arange(len(x)) + 0.5 * x.sum()
""",
            after="""\
import torch


class Model(torch.nn.Module):
    def forward(self, x: torch.Tensor):
        return torch.arange(x.shape[0]) + 0.5 * x.sum()
""",
            inputs="[(torch.rand(3, 2),), (torch.rand(5, 2),)]",
            breaks=Target.TRACE,
            outcome="baked",
        ),
        Example(
            before="""\
import torch
from torch import nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(4, 4), nn.Linear(4, 4)])

    def forward(self, xs, depth=2):
        # one row of zeros for each sample
        first = xs[0]
        return torch.zeros(len(first), len(self.layers)) + first.mean()
""",
            after="""\
import torch
from torch import nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(4, 4), nn.Linear(4, 4)])

    def forward(self, xs, depth=2):
        # one row of zeros for each sample
        first = xs[0]
        return torch.zeros(first.shape[0], len(self.layers)) + first.mean()
""",
            inputs="[([torch.rand(3, 4)],), ([torch.rand(5, 4)],)]",
            breaks=Target.TRACE,
            outcome="baked",
            recorded=True,
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        for function in file.functions:
            for call in function.calls("len", "torch.numel"):
                called = file.origin(call.func)
                if len(call.args) != 1 or call.keywords or function.types.bindings.shadows(called):
                    continue
                value = call.args[0]
                type_ = function.type_of(value, presume=True)
                if type_ in (TENSOR, optional(TENSOR)):  # what has a length is not None
                    read = "shape[0]" if called == "len" else "numel()"
                    yield self.finding(
                        call,
                        f"a trace freezes `{called}` of a tensor; read `{read}`",
                        Replace(call, f"{{value}}.{read}", {"value": value}),
                        presumed=function.type_of(value) != type_,
                    )
