"""sequential-slice."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tsrefactor.facts.definitions import Function
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.module_loops import container_kind, element_name
from tsrefactor.facts.nodes import walk
from tsrefactor.facts.sequential_loop import SEQUENTIAL, loop_in_place, makers
from tsrefactor.source.edits import Edit, Replace
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings

_HEAD = """\
import torch
from torch import nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.LayerNorm(4), nn.SiLU(), nn.Linear(4, 4))

    def forward(self, x, scale):
"""


def _example(before: str, after: str, error: str) -> Example:
    inputs = "[(torch.randn(2, 4), torch.rand(2, 1)), (torch.randn(3, 4), torch.rand(3, 1))]"
    return Example(_HEAD + before, _HEAD + after, inputs, Target.SCRIPT, error=error)


class SequentialSlice(Rule):
    """Loop over a part of a Sequential where it is called.

    `self.layers[1:]` is a Sequential in eager, and a tuple of modules in TorchScript, which cannot be called. The
    caller loops over the part, as the forward of `nn.Sequential` does; a name for the part goes. Modules that one
    assignment gives to several names are values there, and are assigned one by one.

    Left alone: classes derived from `nn.Sequential`, whose slices have their forward; parts that are used otherwise
    than by calls; calls in a statement that may leave them out or evaluates something else before.

    Source: `Sequential.__getitem__` in torch/nn/modules/container.py; "cannot call a value of type 'Tuple", raised by
    torch/csrc/jit/frontend/ir_emitter.cpp.
    """

    name = "sequential-slice"
    targets = frozenset({Target.SCRIPT})
    answers = frozenset({"not-callable", "no-attribute-on-type"})
    examples = [
        _example(
            """\
        y = self.layers[0](x) * scale
        return self.layers[1:](y)  # the others
""",
            """\
        y = self.layers[0](x) * scale
        for i, layer in enumerate(self.layers):
            if i >= 1:
                y = layer(y)
        return y  # the others
""",
            "cannot call a value of type 'Tuple",
        ),
        # As guided diffusion scales and shifts.
        _example(
            """\
        norm, rest = self.layers[0], self.layers[1:]
        # after the norm
        x = norm(x) * scale
        x = rest(x)
        return x
""",
            """\
        norm = self.layers[0]
        # after the norm
        x = norm(x) * scale
        for i, layer in enumerate(self.layers):
            if i >= 1:
                x = layer(x)
        return x
""",
            "has no attribute or method '__call__'",
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        if not file.mentions("Sequential"):
            return
        for function in file.functions:
            finding = self._called(function) or self._named(function) if function.cls is not None else None
            if finding is not None:
                yield finding

    def _called(self, function: Function) -> Finding | None:
        """The first call of a part of a Sequential."""
        for call in function.of(ast.Call):
            if _is_slice(function, call.func) and (edits := _looped(function, call, call.func)):
                return self._looping(function, call, call.func, edits)
        return None

    def _named(self, function: Function) -> Finding | None:
        """An assignment that gives a part of a Sequential a name under which it is called."""
        for statement in function.of(ast.Assign):
            pairs = _pairs(statement)
            parts = {name.id: value for name, value in pairs if _is_slice(function, value)}
            if not parts:
                continue
            uses = {n: function.file.parents[n] for n in walk(function.node) if _reads(n, parts)}
            calls = [c for n, c in uses.items() if isinstance(c, ast.Call) and c.func is n]
            if not calls or len(calls) < len(uses) or any(len(function.bindings.values[n]) > 1 for n in parts):
                continue
            edits = [_looped(function, c, parts[c.func.id]) for c in calls if isinstance(c.func, ast.Name)]
            if len(calls) > 1 or not all(edits):
                continue
            kept = [(name.id, value) for name, value in pairs if name.id not in parts]
            lines = "\n".join(f"{name} = {{{name}}}" for name, _ in kept)
            without = Replace([statement], lines, dict(kept))
            return self._looping(function, calls[0], next(iter(parts.values())), [without, *edits[0]])
        return None

    def _looping(self, function: Function, call: ast.Call, part: ast.expr, edits: list[Edit]) -> Finding:
        assert isinstance(part, ast.Subscript)
        return self.finding(
            call,
            f"a part of a Sequential is a tuple in TorchScript; loop over `{ast.unparse(part.value)}`",
            *edits,
            presumed=makers(function, part.value) is None,
        )


def _is_slice(function: Function, node: ast.expr) -> bool:
    """Whether it is a part of a Sequential: ``self.layers[1:]``."""
    sliced = isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Slice) and node.slice.step is None
    return sliced and isinstance(node, ast.Subscript) and container_kind(function, node.value) == SEQUENTIAL


def _looped(function: Function, call: ast.Call, part: ast.expr) -> list[Edit]:
    if len(call.args) != 1 or call.keywords or not isinstance(part, ast.Subscript):
        return []
    container = ast.unparse(part.value)
    bounds = part.slice if isinstance(part.slice, ast.Slice) else None
    return loop_in_place(function, call, call.args[0], container, element_name(container, SEQUENTIAL), bounds)


def _pairs(statement: ast.Assign) -> list[tuple[ast.Name, ast.expr]]:
    """The names of an assignment and their values; none where it is another one."""
    target = statement.targets[0]
    if len(statement.targets) > 1:
        return []
    if isinstance(target, ast.Name):
        return [(target, statement.value)]
    if not isinstance(target, ast.Tuple) or not isinstance(statement.value, ast.Tuple):
        return []
    pairs = list(zip(target.elts, statement.value.elts, strict=False))
    plain = len(target.elts) == len(statement.value.elts) and all(_is_module(v) for _, v in pairs)
    return [(t, v) for t, v in pairs if isinstance(t, ast.Name)] if plain else []


def _is_module(value: ast.expr) -> bool:
    """Whether it reads an element or a part of a container, and no name that the assignment gives."""
    return isinstance(value, ast.Subscript) and isinstance(value.value, ast.Attribute)


def _reads(node: ast.AST, names: dict[str, ast.expr]) -> bool:
    return isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in names
