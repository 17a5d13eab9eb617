"""empty-guard."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tsrefactor.facts.empty_blocks import guarded_from_nothing
from tsrefactor.facts.file import FileFacts
from tsrefactor.source.edits import Replace
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings


class EmptyGuard(Rule):
    """Let a trace run a block that a check for emptiness skips.

    `if index.numel() > 0:` around an update by `index` saves time and nothing else: by an empty index, nothing is
    updated. A trace keeps the answer of its example, so that what was empty then is never computed, as with an expert
    to which no token was sent. With `torch.jit.is_tracing() or …`, a trace always holds the block. Eager and script do
    what they did.

    Left alone: blocks that do more than update by the index that the check is about; an `else`; blocks without layers,
    which soft-refactor moves.

    Source: the TracerWarning "Converting a tensor to a Python boolean …"; the documentation of `torch.jit.is_tracing`.
    """

    name = "empty-guard"
    targets = frozenset({Target.TRACE})
    answers = frozenset({"trace-boolean"})
    examples = [
        Example(
            before="""\
import torch
from torch import nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.experts = nn.ModuleList([nn.Linear(3, 3) for _ in range(2)])

    def forward(self, x):
        chosen = x.argmax(dim=1) % 2
        out = torch.zeros_like(x)
        for i in range(2):
            rows = (chosen == i).nonzero().squeeze(1)
            if rows.numel() > 0:  # nobody? nothing to do
                out.index_add_(0, rows, self.experts[i](x[rows]))
        return out
""",
            after="""\
import torch
from torch import nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.experts = nn.ModuleList([nn.Linear(3, 3) for _ in range(2)])

    def forward(self, x):
        chosen = x.argmax(dim=1) % 2
        out = torch.zeros_like(x)
        for i in range(2):
            rows = (chosen == i).nonzero().squeeze(1)
            if torch.jit.is_tracing() or rows.numel() > 0:  # nobody? nothing to do
                out.index_add_(0, rows, self.experts[i](x[rows]))
        return out
""",
            inputs="[(torch.eye(3)[:1],), (torch.eye(3),), (torch.eye(3)[[1, 1, 0, 2]],)]",
            breaks=Target.TRACE,
            outcome="baked",
            recorded=True,
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        for function in file.functions:
            if function.dependence.is_compiled:
                continue
            for node in function.of(ast.If):
                subject = guarded_from_nothing(function, node)
                if subject is not None:
                    tracing, imports = file.spell("torch.jit.is_tracing")
                    yield self.finding(
                        node,
                        f"a trace leaves the block out for ever where the example had nothing in `{subject}`;"
                        f" let it hold the block in a trace, with `{tracing}()`",
                        Replace(node.test, f"{tracing}() or {{test}}", {"test": node.test}),
                        imports=imports,
                        trap=True,
                    )
