"""late-break."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from tsrefactor.facts.bindings import starts_empty
from tsrefactor.facts.definitions import Function
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.layer_calls import calls_layers
from tsrefactor.facts.names import fresh
from tsrefactor.facts.nodes import walk
from tsrefactor.facts.selection import is_single_value
from tsrefactor.source.edits import Edit, InsertAfter, InsertBefore, Replace
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings

_HEAD = """\
import torch
from torch import nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.cell = nn.GRUCell(3, 3)

"""


class _Refused(Exception):
    """Why a loop stays as it is."""


@dataclass(frozen=True)
class _Stacked:
    """The statement that stacks what the loop collected, the name of the result, and the dim of the turns."""

    statement: ast.Assign | ast.Return
    target: str
    dim: int


class LateBreak(Rule):
    """Let a trace take all turns of a loop over layers, and cut off what comes after the break.

    A trace unrolls a loop and stops where its example's `break` was: a decoder that ends when all captions are
    finished always makes as many words as the example had. Where the loop calls layers, it cannot move into a
    `script_if_tracing` function. So while a trace is made, the loop takes all its turns and notes where it would have
    ended; the lists that it fills are cut there once they are stacked. Eager and script do what they did.

    It takes a `for` over a fixed range whose last statement is `if …: break`, and from which nothing is used later but
    lists that get one tensor a turn and are stacked by `torch.stack`.

    Left alone, with the reason: other results of the loop; a second `break`, `continue` or `return`; conditions that
    are not surely without dimensions.

    Source: the TracerWarning "Converting a tensor to a Python boolean …"; the documentation of `torch.jit.is_tracing`.
    """

    name = "late-break"
    targets = frozenset({Target.TRACE})
    answers = frozenset({"trace-boolean"})
    examples = [
        Example(
            before=_HEAD
            + """\
    def forward(self, h):
        steps = []
        for _ in range(8):
            h = self.cell(h * 2, h)
            steps.append(h)
            if h.mean() > 0:  # good enough
                break
        return torch.stack(steps, dim=1)
""",
            after=_HEAD
            + """\
    def forward(self, h):
        steps = []
        ends = []
        for _ in range(8):
            h = self.cell(h * 2, h)
            steps.append(h)
            if torch.jit.is_tracing():  # which takes all turns
                ends.append(h.mean() > 0)
            if not torch.jit.is_tracing() and h.mean() > 0:  # good enough
                break
        result = torch.stack(steps, dim=1)
        if torch.jit.is_tracing():  # keep the turns up to the first end
            result = result[:, : torch.stack(ends).logical_not().cumprod(0).sum() + 1]
        return result
