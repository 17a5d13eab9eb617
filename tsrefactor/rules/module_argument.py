"""module-argument."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tsrefactor.facts.callers import callee
from tsrefactor.facts.definitions import Class, Function
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.layer_helpers import LayerCall, LayerHelper, NotForModules, called_parameters
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings

_HEAD = """\
import torch
from torch import nn


"""


def _example(before: str, after: str, error: str = "'Tensor' object is not callable|cannot call a value") -> Example:
    inputs = "[(torch.rand(2, 4),), (torch.rand(3, 4),)]"
    return Example(_HEAD + before, _HEAD + after, inputs, Target.SCRIPT, error=error, recorded=True)


class ModuleArgument(Rule):
    """Give a helper that takes a layer a form for each layer that it is called with.

    TorchScript passes no modules to functions and methods. Where the helper is one expression, it is written out at
    its calls. Any other becomes a method for each of the layers, which names the layer instead of taking it: from
    `self._block(x, self.conv1)` comes `self._block_conv1(x)`. The helper itself stays for other callers; one that is
    defined inside the function goes.

    Left alone: helpers that bind the parameter again, take `*args` or `**kwargs`, or that a relative of the class
    overrides; longer ones that are given the variable of a loop, or more layers than it is worth copying for.

    Source: "'Tensor (inferred)' object is not callable", raised by torch/csrc/jit/frontend/sugared_value.h where a
    parameter without annotation is called.
    """

    name = "module-argument"
    targets = frozenset({Target.SCRIPT})
    answers = frozenset({"not-callable", "function-definition"})
    examples = [
        _example(
            """\
def act(layer, x):
    return torch.relu(layer(x))


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(4, 4)
        self.layers = nn.ModuleList([nn.Linear(4, 4) for _ in range(2)])

    def forward(self, x):
        x = act(self.first, x * 2)  # the first
        for layer in self.layers:
            x = act(layer, x)
        return x
""",
            """\
def act(layer, x):
    return torch.relu(layer(x))


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(4, 4)
        self.layers = nn.ModuleList([nn.Linear(4, 4) for _ in range(2)])

    def forward(self, x):
        x = torch.relu(self.first(x * 2))  # the first
        for layer in self.layers:
            x = torch.relu(layer(x))
        return x
""",
        ),
        _example(
            """\
class Model(nn.Module):
    def __init__(self, before=True):
        super().__init__()
        self.before = before
        self.fc = nn.Linear(4, 4)
        self.fc_norm = nn.LayerNorm(4)
        self.out_norm = nn.LayerNorm(4)

    def normed(self, norm, x, before=False):
        if before == self.before:  # only once
            return norm(x)
        return x

    def forward(self, x):
        x = self.fc(self.normed(self.fc_norm, x, before=True)) + x
        return self.normed(self.out_norm, x)
""",
            """\
class Model(nn.Module):
    def __init__(self, before=True):
        super().__init__()
        self.before = before
        self.fc = nn.Linear(4, 4)
        self.fc_norm = nn.LayerNorm(4)
        self.out_norm = nn.LayerNorm(4)

    def normed(self, norm, x, before=False):
        if before == self.before:  # only once
            return norm(x)
        return x

    def _normed_fc_norm(self, x, before: bool = False):
        if before == self.before:  # only once
            return self.fc_norm(x)
        return x

    def _normed_out_norm(self, x, before: bool = False):
        if before == self.before:  # only once
            return self.out_norm(x)
        return x

    def forward(self, x):
        x = self.fc(self._normed_fc_norm(x, before=True)) + x
        return self._normed_out_norm(x)
""",
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        helpers = {f.node: f for f in file.all_functions if f.name != "__init__" and called_parameters(f)}
        if not helpers:
            return
        groups: dict[tuple[Function, Class | Function], list[LayerCall]] = {}
        for caller in file.functions:
            if caller.cls is None or caller.self_name is None or caller.is_static or "<locals>" in caller.qualname:
                continue
            nested = {n.name: n for n in caller.nodes if isinstance(n, ast.FunctionDef)}
            for node in caller.of(ast.Call):
                inner = nested.get(node.func.id) if isinstance(node.func, ast.Name) else None
                if inner is None and isinstance(node.func, ast.Name) and node.func.id in caller.flow.local_names:
                    continue
                called = helpers.get(inner) if inner is not None else callee(caller, node)
                if called is not None and called.node in helpers and called is not caller:
                    where = caller if inner is not None else caller.cls
                    groups.setdefault((called, where), []).append(LayerCall(caller, node))
        taken: set[str] = set()
        for (helper, where), calls in groups.items():
            calls.sort(key=lambda c: (c.node.end_lineno, c.node.end_col_offset))  # as they are made
            yield from self._formed(LayerHelper(helper, calls, isinstance(where, Function), taken))

    def _formed(self, helper: LayerHelper) -> Iterator[Finding]:
        first, name = helper.calls[0].node, helper.function.name
        message = f"TorchScript passes no modules, and `{name}` takes one"
        try:
            helper.check()
            edits, how = helper.inlined() or helper.copied()
        except NotForModules as reason:
            if helper.takes_layers:
                yield self.finding(first, f"{message}: {reason}")
            return
        yield self.finding(first, f"{message}; {how}", *edits, imports=helper.imports)
