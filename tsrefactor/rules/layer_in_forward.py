"""layer-in-forward."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tsrefactor.facts.definitions import Function
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.layers import LAYERS, FunctionCall, function_call
from tsrefactor.facts.nodes import walk
from tsrefactor.facts.operations import is_operation
from tsrefactor.facts.types import TENSOR
from tsrefactor.source.edits import Replace
from tsrefactor.source.imports import Import
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings, preview

_VARIABLES = ("torch.autograd.Variable", "torch.autograd.variable.Variable")
_PARAMETERS = ("torch.nn.Parameter", "torch.nn.parameter.Parameter")
# What makes a new tensor, and what keeps one from having a gradient whatever the arguments are.
_FACTORIES = frozenset(
    "zeros ones empty full rand randn randint randperm arange linspace eye tensor zeros_like ones_like empty_like"
    " full_like rand_like randn_like from_numpy FloatTensor LongTensor IntTensor ByteTensor DoubleTensor BoolTensor"
    " Tensor".split()
)
_NEW = frozenset("new new_zeros new_ones new_full new_empty new_tensor detach".split())
_KEEPING = frozenset(
    "cuda cpu to type float double half long int byte bool view reshape unsqueeze squeeze expand repeat t transpose"
    " permute contiguous zero_ normal_ uniform_ bernoulli_ random_ type_as expand_as".split()
)


_INPUTS = "[(torch.rand(2, 4),), (torch.rand(3, 4),)]"


def _example(before: str, after: str, inputs: str = _INPUTS, error: str = "Cannot instantiate class") -> Example:
    return Example(before, after, inputs, Target.SCRIPT, error=error)


class LayerInForward(Rule):
    """Call a function where forward makes a layer, a Variable or a Parameter only to use it at once.

    TorchScript cannot make modules. A layer without parameters that is made in forward to be called there becomes the
    function of torch.nn.functional that it calls: `nn.Softmax(dim=1)(x)` is `F.softmax(x, dim=1)`. So does one that a
    local variable holds between the two. A dropout made like that is in training mode, also in a model that is not,
    and stays so: its function drops by default.

    A trace makes them without harm, but for blocks that it would keep as the example went through them: soft-refactor
    lets it compile these.

    `Variable(x)` has been a tensor since torch 0.4, one without `x`'s gradient: it becomes `x.detach()`, or plain `x`
    where that is new (`torch.zeros(…)`) or has no gradient (`x.data`). `nn.Parameter(x)` used as a value in forward
    becomes `x.detach().requires_grad_()`.

    Left alone: layers with parameters of their own (`nn.Linear(…)(x)` draws new weights in every call), layers that
    are stored on `self` or passed on, and Parameters that are.

    Source: "Cannot instantiate class" and "does not have an __init__ function defined", raised by
    torch/csrc/jit/frontend/ir_emitter.cpp and torch/csrc/jit/python/python_sugared_value.cpp; `Variable` is
    `THPVariable_pynew` in torch/csrc/autograd/python_variable.cpp, which detaches.
    """

    name = "layer-in-forward"
    targets = frozenset({Target.SCRIPT, Target.TRACE})
    answers = frozenset({"cannot-instantiate-class"})
    examples = [
        _example(
            """\
import torch
from torch import nn
import torch.nn.functional as F


class Model(nn.Module):
    def forward(self, x):
        x = nn.ReLU(inplace=True)(x - 0.5)  # cut the negative part
        x = nn.Upsample(scale_factor=2, mode='linear')(x[None])[0]
        return F.normalize(nn.Softmax(dim=-1)(x))
""",
            """\
import torch
from torch import nn
import torch.nn.functional as F


class Model(nn.Module):
    def forward(self, x):
        x = F.relu(x - 0.5, inplace=True)  # cut the negative part
        x = F.interpolate(x[None], scale_factor=2.0, mode='linear')[0]
        return F.normalize(F.softmax(x, dim=-1))
""",
        ),
        _example(
            """\
import torch
from torch.nn import CrossEntropyLoss


