"""data-assignment."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tsrefactor.facts.definitions import Function
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.names import fresh
from tsrefactor.facts.nodes import walk
from tsrefactor.source.edits import Replace
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings, preview, shortened

_IN_PLACE: dict[type[ast.operator], str] = {
    ast.Add: "add_",
    ast.Sub: "sub_",
    ast.Mult: "mul_",
    ast.Div: "div_",
    ast.Pow: "pow_",
}
_HEAD = """\
import torch
from torch import nn


"""
_MODEL = """\
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)
        self.register_buffer('mask', torch.ones(4, 4).tril())

    def forward(self, x):
"""


def _example(before: str, after: str) -> Example:
    """An example of what a forward does to its weights."""
    inputs = "[(torch.rand(2, 4),), (torch.rand(3, 4),)]"
    head = _HEAD + _MODEL
    return Example(head + before, head + after, inputs, Target.SCRIPT, error="Tried to set an attribute: data")


class DataAssignment(Rule):
    """Change the values of a weight in place, where `forward` sets its `data`.

    Masked and clipped weights are often written so: `self.weight.data *= self.mask`. TorchScript reads `data`, and
    sets no attribute of a tensor. `self.weight.data.mul_(self.mask)` is what Python does there. Where `data` is given
    another tensor, eager does that as before, and TorchScript copies the values: `self.weight.data.copy_(…)`.

    Left alone: `data` of what is not read off a module. A view of such a tensor would see the copied values.

    Source: "Tried to set an attribute: data on a non-class: Tensor", raised by
    torch/csrc/jit/python/python_sugared_value.cpp.
    """

    name = "data-assignment"
    targets = frozenset({Target.SCRIPT})
    needs_diagnosis = True
    answers = frozenset({"set-attribute-on-value"})
    examples = [
        _example(
            """\
        self.fc.weight.data *= self.mask  # autoregressive
        return self.fc(x)
""",
            """\
        self.fc.weight.data.mul_(self.mask)  # autoregressive
        return self.fc(x)
""",
        ),
        _example(
            """\
        # at most one in each row
        self.fc.weight.data = torch.renorm(self.fc.weight.data, p=2, dim=0, maxnorm=1)
        return self.fc(x)
""",
            """\
        # at most one in each row
        weight = torch.renorm(self.fc.weight.data, p=2, dim=0, maxnorm=1)
        if torch.jit.is_scripting():
            self.fc.weight.data.copy_(weight)
        else:
            self.fc.weight.data = weight
        return self.fc(x)
""",
        ),
        _example(
            """\
        clipped = self.fc.weight.data.clamp(0, 1)
        self.fc.weight.data = clipped
        return self.fc(x)
""",
            """\
        clipped = self.fc.weight.data.clamp(0, 1)
        if torch.jit.is_scripting():
            self.fc.weight.data.copy_(clipped)
        else:
            self.fc.weight.data = clipped
        return self.fc(x)
""",
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        for diagnosis in self.diagnoses(file):
            node = file.node_at(diagnosis, ast.Assign, ast.AugAssign)
            function = next((f for f in file.functions if node in f.statements), None)
            message = "TorchScript does not set `data`"
            match node:
                case ast.AugAssign(target=ast.Attribute(attr="data") as data, op=op) if type(op) in _IN_PLACE:
                    text, pieces = f"{{data}}.{_IN_PLACE[type(op)]}({{value}})", {"data": data, "value": node.value}
                    change = f"{message}; write `{preview(text, pieces)}`"
                    yield self.finding(node, change, Replace([node], text, pieces), answers=diagnosis)
                case ast.Assign(targets=[ast.Attribute(attr="data") as data], value=value) if function is not None:
                    if not _is_read_off_a_module(function, data.value):
                        change = f"{message}, and a view of `{shortened(data.value)}` would see other values"
                        yield self.finding(node, change, answers=diagnosis)
                        continue
                    named = isinstance(value, ast.Name)
                    name = value.id if isinstance(value, ast.Name) else _free_name(function, data.value)
                    scripting, imports = file.spell("torch.jit.is_scripting")
                    text = "" if named else f"{name} = {{value}}\n"
                    text += f"if {scripting}():\n    {{data}}.copy_({name})\nelse:\n    {{again}} = {name}"
                    pieces = {"data": data, "again": data} | ({} if named else {"value": value})
                    change = f"{message}; copy the values there, `{shortened(data)}.copy_({name})`"
                    edit = Replace([node], text, pieces)
                    caveat = "TorchScript copies the values: a tensor of another size or type does not take the place"
                    yield self.finding(node, change, edit, imports=imports, answers=diagnosis, caveat=caveat)


def _free_name(function: Function, tensor: ast.expr) -> str:
    """A name for what the tensor is to hold."""
    taken = {n.id for n in walk(function.node) if isinstance(n, ast.Name)} | {p.name for p in function.parameters}
    own = tensor.attr.strip("_") if isinstance(tensor, ast.Attribute) else ""
    return fresh(taken, own or "data", f"new_{own or 'data'}")


def _is_read_off_a_module(function: Function, tensor: ast.expr) -> bool:
    """Whether it is an attribute, `self.fc.weight`, or a name for one: a parameter or a buffer, and no view."""
    if isinstance(tensor, ast.Name):
        bound = function.bindings.values.get(tensor.id, [])
        return bool(bound) and all(isinstance(b, ast.Attribute) for b in bound)
    return isinstance(tensor, ast.Attribute)
