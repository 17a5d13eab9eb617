"""accumulator."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tsrefactor.facts.definitions import Function
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.filling import iterated
from tsrefactor.facts.grown import is_kept
from tsrefactor.facts.module_loops import container_kind
from tsrefactor.facts.nodes import walk
from tsrefactor.facts.sums import OPERATORS, numbers, out_of_place
from tsrefactor.facts.types import FLOAT, TENSOR, UNKNOWN
from tsrefactor.source.edits import Edit, Replace
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings

_LOOPS = (ast.For, ast.While)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_LAZY = (ast.IfExp, ast.BoolOp, ast.Lambda, *_COMPREHENSIONS)
_HEAD = """\
import torch
from torch import nn


class Model(nn.Module):
"""


def _example(before: str, after: str, error: str, outcome: str = "compile-error") -> Example:
    inputs = "[(torch.rand(3, 4),), (torch.rand(2, 5),)]"
    return Example(_HEAD + before, _HEAD + after, inputs, Target.SCRIPT, outcome, error, recorded=True)


class Accumulator(Rule):
    """Start what a loop sums up with a tensor.

    A variable keeps its type in a loop: what starts as `0` stays a number for TorchScript, and each sum is turned into
    one. That fails when it runs, or silently returns a number for a tensor without gradient. `torch.tensor(0)` adds
    like the number does (a tensor without dimensions takes the other's type), and `total += x` becomes
    `total = total + x`: in place, the first sum would have to fit into that tensor.

    So does a variable to which both sides of an `if` add. A trace keeps the number of turns of a loop over a tensor or
    its sizes, and the side that the example took. soft-refactor lets it compile such a block, for which this is done as
    well.

    Where the loop does not run, the result is the tensor 0, and no longer the number; where it starts as `0.`, tensors
    without dimensions of half precision add up to a float32. Left alone: variables that are
    bound in other ways, or that count (`range(total)`, `y[total]`); sums in place of which the loop keeps another
    reference (`outs.append(total)`); sums in one branch alone, where the number may well be the result; loops over
    modules, which TorchScript unrolls, unless they sum up in all branches of an `if`.

    Source: "Cannot input a tensor of dimension other than 0 as a scalar argument", raised by
    torch/csrc/jit/runtime/register_prim_ops.cpp.
    """

    name = "accumulator"
    targets = frozenset({Target.SCRIPT, Target.TRACE})
    answers = frozenset({"scalar-argument"})
    examples = [
        _example(
            """\
    def forward(self, x):
        loss = 0.
        for row in x:  # one at a time
            loss += row.pow(2).mean() * 2
        return loss / x.size(0)
""",
            """\
    def forward(self, x):
        loss = torch.tensor(0.)
        for row in x:  # one at a time
            loss = loss + row.pow(2).mean() * 2
        return loss / x.size(0)
""",
            outcome="mismatch",
            error="",
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        traced = self.for_trace(file, settings)
        for function in file.functions:
            if traced and function.dependence.is_compiled:
                continue
            for statement in function.of(ast.Assign):
                yield from self._started(function, statement, traced)

    def _started(self, function: Function, start: ast.Assign, traced: bool) -> Iterator[Finding]:
        for name, value in numbers(start):
            sums = _sums(function, name, start)
            if not sums or not all(_adds_tensor(function, s, name) for s in sums):
                continue
            choices = [c for s in sums if (c := _choice(function, s, start, name)) is not None]
            around = [*choices, *(n for s in sums for n in _around(function, s, start))]
            if traced and not any(is_kept(function, block) for block in around):
                continue
            reason = _refusal(function, name, start, sums)
            message = f"'{name}' starts as a number, which it remains for TorchScript"
            if reason is not None and traced:
                continue  # soft-refactor tells what a trace keeps
            if reason is not None:
                yield self.finding(start, f"{message}: {reason}")
                continue
            tensor, imports = function.file.spell("torch.tensor")
            edits: list[Edit] = [Replace(value, f"{tensor}({{number}})", {"number": value})]
            updates = [s for s in function.of(ast.AugAssign) if _name(s.target) == name]
            edits += [out_of_place(function, s, name) for s in updates]
            caveats = []
            if len(choices) < len(sums):
                caveats.append(f"where no loop runs, '{name}' is a tensor and no longer a number")
            if function.type_of(value) == FLOAT:
                caveats.append(f"where tensors without dimensions of half precision are added, '{name}' is float32")
            caveat = "; ".join(caveats) or None
            yield self.finding(
                start, f"{message}; start with `{tensor}({ast.unparse(value)})`", *edits, imports=imports, caveat=caveat
            )


def _sums(function: Function, name: str, start: ast.Assign) -> list[ast.stmt]:
    """All other statements that bind the name; empty where one does not add to it in a loop or a choice after it."""
    found: list[ast.stmt] = []
    for statement in function.statements:
        if statement is start or isinstance(statement, (ast.If, ast.With, ast.Try)):
            continue
        if isinstance(statement, _LOOPS):
            if isinstance(statement, ast.For) and name in function.flow.writes(statement.target):
                return []
            continue
        if name not in function.flow.writes([statement]):
            continue
        if found and statement in function.file.block_of(start) and _scales(statement, name):
            continue
        placed = _in_loop_after(function, statement, start) or _choice(function, statement, start, name) is not None
        if not placed or not _adds(statement, name):
            return []
        found.append(statement)
    return found


def _choice(function: Function, statement: ast.stmt, start: ast.stmt, name: str) -> ast.If | None:
    """The `if` around a statement, beside the start, of which every arm binds the name."""
    block, node = function.file.block_of(start), function.file.parents[statement]
    while node is not function.node and node not in block:
        node = function.file.parents[node]
    if not isinstance(node, ast.If) or name not in function.flow.always_writes([node]):
        return None
    # an arm that leaves counts as one that binds: it must not leave with the number
    for leaving in (n for n in walk(node) if isinstance(n, (ast.Return, ast.Break, ast.Continue))):
        if not isinstance(leaving, ast.Return) or name in function.flow.reads(leaving):
            return None
    return node


def _scales(statement: ast.stmt, name: str) -> bool:
    """Whether it changes the whole sum: ``total /= n``."""
    if isinstance(statement, ast.AugAssign):
        return isinstance(statement.op, (*OPERATORS, ast.Div))
    value = statement.value if isinstance(statement, ast.Assign) else None
    return isinstance(value, ast.BinOp) and isinstance(value.op, (*OPERATORS, ast.Div)) and _name(value.left) == name


def _adds(statement: ast.stmt, name: str) -> bool:
    if isinstance(statement, ast.AugAssign):
        return type(statement.op) in OPERATORS and isinstance(statement.target, ast.Name)
    if not isinstance(statement, ast.Assign) or len(statement.targets) != 1:
        return False
    return isinstance(statement.targets[0], ast.Name) and bool(_terms(statement.value, name))


def _terms(value: ast.expr, name: str) -> list[ast.expr]:
    """What is added to the name: ``x`` of ``total + x`` and ``x + total``, also after whole numbers
    (``total + 1 - x``), which are the same in a tensor of any precision.
    """
    if not isinstance(value, ast.BinOp) or type(value.op) not in OPERATORS:
        return []
    if _name(value.right) == name:
        return [value.left]
    left, terms = value.left, [value.right]
    while isinstance(left, ast.BinOp) and isinstance(left.op, (ast.Add, ast.Sub)) and _is_whole(left.right):
        left = left.left
    whole = left is value.left or isinstance(value.op, (ast.Add, ast.Sub))
    return terms if whole and _name(left) == name else []


def _is_whole(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and type(node.value) is int and node.value < 2**11


def _name(node: ast.expr) -> str | None:
    return node.id if isinstance(node, ast.Name) else None


def _adds_tensor(function: Function, statement: ast.stmt, name: str) -> bool:
    if isinstance(statement, ast.AugAssign):
        added = statement.value
    else:
        assert isinstance(statement, ast.Assign)
        [added] = _terms(statement.value, name)
    type_ = function.type_of(added)
    if type_.known:
        return type_ == TENSOR
    # what a module gives is known by its sum alone, which a run ended with
    seen = function.observed.locals.get(name, UNKNOWN) if function.observed is not None else UNKNOWN
    return TENSOR in (seen, *seen.args) and _of_module(function, added)


def _of_module(function: Function, node: ast.expr) -> bool:
    """Whether it is what a module of a container gives: ``self.layers[i](x)``, ``layer(x)`` in a loop over them."""
    called = node.func if isinstance(node, ast.Call) else None
    if isinstance(called, ast.Name):
        over = iterated(function, called.id)
        return over is not None and container_kind(function, over) is not None
    while isinstance(called, ast.Subscript):
        called = called.value
    return called is not None and container_kind(function, called) is not None


def _in_loop_after(function: Function, statement: ast.stmt, start: ast.stmt) -> bool:
    """Whether a loop goes around a statement, but not around the start: one that TorchScript does not unroll, or one
    over modules, in which all branches around the statement bind what it does."""
    node: ast.AST = statement
    branched = False
    while node is not function.node:
        node = function.file.parents[node]
        if isinstance(node, ast.If):
            bound = function.flow.writes([statement])
            branched = bound <= function.flow.writes(node.body) & function.flow.writes(node.orelse)
        inner = not any(n is start for n in walk(node))
        if isinstance(node, _LOOPS) and inner and (branched or not _over_modules(function, node)):
            return True
    return False


def _over_modules(function: Function, loop: ast.stmt) -> bool:
    return isinstance(loop, ast.For) and any(
        isinstance(n, (ast.Name, ast.Attribute)) and container_kind(function, n) is not None for n in walk(loop.iter)
    )


def _refusal(function: Function, name: str, start: ast.Assign, sums: list[ast.stmt]) -> str | None:
    file = function.file
    if name in function.flow.captured:
        return "a nested function reads it"
    in_place = [s for s in sums if isinstance(s, ast.AugAssign)]
    own = {n for s in sums for n in walk(s)}
    scalings = [s for s in function.of(ast.AugAssign) if _name(s.target) == name and s not in sums]
    choices = {n for s in sums if (c := _choice(function, s, start, name)) is not None for n in walk(c)}
    around = {n for s in sums for loop in _around(function, s, start) for n in walk(loop)}
    loops = {n for s in in_place for loop in _around(function, s, start) for n in walk(loop)}
    for node in function.of(ast.Name):
        if node.id != name or not isinstance(node.ctx, ast.Load) or node in own:
            continue
        if node in choices or (node not in around and start.lineno < node.lineno < sums[0].lineno):
            return "it is read before something is added"
        if any(start.lineno < node.lineno < s.lineno for s in scalings):
            return "what is read before changes in place later"
        parent = file.parents[node]
        if isinstance(parent, ast.Call) and file.origin(parent.func) in ("range", "isinstance", "str"):
            return f"it is used as a number in `{ast.unparse(parent)}`"
        if isinstance(parent, (ast.Subscript, ast.Slice)):
            return "it is used as an index"
        if node in loops:
            return "the loop keeps what later sums change in place"
    return None


def _around(function: Function, statement: ast.stmt, start: ast.stmt) -> Iterator[ast.stmt]:
    node: ast.AST = statement
    while node is not function.node:
        node = function.file.parents[node]
        if isinstance(node, _LOOPS) and not any(n is start for n in walk(node)):
            yield node