""",
            inputs="[(torch.full((2, 3), -0.5),), (torch.ones(4, 3),), (torch.full((1, 3), -5.0),)]",
            breaks=Target.TRACE,
            outcome="baked",
            recorded=True,
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        if not file.mentions("break"):
            return
        for function in file.functions:
            if function.dependence.is_compiled:
                continue
            for loop in function.of(ast.For):
                last = loop.body[-1]
                ends = isinstance(last, ast.If) and len(last.body) == 1 and isinstance(last.body[0], ast.Break)
                if not ends or last.orelse or not calls_layers(function, loop.body):  # type: ignore[attr-defined]
                    continue
                assert isinstance(last, ast.If)
                if function.dependence.decides(last.test, presume=True):
                    yield self._finding(function, loop, last)

    def _finding(self, function: Function, loop: ast.For, last: ast.If) -> Finding:
        message = "a trace ends this loop where the example's `break` was"
        try:
            edits = _edits(function, loop, last)
        except _Refused as reason:
            return self.finding(last, f"{message}; it cannot take all turns: {reason}")
        imports = function.file.spell("torch.jit.is_tracing")[1] | function.file.spell("torch.stack")[1]
        message += "; let it take all turns under `torch.jit.is_tracing()`, and cut off what comes later"
        return self.finding(last, message, *edits, imports=imports, presumed=True, trap=True)


def _edits(function: Function, loop: ast.For, last: ast.If) -> list[Edit]:
    file, flow = function.file, function.flow
    if loop.orelse or function.dependence.freezes_loop(loop, presume=True):
        raise _Refused("its number of turns depends on the input")
    if not is_single_value(function, last.test):
        raise _Refused(f"`{ast.unparse(last.test)}` is not surely a tensor without dimensions")
    leaving = [n for s in loop.body for n in walk(s) if isinstance(n, (ast.Break, ast.Continue, ast.Return, ast.Raise))]
    if len(leaving) > 1:
        raise _Refused("it is left in other places, too")
    filled = _filled(function, loop)
    used = (flow.writes(loop) | flow.mutates(loop)) & flow.live_after(loop)
    if used - set(filled):
        raise _Refused(f"{min(used - set(filled))} is used after it")
    if function.self_name in flow.mutates(loop) or any(function.self_attribute(n) for n in _stored(loop)):
        raise _Refused("it changes the module")
    stacked = [_stacked(function, loop, name) for name in sorted(filled)]
    tracing, stack = file.spell("torch.jit.is_tracing")[0], file.spell("torch.stack")[0]
    ends = fresh(flow.local_names, "ends")
    note = f"if {tracing}():  # which takes all turns\n    {ends}.append({{test}})"
    edits: list[Edit] = [
        InsertBefore(loop, f"{ends} = []"),
        InsertBefore(last, note, {"test": last.test}),
        Replace(last.test, f"not {tracing}() and {{test}}", {"test": last.test}),
    ]
    turns = f"{stack}({ends}).logical_not().cumprod(0).sum() + 1"
    for one in stacked:
        cut = f"if {tracing}():  # keep the turns up to the first end\n"
        cut += f"    {one.target} = {one.target}[{':, ' * one.dim}: {turns}]"
        if isinstance(one.statement, ast.Assign):
            edits.append(InsertAfter(one.statement, cut))
        else:
            kept = {"value": one.statement.value}
            template = f"{one.target} = {{value}}\n{cut}\nreturn {one.target}"
            edits.append(Replace([one.statement], template, kept))  # type: ignore[arg-type]
    return edits


def _filled(function: Function, loop: ast.For) -> dict[str, ast.Call]:
    """The lists that start empty before the loop and get one element at every turn, with the call that adds it."""
    bindings = function.types.bindings
    found: dict[str, ast.Call] = {}
    for statement in loop.body:
        call = statement.value if isinstance(statement, ast.Expr) else None
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute) or call.func.attr != "append":
            continue
        owner = call.func.value
        if not isinstance(owner, ast.Name) or len(bindings.mutations.get(owner.id, ())) != 1:
            continue
        values = bindings.values.get(owner.id, ())
        if len(values) == 1 and starts_empty(function, values[0]):
            found[owner.id] = call
    return found


def _stacked(function: Function, loop: ast.For, name: str) -> _Stacked:
    """The only use of a list after the loop: ``y = torch.stack(name, dim=1)``, or a ``return`` of that."""
    inside = set(walk(loop))
    uses = [n for n in function.of(ast.Name) if n.id == name and isinstance(n.ctx, ast.Load) and n not in inside]
    call = function.file.parents[uses[0]] if len(uses) == 1 else None
    if not isinstance(call, ast.Call) or function.file.origin(call.func) != "torch.stack":
        raise _Refused(f"{name} is not only stacked after it")
    dims = [*call.args[1:2], *(k.value for k in call.keywords if k.arg == "dim")]
    dim = dims[0].value if dims and isinstance(dims[0], ast.Constant) else 0
    statement = function.file.parents[call]
    if not isinstance(dim, int) or dim < 0 or (dims and not isinstance(dims[0], ast.Constant)):
        raise _Refused(f"{name} is stacked along a dim that is not written out")
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1 and isinstance(statement.targets[0], ast.Name):
        return _Stacked(statement, statement.targets[0].id, dim)
    if isinstance(statement, ast.Return):
        return _Stacked(statement, fresh(function.flow.local_names, "result"), dim)
    raise _Refused(f"what stacks {name} is no statement of its own")


def _stored(loop: ast.For) -> Iterator[ast.AST]:
    return (n for n in walk(loop) if isinstance(n, ast.Attribute) and not isinstance(n.ctx, ast.Load))
