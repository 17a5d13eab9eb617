"""nested-modules."""

from __future__ import annotations

import ast
from collections.abc import Container, Iterator

from tsrefactor.facts.definitions import Function
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.module_loops import element_name, holds_containers
from tsrefactor.facts.names import fresh
from tsrefactor.source.edits import Edit, InsertBefore, Replace
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings, preview

_HEAD = """\
import torch
from torch import nn


class Model(nn.Module):
    def __init__(self, depth=2):
        super().__init__()
        self.layers = nn.ModuleList([])
        for _ in range(depth):
            self.layers.append(nn.ModuleList([nn.Linear(4, 4), nn.LayerNorm(4)]))

    def forward(self, x):
"""


def _example(before: str, after: str) -> Example:
    """An example of a forward's body."""
    inputs = "[(torch.randn(2, 4),), (torch.randn(3, 4),)]"
    return Example(_HEAD + before, _HEAD + after, inputs, Target.SCRIPT, error="module cannot be used as a tuple")


class NestedModules(Rule):
    """Take the modules out of a nested ModuleList by index where they are unpacked.

    TorchScript unrolls a loop over a ModuleList, but cannot unpack one. `for attn, ff in self.layers:` becomes
    `for layer in self.layers:` with `attn = layer[0]` and `ff = layer[1]` before its body; so do the nested targets of
    loops over `enumerate` and `zip`, and `attn, ff = self.layers[0]`.

    Left alone: comprehensions, and targets that are no names.

    Source: "module cannot be used as a tuple", raised by torch/csrc/jit/frontend/sugared_value.h.
    """

    name = "nested-modules"
    targets = frozenset({Target.SCRIPT})
    answers = frozenset({"unpack-value"})
    examples = [
        _example(
            """\
        for fc, norm in self.layers:
            # residual
            x = norm(fc(x)) + x
        return x
""",
            """\
        for layer in self.layers:
            fc = layer[0]
            norm = layer[1]
            # residual
            x = norm(fc(x)) + x
        return x
""",
        ),
        _example(
            """\
        outs = [x]
        for i, (layer, _) in enumerate(self.layers):  # no norm
            outs.append(layer(outs[i]))
        fc, norm = self.layers[-1]
        return norm(fc(outs[-1]))
""",
            """\
        outs = [x]
        for i, modules in enumerate(self.layers):  # no norm
            layer = modules[0]
            outs.append(layer(outs[i]))
        fc = self.layers[-1][0]
        norm = self.layers[-1][1]
        return norm(fc(outs[-1]))
""",
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        if not file.mentions("ModuleList", "Sequential") and not file.diagnoses:
            return
        told = {d.place.line: d for d in self.diagnoses(file) if d.place and d.names.get("type") == "module"}
        for function in file.functions:
            for loop in function.of(ast.For):
                found = [
                    (target, over)
                    for target, over in _unpacked(function, loop.target, loop.iter)
                    if loop.lineno in told or holds_containers(function, over)
                ]
                if found:
                    shown = " and ".join(dict.fromkeys(f"`{ast.unparse(over)}`" for _, over in found))
                    first = ast.unparse(found[0][0].elts[0])
                    message = (
                        f"TorchScript cannot unpack the modules of {shown}; take `{first}` and the others by index"
                    )
                    edits = _in_loop(function, loop, found)
                    yield self.finding(loop, message, *edits, answers=told.get(loop.lineno))
            for statement in function.of(ast.Assign):
                unpacked, value = statement.targets[0], statement.value
                if isinstance(unpacked, ast.Tuple) and _names(unpacked) and _is_module(function, statement, told):
                    lines = [f"{name} = {{value}}[{i}]" for i, name in enumerate(_names(unpacked))]
                    mend = preview("\n".join(lines), {"value": value})
                    message = f"TorchScript cannot unpack the modules of `{ast.unparse(value)}`; write `{mend}`"
                    edit = Replace([statement], "\n".join(lines), {"value": value})
                    yield self.finding(statement, message, edit, answers=told.get(statement.lineno))


def _unpacked(function: Function, target: ast.expr, over: ast.expr) -> Iterator[tuple[ast.Tuple, ast.expr]]:
    """The tuples of names that a loop unpacks its elements into, and what it takes the elements from."""
    origin = function.file.origin(over.func) if isinstance(over, ast.Call) else ""
    if isinstance(target, ast.Tuple) and isinstance(over, ast.Call) and origin in ("enumerate", "zip"):
        inner = [over.args[0]] if origin == "enumerate" and over.args else over.args
        targets = target.elts[1:] if origin == "enumerate" else target.elts
        for element, argument in zip(targets, inner, strict=False):
            yield from _unpacked(function, element, argument)
    elif isinstance(target, ast.Tuple) and isinstance(over, (ast.Attribute, ast.Name)) and _names(target):
        yield target, over


def _names(target: ast.Tuple) -> list[str]:
    """The names that a tuple is made of; none where it is made of more than names."""
    names = [e.id for e in target.elts if isinstance(e, ast.Name)]
    return names if len(names) == len(target.elts) else []


def _in_loop(function: Function, loop: ast.For, found: list[tuple[ast.Tuple, ast.expr]]) -> list[Edit]:
    read = {n.id for n in function.of(ast.Name) if isinstance(n.ctx, ast.Load)}
    taken = function.flow.local_names | {name for target, _ in found for name in _names(target)}
    edits: list[Edit] = []
    lines = []
    for target, over in found:
        one = fresh(taken, element_name(ast.unparse(over), "torch.nn.ModuleList"), "modules")
        taken = taken | {one}
        lines += [f"{name} = {one}[{i}]" for i, name in enumerate(_names(target)) if name in read]
        edits.append(Replace(target, one))
    return [*edits, InsertBefore(loop.body[0], "\n".join(lines))] if lines else edits


def _is_module(function: Function, statement: ast.Assign, told: Container[int]) -> bool:
    """Whether what is unpacked is a module: the compiler says so, or a container of containers is indexed."""
    value = statement.value
    if len(statement.targets) > 1 or not isinstance(value, (ast.Name, ast.Attribute, ast.Subscript)):
        return False
    if isinstance(value, ast.Subscript):
        if not isinstance(value.slice, (ast.Constant, ast.UnaryOp)):
            return False
        return statement.lineno in told or holds_containers(function, value.value)
    return statement.lineno in told
