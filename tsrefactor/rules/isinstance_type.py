"""isinstance-type."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tsrefactor.facts.definitions import Function
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.placement import only_eager
from tsrefactor.facts.types import TENSOR, TOP
from tsrefactor.source.edits import Pieces, Replace
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings, preview

_TENSOR = "torch.Tensor"
_VARIABLES = ("torch.autograd.Variable", "torch.autograd.variable.Variable")
_DTYPES = {
    "FloatTensor": "float32", "DoubleTensor": "float64", "HalfTensor": "float16", "BFloat16Tensor": "bfloat16",
    "LongTensor": "int64", "IntTensor": "int32", "ShortTensor": "int16", "CharTensor": "int8", "ByteTensor": "uint8",
    "BoolTensor": "bool",
}  # fmt: skip
_OF_A_DTYPE = {
    **{f"torch.{name}": ("is_cpu", f"torch.{dtype}") for name, dtype in _DTYPES.items()},
    **{f"torch.cuda.{name}": ("is_cuda", f"torch.{dtype}") for name, dtype in _DTYPES.items()},
}
# Classes that no value in TorchScript is an instance of.
_NEVER = ("numpy.", "collections.abc.Callable", "typing.Callable", "PIL.", "scipy.", "torch.nn.Module")
_NEVER_BUILTIN = ("set", "frozenset", "bytes", "slice")
_CONTAINERS = {
    "dict": "Dict", "collections.OrderedDict": "Dict", "collections.abc.Mapping": "Dict", "typing.Mapping": "Dict",
    "typing.Dict": "Dict", "collections.abc.Sequence": "List", "typing.Sequence": "List", "typing.List": "List",
    "typing.Tuple": "Tuple", "collections.abc.Iterable": "List", "typing.Iterable": "List",
}  # fmt: skip


class IsinstanceType(Rule):
    """Ask for types in a way that TorchScript answers as Python does.

    TorchScript compares static types: `isinstance(x, Variable)` compiles and is False for every tensor,
    `isinstance(x, torch.FloatTensor)` compiles and is True for a tensor of any type. Both are rewritten even where
    nothing fails: to `isinstance(x, torch.Tensor)`, and to a test of device and dtype. `torch.is_tensor(x)`, which it
    lacks, becomes `isinstance(x, torch.Tensor)`.

    A class that TorchScript has no values of (`numpy.ndarray`, `set`), and a container (`dict`, `Sequence`) where the
    value is known to be none, is only asked for outside of TorchScript, where the answer is False:
    `(False if torch.jit.is_scripting() else isinstance(x, dict))`. So the branch for it is not compiled.

    Left alone: classes of the user's own, and containers where the value's type is not known.

    Source: "Unknown type name" and "Attempted to use List without a contained type", raised by
    torch/csrc/jit/frontend (script_type_parser.cpp) and torch/jit/annotations.py; the silent answers by the
    comparison of static types in ir_emitter.cpp (`emitIsInstance`).
    """

    name = "isinstance-type"
    targets = frozenset({Target.SCRIPT})
    answers = frozenset({"unknown-type-name", "unknown-builtin-op", "annotation-form", "python-value-as-value"})
    examples = [
        Example(
            before="""\
import numpy as np
import torch
from torch.autograd import Variable


class Model(torch.nn.Module):
    def forward(self, x):
        if isinstance(x, np.ndarray):
            x = torch.from_numpy(x)  # from a data set
        if not torch.is_tensor(x) or not isinstance(x, Variable):
            raise TypeError('not a tensor')
        return x * 2
""",
            after="""\
import numpy as np
import torch
from torch.autograd import Variable


class Model(torch.nn.Module):
    def forward(self, x):
        if (False if torch.jit.is_scripting() else isinstance(x, np.ndarray)):
            x = torch.from_numpy(x)  # from a data set
        if not isinstance(x, torch.Tensor) or not isinstance(x, torch.Tensor):
            raise TypeError('not a tensor')
        return x * 2
""",
            inputs="[(torch.rand(2, 3),), (torch.rand(4, 3),)]",
            breaks=Target.SCRIPT,
            error="unknown type 'np.ndarray'|Unknown type name",
        ),
        Example(
            before="""\
import torch


class Model(torch.nn.Module):
    def forward(self, x: torch.Tensor):
        return x + 1 if isinstance(x, torch.FloatTensor) else x
""",
            after="""\
import torch


class Model(torch.nn.Module):
    def forward(self, x: torch.Tensor):
        return x + 1 if (x.is_cpu and x.dtype == torch.float32) else x
