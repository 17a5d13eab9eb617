"""first-parameter."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tsrefactor.facts.definitions import Function
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.first_parameter import Unsure, first_parameter, parameter_of
from tsrefactor.source.edits import Replace
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings


def _example(before: str, after: str) -> Example:
    return Example(
        before, after, "[(torch.rand(2, 4),), (torch.rand(3, 4),)]", Target.SCRIPT,
        error="Python builtin <built-in function next>",
    )  # fmt: skip


class FirstParameter(Rule):
    """Name the first parameter of a module where code asks for whatever comes first.

    `next(self.parameters())` is a common way to learn a module's device and dtype, which TorchScript cannot compile:
    it has neither `next` nor the iterator. Where `__init__` shows which parameter that is, it is written by its name:
    `self.encoder.weight.device`. A module's own parameters come before those of its layers, in the order in which
    they are made.

    Left alone: classes that inherit from others than `nn.Module`; what is made first in a branch, a loop or another
    method, or is given from outside.

    Source: "Python builtin <built-in function next> is currently not supported in Torchscript",
    torch/csrc/jit/python/python_sugared_value.cpp; `nn.Module.named_parameters`.
    """

    name = "first-parameter"
    targets = frozenset({Target.SCRIPT})
    answers = frozenset({"python-builtin"})
    examples = [
        _example(
            """\
from torch import nn


class Model(nn.Module):
    def __init__(self, hidden=4):
        super().__init__()
        self.hidden = hidden
        self.drop = nn.Dropout(0.1)
        self.encoder = nn.Linear(4, hidden)
        self.cell = nn.GRUCell(hidden, hidden)

    def init_hidden(self, n: int):
        weight = next(self.parameters()).data
        return weight.new_zeros(n, self.hidden)  # where the weights are

    def forward(self, x):
        return self.cell(self.encoder(self.drop(x)), self.init_hidden(x.size(0)))
""",
            """\
from torch import nn


class Model(nn.Module):
    def __init__(self, hidden=4):
        super().__init__()
        self.hidden = hidden
        self.drop = nn.Dropout(0.1)
        self.encoder = nn.Linear(4, hidden)
        self.cell = nn.GRUCell(hidden, hidden)

    def init_hidden(self, n: int):
        weight = self.encoder.weight.data
        return weight.new_zeros(n, self.hidden)  # where the weights are

    def forward(self, x):
        return self.cell(self.encoder(self.drop(x)), self.init_hidden(x.size(0)))
""",
        ),
        _example(
            """\
import torch
from torch import nn


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.ReLU(), nn.Conv1d(1, 1, 1))
        self.scale = nn.Parameter(torch.ones(4))

    def forward(self, x):
        return self.net(x[:, None]).squeeze(1) * self.scale


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm, self.block = nn.Identity(), Block()

    @property
    def device(self):
        return next(self.parameters()).device

    def forward(self, x):
        x = x.to(next(self.block.net.parameters()).dtype) if x.dtype == torch.half else x
        return self.block(self.norm(x.to(self.device)))
""",
            """\
import torch
from torch import nn


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.ReLU(), nn.Conv1d(1, 1, 1))
        self.scale = nn.Parameter(torch.ones(4))

    def forward(self, x):
        return self.net(x[:, None]).squeeze(1) * self.scale


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm, self.block = nn.Identity(), Block()

    @property
    def device(self):
        return self.block.scale.device

    def forward(self, x):
        x = x.to(self.block.net[1].weight.dtype) if x.dtype == torch.half else x
        return self.block(self.norm(x.to(self.device)))
""",
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        if not file.mentions(".parameters()"):
            return
        answered = {d.place.line: d for d in self.diagnoses(file) if d.place is not None}
        for function in file.functions:
            for call in function.calls("next"):
                module = _asked(call)
                if module is None or function.cls is None or function.types.bindings.shadows("next"):
                    continue
                message = "TorchScript has no `next`"
                diagnosis = answered.get(call.lineno)
                try:
                    path = _path(function, module)
                except Unsure as reason:
                    yield self.finding(call, f"{message}, and {reason}", answers=diagnosis)
                    continue
                written = f"{function.self_name}.{path}"
                yield self.finding(
                    call, f"{message}; write `{written}`", Replace(call, written), answers=diagnosis
                )  # fmt: skip


def _asked(call: ast.Call) -> ast.expr | None:
    """The module whose first parameter a call of `next` gives."""
    asked = call.args[0] if len(call.args) == 1 and not call.keywords else None
    method = asked.func if isinstance(asked, ast.Call) and not asked.args and not asked.keywords else None
    return method.value if isinstance(method, ast.Attribute) and method.attr == "parameters" else None


def _path(function: Function, module: ast.expr) -> str:
    """The path from self to the first parameter of a module: of self, or of what it holds."""
    names: list[str] = []
    while isinstance(module, ast.Attribute):
        names.append(module.attr)
        module = module.value
    assert function.cls is not None
    if not isinstance(module, ast.Name) or module.id != function.self_name:
        raise Unsure("whose parameters these are is not known")
    return parameter_of(function.cls, names[::-1]) if names else first_parameter(function.cls)
