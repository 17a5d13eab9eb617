"""slice-bounds."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from tsrefactor.facts.definitions import Function
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.nodes import walk
from tsrefactor.source.edits import Edit, Replace, verbatim
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings

_HEAD = """\
import torch
from torch import nn


class Model(nn.Module):
    def __init__(self, size=4, shift=2):
        super().__init__()
        self.size, self.shift = size, shift

    def forward(self, x):
        mask = torch.zeros_like(x)
"""


class SliceBounds(Rule):
    """Write the bounds of slices that a loop goes over, and slice where they are used.

    `slice(0, -n)` as a value is nothing that TorchScript takes; the bounds of a slice are, also None. So a loop over
    `(slice(0, -n), slice(-n, None))` goes over `((0, -n), (-n, None))`, and `x[:, h]` becomes `x[:, h[0]:h[1]]`, as
    torchvision's Swin Transformer has it. TorchScript unrolls a loop over a tuple.

    Left alone: slices that go elsewhere than into subscripts.

    Source: "Python slice value cannot be used as a value", raised for `slice` by
    torch/csrc/jit/frontend/ir_emitter.cpp.
    """

    name = "slice-bounds"
    targets = frozenset({Target.SCRIPT})
    answers = frozenset({"not-a-value"})
    examples = [
        Example(
            before=_HEAD
            + """\
        rows = (slice(0, -self.size),  # the windows that were not moved
                slice(-self.size, -self.shift),
                slice(-self.shift, None))
        count = 0
        for h in rows:
            for w in (slice(self.shift), slice(self.shift, None)):
                mask[:, h, w] = count
                count += 1
        return x + mask
""",
            after=_HEAD
            + """\
        rows = ((0, -self.size),  # the windows that were not moved
                (-self.size, -self.shift),
                (-self.shift, None))
        count = 0
        for h in rows:
            for w in ((None, self.shift), (self.shift, None)):
                mask[:, h[0]:h[1], w[0]:w[1]] = count
                count += 1
        return x + mask
