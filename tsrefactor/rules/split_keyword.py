"""split-keyword."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tsrefactor.facts.file import FileFacts
from tsrefactor.source.edits import Replace
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings, kept_arguments, preview

_ORDER = ("tensor", "split_size_or_sections")


class SplitKeyword(Rule):
    """Pass the sizes of `torch.split` by position.

    Eager calls a Python function, whose parameters are `tensor` and `split_size_or_sections`; TorchScript calls the
    operator, which has other names for them. By position both take them.

    Left alone: calls with `*` or `**`; the method `x.split`, whose names are the operator's.

    Source: `torch.split` in torch/functional.py; `split.Tensor` and `split.sizes` in native_functions.yaml.
    """

    name = "split-keyword"
    targets = frozenset({Target.SCRIPT})
    answers = frozenset({"argument-unknown", "arguments-not-valid", "argument-missing"})
    examples = [
        Example(
            before="""\
import torch
from torch import nn


class Model(nn.Module):
    def forward(self, x):
        a, b = torch.split(x, split_size_or_sections=[1, 3], dim=1)  # the first column
        c, d = torch.split(split_size_or_sections=2, tensor=b[:, 1:].repeat(1, 2), dim=1)
        return a + c + d
""",
            after="""\
import torch
from torch import nn


class Model(nn.Module):
    def forward(self, x):
        a, b = torch.split(x, [1, 3], dim=1)  # the first column
        c, d = torch.split(b[:, 1:].repeat(1, 2), 2, dim=1)
        return a + c + d
""",
            inputs="[(torch.randn(3, 4),), (torch.randn(2, 4),)]",
            breaks=Target.SCRIPT,
            error="Arguments for call are not valid",
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        if not file.mentions("split_size_or_sections"):
            return
        for function in file.functions:
            for call in function.calls("torch.split", "torch.functional.split"):
                named = [k for k in call.keywords if k.arg in _ORDER]
                unpacked = any(k.arg is None for k in call.keywords) or any(
                    isinstance(a, ast.Starred) for a in call.args
                )
                if not named or unpacked or len(call.args) + len(named) != len(_ORDER):
                    continue
                first = [*call.args, *(k.value for k in sorted(named, key=lambda k: _ORDER.index(k.arg or "")))]
                parts, pieces = kept_arguments(first, [k for k in call.keywords if k not in named])
                template, pieces = f"{{called}}({', '.join(parts)})", {"called": call.func, **pieces}
                names = ", ".join(f"`{k.arg}`" for k in named)
                message = f"TorchScript's split has no parameter {names}; write `{preview(template, pieces)}`"
                yield self.finding(call, message, Replace(call, template, pieces))
