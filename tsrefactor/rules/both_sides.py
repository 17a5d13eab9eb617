"""both-sides."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tsrefactor.facts.definitions import Function
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.layer_calls import calls_layers, layer_calls
from tsrefactor.facts.names import fresh
from tsrefactor.facts.nodes import walk
from tsrefactor.facts.placement import is_elif
from tsrefactor.facts.selection import is_single_truth
from tsrefactor.facts.types import TENSOR
from tsrefactor.source.edits import Edit, InsertAfter, InsertBefore, Pieces, Replace
from tsrefactor.source.imports import Import
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings

_HEAD = """\
import torch
from torch import nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(3, 3)
        self.second = nn.Linear(3, 3)

"""
_WITH_STATISTICS = re.compile(r"torch\.nn\.\w*(BatchNorm|InstanceNorm)\w*")
_SIGNS = "[(torch.rand(2, 3),), (-torch.rand(4, 3),), (torch.rand(5, 3) * 9 - 5,)]"


def _example(before: str, after: str) -> Example:
    return Example(_HEAD + before, _HEAD + after, _SIGNS, Target.TRACE, "baked", recorded=True)


class _Refused(Exception):
    """Why a choice stays as it is."""


class BothSides(Rule):
    """Let a trace compute both sides of a choice between layers, and select.

    A trace keeps the side of an `if` that its example took. Where a side calls layers of the module it cannot move into
    a `script_if_tracing` function, which has no `self`. So while a trace is made (`torch.jit.is_tracing()`), the side
    with the layers always runs, and `torch.where` selects afterwards: the result is right for inputs that take the
    other side, at the price of computing both. Eager and script do exactly what they did: no layer runs that did not,
    and no parameter gets a gradient of zeros in place of none.

    It takes an `if` of which one side calls layers and the other is plain (`logits = early`, or nothing), and an early
    `return` before the rest of the function. Where both sides call layers, each must be one statement; the trace gets a
    line of its own then. That both sides are of one shape is for a case to prove. Where the layers may keep statistics
    (batch norm), a trace made in training mode updates those of both sides: a caveat.

    Left alone, with the reason: conditions that are not surely one bool without dimensions; sides of several
    statements that both call layers; a side that assigns attributes, updates a value from before, returns or raises.

    Source: the TracerWarning "Converting a tensor to a Python boolean …"; the documentation of `torch.jit.is_tracing`.
    """

    name = "both-sides"
    targets = frozenset({Target.TRACE})
    answers = frozenset({"trace-boolean"})
    examples = [
        # The first exit, when it is sure enough.
        _example(
            """\
    def forward(self, x):
        early = self.first(x)
        # sure? leave
        if early.max() > 0.5:
            y = early
        else:
            y = self.second(early)
        return y
""",
            """\
    def forward(self, x):
        early = self.first(x)
        # sure? leave
        if not torch.jit.is_tracing() and early.max() > 0.5:
            y = early
        else:
            y = self.second(early)
        if torch.jit.is_tracing():  # which ran both sides
            y = torch.where(early.max() > 0.5, early, y)
        return y
""",
        ),
        # One side only: what it starts from is kept.
        _example(
            """\
    def forward(self, x):
        x = self.second(x)
        if x.mean() > 0:
            x = self.first(x)
        return x + 1
""",
            """\
    def forward(self, x):
        x = self.second(x)
        condition = x.mean() > 0
        unchanged = x
        if torch.jit.is_tracing() or condition:
            x = self.first(x)
        if torch.jit.is_tracing():  # which ran both sides
            x = torch.where(condition, x, unchanged)
        return x + 1
""",
        ),
        _example(
            """\
    def forward(self, x):
        y = self.first(x)
        if y.mean() > 0:
            return y
        y = torch.relu(y)
        return self.second(y)
""",
            """\
    def forward(self, x):
        y = self.first(x)
        condition = y.mean() > 0
        early = y
        if not torch.jit.is_tracing() and condition:
            return early
        y = torch.relu(y)
        result = self.second(y)
        if torch.jit.is_tracing():  # which ran both sides
            result = torch.where(condition, early, result)
        return result
""",
        ),
        # Layers on both sides.
        _example(
            """\
    def forward(self, x):
        if x.mean() > 0:
            y = self.first(x)  # the bright ones
        else:
            y = self.second(x)
        return y * 2
""",
            """\
    def forward(self, x):
        if torch.jit.is_tracing():  # which runs both sides
            y = torch.where(x.mean() > 0, self.first(x), self.second(x))
        elif x.mean() > 0:
            y = self.first(x)  # the bright ones
        else:
            y = self.second(x)
        return y * 2