""",
            inputs="[(torch.rand(2, 8, 8),), (torch.rand(1, 12, 8),)]",
            breaks=Target.SCRIPT,
            error="Python slice value cannot be used as a value",
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        if not file.mentions("slice("):
            return
        for function in file.functions:
            for listed in function.of(ast.Tuple, ast.List):
                if not listed.elts or not all(_is_slice(function, e) for e in listed.elts):
                    continue
                edits = _edits(function, listed)
                message = "TorchScript takes no slice as a value"
                if edits is None:
                    yield self.finding(listed, f"{message}, and these go elsewhere than into a loop's subscripts")
                else:
                    yield self.finding(listed, f"{message}; loop over their bounds, and write `x[h[0]:h[1]]`", *edits)


def _is_slice(function: Function, node: ast.expr) -> bool:
    if not isinstance(node, ast.Call) or function.file.origin(node.func) != "slice" or node.keywords:
        return False
    return 1 <= len(node.args) <= 3 and not any(isinstance(a, ast.Starred) for a in node.args)


def _edits(function: Function, listed: ast.Tuple | ast.List) -> list[Edit] | None:
    """The bounds in place of the slices, and the subscripts that take them; None where the slices go elsewhere."""
    loops = _loops(function, listed)
    widths = {3 if len(e.args) == 3 else 2 for e in listed.elts if isinstance(e, ast.Call)}
    names = {loop.target.id for loop in loops if isinstance(loop.target, ast.Name)}
    if not loops or len(widths) > 1 or len(names) != 1:
        return None
    [name], [width] = names, widths
    targets = {loop.target for loop in loops}
    inside = {n for loop in loops for s in loop.body for n in walk(s)}
    part = ":".join(f"{name}[{i}]" for i in range(width))
    subscripts: dict[ast.Subscript, None] = {}
    if name in function.flow.captured:
        return None
    for node in function.of(ast.Name):
        if node.id != name or node in targets:
            continue
        subscript = _subscript(function, node)
        if node not in inside or subscript is None or not isinstance(node.ctx, ast.Load):
            return None
        subscripts[subscript] = None
    return [*(_sliced(function.file, s, name, part) for s in subscripts), *_bounds(function.file, listed)]


def _loops(function: Function, listed: ast.expr) -> list[ast.For]:
    """The loops over the slices, where they are used for nothing else."""
    parent = function.file.parents[listed]
    if isinstance(parent, ast.For) and parent.iter is listed:
        return [parent]
    if not isinstance(parent, ast.Assign) or len(parent.targets) != 1 or not isinstance(parent.targets[0], ast.Name):
        return []
    reads = [n for n in function.of(ast.Name) if n.id == parent.targets[0].id and n is not parent.targets[0]]
    loops = [p for n in reads if isinstance(p := function.file.parents[n], ast.For) and p.iter is n]
    return loops if len(loops) == len(reads) and parent.targets[0].id not in function.flow.captured else []


def _subscript(function: Function, node: ast.expr) -> ast.Subscript | None:
    """The subscript of which an expression is an index, in no parentheses: `a:b` cannot stand there."""
    parent, text = function.file.parents[node], function.file.source.text
    index: ast.expr = node
    if isinstance(parent, ast.Tuple):
        index, parent = parent, function.file.parents[parent]
    for part in (node, index):
        if text[: function.file.source.span(part)[0]].rstrip()[-1] not in "[,":
            return None
    if text[function.file.source.span(index)[0]] == "(":
        return None
    return parent if isinstance(parent, ast.Subscript) and parent.slice is index else None


def _sliced(file: FileFacts, subscript: ast.Subscript, name: str, part: str) -> Edit:
    dims = subscript.slice.elts if isinstance(subscript.slice, ast.Tuple) else [subscript.slice]
    changes = [(d, part) for d in dims if isinstance(d, ast.Name) and d.id == name]
    return Replace(
        subscript, _as_written(file, subscript, [(subscript.value, "{value}"), *changes]), {"value": subscript.value}
    )


def _bounds(file: FileFacts, listed: ast.Tuple | ast.List) -> Iterator[Edit]:
    calls = [e for e in listed.elts if isinstance(e, ast.Call)]
    given: list[list[ast.expr | str]] = [["None", *c.args] if len(c.args) == 1 else [*c.args] for c in calls]
    if isinstance(listed, ast.Tuple):
        for call, bounds in zip(calls, given, strict=True):
            yield Replace(call, *_pair(bounds, ""))
        return
    pairs = [_pair(bounds, f"{i}_") for i, bounds in enumerate(given)]  # a list's elements are of one type
    pieces = {name: piece for _, named in pairs for name, piece in named.items()}
    text = _as_written(file, listed, [(c, pair) for c, (pair, _) in zip(calls, pairs, strict=True)])[1:-1]
    yield Replace(listed, f"({text}{',' if len(pairs) == 1 and not text.rstrip().endswith(',') else ''})", pieces)


def _as_written(file: FileFacts, node: ast.expr, changes: Sequence[tuple[ast.expr, str]]) -> str:
    """The template that keeps an expression as its author formatted it, but for these parts of it."""
    text, (done, end), template = file.source.text, file.source.span(node), ""
    for part, changed in changes:
        start, after = file.source.span(part)
        template, done = template + verbatim(text[done:start]) + changed, after
    template += verbatim(text[done:end])
    return template.replace("\n" + " " * file.statement_of(node).col_offset, "\n")


def _pair(bounds: Sequence[ast.expr | str], prefix: str) -> tuple[str, dict[str, ast.expr | str]]:
    names = [f"b{prefix}{i}" for i in range(len(bounds))]
    return f"({', '.join(f'{{{n}}}' for n in names)})", dict(zip(names, bounds, strict=True))
