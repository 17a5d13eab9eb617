"""numpy-keyword."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tsrefactor.facts.definitions import Function
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.operations import is_operation
from tsrefactor.facts.types import TENSOR
from tsrefactor.source.edits import Replace
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings, kept_arguments, preview

_NAMES = {"axis": "dim", "keepdims": "keepdim"}


class NumpyKeyword(Rule):
    """Name an operator's arguments as torch does, not as numpy.

    Eager takes `axis` for `dim` and `keepdims` for `keepdim` in every operator; TorchScript knows only torch's own
    names: `x.mean(axis=1, keepdims=True)` becomes `x.mean(dim=1, keepdim=True)`.

    Left alone: calls on what may be a numpy array, but where the compiler complains of that very call.

    Source: `numpy_compatibility_arg_names` in torch/csrc/utils/python_arg_parser.cpp, which only Python's calls pass.
    """

    name = "numpy-keyword"
    targets = frozenset({Target.SCRIPT})
    answers = frozenset({"argument-unknown", "arguments-not-valid", "argument-missing"})
    examples = [
        Example(
            before="""\
import torch
from torch import nn


class Model(nn.Module):
    def forward(self, x):
        x = x - x.mean(axis=-1, keepdims=True)
        return torch.cat([x, x.relu()], axis=1)  # both signs
""",
            after="""\
import torch
from torch import nn


class Model(nn.Module):
    def forward(self, x):
        x = x - x.mean(dim=-1, keepdim=True)
        return torch.cat([x, x.relu()], dim=1)  # both signs
""",
            inputs="[(torch.randn(3, 4),), (torch.randn(2, 5),)]",
            breaks=Target.SCRIPT,
            error="Arguments for call are not valid|Unknown keyword argument",
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        if "axis" not in file.source.text and "keepdims" not in file.source.text:
            return
        complained = {file.node_at(d, ast.Call): d for d in self.diagnoses(file)}
        for function in file.functions:
            for node in function.of(ast.Call):
                if not any(k.arg in _NAMES for k in node.keywords):
                    continue
                if {_NAMES.get(k.arg or "") for k in node.keywords} & {k.arg for k in node.keywords}:
                    continue
                surely, presumably = _on_tensor(function, node)
                if not (surely or presumably or node in complained):
                    continue
                parts, pieces = kept_arguments(node.args, node.keywords)
                for i, part in enumerate(parts):
                    name, given, value = part.partition("=")
                    parts[i] = _NAMES.get(name, name) + given + value
                named = ", ".join(f"'{k.arg}'" for k in node.keywords if k.arg in _NAMES)
                edit = Replace(node, f"{{called}}({', '.join(parts)})", {"called": node.func, **pieces})
                message = f"TorchScript does not know the operator's argument {named}; "
                yield self.finding(
                    node,
                    f"{message}write `{preview(edit.template, edit.pieces)}`",
                    edit,
                    presumed=not surely and node not in complained,
                    answers=complained.get(node),
                )


def _on_tensor(function: Function, call: ast.Call) -> tuple[bool, bool]:
    """Whether it surely calls an operator of torch, and whether it presumably does."""
    if is_operation(function.file.origin(call.func)):
        return True, True
    if not isinstance(call.func, ast.Attribute) or function.self_attribute(call.func) is not None:
        return False, False
    receiver = call.func.value
    return function.type_of(receiver) == TENSOR, function.type_of(receiver, presume=True) == TENSOR
