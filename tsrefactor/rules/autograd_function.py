"""autograd-function."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from tsrefactor.facts.autograd_forward import CASTS, Refused, computing, plain_forward, writes_to
from tsrefactor.facts.definitions import Class, Function, Parameter
from tsrefactor.facts.diagnosis import Diagnosis
from tsrefactor.facts.family import bound_in_body
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.held import HeldFunctions
from tsrefactor.facts.names import fresh, snake
from tsrefactor.facts.nodes import walk
from tsrefactor.facts.types import TENSOR, UNKNOWN
from tsrefactor.source.edits import Edit, InsertAfter, Piece, Replace
from tsrefactor.source.imports import Import
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings, kept_arguments

_BASES = ("torch.autograd.Function", "torch.autograd.function.Function")
_ERROR = "Could not export Python function call"


class AutogradFunction(Rule):
    """Compute an autograd Function's forward where TorchScript cannot save the call of it.

    `Fn.apply(x)` compiles as a call back into Python, which cannot be saved. A function beside the class computes, when
    scripted, what its `forward` does, without `ctx`; in eager it calls `Fn.apply` as before, so that eager keeps its
    backward. Scripted, gradients are those of the operations in `forward`: a caveat that is always printed.

    Where an attribute or a local name holds `Fn.apply`, it holds that function.

    What `forward` puts on `ctx` and reads back becomes a local name. Scripted, the casts of `custom_fwd` are left out,
    too; they only matter under autocast.

    A class that lies inside that of a module, which calls `self.Fn.apply(x)`, is called by such a function, too.

    Left alone: a `forward` that writes to its inputs, needs more of `ctx`, takes `*args` or has other decorators;
    a class that lies inside a function, or of which a subclass has another; an `apply` that is held, and called with
    fewer arguments than `forward` takes.

    Source: "Could not export Python function call", raised by torch/csrc/jit/serialization/python_print.cpp.
    """

    name = "autograd-function"
    targets = frozenset({Target.SCRIPT})
    answers = frozenset({"export-python-call", "unconvertible-attribute", "python-attribute"})
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
        # Held by an attribute.
        Example(
            before="""\
import torch
from torch import nn


