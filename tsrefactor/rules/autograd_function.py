"""autograd-function."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TypeGuard

from tsrefactor.facts.definitions import Class, Function, Parameter
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.names import fresh, snake
from tsrefactor.facts.nodes import walk
from tsrefactor.facts.types import TENSOR, UNKNOWN
from tsrefactor.source.edits import Edit, InsertAfter, Piece, Replace
from tsrefactor.source.imports import Import
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings, kept_arguments

_BASES = ("torch.autograd.Function", "torch.autograd.function.Function")
_KEPT_FOR_BACKWARD = ("save_for_backward", "save_for_forward", "mark_non_differentiable", "set_materialize_grads")
_CASTS = {"torch.cuda.amp.custom_fwd", "torch.amp.custom_fwd"}
_ERROR = "Could not export Python function call"


class Refused(Exception):
    """Why a Function's forward cannot stand for it."""


class AutogradFunction(Rule):
    """Compute an autograd Function's forward where TorchScript cannot save the call of it.

    `Fn.apply(x)` compiles as a call back into Python, which cannot be saved. A function beside the class computes, when
    scripted, what its `forward` does, without `ctx`; in eager it calls `Fn.apply` as before, so that eager keeps its
    backward. Scripted, gradients are those of the operations in `forward`: a caveat that is always printed.

    What `forward` puts on `ctx` and reads back becomes a local name. Scripted, the casts of `custom_fwd` are left out,
    too; they only matter under autocast.

    Left alone: a `forward` that writes to its inputs, needs more of `ctx`, takes `*args` or has other decorators;
    `Fn.apply` that is held by an attribute.

    Source: "Could not export Python function call", raised by torch/csrc/jit/serialization/python_print.cpp.
    """

    name = "autograd-function"
    targets = frozenset({Target.SCRIPT})
    answers = frozenset({"export-python-call"})
    needs_diagnosis = True
    examples = [
        Example(
            before="""\
import torch
from torch import nn
from torch.autograd import Function


class RoundSTE(Function):
    @staticmethod
    def forward(ctx, x, levels=2):
        ctx.levels = levels
        x = x * levels  # a step is one
        return x.round() / levels

    @staticmethod
    def backward(ctx, grad_output):
        return grad_output


class Model(nn.Module):
    def forward(self, x):
        return RoundSTE.apply(x + 1) - 1
""",
            after="""\
import torch
from torch import nn
from torch.autograd import Function


class RoundSTE(Function):
    @staticmethod
    def forward(ctx, x, levels=2):
        ctx.levels = levels
        x = x * levels  # a step is one
        return x.round() / levels

    @staticmethod
    def backward(ctx, grad_output):
        return grad_output


def _round_ste(x):
    # scripted, without the backward of RoundSTE: TorchScript cannot save a call of it
    if not torch.jit.is_scripting():
        return RoundSTE.apply(x)
    levels = 2
    x = x * levels  # a step is one
    return x.round() / levels


class Model(nn.Module):
    def forward(self, x):
        return _round_ste(x + 1) - 1
""",
            inputs="[(torch.rand(2, 4),), (torch.rand(3, 4),)]",
            breaks=Target.SCRIPT,
            outcome="pass",  # but it cannot be saved
            error=_ERROR,
        ),
        Example(
            before="""\
import torch
from torch import nn


class Scale(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, factor):
        ctx.save_for_backward(x)
        return x * factor

    @staticmethod
    def backward(ctx, grad_output):
        return grad_output, None


scale = Scale.apply


class Model(nn.Module):
    def forward(self, x):
        return scale(x, 0.5)
""",
            after="""\
import torch
from torch import nn


class Scale(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, factor):
        ctx.save_for_backward(x)
        return x * factor

    @staticmethod
    def backward(ctx, grad_output):
        return grad_output, None


def _scale(x, factor: float):
    # scripted, without the backward of Scale: TorchScript cannot save a call of it
    if not torch.jit.is_scripting():
        return Scale.apply(x, factor)
    return x * factor


scale = _scale


class Model(nn.Module):
    def forward(self, x):
        return scale(x, 0.5)
""",
            inputs="[(torch.rand(2, 4),), (torch.rand(3, 4),)]",
            breaks=Target.SCRIPT,
            outcome="pass",  # but it cannot be saved
            error=_ERROR,
            recorded=True,
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        answered = {d.names["function"]: d for d in file.diagnoses if d.kind in self.answers and "function" in d.names}
        for cls in file.classes if answered else ():
            diagnosis = answered.get(cls.name)
            if diagnosis is None or not any(b in _BASES for b in cls.foreign_bases):
                continue
            message = f"TorchScript cannot save a call of `{cls.name}`"
            try:
                edits, imports = _edits(file, cls)
            except Refused as reason:
                yield self.finding(cls.node, f"{message}, and {reason}", answers=diagnosis)
                continue
            caveat = f"scripted, gradients are those of `{cls.name}.forward`, not of its backward"
            if _CASTS & set(getattr(cls.method("forward"), "decorators", ())):
                caveat += ", and autocast casts as in other functions"
            message += "; scripted, compute its forward"
            yield self.finding(cls.node, message, *edits, imports=imports, caveat=caveat, answers=diagnosis)


def _edits(file: FileFacts, cls: Class) -> tuple[list[Edit], frozenset[Import]]:
    """The function beside the class, and the calls of it. Raises `Refused`."""
    calls = [n for f in file.functions for n in f.nodes if isinstance(n, ast.Call) and _applies(file, cls, n.func)]
    aliases = [s for s in file.tree.body if isinstance(s, ast.Assign) and _applies(file, cls, s.value)]
    known = {t.id for alias in aliases for t in alias.targets if isinstance(t, ast.Name)}
    named = [
        n for n in walk(file.tree) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name) and n.func.id in known
    ]
    counts = {len(c.args) for c in (*calls, *named)}
    if not counts:
        raise Refused("no call of its `apply` is in sight")
    if len(counts) > 1 or any(c.keywords or any(isinstance(a, ast.Starred) for a in c.args) for c in (*calls, *named)):
        raise Refused("the calls of its `apply` differ in their arguments")
    if cls.node not in file.tree.body:
        raise Refused("it lies inside another class or function")
    name = fresh(file.module_names, f"_{snake(cls.name)}")
    helper, pieces, imports = _helper(file, cls, name, counts.pop())
    edits: list[Edit] = [InsertAfter(cls.node, "\n\n" + helper, pieces)]
    edits += [Replace(alias.value, name) for alias in aliases]
    for call in calls:
        parts, kept = kept_arguments(call.args, [])
        edits.append(Replace(call, f"{name}({', '.join(parts)})", kept))
    return edits, imports


def _applies(file: FileFacts, cls: Class, node: ast.expr) -> bool:
    return isinstance(node, ast.Attribute) and node.attr == "apply" and file.class_named(file.origin(node.value)) is cls


def _helper(
    file: FileFacts, cls: Class, name: str, count: int
) -> tuple[str, dict[str, Piece | ast.expr | list[ast.stmt] | str], frozenset[Import]]:
    """The template of the function that stands for the class."""
    forward, parameters = _plain_forward(cls)
    ctx = parameters.pop(0).name if cls.method("setup_context") is None and parameters else None
    if any(p.kind != "positional" for p in parameters) or len(parameters) < count:
        raise Refused("its `forward` takes other than plain arguments")
    own = {p.name for p in parameters}
    kept, changes = _computing(forward, ctx, own)
    unknown = {ctx, forward.node.args.args[0].arg if forward.is_class_method else None}
    for node in (n for s in kept for n in walk(s) if n not in changes):
        if isinstance(node, ast.Name) and node.id in unknown and forward.file.parents[node] not in changes:
            raise Refused(f"its `forward` needs `{node.id}`")
        if _writes_to(node, own, forward):
            raise Refused("its `forward` writes to its input")
    if not kept:
        raise Refused("its `forward` is empty")
    pieces: dict[str, Piece | ast.expr | list[ast.stmt] | str] = {"body": Piece(kept, changes)}
    imports: frozenset[Import] = frozenset({Import("torch")})
    header, first = [], ""
    for parameter in parameters[:count]:
        text, needed = _parameter(file, forward, parameter)
        header.append(text)
        imports |= needed
    for i, parameter in enumerate(parameters[count:]):
        if parameter.default is None:
            raise Refused(f"its calls leave out `{parameter.name}`")
        pieces[f"d{i}"] = parameter.default
        first += f"    {parameter.name} = {{d{i}}}\n"
    given = ", ".join(p.name for p in parameters[:count])
    template = (
        f"def {name}({', '.join(header)}):\n"
        f"    # scripted, without the backward of {cls.name}: TorchScript cannot save a call of it\n"
        f"    if not torch.jit.is_scripting():\n        return {cls.name}.apply({given})\n{first}    {{body}}\n"
    )
    return template, pieces, imports


def _plain_forward(cls: Class) -> tuple[Function, list[Parameter]]:
    """The `forward` of the class and its parameters, ``ctx`` first. Raises `Refused`."""
    forward = cls.method("forward")
    decorators = set(forward.decorators) - _CASTS if forward is not None else set()
    if forward is None or decorators not in ({"staticmethod"}, {"classmethod"}):
        raise Refused("it has no plain static `forward`")
    return forward, list(forward.parameters)


def _computing(forward: Function, ctx: str | None, parameters: set[str]) -> tuple[list[ast.stmt], dict[ast.expr, str]]:
    """The statements that compute the result, and the names under which they read what `forward` put on ``ctx``."""
    body = [s for i, s in enumerate(forward.node.body) if not (i == 0 and _is_text(s))]
    if ctx is None:
        return body, {}
    kept = [s for s in body if not _for_backward(s, ctx, forward)]
    changes: dict[ast.expr, str] = {}
    while reads := [
        n for s in kept for n in walk(s) if _is_of(n, ctx) and isinstance(n.ctx, ast.Load) and n not in changes
    ]:
        first = reads[0]
        stores = [
            s for s in body if isinstance(s, ast.Assign) and [ast.unparse(t) for t in s.targets] == [ast.unparse(first)]
        ]
        every = [n for n in forward.of(ast.Attribute) if n.attr == first.attr and not isinstance(n.ctx, ast.Load)]
        if (
            len(stores) != 1
            or len(every) != 1
            or any(n.lineno <= stores[0].lineno for n in reads if n.attr == first.attr)
        ):
            break  # it is refused for what it needs
        value = stores[0].value
        passed = isinstance(value, ast.Name) and value.id in parameters - forward.flow.writes(body)
        taken = forward.flow.local_names | set(changes.values())
        name = value.id if passed and isinstance(value, ast.Name) else fresh(taken, first.attr)
        if not passed:
            changes[every[0]] = name
            kept = [s for s in body if s in kept or s is stores[0]]
        changes |= {n: name for n in reads if n.attr == first.attr}
    for target in (s.targets[0] for s in kept if isinstance(s, ast.Assign) and len(s.targets) == 1):
        if _is_of(target, ctx) and target not in changes:  # what is computed may have an effect
            changes[target] = fresh(forward.flow.local_names | set(changes.values()), target.attr)
    return kept, changes


def _is_of(node: ast.AST, ctx: str) -> TypeGuard[ast.Attribute]:
    """Whether a node is an attribute of ``ctx``."""
    return isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == ctx


def _parameter(file: FileFacts, forward: Function, parameter: Parameter) -> tuple[str, frozenset[Import]]:
    """A parameter as the function has it, with the type that runs or its default show."""
    if parameter.annotation is not None:
        return f"{parameter.name}: {ast.unparse(parameter.annotation)}", frozenset()
    type_ = forward.observed.arguments.get(parameter.name, UNKNOWN) if forward.observed is not None else UNKNOWN
    if type_ == UNKNOWN and parameter.default is not None:
        type_ = forward.type_of(parameter.default)
    if type_ == TENSOR or not type_.known:
        return parameter.name, frozenset()
    spelled, imports = file.spell_type(type_)
    return f"{parameter.name}: {spelled}", imports


def _is_text(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _for_backward(statement: ast.stmt, ctx: str, forward: Function) -> bool:
    """Whether a statement only puts something on ``ctx``: ``ctx.save_for_backward(x)``, ``ctx.n = n``."""

    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
        called = statement.value.func
        return _is_of(called, ctx) and called.attr in _KEPT_FOR_BACKWARD
    if not isinstance(statement, ast.Assign) or not all(_is_of(t, ctx) for t in statement.targets):
        return False
    return forward.flow.is_pure(statement.value)


def _writes_to(node: ast.AST, parameters: set[str], forward: Function) -> bool:
    """Whether a node changes a parameter in place."""
    if isinstance(node, (ast.Subscript, ast.Attribute)) and isinstance(node.ctx, ast.Store):
        return isinstance(node.value, ast.Name) and node.value.id in parameters
    if isinstance(node, ast.AugAssign):
        return isinstance(node.target, ast.Name) and node.target.id in parameters
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        in_place = node.func.attr.endswith("_") and not node.func.attr.endswith("__")
        return in_place and isinstance(node.func.value, ast.Name) and node.func.value.id in parameters
    return False