""",
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        for function in file.functions:
            if function.cls is None:
                continue
            for node in function.of(ast.If):
                if not function.dependence.decides(node.test, presume=True) or is_elif(file, node):
                    continue
                if function.dependence.is_compiled or _only_eager(function, node.test):
                    continue
                yield from self._choice(function, node)

    def _choice(self, function: Function, node: ast.If) -> Iterator[Finding]:
        message = "a trace keeps the side of this `if` that the example took"
        rest = _rest(function, node)
        sides = [node.body, node.orelse or rest]
        calling = [calls_layers(function, side) for side in sides]
        if not any(calling):
            return
        try:
            if not is_single_truth(function, node.test):
                raise _Refused(f"`{ast.unparse(node.test)}` is not surely one bool in a tensor without dimensions")
            if all(calling):
                made = _both(function, node, sides)
            else:
                made = _early(function, node, rest) if rest else _sides(function, node, calling[0])
        except _Refused as reason:
            yield self.finding(node, f"{message}; it cannot run both: {reason}")
            return
        edits, imports = made
        message += "; let it run both, and select with `torch.where`"
        caveat = None
        if any(_may_keep_statistics(function, c) for side in sides for s in side for c in layer_calls(function, s)):
            caveat = (
                "a trace made in training mode runs both sides: layers of both update their statistics at each call"
            )
        yield self.finding(node, message, *edits, imports=imports, presumed=True, caveat=caveat, trap=True)


def _may_keep_statistics(function: Function, call: ast.Call) -> bool:
    """Whether a layer that is called may be, or hold, one that learns from each call: no torch layer without them."""
    name, cls = function.self_attribute(call.func), function.cls
    values = [pair for c in (cls, *cls.ancestors) for pair in c.assigned.get(name or "", ())] if cls is not None else []
    made = [(m, n) for m, v in values if v is not None for n in walk(v) if isinstance(n, ast.Call)]
    origins = [m.file.origin(n.func) for m, n in made]
    return not origins or not all(o.startswith("torch.nn.") and not _WITH_STATISTICS.fullmatch(o) for o in origins)


def _only_eager(function: Function, test: ast.expr) -> bool:
    """Whether the condition asks for a trace already."""
    return any(isinstance(n, ast.Call) and function.file.origin(n.func) == "torch.jit.is_tracing" for n in walk(test))


def _rest(function: Function, node: ast.If) -> list[ast.stmt]:
    """What follows an early ``return`` up to the function's last one; empty for any other ``if``."""
    body = function.node.body
    if node.orelse or node not in body or len(node.body) != 1 or not isinstance(node.body[0], ast.Return):
        return []
    rest = body[body.index(node) + 1 :]
    return rest if rest and isinstance(rest[-1], ast.Return) else []


def _check_harmless(function: Function, block: Sequence[ast.stmt]) -> None:
    """Raises where a block must not run but when its condition holds."""
    flow = function.flow
    for statement in block:
        for node in walk(statement):
            guarded = isinstance(node, ast.Return) and _in_eager_branch(function, node)
            if (
                isinstance(node, (ast.Return, ast.Raise, ast.Assert, ast.Break, ast.Continue, ast.Yield))
                and not guarded
            ):
                raise _Refused("a side leaves or checks")
    updated = flow.mutates(block) & flow.free(block)
    if updated:
        raise _Refused(f"a side updates {min(updated)} in place")


def _in_eager_branch(function: Function, node: ast.Return) -> bool:
    parent = function.file.parents[node]
    return isinstance(parent, ast.If) and _only_eager(function, parent.test) and node in parent.body


@dataclass
class _Writer:
    """Collects what the edits of one choice need."""

    function: Function
    node: ast.If

    def __post_init__(self) -> None:
        self.tracing, imports = self.function.file.spell("torch.jit.is_tracing")
        self.where, more = self.function.file.spell("torch.where")
        self.imports: frozenset[Import] = imports | more
        self.before: list[str] = []
        self.pieces: Pieces = {"test": self.node.test}
        self.test: str = "{test}"

    def keep_test(self, rebound: set[str]) -> None:
        """Computes the condition before, where the sides change what it reads."""
        if self.function.flow.reads(self.node.test) & rebound:
            self.test = fresh(self.function.flow.local_names, "condition")
            self.before.append(f"{self.test} = {{test}}")

    def guarded(self, runs_when_true: bool) -> list[Edit]:
        """The edits of the condition and before it."""
        guard = f"{self.tracing}() or " if runs_when_true else f"not {self.tracing}() and "
        edits: list[Edit] = [Replace(self.node.test, guard + self.test, self.pieces if self.test == "{test}" else {})]
        if self.before:
            edits.append(InsertBefore(self.node, "\n".join(self.before), self.pieces))
        return edits

    def selection(self, lines: Sequence[str]) -> str:
        return "\n".join([f"if {self.tracing}():  # which ran both sides", *(f"    {line}" for line in lines)])