class Sign(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return torch.sign(x)

    @staticmethod
    def backward(ctx, grad_output):
        return grad_output


class Model(nn.Module):
    def __init__(self, hard=True):
        super().__init__()
        self.act = Sign.apply if hard else torch.tanh  # the binary one

    def forward(self, x):
        return self.act(x - 0.5)
""",
            after="""\
import torch
from torch import nn


class Sign(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return torch.sign(x)

    @staticmethod
    def backward(ctx, grad_output):
        return grad_output


def _sign(x):
    # scripted, without the backward of Sign: TorchScript cannot save a call of it
    if not torch.jit.is_scripting():
        return Sign.apply(x)
    return torch.sign(x)


class Model(nn.Module):
    def __init__(self, hard=True):
        super().__init__()
        self.act = _sign if hard else torch.tanh  # the binary one

    def forward(self, x):
        return self.act(x - 0.5)
""",
            inputs="[(torch.rand(2, 4),), (torch.rand(3, 4),)]",
            breaks=Target.SCRIPT,
            error="failed to convert Python type: 'method'",
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        if not file.mentions("apply"):
            return
        held, taken = HeldFunctions(file), set(file.module_names)
        for cls, diagnosis in _answered(held, [d for d in file.diagnoses if d.kind in self.answers]).items():
            message = f"TorchScript cannot save a call of `{cls.name}`"
            try:
                edits, imports = _edits(held, cls, taken)
            except Refused as reason:
                yield self.finding(cls.node, f"{message}, and {reason}", answers=diagnosis)
                continue
            caveat = f"scripted, gradients are those of `{cls.name}.forward`, not of its backward"
            if CASTS & set(getattr(cls.method("forward"), "decorators", ())):
                caveat += ", and autocast casts as in other functions"
            message += "; scripted, compute its forward"
            yield self.finding(cls.node, message, *edits, imports=imports, caveat=caveat, answers=diagnosis)


def _answered(held: HeldFunctions, diagnoses: Sequence[Diagnosis]) -> dict[Class, Diagnosis]:
    """The autograd Functions of the file of which a diagnosis complains, by their name or where a module holds one."""
    every = [c for c in held.file.classes if any(b in _BASES for b in c.foreign_bases)]
    functions = {c.name: c for c in every if "." not in c.qualname or "<locals>" in c.qualname}
    inner = {c.qualname: c for c in every if c not in functions.values()}
    if not every:
        return {}
    answered = {functions[n]: d for d in diagnoses if (n := d.names.get("function", "")) in functions}
    for d in diagnoses:
        if d.kind == "python-attribute":  # a class as an attribute of the module
            module = held.file.class_named(d.names.get("owner", "").rpartition(".")[2])
            owners = (module, *module.ancestors) if module is not None else ()
            named = (inner.get(f"{c.qualname}.{d.names.get('type', '')}") for c in owners)
            answered |= {c: d for c in named if c is not None}
    complaints = {
        (d.names["module"].rpartition(".")[2], d.names["attribute"]): d for d in diagnoses if "module" in d.names
    }
    for cls, name in held.called() if complaints else ():
        for owner in (cls, *cls.subclasses):
            diagnosis = complaints.get((owner.name, name))
            for value in held.values(cls, name) if diagnosis is not None else ():
                function = next((c for c in functions.values() if _applies(held.file, c, value.node)), None)
                if function is not None and diagnosis is not None:
                    answered.setdefault(function, diagnosis)
    return answered


def _edits(held: HeldFunctions, cls: Class, taken: set[str]) -> tuple[list[Edit], frozenset[Import]]:
    """The function beside the class, and the calls of it; its name becomes ``taken``. Raises `Refused`."""
    file = held.file
    outer = file.class_named(cls.qualname.rpartition(".")[0])
    calls = [n for f in file.functions for n in f.of(ast.Call) if _applies(file, cls, n.func) or _own(f, cls, n.func)]
    aliases = [s.value for s in file.tree.body if isinstance(s, ast.Assign) and _applies(file, cls, s.value)]
    known = {t.id for alias in aliases for t in _names_of(file, alias)}
    named = [n for n in file.of(ast.Call) if isinstance(n.func, ast.Name) and n.func.id in known]
    for function in file.functions:
        local = [s.value for s in function.of(ast.Assign) if _applies(file, cls, s.value)]
        kept_in = {t.id for value in local for t in _names_of(file, value)}
        named += [n for n in function.of(ast.Call) if isinstance(n.func, ast.Name) and n.func.id in kept_in]
        aliases += [value for value in local if _names_of(file, value)]
    for owner, name in held.called():
        values = [v.node for v in held.values(owner, name) if _applies(file, cls, v.node)]
        if values:
            named += [call for _, call in held.form(owner, name).calls]
            aliases += [v for v in values if v not in aliases]
    counts = {len(c.args) for c in (*calls, *named)}
    if not counts:
        raise Refused("no call of its `apply` is in sight")
    if len(counts) > 1 or any(c.keywords or any(isinstance(a, ast.Starred) for a in c.args) for c in (*calls, *named)):
        raise Refused("the calls of its `apply` differ in their arguments")
    if outer is not None and any(cls.name in {*bound_in_body(s), *_classes_in(s)} for s in outer.subclasses):
        raise Refused("a subclass has another of its name")
    if outer is not None and any(cls.name in c.assigned for c in (outer, *outer.ancestors, *outer.subclasses)):
        raise Refused("an instance may have another of its name")
    top = outer if outer is not None else cls
    if top.node not in file.tree.body:
        raise Refused("it lies inside a function")
    name = fresh(taken, f"_{snake(cls.name if len(cls.name) > 1 else top.name)}")
    count = counts.pop()
    helper, pieces, imports = _helper(file, cls, name, count)
    if aliases and count < len(plain_forward(cls)[1]) - (cls.method("setup_context") is None):
        raise Refused("what holds its `apply` may be called with more arguments elsewhere")
    if any(isinstance(n.ctx, ast.Load) and n.id in known and _is_in_class(file, n) for n in file.of(ast.Name)):
        raise Refused("a class holds its `apply`, and would make a method of a function")
    edits: list[Edit] = [InsertAfter(top.node, "\n\n" + helper, pieces)]
    taken.add(name)
    edits += [Replace(alias, name) for alias in aliases]
    for call in calls:
        parts, kept = kept_arguments(call.args, [])
        edits.append(Replace(call, f"{name}({', '.join(parts)})", kept))
    return edits, imports


def _names_of(file: FileFacts, value: ast.expr) -> list[ast.Name]:
    """The names to which an assignment gives a value."""
    assign = file.parents[value]
    return [t for t in assign.targets if isinstance(t, ast.Name)] if isinstance(assign, ast.Assign) else []


def _is_in_class(file: FileFacts, node: ast.Name) -> bool:
    """Whether it is the value of an assignment in a class body."""
    parent = file.parents[node]
    return isinstance(parent, (ast.Assign, ast.AnnAssign)) and isinstance(file.parents[parent], ast.ClassDef)


def _applies(file: FileFacts, cls: Class, node: ast.expr) -> bool:
    return isinstance(node, ast.Attribute) and node.attr == "apply" and file.class_named(file.origin(node.value)) is cls


def _own(function: Function, cls: Class, node: ast.expr) -> bool:
    """Whether it is ``self.Fn.apply`` of a class that lies inside the method's own class or a base of it."""
    name = function.self_attribute(node.value) if isinstance(node, ast.Attribute) and node.attr == "apply" else None
    family = (function.cls, *function.cls.ancestors) if name == cls.name and function.cls is not None else ()
    holder = next((c for c in family if cls.name in _classes_in(c)), None)
    return holder is not None and cls.node in holder.node.body


def _classes_in(cls: Class) -> set[str]:
    return {s.name for s in cls.node.body if isinstance(s, ast.ClassDef)}


def _helper(
    file: FileFacts, cls: Class, name: str, count: int
) -> tuple[str, dict[str, Piece | ast.expr | list[ast.stmt] | str], frozenset[Import]]:
    """The template of the function that stands for the class."""
    forward, parameters = plain_forward(cls)
    ctx = parameters.pop(0).name if cls.method("setup_context") is None and parameters else None
    if any(p.kind != "positional" for p in parameters) or len(parameters) < count:
        raise Refused("its `forward` takes other than plain arguments")
    own = {p.name for p in parameters}
    kept, changes = computing(forward, ctx, own)
    unknown = {ctx, forward.node.args.args[0].arg if forward.is_class_method else None}
    for node in (n for s in kept for n in walk(s) if n not in changes):
        if isinstance(node, ast.Name) and node.id in unknown and forward.file.parents[node] not in changes:
            raise Refused(f"its `forward` needs `{node.id}`")
        if writes_to(node, own, forward):
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
        f"    if not torch.jit.is_scripting():\n        return {cls.qualname}.apply({given})\n{first}    {{body}}\n"
    )
    return template, pieces, imports


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
