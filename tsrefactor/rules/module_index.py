"""module-index."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tsrefactor.facts.definitions import Function
from tsrefactor.facts.diagnosis import Diagnosis
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.loop_edits import around_body, holds_modules, literal_bound, slice_guard
from tsrefactor.facts.module_loops import Loop, NotInOrder, container_kind, element_name, in_order
from tsrefactor.facts.names import fresh
from tsrefactor.facts.nodes import walk
from tsrefactor.facts.placement import is_tried
from tsrefactor.source.edits import Edit, Replace
from tsrefactor.source.excerpt import is_commented
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings

_LITERALS = "TorchScript indexes modules only with literals"
_SLICE = "TorchScript cannot call the modules of a slice of a ModuleList"
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
    `enumerate` where `i` is used, `zip` for several containers, a guard for a part of the range); `for i, conv in
    enumerate(self.convs)` that reads `self.norms[i]` takes both; so do a loop over a slice of a ModuleList (numbered or
    not), whose modules cannot be called there, and over a ModuleList reversed. Any other index goes through a small
    method that looks for the module.

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
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        for function in (f for cls in file.classes for f in file.methods_of(cls)):
            if not function.of(ast.For, ast.ListComp):
                continue
            inside = list(walk(function.node))
            taken = {n.id for n in inside if isinstance(n, ast.Name)}
            taken |= {n.arg for n in inside if isinstance(n, ast.arg)}
            for node in function.of(ast.For):
                yield from self._range_loop(Loop(function, node, taken))
                yield from self._container_loop(Loop(function, node, taken))
            yield from self._renamed(function, taken)

    def _at(self, function: Function, node: ast.AST) -> Diagnosis | None:
        lines = range(getattr(node, "lineno", 0), (getattr(node, "end_lineno", 0) or 0) + 1)
        here = (d for d in self.diagnoses(function.file) if d.place and d.place.line in lines)
        return next((d for d in here if d.names.get("attribute", "__call__") == "__call__"), None)

    # -- for i in range(…) -----------------------------------------------------------------------------------------

    def _range_loop(self, loop: Loop) -> Iterator[Finding]:
        function, node = loop.function, loop.node
        try:
            used, guard = in_order(loop)
        except NotInOrder:
            return  # each index on its own: see module-by-index
        if not used:
            return
        found = [s for subscripts in used.values() for s in subscripts]
        answered = self._at(function, found[0])
        held, index = _held(loop), loop.index
        assert index is not None
        names = {base: name for name, base in held.items() if base in used}
        alike = loop.are_alike([s[0].value for s in used.values()] + ([loop.numbered] if loop.numbered else []))
        if not alike and is_tried(function, node):
            return
        if loop.numbered is not None:
            assert isinstance(node.target, ast.Tuple)
            own = ast.unparse(loop.numbered)
            if own in names:
                return  # it has a second name
            names[own] = ast.unparse(node.target.elts[1])
            used = {own: used.get(own, []), **used}
        for base, subscripts in used.items():
            if base not in names:
                kind = container_kind(function, subscripts[0].value) or ""
                names[base] = loop.fresh(element_name(base, kind), "layer", "module")
        reads = [n for s in node.body for n in walk(s) if isinstance(n, ast.Name) and n.id == index]
        numbered = len(reads) > len(found) or bool(guard) or index in function.flow.live_after(node)
        over = ", ".join(used) if len(used) == 1 else f"zip({', '.join(used)})"
        target = ", ".join(names[base] for base in used)
        if numbered:
            over, target = f"enumerate({over})", f"{index}, {target if len(used) == 1 else f'({target})'}"
        changes: dict[ast.expr, str] = {s: names[base] for base, subscripts in used.items() for s in subscripts}
        message = f"{_LITERALS}; loop over {' and '.join(f'`{b}`' for b in used)}"
        edits = _rewritten(loop, target, over, changes, guard, len(held))
        caveat = (
            None if alike else "where one of them holds fewer modules, the loop ends there; it raised an IndexError"
        )
        yield self.finding(node, message, *edits, answers=answered, caveat=caveat)

    # -- for m in self.l[1:], in reversed(self.l) --------------------------------------------------------------------

    def _container_loop(self, loop: Loop) -> Iterator[Finding]:
        node, over = loop.node, loop.node.iter
        origin = loop.function.file.origin(over.func) if isinstance(over, ast.Call) else ""
        if isinstance(over, ast.Call) and origin in ("enumerate", "zip"):
            yield from self._part_of_all(loop, over, origin)
            return
        backwards = over.args[0] if isinstance(over, ast.Call) and origin == "reversed" and over.args else None
        if isinstance(over, ast.Subscript) and ast.unparse(over.slice) == "::-1":
            backwards = over.value
        if backwards is None and isinstance(over, ast.Subscript) and isinstance(over.slice, ast.Slice):
            if not holds_modules(loop.function, over.value):
                return
            text = ast.unparse(over.value)
            index = loop.fresh("i", "j", "index")
            guard = slice_guard(over.slice, text, index)
            why, reason = _SLICE, "its bounds are no literals" if guard is None else loop.refusal(guarded=True)
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

    def _part_of_all(self, loop: Loop, over: ast.Call, origin: str) -> Iterator[Finding]:
        """``for i, m in enumerate(self.l[1:])``, ``for m, n in zip(self.l[:-1], self.n)``: all modules are numbered so
        that the slice's first has the 0."""
        node, target, inner, index = loop.node, loop.node.target, over, None
        if over.keywords or not over.args:
            return
        parts = [over.args[0]] if origin == "enumerate" else over.args
        if origin == "enumerate":
            pair = target.elts if isinstance(target, ast.Tuple) and len(target.elts) == 2 else [None, target]
            index, target = pair[0].id if isinstance(pair[0], ast.Name) else None, pair[1] or target
            if isinstance(parts[0], ast.Call) and loop.function.file.origin(parts[0].func) == "zip":
                inner, parts = parts[0], parts[0].args
        whole = [p.value if isinstance(p, ast.Subscript) and isinstance(p.slice, ast.Slice) else p for p in parts]
        slices = [p.slice if p is not w else None for p, w in zip(parts, whole, strict=True)]  # type: ignore[attr-defined]
        if not any(slices) or inner.keywords or not all(holds_modules(loop.function, w) for w in whole):
            return
        answered, texts = self._at(loop.function, node), [ast.unparse(w) for w in whole]
        reason = loop.refusal(guarded=True)
        if origin == "enumerate" and (index is None or len(over.args) > 1):
            reason = "its target is no pair of names"
        elif index in loop.function.flow.live_after(node):
            reason = f"`{index}` is read after it"
        firsts = {literal_bound(s.lower) if s is not None and s.lower is not None else 0 for s in slices}
        index, first = index or loop.fresh("i", "j", "index"), max(firsts, key=lambda n: -1 if n is None else n) or 0
        guards = [slice_guard(s, t, index, first) for s, t in zip(slices, texts, strict=True) if s is not None]
        if len(firsts) > 1 or None in firsts | set(guards) or first < 0:
            reason = "its bounds are no literals, or not alike"
        if reason is not None:
            yield self.finding(node, f"{_SLICE}, and {reason}", answers=answered)
            return
        over_all = texts[0] if len(texts) == 1 and inner is over else f"zip({', '.join(texts)})"
        named = ast.unparse(target) if isinstance(target, ast.Name) else f"({ast.unparse(target).strip('()')})"
        numbered = f"enumerate({over_all}, {-first})" if first else f"enumerate({over_all})"
        guard = " and ".join(dict.fromkeys(filter(None, guards)))
        edits = _rewritten(loop, f"{index}, {named}", numbered, {}, guard)
        yield self.finding(node, f"{_SLICE}; loop over all of it", *edits, answers=answered)

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


