"""zip-modules."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from tsrefactor.facts.definitions import Function
from tsrefactor.facts.diagnosis import Diagnosis
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.filling import lengths
from tsrefactor.facts.loop_edits import Part, around_body, holds_modules, part_of
from tsrefactor.facts.module_loops import Loop
from tsrefactor.facts.names import fresh
from tsrefactor.facts.nodes import walk
from tsrefactor.source.edits import Edit, Replace
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings

_WHY = "TorchScript cannot zip modules with a list"
_SLICE = "TorchScript cannot call the modules of a slice of a ModuleList"
_SHORTER = "a list of fewer elements than there are modules raises an IndexError, where `zip` stops"
_HEAD = """\
import torch
from torch import nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
"""


def _example(before: str, after: str, inputs: str, error: str) -> Example:
    """An example of the methods of a model, from where its modules are made."""
    return Example(_HEAD + before, _HEAD + after, inputs, Target.SCRIPT, error=error)


class ZipModules(Rule):
    """Read a list by index where a loop zips it with modules.

    TorchScript unrolls a loop over modules, and so must know how long all is that the loop goes over: a ModuleList it
    knows, a list, a tensor or a range not. `for conv, x in zip(self.convs, xs)` becomes a loop over `self.convs` with
    `enumerate`, which reads `xs[i]` where there is one; `zip` stops at the end of the shorter. A list may be sliced
    (`xs[1:]`, `noise[1::2]`) or reversed, and a range counts up or down by one. Of a ModuleList only a slice's index is
    taken: `self.norms[i + 1](x)`, for which module-by-index finds the module.

    A comprehension has no place for that question: where the list may be shorter, a caveat tells that it raises then.

    Left alone: tuples, whose length TorchScript knows; loops with `break` or `continue`, which an unrolled loop cannot
    have; lists that the loop changes; other arguments of `zip` than names, attributes and ranges.

    Source: "Can not iterate over a module list or tuple with a value that does not have a statically determinable
    length", raised by torch/csrc/jit/frontend/ir_emitter.cpp.
    """

    name = "zip-modules"
    targets = frozenset({Target.SCRIPT})
    answers = frozenset({"iterate-module", "missing-attribute", "no-attribute-on-type"})
    examples = [
        _example(
            """\
        self.convs = nn.ModuleList([nn.Linear(4, 4) for _ in range(3)])

    def forward(self, xs: list[torch.Tensor]):
        y = torch.zeros_like(xs[0])
        for conv, x in zip(self.convs, xs[1:]):  # the first is only measured
            y = y + conv(x)
        for x, conv in zip(reversed(xs), self.convs):
            y = y * conv(x)
        return y
""",
            """\
        self.convs = nn.ModuleList([nn.Linear(4, 4) for _ in range(3)])

    def forward(self, xs: list[torch.Tensor]):
        y = torch.zeros_like(xs[0])
        for i, conv in enumerate(self.convs):  # the first is only measured
            if i + 1 < len(xs):
                x = xs[i + 1]
                y = y + conv(x)
        for j, conv in enumerate(self.convs):
            if j < len(xs):
                x = xs[-1 - j]
                y = y * conv(x)
        return y
""",
            "[([torch.rand(2, 4) for _ in range(4)],), ([torch.rand(3, 4) for _ in range(2)],)]",
            "statically determinable",
        ),
        _example(
            """\
        self.convs = nn.ModuleList([nn.Linear(4, 4) for _ in range(3)])

    def forward(self, x):
        parts = [x, x * 2, x - 1]
        return torch.cat([conv(part) + part for part, conv in zip(parts, self.convs)])
""",
            """\
        self.convs = nn.ModuleList([nn.Linear(4, 4) for _ in range(3)])

    def forward(self, x):
        parts = [x, x * 2, x - 1]
        return torch.cat([conv(parts[i]) + parts[i] for i, conv in enumerate(self.convs)])
