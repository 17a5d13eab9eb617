"""sequential-loop."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tsrefactor.facts.definitions import Function
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.module_loops import container_kind, element_name
from tsrefactor.facts.sequential_loop import SEQUENTIAL, loop_in_place, makers
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings

_HOOKS = (
    *("register_forward_hook", "register_forward_pre_hook", "register_backward_hook"),
    *("register_full_backward_hook", "register_full_backward_pre_hook"),
)
_HEAD = """\
from typing import List

import torch
from torch import nn


class Mix(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, xs: List[torch.Tensor]):
        return [xs[0] + self.fc(xs[1]), xs[1]]


class Model(nn.Module):
    def __init__(self, depth=2):
        super().__init__()
        self.blocks = nn.Sequential(*[Mix() for _ in range(depth)])

    def forward(self, x):
"""


def _example(before: str, after: str) -> Example:
    """An example of a forward's body."""
    inputs = "[(torch.randn(2, 4),), (torch.randn(3, 4),)]"
    return Example(
        _HEAD + before, _HEAD + after, inputs, Target.SCRIPT, error="Expected a value of type 'Tensor|expects Tensor"
    )


class SequentialLoop(Rule):
    """Loop over a Sequential that is given a list.

    TorchScript compiles the forward of `nn.Sequential` for a tensor. Where modules pass on a list of feature maps, the
    caller loops over them as that forward does: eager computes the same, and TorchScript unrolls the loop, with the
    types of the modules.

    Left alone: tuples, with which that forward does not compile at all, called or not (`typed-sequential`); calls in a
    statement that may leave them out or evaluates something else before; lists over several lines that would stand
    there with a wrong indentation; classes derived from `nn.Sequential`; files that register hooks on a module's
    forward or backward, since a loop does not call the Sequential. One that only a run shows is presumed to be one in
    every instance.

    Source: torch/nn/modules/container.py, whose `forward(self, input)` has no annotation.
    """

    name = "sequential-loop"
    targets = frozenset({Target.SCRIPT})
    answers = frozenset({"argument-type"})
    examples = [
        _example(
            """\
        # fine, coarse
        maps = self.blocks([x, x.relu()])
        return maps[0]
""",
            """\
        # fine, coarse
        maps = [x, x.relu()]
        for block in self.blocks:
            maps = block(maps)
        return maps[0]
""",
        ),
        _example(
            """\
        return self.blocks([x, x * 2])[0].relu()
""",
            """\
        out = [x, x * 2]
        for block in self.blocks:
            out = block(out)
        return out[0].relu()
""",
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        if not file.mentions("Sequential") or file.mentions(*_HOOKS):
            return
        for function in file.functions:
            for call in function.of(ast.Call) if function.cls is not None else ():
                if len(call.args) != 1 or call.keywords or container_kind(function, call.func) != SEQUENTIAL:
                    continue
                if not _is_list(function, call.args[0]):
                    continue
                container = ast.unparse(call.func)
                edits = loop_in_place(function, call, call.args[0], container, element_name(container, SEQUENTIAL))
                if edits:
                    message = f"TorchScript's Sequential takes a tensor, and is given a list; loop over `{container}`"
                    yield self.finding(call, message, *edits, presumed=makers(function, call.func) is None)


def _is_list(function: Function, node: ast.expr) -> bool:
    return isinstance(node, (ast.List, ast.ListComp)) or function.type_of(node).name == "List"