class Model(torch.nn.Module):
    def forward(self, x, labels: torch.Tensor):
        loss_fct = CrossEntropyLoss(ignore_index=-1)
        return loss_fct(x.view(-1, 4), labels.view(-1))
""",
            """\
import torch
from torch.nn import CrossEntropyLoss


class Model(torch.nn.Module):
    def forward(self, x, labels: torch.Tensor):
        return torch.nn.functional.cross_entropy(x.view(-1, 4), labels.view(-1), ignore_index=-1)
""",
            "[(torch.rand(2, 4), torch.tensor([1, -1])), (torch.rand(3, 4), torch.tensor([3, 0, 2]))]",
        ),
        _example(
            """\
import torch
from torch.autograd import Variable


class Model(torch.nn.Module):
    def forward(self, x):
        # only the mean is taken as it is
        mean = Variable(x.mean(0))
        noise = Variable(torch.ones(x.size(0), 4).float(), requires_grad=False)
        return x * noise - mean
""",
            """\
import torch
from torch.autograd import Variable


class Model(torch.nn.Module):
    def forward(self, x):
        # only the mean is taken as it is
        mean = x.mean(0).detach()
        noise = torch.ones(x.size(0), 4).float()
        return x * noise - mean
""",
            error="does not have an __init__",
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        if not file.mentions_torch:
            return
        traced = self.for_trace(file, settings)
        for function in file.functions:
            for made in function.of(ast.Call):
                origin = file.origin(made.func)
                if not origin.startswith("torch.") or (traced and not _in_frozen_block(function, made)):
                    continue
                if origin in _VARIABLES:
                    yield from self._tensor(function, made, ("data", "requires_grad", "volatile"), False)
                elif origin in _PARAMETERS and not _kept(function, made):
                    yield from self._tensor(function, made, ("data", "requires_grad"), True)
                elif origin in LAYERS:
                    yield from self._layer(function, made)

    def _layer(self, function: Function, made: ast.Call) -> Iterator[Finding]:
        calls = _calls(function, made)
        if not calls:
            return
        what = f"TorchScript cannot make a module (`{ast.unparse(made.func)}`)"
        found = [function_call(function, made, call) for call in calls]
        edits, imports = [], set[Import]()
        for call, form in zip(calls, found, strict=True):
            if not isinstance(form, FunctionCall):
                yield self.finding(made, f"{what}: {form}")
                return
            name, needed = function.file.spell(form.function)
            imports |= needed
            edits.append(Replace(call, f"{name}({', '.join(form.parts)})", form.pieces))
        statement = function.file.statement_of(made)
        if calls[0].func is not made and isinstance(statement, ast.Assign):  # held by a local variable
            edits.append(Replace([statement], ""))
        unsure = dict.fromkeys(text for form in found if isinstance(form, FunctionCall) for text in form.unsure)
        caveat = f"{', '.join(f'`{text}`' for text in unsure)} was one number in all runs" if unsure else None
        message = f"{what}; call `{name}`"
        yield self.finding(made, message, *edits, imports=imports, presumed=bool(unsure), caveat=caveat)

    def _tensor(
        self, function: Function, made: ast.Call, parameters: tuple[str, ...], gradient: bool
    ) -> Iterator[Finding]:
        """A Variable or a Parameter as the tensor that it is."""
        if any(isinstance(a, ast.Starred) for a in made.args) or len(made.args) > len(parameters):
            return
        given = dict(zip(parameters, made.args, strict=False)) | {k.arg: k.value for k in made.keywords if k.arg}
        wanted = given.get("requires_grad", ast.Constant(gradient))
        if "data" not in given or not set(given) <= set(parameters) or any(k.arg is None for k in made.keywords):
            return
        if not isinstance(wanted, ast.Constant):
            message = "TorchScript has no Variables; whether this one has a gradient is only known when it runs"
            yield self.finding(made, message)
            return
        template = "{data}" if _is_new(function, given["data"]) else "{data}.detach()"
        if wanted.value:
            template = ("{data}" if _is_fresh(function, given["data"]) else "{data}.detach()") + ".requires_grad_()"
        name = ast.unparse(made.func)
        pieces = {"data": given["data"]}
        message = f"TorchScript cannot make a `{name}`; use the tensor itself: `{preview(template, pieces)}`"
        yield self.finding(made, message, Replace(made, template, pieces))


def _in_frozen_block(function: Function, node: ast.AST) -> bool:
    """Whether it stands in a block of which a trace keeps the example's way."""
    if function.dependence.is_compiled:
        return False
    while node is not function.node:
        node = function.file.parents[node]
        if function.dependence.freezes_block(node):
            return True
    return False


