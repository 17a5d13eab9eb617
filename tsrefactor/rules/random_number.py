"""random-number."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tsrefactor.facts.definitions import Function
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.placement import only_eager
from tsrefactor.facts.types import FLOAT, INT
from tsrefactor.source.edits import Pieces, Replace
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings, preview

_UNIT = frozenset({"random.random", "numpy.random.rand", "numpy.random.random", "numpy.random.random_sample"})
_UNIFORM = frozenset({"random.uniform", "numpy.random.uniform"})
_NORMAL = frozenset({"random.gauss", "random.normalvariate", "numpy.random.normal"})
_INCLUSIVE = frozenset({"random.randint"})
_EXCLUSIVE = frozenset({"random.randrange", "numpy.random.randint"})
_ALL = _UNIT | _UNIFORM | _NORMAL | _INCLUSIVE | _EXCLUSIVE
_INPUTS = "[(torch.rand(2, 4),), (torch.rand(3, 4),)]"


class RandomNumber(Rule):
    """Draw a number from torch's generator under TorchScript, where eager draws it with `random` or NumPy.

    TorchScript knows neither module. A layer that is skipped at random, or an augmentation, draws one number in train
    mode: `random.random()` becomes `float(torch.rand(())) if torch.jit.is_scripting() else random.random()`, a number
    of the same distribution. Eager draws as before. That the scripted model follows `torch.manual_seed` is a caveat,
    always printed.

    Taken: `random()`, `rand()`, `uniform`, `gauss`, `normal`, `randint`, `randrange`, with numbers that are constants,
    names or attributes of known types. Left alone: arrays, permutations, choices, other distributions, generators with
    a state of their own.

    Source: "expects Tensor for 'self'", raised by torch/csrc/jit/frontend/schema_matching.cpp for a method of Python's
    generator; a conditional expression on `is_scripting` is decided in ir_emitter.cpp, and the other arm left out.
    """

    name = "random-number"
    targets = frozenset({Target.SCRIPT})
    answers = frozenset({"argument-type", "argument-missing", "argument-match", "python-builtin", "not-callable"})
    examples = [
        Example(
            before="""\
import random

import torch
from torch import nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(4, 4) for _ in range(3)])
        self.drop = 0.1

    def forward(self, x):
        for layer in self.layers:
            # LayerDrop
            chance = random.uniform(0, 1)
            if not self.training or chance > self.drop:
                x = layer(x)
        return x
""",
            after="""\
import random

import torch
from torch import nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(4, 4) for _ in range(3)])
        self.drop = 0.1

    def forward(self, x):
        for layer in self.layers:
            # LayerDrop
            chance = float(torch.rand(())) if torch.jit.is_scripting() else random.uniform(0, 1)
            if not self.training or chance > self.drop:
                x = layer(x)
        return x
""",
            inputs=_INPUTS,
            breaks=Target.SCRIPT,
            error="self",
        ),
        Example(
            before="""\
import numpy as np
import torch
from torch import nn


class Model(nn.Module):
    def forward(self, x):
        if self.training and np.random.rand() < 0.5:
            shift = np.random.randint(4)
            x = x - shift
        return x * 2
""",
            after="""\
import numpy as np
import torch
from torch import nn


class Model(nn.Module):
    def forward(self, x):
        if self.training and (float(torch.rand(())) if torch.jit.is_scripting() else np.random.rand()) < 0.5:
            shift = int(torch.randint(0, 4, ())) if torch.jit.is_scripting() else np.random.randint(4)
            x = x - shift
        return x * 2
""",
            inputs=_INPUTS,
            breaks=Target.SCRIPT,
            error="self",
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        if not file.mentions("random"):
            return
        for function in file.functions:
            for call in function.calls(*_ALL):
                drawn = None if only_eager(file, call) else _drawn(function, call)
                if drawn is None:
                    continue
                scripting, imports = file.spell("torch.jit.is_scripting")
                origin, scripted, pieces = drawn
                spelled, more = file.spell(origin)
                template = f"{scripted} if {scripting}() else {{call}}"
                pieces = {**pieces, "call": call, "draw": spelled}
                yield self.finding(
                    call,
                    f"TorchScript knows neither `random` nor NumPy; write `{preview(template, pieces)}`",
                    Replace(call, template, pieces),
                    imports=imports | more,
                    caveat=f"under TorchScript `{ast.unparse(call)}` is drawn from torch's generator",
                )


def _drawn(function: Function, call: ast.Call) -> tuple[str, str, Pieces] | None:
    """A number of the same distribution from torch's generator: what draws it, template (with `draw`) and pieces."""
    origin, given = function.file.origin(call.func), call.args
    if call.keywords or any(isinstance(a, ast.Starred) for a in given):
        return None
    whole = all(function.type_of(a) == INT for a in given)
    if not all(_is_plain(function, a) for a in given) or any(function.type_of(a) not in (INT, FLOAT) for a in given):
        return None
    constants = [a.value if isinstance(a, ast.Constant) else None for a in given]
    if origin in _UNIT and not given:
        return "torch.rand", "float({draw}(()))", {}
    if origin in _UNIFORM and len(given) == 2:
        if constants == [0, 1]:
            return "torch.rand", "float({draw}(()))", {}
        template = "{low} + ({high} - {low}) * float({draw}(()))"
        return "torch.rand", template, {"low": given[0], "high": given[1]}
    if origin in _NORMAL and len(given) == 2:
        mean = "" if constants[0] == 0 else "{mean} + "
        deviation = "" if constants[1] == 1 else "{deviation} * "
        used = {"mean": given[0]} if mean else {}
        return (
            "torch.randn",
            f"{mean}{deviation}float({{draw}}(()))",
            used | ({"deviation": given[1]} if deviation else {}),
        )
    if origin in _INCLUSIVE and len(given) == 2 and whole:
        last = constants[1]
        if isinstance(last, int):
            return "torch.randint", f"int({{draw}}({{low}}, {last + 1}, ()))", {"low": given[0]}
        return "torch.randint", "int({draw}({low}, {high} + 1, ()))", {"low": given[0], "high": given[1]}
    if origin in _EXCLUSIVE and len(given) in (1, 2) and whole:
        low: ast.expr | str = given[0] if len(given) == 2 else "0"
        return "torch.randint", "int({draw}({low}, {high}, ()))", {"low": low, "high": given[-1]}
    return None


def _is_plain(function: Function, node: ast.expr) -> bool:
    """Whether it may be evaluated in either arm, and twice: no call but of a size."""
    return function.flow.is_pure(ast.Expr(node))
