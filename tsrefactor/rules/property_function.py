"""property-function."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tsrefactor.facts.call_forms import CallForm, NotNameable
from tsrefactor.facts.definitions import Class, Function
from tsrefactor.facts.family import members
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.names import fresh
from tsrefactor.facts.operations import is_operation
from tsrefactor.source.edits import AddDecorator, Edit, InsertAfter, Piece, Replace
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings

_MODEL = """\
import torch
import torch.nn.functional as F
from torch import nn


class Model(nn.Module):
    def __init__(self, loss_type='l1'):
        super().__init__()
        self.loss_type = loss_type

{unused}    @property
    def loss_fn(self):
        if self.loss_type == 'l1':
            return F.l1_loss
        elif self.loss_type == 'l2':
            return F.mse_loss  # squared
        else:
            raise ValueError(f'invalid loss type {{self.loss_type}}')
{method}
    def forward(self, x):
        loss = self.{name}(x, torch.zeros_like(x), reduction='none')
        return loss.mean(dim=1)
"""
_METHOD = """
    def _loss_fn(self, x, x_2, reduction: str):
        if self.loss_type == 'l1':
            return F.l1_loss(x, x_2, reduction=reduction)
        elif self.loss_type == 'l2':
            return F.mse_loss(x, x_2, reduction=reduction)  # squared
        else:
            raise ValueError(f'invalid loss type {self.loss_type}')
"""


class PropertyFunction(Rule):
    """Call through a method what a property chooses among functions.

    TorchScript compiles a property like a method, and no method can return a function. The method beside it chooses in
    the same way, and calls what is chosen with the arguments that the calls pass. The property stays for others, and
    TorchScript is told not to compile it (`@torch.jit.unused`).

    Left alone: properties that do more than choose, or that another class of the family has, too; functions that are
    not known by name; calls of unlike forms; properties that are also used in other ways.

    Source: "cannot be used as a value", raised by torch/csrc/jit/frontend/ir_emitter.cpp; `get_class_properties` in
    torch/jit/frontend.py.
    """

    name = "property-function"
    targets = frozenset({Target.SCRIPT})
    examples = [
        Example(
            _MODEL.format(unused="", method="", name="loss_fn"),
            _MODEL.format(unused="    @torch.jit.unused\n", method=_METHOD, name="_loss_fn"),
            "[(torch.rand(2, 4),)]",
            Target.SCRIPT,
            error="cannot be used as a value",
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        if not file.mentions("@property"):
            return
        for cls in (c for c in file.classes if c.is_module):
            for method in cls.methods.values():
                chosen = _chosen(cls, method)
                calls = _calls(cls, method.name) if chosen else []
                if not calls:
                    continue
                message = f"TorchScript cannot return a function from the property `{method.name}`"
                form = CallForm(file, calls)
                try:
                    if not form.is_plain:
                        raise NotNameable("it is called with `*` or `**`")
                    parameters = form.of_calls(())
                except NotNameable as reason:
                    yield self.finding(method.node, f"{message}, and {reason}")
                    continue
                name = fresh(members(cls), f"_{method.name}")
                passed = ", ".join(p.passed for p in parameters)
                body = Piece(method.code, {f: f"{file.source.segment(f)}({passed})" for f in chosen})
                header = ", ".join([method.self_name or "self", *(p.written for p in parameters)])
                unused, imports = file.spell("torch.jit.unused")
                definition = f"\ndef {name}({header}):\n    {{body}}"
                edits: list[Edit] = [AddDecorator(method.node, unused)]
                edits.append(InsertAfter(method.node, definition, {"body": body}))
                edits += [Replace(call.func, f"{f.self_name}.{name}") for f, call in calls]
                yield self.finding(
                    method.node, f"{message}; call `{name}`, which calls it", *edits, imports=form.imports | imports
                )  # fmt: skip


def _calls(cls: Class, name: str) -> list[tuple[Function, ast.Call]]:
    """The calls of what the property gives in code that TorchScript compiles; none where it is used otherwise."""
    file = cls.file
    uses = [(f, u) for c in (cls, *cls.subclasses) for f in file.methods_of(c) for u in f.self_attributes.get(name, ())]
    parents = [(f, u, file.parents[u]) for f, u in uses]
    calls = [(f, p) for f, u, p in parents if isinstance(p, ast.Call) and p.func is u]
    return calls if len(calls) == len(uses) else []


def _chosen(cls: Class, method: Function) -> list[ast.expr]:
    """The functions that a property returns, where it does nothing else; else none."""
    if method.decorators != ["property"]:
        return []
    family = (cls, *cls.ancestors, *cls.subclasses)
    if sum(s.name == method.name for c in family for s in c.node.body if isinstance(s, ast.FunctionDef)) != 1:
        return []
    statements = [s for s in method.statements if s in method.code or s not in method.node.body]  # no docstring
    if not all(isinstance(s, (ast.If, ast.Return, ast.Raise)) for s in statements):
        return []
    if not all(method.flow.is_pure(s.test) for s in method.of(ast.If)):
        return []
    values = [s.value for s in method.of(ast.Return)]
    return [v for v in values if v is not None] if all(v and _is_function(method, v) for v in values) else []


def _is_function(method: Function, value: ast.expr) -> bool:
    file, origin = method.file, method.file.origin(value)
    return isinstance(value, (ast.Name, ast.Attribute)) and (
        is_operation(origin) or file.function_named(origin) is not None
    )
