"""type-string."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tsrefactor.facts.definitions import Function
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.types import TENSOR
from tsrefactor.source.edits import Pieces, Replace
from tsrefactor.source.imports import Import
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings, preview

_DTYPES = {
    "FloatTensor": "float", "DoubleTensor": "double", "HalfTensor": "half", "LongTensor": "long", "IntTensor": "int",
    "ShortTensor": "short", "CharTensor": "int8", "ByteTensor": "uint8", "BoolTensor": "bool",
    "BFloat16Tensor": "bfloat16",
}  # fmt: skip


class TypeString(Rule):
    """Compare dtype and device of tensors, where code compares the strings that `x.type()` gives.

    | before | after |
    |---|---|
    | `x.type() == y.type()` | `x.dtype == y.dtype and x.device.type == y.device.type` |
    | `x.type() != y.type()` | `x.dtype != y.dtype or x.device.type != y.device.type` |
    | `x.type() == 'torch.cuda.HalfTensor'` | `x.dtype == torch.half and x.device.type == 'cuda'` |

    For TorchScript `x.type()` is a conversion that gives the tensor itself, so two of them are silently compared number
    by number. `x.data.type()` is the same as `x.type()`. Left alone: `y.type(x.type())`, which works for that very
    reason; names that hold such strings; `type()` of what may be no tensor.

    The string of a sparse tensor says so, too, which the rewrite does not ask: a caveat.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.Tensor.type.html; in a scripted graph, `x.type()` is
    `aten::to`.
    """

    name = "type-string"
    targets = frozenset({Target.SCRIPT})
    answers = frozenset({"arguments-not-valid", "argument-type"})
    examples = [
        Example(
            before="""\
import torch
from torch import nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.window = torch.ones(5)

    def forward(self, img):
        if img.dim() == 1 and self.window.data.type() == img.data.type():
            window = self.window  # it fits
        else:
            window = self.window.type_as(img)
        if not window.type() == 'torch.FloatTensor':
            window = window.float()
        return img.sum() * window
""",
            after="""\
import torch
from torch import nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.window = torch.ones(5)

    def forward(self, img):
        if img.dim() == 1 and (self.window.dtype == img.dtype and self.window.device.type == img.device.type):
            window = self.window  # it fits
        else:
            window = self.window.type_as(img)
        if not (window.dtype == torch.float and window.device.type == 'cpu'):
            window = window.float()
        return img.sum() * window
""",
            inputs="[(torch.rand(3),), (torch.rand(3).double(),), (torch.rand(2, 3),)]",
            breaks=Target.SCRIPT,
            error="found type 'str'",
            recorded=True,
        ),
        Example(
            before="""\
import torch
from torch import nn


class Model(nn.Module):
    def forward(self, x, y):
        if x.type() != y.type():
            y = y.type(x.type())
        return x + y
""",
            after="""\
import torch
from torch import nn


class Model(nn.Module):
    def forward(self, x, y):
        if x.dtype != y.dtype or x.device.type != y.device.type:
            y = y.type(x.type())
        return x + y
""",
            inputs="[(torch.rand(3), torch.rand(3)), (torch.rand(3), torch.ones(3).long())]",
            breaks=Target.SCRIPT,
            outcome="run-error",
            error="Boolean value of Tensor with more than one value",
            recorded=True,
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        if not file.mentions(".type()"):
            return
        for function in file.functions:
            for node in function.of(ast.Compare):
                if len(node.ops) != 1 or not isinstance(node.ops[0], (ast.Eq, ast.NotEq)):
                    continue
                sides = [node.left, node.comparators[0]]
                tensors = [t for t in map(_asked, sides) if t is not None]
                written = [s.value for s in sides if isinstance(s, ast.Constant) and isinstance(s.value, str)]
                modern = self._modern(file, tensors, written, isinstance(node.ops[0], ast.Eq))
                presumed = any(function.type_of(t).present != TENSOR for t in tensors)
                if modern is None or not all(_may_be_tensor(function, t) for t in tensors):
                    continue
                template, pieces, imports = modern
                yield self.finding(
                    node,
                    f"for TorchScript `type()` gives the tensor itself; write `{preview(template, pieces)}`",
                    Replace(node, template, pieces),
                    imports=imports,
                    presumed=presumed,
                    trap=True,
                    caveat="sparse tensors count as dense ones",
                )

    def _modern(
        self, file: FileFacts, tensors: list[ast.expr], written: list[str], same: bool
    ) -> tuple[str, Pieces, frozenset[Import]] | None:
        """What asks the same of the tensors themselves, and of the string that one is compared with."""
        is_, joined = ("==", "and") if same else ("!=", "or")
        if len(tensors) == 2:
            template = f"{{x}}.dtype {is_} {{y}}.dtype {joined} {{x}}.device.type {is_} {{y}}.device.type"
            return template, {"x": tensors[0], "y": tensors[1]}, frozenset()
        if len(tensors) != 1 or len(written) != 1:
            return None
        *package, name = written[0].split(".")
        devices = {("torch",): "cpu", ("torch", "cuda"): "cuda"}
        if name not in _DTYPES or tuple(package) not in devices:
            return None
        dtype, imports = file.spell(f"torch.{_DTYPES[name]}")
        quote = "'" if f"'{written[0]}'" in file.source.text else '"'
        device = f"{quote}{devices[tuple(package)]}{quote}"
        template = f"{{x}}.dtype {is_} {dtype} {joined} {{x}}.device.type {is_} {device}"
        return template, {"x": tensors[0]}, imports


def _asked(node: ast.expr) -> ast.expr | None:
    """The tensor of ``x.type()`` and ``x.data.type()``."""
    match node:
        case ast.Call(
            func=ast.Attribute(value=ast.Attribute(value=tensor, attr="data"), attr="type"), args=[], keywords=[]
        ):
            return _simple(tensor)
        case ast.Call(func=ast.Attribute(value=tensor, attr="type"), args=[], keywords=[]):
            return _simple(tensor)
    return None


def _simple(node: ast.expr) -> ast.expr | None:
    """The expression, where it may be written twice."""
    inner = node
    while isinstance(inner, ast.Attribute):
        inner = inner.value
    return node if isinstance(inner, ast.Name) else None


def _may_be_tensor(function: Function, node: ast.expr) -> bool:
    return function.type_of(node, presume=True).present == TENSOR
