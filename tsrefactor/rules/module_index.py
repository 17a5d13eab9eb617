"""module-index."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tsrefactor.facts.definitions import Class, Function
from tsrefactor.facts.diagnosis import Diagnosis
from tsrefactor.facts.dispatch import method_name, passed_on
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.loop_edits import around_body, holds_modules
from tsrefactor.facts.module_loops import (
    Loop,
    NotInOrder,
    container_kind,
    element_name,
    from_end,
    guard_of,
    is_computed_index,
    never_negative,
)
from tsrefactor.facts.names import fresh
from tsrefactor.facts.nodes import walk
from tsrefactor.source.edits import Edit, InsertAfter, Replace
from tsrefactor.source.imports import Import
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings, kept_arguments, preview

_LITERALS = "TorchScript indexes modules only with literals"
_HEAD = """\
import torch
from torch import nn


class Model(nn.Module):
"""
_LAYERS = """\
    def __init__(self, depth=3):
        super().__init__()
        self.depth = depth
        self.layers = nn.ModuleList([nn.Linear(4, 4) for _ in range(depth)])
        self.norms = nn.ModuleList([nn.LayerNorm(4) for _ in range(depth)])

"""


def _example(before: str, after: str) -> Example:
    """An example of the methods of a model."""
    inputs = "[(torch.rand(2, 4),), (torch.rand(3, 4),)]"
    return Example(_HEAD + before, _HEAD + after, inputs, Target.SCRIPT, error="Expected integer literal")


class ModuleIndex(Rule):
    """Loop over the modules of a ModuleList instead of indexing it.

    TorchScript unrolls a loop over a ModuleList, Sequential or ParameterList, and so knows the type of each; an index
    must be an integer literal. `for i in range(n): x = self.layers[i](x)` becomes a loop over `self.layers` (with
    `enumerate` where `i` is used, `zip` for several containers, a guard for a part of the range); so do a loop over a
    slice of a ModuleList, whose modules cannot be called there, and over a ModuleList reversed. Any other index goes
    through a small method that looks for the module.

    The loop variable gets a name of its own: TorchScript takes no second module under one name. Left alone: loops with
    `break` or `continue`, which an unrolled loop cannot have, and loops that would come to stand behind a guard while
    they alone define a name that is read later. A range whose end nothing ties to the number of modules gets a
    guard; so it is right for every instance, whatever its number of modules.

    Source: "Expected integer literal for index", raised by torch/csrc/jit/python/python_sugared_value.cpp.
    """

    name = "module-index"
    targets = frozenset({Target.SCRIPT})
    answers = frozenset({"integer-literal-index", "iterate-module", "reassign-module", "missing-attribute"})
    examples = [
        _example(
            _LAYERS
            + """\
    def forward(self, x):
        for i in range(self.depth):  # all of them
            x = x + torch.relu(self.layers[i](x))
            # and once more
        return x
""",
            _LAYERS
            + """\
    def forward(self, x):
        for layer in self.layers:  # all of them
            x = x + torch.relu(layer(x))
            # and once more
        return x
""",
        ),
        _example(
            _LAYERS
            + """\
    def forward(self, x):
        outs = [x]
        for i in range(len(self.layers)):
            y = self.layers[i](outs[i])
            outs.append(self.norms[i](y))
        return outs[-1]
""",
            _LAYERS
            + """\
    def forward(self, x):
        outs = [x]
        for i, (layer, norm) in enumerate(zip(self.layers, self.norms)):
            y = layer(outs[i])
            outs.append(norm(y))
        return outs[-1]
""",
        ),
        _example(
            _LAYERS
            + """\
    def forward(self, x):
        x = self.layers[0](x)
        for i in range(1, self.depth - 1):
            x = self.layers[i](torch.relu(x))
        return self.layers[-1](x)
""",
            _LAYERS
            + """\
    def forward(self, x):
        x = self.layers[0](x)
        for i, layer in enumerate(self.layers):
            if 1 <= i < self.depth - 1:
                x = layer(torch.relu(x))
        return self.layers[-1](x)
