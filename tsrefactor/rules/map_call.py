"""map-call."""

from __future__ import annotations

from collections.abc import Iterator

from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.maps import as_comprehension
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings, preview

_MODEL = """\
import torch
from torch import nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.convs = nn.ModuleList([nn.Linear(4, 4), nn.Linear(4, 4)])

    def forward(self, x):
"""


def _example(before: str, after: str) -> Example:
    """An example of a forward's body."""
    inputs = "[(torch.rand(2, 4),), (torch.rand(3, 4),)]"
    return Example(_MODEL + before, _MODEL + after, inputs, Target.SCRIPT, error="Lambda aren't supported|map")


class MapCall(Rule):
    """Write a list comprehension in the place of `map`.

    TorchScript has neither `map` nor lambdas. `q, k, v = map(lambda t: t.flatten(1), (q, k, v))` becomes
    `q, k, v = [t.flatten(1) for t in (q, k, v)]`, with `zip` for several iterables.

    Left alone: a `map` that is not taken at once by an unpacking, a loop, `join`, `list`, `tuple`, `sum` or the like,
    since its calls would come earlier; `any` and `all` of what does more than compute; lambdas with defaults or
    `*args`; functions that are computed.

    Source: "Lambda aren't supported", raised by torch/jit/frontend.py, and "Python builtin <built-in function map> is
    currently not supported", by torch/csrc/jit/python/python_sugared_value.cpp.
    """

    name = "map-call"
    targets = frozenset({Target.SCRIPT})
    answers = frozenset({"unsupported-syntax", "python-builtin", "python-type-as-value"})
    examples = [
        _example(
            """\
        q, k = map(lambda t: t.flatten(1) * 2, (x, x + 1))  # both
        return q + k
""",
            """\
        q, k = [t.flatten(1) * 2 for t in (x, x + 1)]  # both
        return q + k
""",
        ),
        _example(
            """\
        parts = list(map(lambda conv: conv(x), self.convs))
        return torch.cat(list(map(lambda part, n: part * n, parts, [1, 2])), dim=-1)
""",
            """\
        parts = [conv(x) for conv in self.convs]
        return torch.cat([part * n for part, n in zip(parts, [1, 2])], dim=-1)
""",
        ),
        _example(
            """\
        a, b = map(torch.relu, x.chunk(2))
        return a - b
""".replace("x.chunk(2)", "[x, x - 1]"),
            """\
        a, b = [torch.relu(item) for item in [x, x - 1]]
        return a - b
""",
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        if "map(" not in file.source.text:
            return
        for function in file.functions:
            for call in function.calls("map"):
                if function.types.bindings.shadows("map"):
                    continue
                edit = as_comprehension(function, call)
                if edit is not None:
                    yield self.finding(
                        call, f"TorchScript has no map; write `{preview(edit.template, edit.pieces)}`", edit
                    )
                else:
                    yield self.finding(call, "TorchScript has no `map`, and a list could not take its place here")
