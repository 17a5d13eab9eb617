"""dict-get."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tsrefactor.facts.file import FileFacts
from tsrefactor.source.edits import Pieces, Replace
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings, preview


class DictGet(Rule):
    """Leave the None out of `batch.get('mask', None)`.

    TorchScript's `get` takes a default of the type of the dict's values, and gives None where there is none, as
    Python's does: `batch.get('mask')` is the same.

    Left alone: what TorchScript does not take for a dict, other defaults.

    Source: `aten::get.default_str` and `aten::get.str` in torch/csrc/jit/runtime/register_prim_ops.cpp.
    """

    name = "dict-get"
    targets = frozenset({Target.SCRIPT})
    answers = frozenset({"arguments-not-valid"})
    needs_diagnosis = True
    examples = [
        Example(
            before="""\
from typing import Dict

import torch
from torch import nn


class Model(nn.Module):
    def forward(self, batch: Dict[str, torch.Tensor]):
        x, mask = batch['x'], batch.get('mask', None)  # for some
        if mask is not None:
            x = x * mask
        return x + 1
""",
            after="""\
from typing import Dict

import torch
from torch import nn


class Model(nn.Module):
    def forward(self, batch: Dict[str, torch.Tensor]):
        x, mask = batch['x'], batch.get('mask')  # for some
        if mask is not None:
            x = x * mask
        return x + 1
""",
            inputs="[({'x': torch.rand(2, 3)},), ({'x': torch.rand(2, 3), 'mask': torch.ones(2, 3)},)]",
            breaks=Target.SCRIPT,
            error="aten::get",
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        for diagnosis in self.diagnoses(file):
            if not diagnosis.names.get("callee", "").startswith("aten::get"):
                continue
            for call in file.of(ast.Call):
                if diagnosis.place is None or call.lineno != diagnosis.place.line or not _asks_for_none(call):
                    continue
                template = "{get}({key})"
                pieces: Pieces = {"get": call.func, "key": call.args[0]}
                message = f"TorchScript's `get` gives None by itself; write `{preview(template, pieces)}`"
                yield self.finding(call, message, Replace(call, template, pieces), answers=diagnosis)


def _asks_for_none(call: ast.Call) -> bool:
    """``d.get(key, None)``."""
    if not isinstance(call.func, ast.Attribute) or call.func.attr != "get" or len(call.args) != 2 or call.keywords:
        return False
    return isinstance(call.args[1], ast.Constant) and call.args[1].value is None