def _sides(function: Function, node: ast.If, body_calls: bool) -> tuple[list[Edit], frozenset[Import]]:
    """The edits for an ``if`` of which one side calls layers."""
    layers, plain = (node.body, node.orelse) if body_calls else (node.orelse, node.body)
    flow = function.flow
    _check_harmless(function, layers)
    given: dict[str, ast.expr] = {}
    for statement in plain:
        target = statement.targets[0] if isinstance(statement, ast.Assign) and len(statement.targets) == 1 else None
        if not isinstance(target, ast.Name) or not flow.is_pure(statement):
            raise _Refused("the other side is more than plain assignments")
        given[target.id] = statement.value  # type: ignore[attr-defined]
    written = flow.writes(layers)
    results = sorted((written | set(given)) & flow.live_after(node))
    if not results or any(function.type_of(ast.Name(r, ast.Load()), presume=True) != TENSOR for r in results):
        raise _Refused("what it assigns is not known to be tensors")
    if set(results) - written:
        raise _Refused("the side with the layers does not assign the same names")
    writer = _Writer(function, node)
    writer.keep_test(written)
    lines = []
    for i, name in enumerate(results):
        if name in given:
            if flow.reads(given[name]) & (written | set(given)):
                raise _Refused(f"the other side's {name} depends on what changes")
            other = f"{{plain{i}}}"
            writer.pieces[f"plain{i}"] = given[name]  # type: ignore[index]
        else:
            if name not in flow.bound_before(node):
                raise _Refused(f"{name} may be unbound before it")
            wanted = "unchanged" if len(results) == 1 else f"unchanged_{name}"
            other = fresh(flow.local_names, wanted)
            writer.before.append(f"{other} = {name}")
        sides = (name, other) if body_calls else (other, name)
        lines.append(f"{name} = {writer.where}({writer.test}, {', '.join(sides)})")
    edits = [*writer.guarded(body_calls), InsertAfter(node, writer.selection(lines), writer.pieces)]
    return edits, writer.imports


def _both(
    function: Function, node: ast.If, sides: Sequence[Sequence[ast.stmt]]
) -> tuple[list[Edit], frozenset[Import]]:
    """The edits for an ``if`` of which both sides are one statement that calls layers."""
    if any(len(side) != 1 for side in sides):
        raise _Refused("both sides call layers, in several statements")
    (first,), (second,) = sides
    if isinstance(first, ast.Return) and isinstance(second, ast.Return):
        given, start = (first.value, second.value), "return"
    elif isinstance(first, ast.Assign) and isinstance(second, ast.Assign):
        targets = {ast.unparse(t) for s in (first, second) for t in s.targets}
        if len(targets) > 1 or not isinstance(first.targets[0], ast.Name):
            raise _Refused("the sides do not assign the same name")
        _check_harmless(function, [first, second])
        given, start = (first.value, second.value), f"{first.targets[0].id} ="
    else:
        raise _Refused("both sides call layers, and do more than assign or return what these give")
    values = [v for v in given if v is not None and function.type_of(v, presume=True) == TENSOR]
    if len(values) < 2:
        raise _Refused("what the sides give is not known to be tensors")
    if function.flow.mutates(values) & function.flow.free(values):
        raise _Refused("a side updates a value in place")
    writer = _Writer(function, node)
    pieces: Pieces = {"test": node.test, "first": values[0], "second": values[1], "body": node.body}
    select = f"{start} {writer.where}({{test}}, {{first}}, {{second}})"
    text = f"if {writer.tracing}():  # which runs both sides\n    {select}\nelif {{test}}:\n    {{body}}"
    if node.orelse:
        text, pieces = f"{text}\nelse:\n    {{orelse}}", {**pieces, "orelse": node.orelse}
    return [Replace([node], text, pieces)], writer.imports


def _early(function: Function, node: ast.If, rest: Sequence[ast.stmt]) -> tuple[list[Edit], frozenset[Import]]:
    """The edits for an early ``return``, before a rest that calls layers."""
    flow = function.flow
    returned, last = node.body[0], rest[-1]
    assert isinstance(returned, ast.Return) and isinstance(last, ast.Return)
    early, late = returned.value, last.value
    if early is None or late is None or isinstance(late, ast.Tuple):
        raise _Refused("it returns several values, or none")
    if any(function.type_of(v, presume=True) != TENSOR for v in (early, late)) or not flow.is_pure(early):
        raise _Refused("what it returns is not known to be a tensor")
    _check_harmless(function, rest[:-1])
    written = flow.writes(rest)
    writer = _Writer(function, node)
    writer.keep_test(written)
    edits: list[Edit] = []
    writer.pieces["early"] = early  # type: ignore[index]
    kept = "{early}"
    if flow.reads(early) & written:
        kept = fresh(flow.local_names, "early")
        writer.before.append(f"{kept} = {{early}}")
        edits.append(Replace(early, kept))
    result = late.id if isinstance(late, ast.Name) else fresh(flow.local_names, "result")
    select = writer.selection([f"{result} = {writer.where}({writer.test}, {kept}, {result})"])
    edits += writer.guarded(runs_when_true=False)
    if not isinstance(late, ast.Name):
        select = f"{result} = {{late}}\n{select}"
        writer.pieces["late"] = late  # type: ignore[index]
        edits.append(Replace([last], f"{select}\nreturn {result}", writer.pieces))
    else:
        edits.append(InsertBefore(last, select, writer.pieces))
    return edits, writer.imports