""",
            "[(torch.rand(3, 4),), (torch.rand(6, 4),)]",
            "statically determinable",
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        if not file.mentions("zip("):
            return
        for function in file.functions:
            if function.cls is None or not any(True for _ in function.calls("zip")):
                continue
            inside = list(walk(function.node))
            taken = {n.id for n in inside if isinstance(n, ast.Name)}
            taken |= {n.arg for n in inside if isinstance(n, ast.arg)}
            for node in function.of(ast.For, ast.ListComp, ast.GeneratorExp):
                if isinstance(node, ast.For):
                    yield from self._loop(Loop(function, node, taken))
                else:
                    yield from self._comprehension(function, node, taken)

    def _at(self, function: Function, node: ast.AST) -> Diagnosis | None:
        lines = range(getattr(node, "lineno", 0), (getattr(node, "end_lineno", 0) or 0) + 1)
        here = (d for d in self.diagnoses(function.file) if d.place and d.place.line in lines)
        return next((d for d in here if d.names.get("attribute", "__call__") == "__call__"), None)

    def _loop(self, loop: Loop) -> Iterator[Finding]:
        function, node = loop.function, loop.node
        target, over, numbered = node.target, node.iter, None
        if isinstance(over, ast.Call) and function.file.origin(over.func) == "enumerate" and len(over.args) == 1:
            if not isinstance(target, ast.Tuple) or len(target.elts) != 2 or not isinstance(target.elts[0], ast.Name):
                return
            numbered, target, over = target.elts[0].id, target.elts[1], over.args[0]
        if not isinstance(over, ast.Call) or function.file.origin(over.func) != "zip" or over.keywords:
            return
        if not isinstance(target, ast.Tuple) or len(target.elts) != len(over.args):
            return
        pairs = list(zip(target.elts, over.args, strict=True))
        parts = [part_of(function, t, a) for t, a in pairs]
        known = [p for p in parts if p is not None]
        modules = [p for p in known if p.modules and p.whole]
        slices = [p for p in known if p.modules and not p.whole]
        lists = [p for p in known if not p.modules]
        if not modules or len(modules) == len(parts) or any(function.type_of(p.base).name == "Tuple" for p in lists):
            return
        answered = self._at(function, node if slices else over)
        why = _WHY if lists or not slices else _SLICE
        changing = function.flow.writes(node.body) | function.flow.writes(node.target)
        fixed = all(
            not function.flow.reads(p.base) & changing if p.counted is not None else loop.is_fixed(p.base)
            for p in lists
        )
        whole = all(p.whole or _unchanged(loop, p.base) for p in lists)
        typed = all(
            p.counted is not None or function.type_of(p.base, presume=True).name in ("List", "Tensor") for p in lists
        )
        reason = loop.refusal()
        if reason is None and (len(known) != len(parts) or not fixed or not whole or not (typed or answered)):
            reason = "what is beside them is no plain list"
        changes: dict[ast.expr, str] = {}
        counters = [p.target.id for p in lists if isinstance(p.target, ast.Name) and (p.counted or "")[::2] == ("0", 1)]
        free = [name for name in counters if name not in function.flow.live_after(node)]
        index = numbered or (free[0] if free else loop.fresh("i", "j", "index"))
        for part in slices:
            calls = _calls(loop, part)
            reason = reason or ("a module of a slice is not only called, always alike" if calls is None else None)
            changes |= {read: part.element(index) for read in calls or ()}
        if reason is not None:
            yield self.finding(node, f"{why}, and {reason}", answers=answered)
            return
        yield self._read_by_index(loop, index, modules, [*slices, *lists], lists, changes, typed, why, answered)

    def _read_by_index(
        self,
        loop: Loop,
        index: str,
        modules: Sequence[Part],
        others: Sequence[Part],
        lists: Sequence[Part],
        changes: dict[ast.expr, str],
        typed: bool,
        why: str,
        answered: Diagnosis | None,
    ) -> Finding:
        counts = [n for part in modules for n in lengths(loop.function, part.base)]
        guards = [part.guard(index) for part in others if not part.as_long_as(counts)]
        guarded = bool(guards) and loop.refusal(guarded=True) is None
        names = ", ".join(ast.unparse(p.target) for p in modules)
        held = ", ".join(ast.unparse(p.base) for p in modules)
        if len(modules) > 1:
            names, held = f"({names})", f"zip({held})"
        step = "    " * (2 if guarded else 1)
        read_by = [(ast.unparse(p.target), p.element(index)) for p in lists]
        reads = "".join(f"{step}{name} = {element}\n" for name, element in read_by if name != element)
        test = f"    if {' and '.join(guards)}:\n" if guarded else ""
        template = f"for {index}, {names} in enumerate({held}):{{beside}}\n{test}{reads}{step}{{body}}\n{{below}}"
        edit = around_body(loop, template, 2 if guarded else 1, changes)
        presumed = not typed or (
            bool(guards) and not guarded
        )  # without a guard a list shorter than the modules would raise
        read = f"`{lists[0].element(index)}`" if lists else f"`{others[0].element(index)}`"
        message = f"{why}; loop over the modules and take {read}"
        caveat = _SHORTER if guards and not guarded else None
        return self.finding(loop.node, message, edit, presumed=presumed, caveat=caveat, answers=answered)

    def _comprehension(
        self, function: Function, node: ast.ListComp | ast.GeneratorExp, taken: set[str]
    ) -> Iterator[Finding]:
        """``[m(x) for m, x in zip(self.l, xs)]``: the list is read by index where its element is used."""
        generator = node.generators[0]
        target, over = generator.target, generator.iter
        if not isinstance(over, ast.Call) or function.file.origin(over.func) != "zip" or len(node.generators) > 1:
            return
        if not isinstance(target, ast.Tuple) or len(target.elts) != len(over.args) or generator.ifs:
            return
        pairs = list(zip(target.elts, over.args, strict=True))
        modules = [p for p in pairs if holds_modules(function, p[1])]
        lists = {t.id: a for t, a in pairs if isinstance(t, ast.Name) and isinstance(a, (ast.Name, ast.Attribute))}
        lists = {name: a for name, a in lists.items() if all(a is not m for _, m in modules)}
        if len(pairs) != 2 or len(modules) != 1 or len(lists) != 1:
            return
        index = fresh(taken, "i", "j", "k", "index")
        names = (index, ast.unparse(modules[0][0]))
        edits: list[Edit] = [Replace(over, f"enumerate({ast.unparse(modules[0][1])})")]
        edits += [Replace(t, name) for t, name in zip(target.elts, names, strict=True)]
        for read in ast.walk(node.elt):
            if isinstance(read, ast.Name) and read.id in lists:
                edits.append(Replace(read, f"{ast.unparse(lists[read.id])}[{index}]"))
        message = f"{_WHY}; read the list by index, as in `{ast.unparse(*lists.values())}[{index}]`"
        [listed] = lists.values()
        caveat = None if _is_as_long(function, listed, modules[0][1]) else _SHORTER
        yield self.finding(node, message, *edits, presumed=True, caveat=caveat, answers=self._at(function, over))


def _is_as_long(function: Function, listed: ast.expr, modules: ast.expr) -> bool:
    """Whether a list is written out with as many elements as there are modules."""
    values = list(function.types.bindings.values.get(listed.id, ())) if isinstance(listed, ast.Name) else []
    made = values[0] if len(values) == 1 else None
    if not isinstance(made, ast.List) or any(isinstance(e, ast.Starred) for e in made.elts):
        return False
    return str(len(made.elts)) in lengths(function, modules)


def _unchanged(loop: Loop, base: ast.expr) -> bool:
    """Whether the loop does not change a list, of which a slice would be a copy."""
    flow = loop.function.flow
    return not flow.mutates(loop.node.body) & flow.reads(base)


def _calls(loop: Loop, part: Part) -> list[ast.expr] | None:
    """Where the loop reads the name of a slice's module, when that is only to call it, always alike."""
    if not isinstance(part.target, ast.Name) or part.target.id in loop.function.flow.live_after(loop.node):
        return None
    parents = loop.function.file.parents
    reads = [n for s in loop.node.body for n in walk(s) if isinstance(n, ast.Name) and n.id == part.target.id]
    calls = [c for n in reads if isinstance(c := parents[n], ast.Call) and c.func is n]
    shapes = {(len(c.args), tuple(k.arg for k in c.keywords)) for c in calls}
    return list(reads) if len(calls) == len(reads) and len(shapes) == 1 else None
