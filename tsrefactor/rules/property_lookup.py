"""property-lookup."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tsrefactor.facts.definitions import Class, Function
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.nodes import walk
from tsrefactor.source.edits import Edit, Replace
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings, preview

_HEAD = """\
import torch
from torch import nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(4, 4, 1)
        self.bn = nn.BatchNorm1d(4)

"""


class PropertyLookup(Rule):
    """Look a module up where it is called, instead of in a property.

    TorchScript compiles a property like a method, and no method can return a module. Where all that `self.norm` does is
    `return getattr(self, self.norm_name)`, a call `self.norm(x)` becomes `getattr(self, self.norm_name)(x)`; for such
    calls of modules by a computed name there is module-by-name. A literal name becomes an attribute.

    Where the property returns None under a condition, eager raises at the call and the module may be there all the
    same: a caveat. Left alone: properties that do more, that another class of the family has, too, or that are used
    otherwise.

    Source: "getattr's second argument must be a string literal" and "cannot be used as a value", raised by
    torch/csrc/jit/frontend/ir_emitter.cpp.
    """

    name = "property-lookup"
    targets = frozenset({Target.SCRIPT})
    examples = [
        Example(
            _HEAD
            + """\
    @property
    def norm(self):
        return getattr(self, 'bn')

    def forward(self, x):
        return self.norm(self.conv(x))  # both
""",
            _HEAD
            + """\
    @property
    def norm(self):
        return getattr(self, 'bn')

    def forward(self, x):
        return self.bn(self.conv(x))  # both
""",
            "[(torch.rand(2, 4, 6),)]",
            Target.SCRIPT,
            error="",
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        if not file.mentions("@property"):
            return
        for cls in (c for c in file.classes if c.is_module):
            for method in cls.methods.values():
                found = _looked_up(cls, method)
                if found is None:
                    continue
                uses = [u for f in _compiled(cls) for u in f.self_attributes.get(method.name, ())]
                calls = [u for u in uses if _is_called(file, u)]
                if calls and len(calls) == len(uses):
                    key = str(found.value) if isinstance(found, ast.Constant) else None
                    text = f"{method.self_name}.{key}" if key else f"getattr({method.self_name}, {{name}})"
                    pieces = {} if key else {"name": found}
                    edits: list[Edit] = [Replace(use, text, pieces) for use in calls]
                    message = f"TorchScript cannot return a module from the property `{method.name}`"
                    message += f"; write `{preview(text, pieces)}`"
                    caveat = f"a module is called also where `{method.name}` was None, and eager raised"
                    yield self.finding(calls[0], message, *edits, caveat=caveat if _has_condition(method) else None)


def _compiled(cls: Class) -> list[Function]:
    return [f for c in (cls, *cls.subclasses) for f in cls.file.methods_of(c)]


def _has_condition(method: Function) -> bool:
    return bool(method.of(ast.If))


def _is_called(file: FileFacts, node: ast.expr) -> bool:
    parent = file.parents[node]
    return isinstance(parent, ast.Call) and parent.func is node


def _looked_up(cls: Class, method: Function) -> ast.expr | None:
    """The name by which a property finds what it returns, where it does nothing else."""
    if method.decorators != ["property"] or method.self_name is None:
        return None
    family = (cls, *cls.ancestors, *cls.subclasses)
    named = [s for c in family for s in c.node.body if isinstance(s, ast.FunctionDef) and s.name == method.name]
    if len(named) != 1:
        return None
    match method.code:
        case [ast.Return(value=ast.Call() as call)]:
            pass
        case [ast.If(body=[ast.Return(value=ast.Call() as call)], orelse=[ast.Return(value=other)])] | [
            ast.If(body=[ast.Return(value=ast.Call() as call)], orelse=[]),
            ast.Return(value=other),
        ] if other is None or (isinstance(other, ast.Constant) and other.value is None):
            pass
        case _:
            return None
    if cls.file.origin(call.func) != "getattr" or len(call.args) != 2 or call.keywords:
        return None
    own, key = call.args
    if not isinstance(own, ast.Name) or own.id != method.self_name:
        return None
    if isinstance(key, ast.Constant):
        return key if isinstance(key.value, str) and key.value.isidentifier() else None
    read = {n.id for n in walk(key) if isinstance(n, ast.Name)}
    return key if read <= {method.self_name} and method.flow.is_pure(key) else None