""",
        ),
        _example(
            """\
    def __init__(self):
        super().__init__()
        self.ups = nn.ModuleList([nn.Linear(4, 4) for _ in range(2)])
        self.blocks = nn.ModuleList([nn.Linear(4, 4) for _ in range(6)])

    def forward(self, x):
        for i in range(2):
            x = self.ups[i](x)
            total = torch.zeros_like(x)
            for j in range(3):
                total = total + self.blocks[i * 3 + j](x)
            x = total / 3
        return x
""",
            """\
    def __init__(self):
        super().__init__()
        self.ups = nn.ModuleList([nn.Linear(4, 4) for _ in range(2)])
        self.blocks = nn.ModuleList([nn.Linear(4, 4) for _ in range(6)])

    def forward(self, x):
        for i, up in enumerate(self.ups):
            x = up(x)
            total = torch.zeros_like(x)
            for j in range(3):
                total = total + self._call_block(i * 3 + j, x)
            x = total / 3
        return x

    def _call_block(self, index: int, x):
        for i, block in enumerate(self.blocks):
            if i == index:
                return block(x)
        raise IndexError('blocks')
""",
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        for cls in file.classes:
            general: dict[str, list[tuple[Function, ast.Subscript]]] = {}
            for function in file.methods_of(cls):
                if not function.of(ast.For, ast.ListComp, ast.Subscript):
                    continue
                inside = list(walk(function.node))
                taken = {n.id for n in inside if isinstance(n, ast.Name)}
                taken |= {n.arg for n in inside if isinstance(n, ast.arg)}
                done: set[ast.AST] = set()
                for node in function.of(ast.For):
                    yield from self._range_loop(Loop(function, node, taken), done)
                    yield from self._container_loop(Loop(function, node, taken))
                for index in function.of(ast.Subscript):
                    if index not in done and is_computed_index(function, index):
                        general.setdefault(ast.unparse(index.value), []).append((function, index))
                yield from self._renamed(function, taken)
            given: set[str] = set()
            for sites in general.values():
                yield from self._dispatched(cls, sites, given)

    def _at(self, function: Function, node: ast.AST) -> Diagnosis | None:
        lines = range(getattr(node, "lineno", 0), (getattr(node, "end_lineno", 0) or 0) + 1)
        here = (d for d in self.diagnoses(function.file) if d.place and d.place.line in lines)
        return next((d for d in here if d.names.get("attribute", "__call__") == "__call__"), None)

    # -- for i in range(…) -----------------------------------------------------------------------------------------

    def _range_loop(self, loop: Loop, done: set[ast.AST]) -> Iterator[Finding]:
        function, node, used = loop.function, loop.node, loop.indexed()
        if not used:
            return
        found = [s for subscripts in used.values() for s in subscripts]
        answered = self._at(function, found[0])
        try:
            guard = guard_of(loop, [subscripts[0].value for subscripts in used.values()])
        except NotInOrder:
            return  # each index on its own: see `_dispatched`
        done.update(found)
        reason = loop.refusal(guarded=bool(guard))
        if any(not isinstance(s.ctx, ast.Load) for s in found):
            reason = "the loop replaces modules"
        if reason is not None:
            yield self.finding(node, f"{_LITERALS}, and {reason}", answers=answered)
            return
        assert isinstance(node.target, ast.Name)
        names = {}
        for base, subscripts in used.items():
            kind = container_kind(function, subscripts[0].value) or ""
            names[base] = loop.fresh(element_name(base, kind), "layer", "module")
        index = node.target.id
        reads = [n for s in node.body for n in walk(s) if isinstance(n, ast.Name) and n.id == index]
        numbered = len(reads) > len(found) or bool(guard) or index in function.flow.live_after(node)
        over = ", ".join(used) if len(used) == 1 else f"zip({', '.join(used)})"
        target = ", ".join(names.values())
        if numbered:
            over, target = f"enumerate({over})", f"{index}, {target if len(used) == 1 else f'({target})'}"
        changes: dict[ast.expr, str] = {s: names[base] for base, subscripts in used.items() for s in subscripts}
        message = f"{_LITERALS}; loop over {' and '.join(f'`{b}`' for b in used)}"
        edits = _rewritten(loop, target, over, changes, guard)
        yield self.finding(node, message, *edits, answers=answered)

    # -- for m in self.l[1:], in reversed(self.l) --------------------------------------------------------------------

    def _container_loop(self, loop: Loop) -> Iterator[Finding]:
        node, over = loop.node, loop.node.iter
        origin = loop.function.file.origin(over.func) if isinstance(over, ast.Call) else ""
        backwards = over.args[0] if isinstance(over, ast.Call) and origin == "reversed" and over.args else None
        if isinstance(over, ast.Subscript) and ast.unparse(over.slice) == "::-1":
            backwards = over.value
        if backwards is None and isinstance(over, ast.Subscript) and isinstance(over.slice, ast.Slice):
            if not holds_modules(loop.function, over.value):
                return
            text = ast.unparse(over.value)
            index = loop.fresh("i", "j", "index")
            guard = _slice_guard(over.slice, text, index)
            why = "TorchScript cannot call the modules of a slice of a ModuleList"
            reason = "its bounds are no literals" if guard is None else loop.refusal(guarded=True)
            edits = _rewritten(loop, f"{index}, {ast.unparse(node.target)}", f"enumerate({text})", {}, guard or "")
        elif backwards is not None and holds_modules(loop.function, backwards):
            text, outer, inner = ast.unparse(backwards), loop.fresh("i", "index"), loop.fresh("j", "k", "other")
            why, reason = "TorchScript cannot reverse a ModuleList", loop.refusal(guarded=True)
            template = (
                f"for {outer} in range(len({text}) - 1, -1, -1):{{beside}}\n"
                f"    for {inner}, {ast.unparse(node.target)} in enumerate({text}):\n"
                f"        if {inner} == {outer}:\n            {{body}}\n{{below}}"
            )
            edits = [around_body(loop, template, 3)]
        else:
            return
        answered = self._at(loop.function, node)  # the compiler points at the call in the loop
        if reason is not None or not isinstance(node.target, ast.Name):
            yield self.finding(node, f"{why}, and {reason or 'its target is no name'}", answers=answered)
        else:
            yield self.finding(node, f"{why}; loop over all of it", *edits, answers=answered)

    # -- self.l[k] ---------------------------------------------------------------------------------------------------

    def _dispatched(
        self, cls: Class, sites: list[tuple[Function, ast.Subscript]], given: set[str]
    ) -> Iterator[Finding]:
        """Any other index: a method that looks for the module. One finding for all uses of one container.

        ``given``: names of such methods of the class, of this pass.
        """
        function, node = sites[0]
        file, text = function.file, ast.unparse(node.value)
        answered = next((d for f, n in sites if (d := self._at(f, n))), None)
        for site in list(sites):
            if back := from_end(site[1]):
                edit = Replace(site[1].slice, f"-{back}")
                yield self.finding(site[1], f"{_LITERALS}; write `-{back}`", edit, answers=answered)
                sites.remove(site)
        if not sites:
            return
        function, node = sites[0]
        attribute = function.self_attribute(node.value)
        kind = container_kind(function, node.value) or ""
        calls = [c for f, n in sites if isinstance(c := file.parents[n], ast.Call) and c.func is n]
        shapes = {(len(c.args), tuple(k.arg for k in c.keywords)) for c in calls}
        reason = None
        if attribute is None:
            reason = f"`{text}` is no attribute of self"
        elif any(not isinstance(n.ctx, ast.Load) for _, n in sites):
            reason = "the container is changed"
        elif kind != "torch.nn.ParameterList" and (len(shapes) != 1 or len(calls) != len(sites)):
            reason = "the module is not only called, always with the same arguments"
        elif any(isinstance(a, ast.Starred) for c in calls for a in c.args) or any(None in s[1] for s in shapes):
            reason = "it is called with * or **"
        if reason is not None or attribute is None:
            yield self.finding(node, f"{_LITERALS}, and {reason}", answers=answered)
            return
        edits, imports = _dispatch(cls, attribute, kind, sites, given)
        first = edits[0]
        assert isinstance(first, Replace)
        message = f"{_LITERALS}; write `{preview(first.template, first.pieces)}`, a method that looks for the module"
        yield self.finding(node, message, *edits, imports=imports, answers=answered)

    # -- a second module under one name --------------------------------------------------------------------------------

    def _renamed(self, function: Function, taken: set[str]) -> Iterator[Finding]:
        for diagnosis in self.diagnoses(function.file):
            if diagnosis.kind != "reassign-module" or diagnosis.place is None:
                continue
            variable = diagnosis.names.get("variable", "")
            for node in function.of(ast.For, ast.ListComp):
                if node.lineno != diagnosis.place.line:
                    continue
                target = node.target if isinstance(node, ast.For) else node.generators[0].target
                if variable not in function.flow.writes(target):
                    continue
                if isinstance(node, ast.For) and variable in function.flow.live_after(node):
                    message = f"TorchScript takes no second module as `{variable}`, which is read after the loop"
                    yield self.finding(node, message, answers=diagnosis)
                    continue
                name = fresh(taken, variable)
                taken.add(name)
                uses = [n for n in walk(node) if isinstance(n, ast.Name) and n.id == variable]
                edits = [Replace(n, name) for n in uses]
                message = f"TorchScript takes no second module as `{variable}`; call it `{name}`"
                yield self.finding(node, message, *edits, answers=diagnosis)


def _slice_guard(bounds: ast.Slice, text: str, index: str) -> str | None:
    """The condition on the index that a slice stands for; None where it is not of literals without a step."""
    parts = []
    for bound, sign in ((bounds.lower, ">="), (bounds.upper, "<")):
        if bound is None:
            continue
        negative = isinstance(bound, ast.UnaryOp) and isinstance(bound.op, ast.USub)
        literal = bound.operand if isinstance(bound, ast.UnaryOp) and negative else bound
        if not isinstance(literal, ast.Constant) or not isinstance(literal.value, int):
            return None
        parts.append(f"{index} {sign} len({text}) - {literal.value}" if negative else f"{index} {sign} {literal.value}")
    return " and ".join(parts) if bounds.step is None else None


def _rewritten(loop: Loop, target: str, over: str, changes: dict[ast.expr, str], guard: str) -> list[Edit]:
    """The loop over the containers; without a guard its lines stay where they are."""
    node = loop.node
    if not guard:
        return [Replace(old, new) for old, new in {node.target: target, node.iter: over, **changes}.items()]
    template = f"for {target} in {over}:{{beside}}\n    if {guard}:\n        {{body}}\n{{below}}"
    return [around_body(loop, template, 2, changes)]


def _dispatch(
    cls: Class, attribute: str, kind: str, sites: list[tuple[Function, ast.Subscript]], given: set[str]
) -> tuple[list[Edit], frozenset[Import]]:
    """The method that finds the module by its index and calls it, and the calls of that method."""
    file, word = cls.file, element_name(attribute, kind)
    calls = kind != "torch.nn.ParameterList"
    told = word if word in attribute.lower() else attribute.strip("_").lower()
    name = method_name(cls, given, f"_call_{told}" if calls else f"_get_{told}")
    function, first = sites[-1]
    call = file.parents[first] if calls else None
    taken = {"self", "index", "i", word}
    others = [c for c in (file.parents[node] for _, node in sites) if isinstance(c, ast.Call)] if calls else []
    parameters, passed, imports = passed_on(function, call if isinstance(call, ast.Call) else None, taken, others)
    edits: list[Edit] = [_call_of(site, node, name, calls) for site, node in sites]
    index = "index" if "index" not in passed else "at"
    negative = any(not never_negative(f, n.slice) for f, n in sites)
    test = f"i == {index}" + (f" or i - len(self.{attribute}) == {index}" if negative else "")
    result = f"{word}({', '.join(passed)})" if calls else word
    method = (
        f"\ndef {name}(self, {', '.join([f'{index}: int', *parameters])}):\n"
        f"    for i, {word} in enumerate(self.{attribute}):\n"
        f"        if {test}:\n            return {result}\n"
        f"    raise IndexError('{attribute}')"
    )
    edits.append(InsertAfter(function.node, "{method}", {"method": method}))
    return edits, imports


def _call_of(function: Function, node: ast.Subscript, name: str, calls: bool) -> Replace:
    """``self.name(index, …)`` in the place of ``self.l[index](…)``."""
    call = function.file.parents[node]
    if not calls or not isinstance(call, ast.Call):
        return Replace(node, f"{function.self_name}.{name}({{index}})", {"index": node.slice})
    parts, pieces = kept_arguments(call.args, call.keywords)
    template = f"{function.self_name}.{name}({', '.join(['{index}', *parts])})"
    return Replace(call, template, {"index": node.slice, **pieces})