""",
            inputs="[(torch.ones(3).long(),), (torch.rand(2),)]",
            breaks=Target.SCRIPT,
            outcome="mismatch",
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        if "isinstance" not in file.source.text and "is_tensor" not in file.source.text:
            return
        for function in file.functions:
            for call in function.calls("isinstance", "torch.is_tensor"):
                if not call.keywords and not only_eager(file, call):
                    yield from self._answer(function, call)

    def _answer(self, function: Function, call: ast.Call) -> Iterator[Finding]:
        file = function.file
        if file.origin(call.func) == "torch.is_tensor":
            if len(call.args) == 1:
                name, imports = file.spell(_TENSOR)
                replace = Replace(call, f"isinstance({{x}}, {name})", {"x": call.args[0]})
                message = f"TorchScript has no torch.is_tensor; write `isinstance(…, {name})`"
                yield self.finding(call, message, replace, imports=imports)
            return
        if len(call.args) != 2:
            return
        value, asked = call.args
        names = asked.elts if isinstance(asked, ast.Tuple) else [asked]
        origins = [file.origin(n) for n in names]
        if any(o in _VARIABLES for o in origins):
            yield self._tensors(file, call, names, origins)
        elif len(origins) == 1 and origins[0] in _OF_A_DTYPE:
            yield from self._dtype(function, call, origins[0])
        elif origins and all(_impossible(function, value, o) for o in origins):
            name, imports = file.spell("torch.jit.is_scripting")
            template = f"False if {name}() else {{call}}"
            message = f"TorchScript cannot ask for `{ast.unparse(asked)}`, and no value in it is one; "
            message += f"write `{preview(template, {'call': call})}`"
            yield self.finding(call, message, Replace(call, template, {"call": call}), imports=imports)

    def _tensors(self, file: FileFacts, call: ast.Call, names: list[ast.expr], origins: list[str]) -> Finding:
        name, imports = file.spell(_TENSOR)
        kept = [n for n, o in zip(names, origins, strict=True) if o not in (*_VARIABLES, _TENSOR)]
        pieces: Pieces = {f"n{i}": n for i, n in enumerate(kept)}
        types = ", ".join([name, *(f"{{{key}}}" for key in pieces)])
        template = f"isinstance({{x}}, {f'({types})' if kept else types})"
        replace = Replace(call, template, {"x": call.args[0], **pieces})
        message = "for TorchScript no tensor is a Variable, and for eager every one is; "
        message += f"write `{preview(replace.template, replace.pieces)}`"
        return self.finding(call, message, replace, imports=imports, trap=True)

    def _dtype(self, function: Function, call: ast.Call, origin: str) -> Iterator[Finding]:
        file, value = function.file, call.args[0]
        message = f"for TorchScript every tensor is a `{ast.unparse(call.args[1])}`"
        root = value
        while isinstance(root, ast.Attribute):
            root = root.value
        if not isinstance(root, ast.Name) or function.type_of(value, presume=True) != TENSOR:
            yield self.finding(call, f"{message}; what is asked is not known to be a tensor")
            return
        device, dtype = _OF_A_DTYPE[origin]
        name, imports = file.spell(dtype)
        text = ast.unparse(value)
        edit = Replace(call, f"({{x}}.{device} and {text}.dtype == {name})", {"x": value})
        yield self.finding(
            call,
            f"{message}; write `{preview(edit.template, edit.pieces)}`",
            edit,
            imports=imports,
            presumed=function.type_of(value) != TENSOR,
            trap=True,
        )


def _impossible(function: Function, value: ast.expr, origin: str) -> bool:
    """Whether no TorchScript value at this place is an instance of the class."""
    if origin == "torch.nn.Module" and function.self_attribute(value) is not None:
        return False  # an attribute may hold a module
    if origin.startswith(_NEVER) or origin in _NEVER_BUILTIN:
        return True
    if origin not in _CONTAINERS:
        return False
    type_ = function.type_of(value)
    declared = [p.annotation for p in function.parameters if isinstance(value, ast.Name) and p.name == value.id]
    if declared and declared[0] is not None and value.id not in function.types.bindings.values:  # type: ignore[attr-defined]
        type_ = function.file.annotated(declared[0])  # what TorchScript takes it for
    names = {t.name for t in (type_, *(type_.args if type_.name == "Union" else ()))}
    return type_.known and type_ != TOP and not names & {"List", "Dict", "Tuple", "str", "?"}
