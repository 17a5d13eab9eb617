"""whole-number."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from tsrefactor.facts.definitions import Function
from tsrefactor.facts.diagnosis import Diagnosis
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.nodes import walk
from tsrefactor.facts.signatures import function_at
from tsrefactor.facts.signs import not_negative
from tsrefactor.facts.types import FLOAT, INT
from tsrefactor.facts.whole import is_whole
from tsrefactor.source.edits import Replace
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings


class WholeNumber(Rule):
    """Keep whole what TorchScript makes a float: powers of ints, and `round`.

    `2 ** n` and `round(x)` are ints in Python and floats in TorchScript, which do not compile as a size or an index.
    `int(2 ** n)` and `int(round(x))` are the same in both. Converted is what leads to the argument that the compiler
    refuses.

    Left alone: powers that may have a negative exponent, whose result is a float in Python, too (but for the refused
    argument itself, where eager would refuse a float as well); numbers of unknown type; arithmetic with tensors.

    Source: the operators `aten::pow.int(int a, int b) -> float` and `aten::round.Scalar(Scalar a) -> Scalar` of
    torch/csrc/jit/runtime/register_prim_ops.cpp.
    """

    name = "whole-number"
    targets = frozenset({Target.SCRIPT})
    needs_diagnosis = True
    answers = frozenset(
        {"argument-type", "arguments-not-valid", "range-argument", "reassign-type", "return-type", "tensor-index"}
    )
    examples = [
        Example(
            before="""\
import torch
from torch import nn


class Model(nn.Module):
    def __init__(self, block=2):
        super().__init__()
        self.block = block

    def forward(self, x):
        n, c, h, w = x.size()
        channels = c * self.block ** 2  # of a block
        x = x.view(n, c, h // self.block, self.block, w // self.block, self.block)
        return x.transpose(2, 3).reshape(n, channels, h // self.block, w // self.block)
""",
            after="""\
import torch
from torch import nn


class Model(nn.Module):
    def __init__(self, block=2):
        super().__init__()
        self.block = block

    def forward(self, x):
        n, c, h, w = x.size()
        channels = c * int(self.block ** 2)  # of a block
        x = x.view(n, c, h // self.block, self.block, w // self.block, self.block)
        return x.transpose(2, 3).reshape(n, channels, h // self.block, w // self.block)
""",
            inputs="[(torch.rand(2, 3, 4, 4),), (torch.rand(1, 2, 6, 4),)]",
            breaks=Target.SCRIPT,
            error="for argument '<varargs>' but instead found type 'float'|Expected a value of type 'List.int.'",
        ),
        # The nearest whole number as a size.
        Example(
            before="""\
import torch
from torch import nn


class Model(nn.Module):
    def forward(self, x, share: float = 0.5):
        kept = round(x.size(0) * share)
        return x[:kept]
""",
            after="""\
import torch
from torch import nn


class Model(nn.Module):
    def forward(self, x, share: float = 0.5):
        kept = int(round(x.size(0) * share))
        return x[:kept]
""",
            inputs="[(torch.rand(3, 2),), (torch.rand(4, 2), 0.7)]",
            breaks=Target.SCRIPT,
            error="but instead found type 'float'",
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        if not file.mentions("**", "round("):
            return
        found: dict[ast.expr, Finding] = {}
        for diagnosis in self.diagnoses(file):
            names = diagnosis.names
            given = names.get("found", names.get("type", ""))
            if re.search(r"\bint\b", names.get("expected", "int")) and "float" in given:
                for function, node, sure in _leading_to(file, diagnosis):
                    if _becomes_float(function, node, sure):
                        found.setdefault(node, self._convert(function, node, sure, diagnosis))
        yield from found.values()

    def _convert(self, function: Function, node: ast.expr, sure: bool, diagnosis: Diagnosis) -> Finding:
        text = ast.unparse(node)
        message = f"`{text}` is an int in Python and a float in TorchScript"
        edit = Replace(node, "int({value})", {"value": node})
        told = sure or isinstance(node, ast.Call) or is_whole(function, node)
        caveat = None if told else f"`{text}` was an int in all runs; a float loses its fraction"
        return self.finding(node, message, edit, answers=diagnosis, presumed=not told, caveat=caveat)


def _leading_to(file: FileFacts, diagnosis: Diagnosis) -> Iterator[tuple[Function, ast.expr, bool]]:
    """Expressions in what the diagnosis points at (True), and in what the names there were given (False)."""
    place = diagnosis.place
    function = function_at(file, place.line) if place is not None else None
    if place is None or function is None:
        return
    here = [n for n in function.nodes if isinstance(n, ast.expr) and n.lineno <= place.line <= (n.end_lineno or 0)]
    starts = [n for n in here if (n.lineno, n.col_offset) == (place.line, place.column)]
    todo: list[ast.AST] = [*starts[:1]] or [s for s in function.statements if s.lineno == place.line]
    direct = diagnosis.kind in ("argument-type", "arguments-not-valid", "range-argument")
    seen: set[str] = set()
    while todo:
        code = todo.pop()
        for node in walk(code):
            if isinstance(node, ast.expr):
                yield function, node, direct
        for name in function.flow.reads(code) - seen:
            seen.add(name)
            todo += [v for v in function.types.bindings.values.get(name, ()) if v in file.parents]
        direct = False


def _becomes_float(function: Function, node: ast.expr, sure: bool) -> bool:
    """Whether it is an int in Python alone. ``sure``: eager takes nothing but an int there."""
    parent = function.file.parents[node]
    if isinstance(parent, ast.Call) and isinstance(parent.func, ast.Name) and parent.func.id == "int":
        return False
    if isinstance(node, ast.Call):
        plain = function.file.origin(node.func) == "round" and len(node.args) == 1 and not node.keywords
        return plain and function.type_of(node.args[0]) in (FLOAT, INT)
    if not isinstance(node, ast.BinOp) or not isinstance(node.op, ast.Pow):
        return False
    whole = function.type_of(node.left) == INT == function.type_of(node.right)
    return whole and (sure or not_negative(function, node.right))