def _held(loop: Loop) -> dict[str, str]:
    """Name → container, for the statements at the loop's head that only give a module of this round a name."""
    found: dict[str, str] = {}
    flow, index = loop.function.flow, loop.index
    for place, statement in enumerate(loop.node.body[:-1]):
        value = statement.value if isinstance(statement, ast.Assign) else None
        named = isinstance(statement, ast.Assign) and len(statement.targets) == 1 and statement.targets[0]
        if not isinstance(value, ast.Subscript) or ast.unparse(value.slice) != index or not isinstance(named, ast.Name):
            break
        base, elsewhere = (
            ast.unparse(value.value),
            flow.live_after(loop.node) | flow.writes(loop.node.body[place + 1 :]),
        )
        if named.id in elsewhere | set(found) or base in found.values():
            break
        if container_kind(loop.function, value.value) is None or is_commented(loop.function.file.source, statement):
            break
        found[named.id] = base
    return found


def _rewritten(
    loop: Loop, target: str, over: str, changes: dict[ast.expr, str], guard: str, dropped: int = 0
) -> list[Edit]:
    """The loop over the containers, without the first statements of its body that are ``dropped``; without a guard the
    others stay where they are."""
    node = loop.node
    if not guard:
        gone = node.body[:dropped]
        inside = {n for s in gone for n in walk(s)}
        edits: list[Edit] = [Replace([s], "") for s in gone]
        new = {node.target: target, node.iter: over} | {n: text for n, text in changes.items() if n not in inside}
        return edits + [Replace(old, text) for old, text in new.items()]
    template = f"for {target} in {over}:{{beside}}\n    if {guard}:\n        {{body}}\n{{below}}"
    return [around_body(loop, template, 2, changes, dropped)]