def _calls(function: Function, made: ast.Call) -> list[ast.Call]:
    """The calls of a layer that is only called: where it is made, or through the local variable that holds it."""
    file = function.file
    parent = file.parents[made]
    if isinstance(parent, ast.Call) and parent.func is made:
        return [parent]
    statement = file.statement_of(made)
    if not isinstance(statement, ast.Assign) or statement.value is not made or len(statement.targets) != 1:
        return []
    target = statement.targets[0]
    if not isinstance(target, ast.Name) or len(file.block_of(statement)) == 1:
        return []
    uses = [n for n in walk(function.node) if isinstance(n, ast.Name) and n.id == target.id and n is not target]
    calls = [p for n in uses if isinstance(p := file.parents[n], ast.Call) and p.func is n]
    nested = any(inner is not call and inner in calls for call in calls for inner in walk(call))
    if len(calls) != len(uses) or nested or not _stays(function, made):
        return []
    return calls if all(n in function.nodes for n in uses) else []


def _stays(function: Function, made: ast.Call) -> bool:
    """Whether the arguments mean the same wherever the function reads them: constants, sizes, names bound once."""
    written, changed = function.flow.writes(function.node.body), function.flow.mutates(function.node.body)
    bound = function.types.bindings.values
    given = {p.name for p in function.parameters}
    for node in [n for a in (*made.args, *made.keywords) for n in walk(a)]:
        if isinstance(node, (ast.Call, ast.Lambda, ast.ListComp, ast.GeneratorExp)):
            return False
        if isinstance(node, ast.Name) and node.id in changed:
            return False
        if isinstance(node, ast.Name) and node.id in written and (node.id in given or len(bound[node.id]) > 1):
            return False
    return True


def _kept(function: Function, made: ast.Call) -> bool:
    """Whether a Parameter may be stored, or handed to something that may register it."""
    file = function.file

    def passes(use: ast.AST) -> bool:
        parent = file.parents[use]
        if isinstance(parent, ast.Call):
            return is_operation(file.origin(parent.func))
        return isinstance(parent, (ast.BinOp, ast.Attribute)) or (
            isinstance(parent, ast.Return) and function.name == "forward"
        )

    parent = file.parents[made]
    if not isinstance(parent, ast.Assign):
        return not passes(made)
    names = {t.id for t in parent.targets if isinstance(t, ast.Name)}
    uses = [n for n in function.of(ast.Name) if n.id in names and isinstance(n.ctx, ast.Load)]
    return len(names) < len(parent.targets) or not all(map(passes, uses))


def _is_fresh(function: Function, value: ast.expr) -> bool:
    """Whether the expression makes a tensor of its own, which has no gradient."""
    if not isinstance(value, ast.Call):
        return False
    origin = function.file.origin(value.func)
    if origin.startswith("torch.") and origin.rpartition(".")[2] in _FACTORIES:
        return not any(k.arg == "requires_grad" for k in value.keywords)
    if isinstance(value.func, ast.Attribute):
        if value.func.attr in _NEW - {"detach"}:
            return not any(k.arg == "requires_grad" for k in value.keywords)
        return value.func.attr in _KEEPING and _is_fresh(function, value.func.value)
    return False


def _is_new(function: Function, value: ast.expr) -> bool:
    """Whether the expression's value has no gradient: a new tensor, a detached one, what is made of these alone."""
    if isinstance(value, ast.Attribute):
        return value.attr == "data" and function.type_of(value.value, presume=True) == TENSOR
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute):
        if value.func.attr == "detach" and not value.args:
            return True
        if value.func.attr in _KEEPING and _is_new(function, value.func.value):
            return True
    return _is_fresh(function, value)
