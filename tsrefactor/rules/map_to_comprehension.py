"""map-to-comprehension."""

from __future__ import annotations

from collections.abc import Iterator

from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.maps import as_comprehension
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings

_HEAD = """\
import torch
from torch import nn


class Model(nn.Module):
"""


def _example(before: str, after: str, error: str = "Lambda aren't supported") -> Example:
    inputs = "[(torch.rand(2, 4),), (torch.rand(3, 4),)]"
    return Example(_HEAD + before, _HEAD + after, inputs, Target.SCRIPT, error=error)


class MapToComprehension(Rule):
    """Write `map(f, values)` as a list comprehension.

    TorchScript knows neither `map` nor lambdas. `[f(v) for v in values]` does the same where all of it is used at once:
    where it is unpacked, made a list or a tuple, summed up, joined or looped over. A lambda's body takes the place of
    the call.

    Left alone: maps that are kept in a variable or passed on (they are read once, and only as far as needed), `any` and
    `all` of what does more than compute, and lambdas with defaults or stars.

    Source: "Lambda aren't supported", raised by torch/jit/frontend.py; `map` is not among the builtins of
    torch/jit/_builtins.py.
    """

    name = "map-to-comprehension"
    targets = frozenset({Target.SCRIPT})
    answers = frozenset({"unsupported-syntax", "not-a-value", "undefined-value", "python-builtin", "unpack-value"})
    examples = [
        _example(
            """\
    def forward(self, x):
        h = 2
        q, k = map(lambda t: t.view(t.size(0), h, -1), (x, x + 1))  # split the heads
        return q * k
""",
            """\
    def forward(self, x):
        h = 2
        q, k = [t.view(t.size(0), h, -1) for t in (x, x + 1)]  # split the heads
        return q * k
""",
        ),
        _example(
            """\
    def forward(self, x):
        parts = list(map(torch.relu, x.split(1)))
        return torch.cat(list(map(lambda a, b: a - b, parts, x.split(1))))
""",
            """\
    def forward(self, x):
        parts = [torch.relu(v) for v in x.split(1)]
        return torch.cat([a - b for a, b in zip(parts, x.split(1))])
""",
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        if "map(" not in file.source.text:
            return
        diagnoses = list(self.diagnoses(file))
        for function in file.functions:
            for call in function.calls("map"):
                edit = as_comprehension(function, call)
                if edit is None:
                    continue
                here = next((d for d in diagnoses if d.place and d.place.line == call.lineno), None)
                message = "TorchScript has no `map`; write a list comprehension"
                yield self.finding(call, message, edit, answers=here)
