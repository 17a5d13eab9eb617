"""adaptive-pool."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from tsrefactor.facts.definitions import Class, Function
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.registering import file_sees_children
from tsrefactor.source.edits import Replace
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings, preview

_LAYERS = re.compile(r"torch\.nn\.Adaptive(Avg|Max)Pool([23])d")
_FUNCTIONS = re.compile(r"torch\.nn\.functional\.adaptive_(avg|max)_pool([23])d")
_INPUTS = "[(torch.rand(2, 3, 4, 6),), (torch.rand(1, 3, 5, 3),)]"


class AdaptivePool(Rule):
    """Name the sizes that an adaptive pooling layer keeps.

    In `nn.AdaptiveAvgPool2d((None, 1))` the None stands for the input's own size; TorchScript takes only whole numbers,
    and compiles every layer that a module has. So forward calls the function with the size in the place of the layer,
    `F.adaptive_avg_pool2d(x, (x.shape[-2], 1))`, and the layer, which has no parameters, is not made any more. A None
    that is given to the function becomes the size, too.

    Left alone: layers inside a Sequential, inputs that are no plain names, attributes that also hold other layers or
    that are used otherwise than by these calls, and files that look at the submodules of a module.

    Source: "Expected a value of type 'List[int]' for argument 'output_size'", raised by
    torch/csrc/jit/frontend/schema_matching.cpp.
    """

    name = "adaptive-pool"
    targets = frozenset({Target.SCRIPT})
    answers = frozenset({"argument-type"})
    examples = [
        Example(
            before="""\
import torch.nn.functional as F
from torch import nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.rows = nn.AdaptiveAvgPool2d((None, 1))
        self.columns = nn.AdaptiveAvgPool2d((1, None))
        self.conv = nn.Conv2d(3, 3, 1)

    def forward(self, x):
        x = self.conv(x)
        return self.rows(x) * self.columns(x)  # their product
""",
            after="""\
import torch.nn.functional as F
from torch import nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 1)

    def forward(self, x):
        x = self.conv(x)
        return F.adaptive_avg_pool2d(x, (x.shape[-2], 1)) * F.adaptive_avg_pool2d(x, (1, x.shape[-1]))  # their product
""",
            inputs=_INPUTS,
            breaks=Target.SCRIPT,
            error="output_size",
        ),
        Example(
            before="""\
import torch
import torch.nn.functional as F


class Model(torch.nn.Module):
    def forward(self, x):
        x = torch.relu(x)
        return F.adaptive_max_pool2d(x, (None, 2)) + F.adaptive_avg_pool2d(x, output_size=(x.shape[2], 2))
""",
            after="""\
import torch
import torch.nn.functional as F


class Model(torch.nn.Module):
    def forward(self, x):
        x = torch.relu(x)
        return F.adaptive_max_pool2d(x, (x.shape[-2], 2)) + F.adaptive_avg_pool2d(x, output_size=(x.shape[2], 2))
""",
            inputs=_INPUTS,
            breaks=Target.SCRIPT,
            error="output_size",
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        if not file.mentions("Adaptive", "adaptive_"):
            return
        for function in file.functions:
            for call in function.of(ast.Call):
                size = _size_of_function(function, call)
                if size is not None and isinstance(call.args[0], ast.Name):
                    sizes = _sizes(call.args[0].id, size)
                    message = f"TorchScript takes no None for a size; write `{sizes}`"
                    yield self.finding(size, message, Replace(size, sizes))
        for cls in file.classes if file.mentions("AdaptiveAvgPool", "AdaptiveMaxPool") else ():
            for attribute, values in cls.assigned.items():
                if len(values) == 1 and (layer := _layer(cls, values[0][1])) is not None:
                    yield from self._calls(cls, attribute, *layer)

    def _calls(self, cls: Class, attribute: str, function: str, made: ast.expr, size: ast.Tuple) -> Iterator[Finding]:
        """The calls of a layer that an attribute holds."""
        file, family = cls.file, (cls, *cls.ancestors, *cls.subclasses)
        name, imports = file.spell(f"torch.nn.functional.{function}")
        stored, edits = file.statement_of(made), []
        reads = [n for n in file.of(ast.Attribute) if n.attr == attribute and isinstance(n.ctx, ast.Load)]
        for read in reads:
            call = file.parents[read]
            given = call.args[0] if isinstance(call, ast.Call) and call.func is read and len(call.args) == 1 else None
            if not isinstance(given, ast.Name) or not isinstance(call, ast.Call) or call.keywords:
                return
            edits.append(Replace(call, f"{name}({{x}}, {_sizes(given.id, size)})", {"x": given}))
        own = {n for c in family for m in c.methods.values() for n in m.self_attributes.get(attribute, ())}
        alone = isinstance(stored, ast.Assign) and len(stored.targets) == 1 and len(file.block_of(stored)) > 1
        if not edits or not alone or not own.issuperset(reads) or file_sees_children(file):
            return
        shown = preview(edits[0].template, edits[0].pieces)
        message = f"TorchScript takes no None for a size of a layer; write `{shown}`"
        caveat = f"`{attribute}` is no attribute any more"
        yield self.finding(made, message, *edits, Replace([stored], ""), imports=imports, caveat=caveat)


def _size_of_function(function: Function, call: ast.Call) -> ast.Tuple | None:
    """The sizes that a call of the function passes, where None is one of them."""
    found = _FUNCTIONS.fullmatch(function.file.origin(call.func)) if call.args else None
    given = [*call.args[1:2], *(k.value for k in call.keywords if k.arg == "output_size")]
    return _open(given[0], int(found.group(2))) if found is not None and given else None


def _layer(cls: Class, made: ast.expr | None) -> tuple[str, ast.expr, ast.Tuple] | None:
    """The function that does what a layer does, the layer, and its sizes, where None is one of them."""
    found = _LAYERS.fullmatch(cls.file.origin(made.func)) if isinstance(made, ast.Call) else None
    if found is None or not isinstance(made, ast.Call):
        return None
    given = [*made.args, *(k.value for k in made.keywords if k.arg == "output_size")]
    size = _open(given[0], int(found.group(2))) if len(given) == len(made.args) + len(made.keywords) == 1 else None
    return (f"adaptive_{found.group(1).lower()}_pool{found.group(2)}d", made, size) if size is not None else None


def _open(size: ast.expr, dims: int) -> ast.Tuple | None:
    """Sizes of which one is None, and the others are whole numbers."""
    if not isinstance(size, ast.Tuple) or len(size.elts) != dims:
        return None
    values = [e.value if isinstance(e, ast.Constant) else "" for e in size.elts]
    return size if None in values and all(v is None or isinstance(v, int) for v in values) else None


def _sizes(name: str, size: ast.Tuple) -> str:
    """The sizes, with those of the input in the place of None."""
    dims, parts = len(size.elts), []
    for place, element in enumerate(size.elts):
        assert isinstance(element, ast.Constant)
        parts.append(f"{name}.shape[{place - dims}]" if element.value is None else repr(element.value))
    return f"({', '.join(parts)})"
