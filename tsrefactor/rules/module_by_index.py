"""module-by-index."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tsrefactor.facts.definitions import Class, Function
from tsrefactor.facts.diagnosis import Diagnosis
from tsrefactor.facts.dispatch import Dispatch, dispatches
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.lookups import Lookup, Use, looked_up, passed_through
from tsrefactor.facts.module_indices import container_at, from_end, is_computed_index, never_negative
from tsrefactor.facts.module_loops import Loop, NotInOrder, container_kind, element_name, in_order
from tsrefactor.source.edits import Edit, InsertAfter, Replace
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings, preview

_LITERALS = "TorchScript indexes modules only with literals"
_HEAD = """\
import torch
from torch import nn


class Model(nn.Module):
    def __init__(self, depth=3):
        super().__init__()
        self.depth = depth
        self.layers = nn.ModuleList([nn.Linear(4, 4) for _ in range(depth)])
"""


def _example(before: str, after: str) -> Example:
    """An example of the methods of a model, from where its modules are made."""
    inputs = "[(torch.rand(2, 4),), (torch.rand(3, 4),)]"
    return Example(_HEAD + before, _HEAD + after, inputs, Target.SCRIPT, error="Expected integer literal")


class ModuleByIndex(Rule):
    """Call a module through a small method where its index is computed.

    An index into a ModuleList, Sequential or ParameterList must be an integer literal. Where no loop over the container
    can take the place of the index (module-index), `self.layers[k](x)` becomes `self._call_layer(k, x)`: a method that
    looks for the module. So do calls of the module's methods, reads of its attributes, and a module that is held by
    a variable first. `self.layers[len(self.layers) - 1]` becomes `self.layers[-1]`.

    The modules must take the same arguments and give results of one type. Left alone: modules that go other ways than
    these, for example as an argument; containers of which modules are replaced.

    Source: "Expected integer literal for index", raised by torch/csrc/jit/python/python_sugared_value.cpp.
    """

    name = "module-by-index"
    targets = frozenset({Target.SCRIPT})
    answers = frozenset({"integer-literal-index", "missing-attribute"})
    examples = [
        _example(
            """\
        self.blocks = nn.ModuleList([nn.Linear(4, 4) for _ in range(3 * depth)])

    def forward(self, x):
        for i, layer in enumerate(self.layers):
            x = layer(x)
            total = torch.zeros_like(x)
            for j in range(3):
                total = total + self.blocks[i * 3 + j](x)
            x = total / 3
        return x
""",
            """\
        self.blocks = nn.ModuleList([nn.Linear(4, 4) for _ in range(3 * depth)])

    def forward(self, x):
        for i, layer in enumerate(self.layers):
            x = layer(x)
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
        _example(
            """\

    def forward(self, x):
        for i in range(self.depth - 1, -1, -1):
            layer = self.layers[i]
            x = layer(x)
            if i == 1:  # enough
                break
        return x @ self.layers[self.depth // 2].weight
""",
            """\

    def forward(self, x):
        for i in range(self.depth - 1, -1, -1):
            x = self._call_layer(i, x)
            if i == 1:  # enough
                break
        return x @ self._get_layer_weight(self.depth // 2)

    def _call_layer(self, index: int, x):
        for i, layer in enumerate(self.layers):
            if i == index:
                return layer(x)
        raise IndexError('layers')

    def _get_layer_weight(self, index: int):
        for i, layer in enumerate(self.layers):
            if i == index or i - len(self.layers) == index:
                return layer.weight
        raise IndexError('layers')
""",
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        for cls in file.classes:
            containers: dict[str, list[tuple[Function, ast.Subscript]]] = {}
            for function in (f for f in file.methods_of(cls) if f.of(ast.Subscript)):
                computed = [n for n in function.of(ast.Subscript) if is_computed_index(function, n)]
                ordered = _read_in_order(function) if computed else set()
                for node in (n for n in computed if n not in ordered):
                    containers.setdefault(ast.unparse(node.value), []).append((function, node))
            given: set[str] = set()
            for sites in containers.values():
                yield from self._container(cls, sites, given)

    def _at(self, function: Function, node: ast.AST) -> Diagnosis | None:
        lines = range(getattr(node, "lineno", 0), (getattr(node, "end_lineno", 0) or 0) + 1)
        here = (d for d in self.diagnoses(function.file) if d.place and d.place.line in lines)
        return next((d for d in here if d.names.get("attribute", "__call__") == "__call__"), None)

    def _container(self, cls: Class, sites: list[tuple[Function, ast.Subscript]], given: set[str]) -> Iterator[Finding]:
        """One finding for all uses of one container. ``given``: names of such methods of the class, of this pass."""
        answered = next((d for f, n in sites if (d := self._at(f, n))), None)
        lookups = []
        for function, node in sites:
            if back := from_end(node):
                edit = Replace(node.slice, f"-{back}")
                yield self.finding(node, f"{_LITERALS}; write `-{back}`", edit, answers=answered)
                continue
            lookup, reason = _lookup(function, node)
            if lookup is None:
                yield self.finding(node, f"{_LITERALS}, and {reason}", answers=answered)
            else:
                lookups.append(lookup)
        if not lookups:
            return
        first = lookups[0]
        assert isinstance(first.node, ast.Subscript)
        kind = container_kind(first.function, first.node.value) or ""
        text = ast.unparse(first.node.value)
        word = element_name(text, kind)
        told = word if word in text.lower() else text.rpartition(".")[2].strip("_").lower()
        try:
            methods = dispatches(cls, lookups, told, given, {"self", "index", "i", word})
        except ValueError:
            message = f"{_LITERALS}, and an argument has a type that no annotation says"
            yield self.finding(first.node, message, answers=answered)
            return
        edits: list[Edit] = passed_through(
            lookups, {use: m.name for m in methods for _, use in m.uses}, ("index", "position")
        )
        written = edits[0] if first.held is None else edits[sum(lookup.held is not None for lookup in lookups)]
        assert isinstance(written, Replace)
        edits += [InsertAfter(m.last.node, "{method}", {"method": _method(m, text, word)}) for m in methods]
        imports = {i for m in methods for i in m.imports}
        presumed = any(u.call is None and not f.function.type_of(u.node).known for m in methods for f, u in m.uses)
        message = (
            f"{_LITERALS}; write `{preview(written.template, written.pieces)}`, a method that looks for the module"
        )
        yield self.finding(first.node, message, *edits, imports=imports, presumed=presumed, answers=answered)


def _read_in_order(function: Function) -> set[ast.AST]:
    """The reads for which module-index writes a loop over the container."""
    found: set[ast.AST] = set()
    for node in function.of(ast.For):
        try:
            used, _ = in_order(Loop(function, node, set()))
        except NotInOrder:
            continue
        found.update(read for reads in used.values() for read in reads)
    return found


def _lookup(function: Function, node: ast.Subscript) -> tuple[Lookup | None, str]:
    """What is done with the module; or None, and why it stays."""
    if not isinstance(node.ctx, ast.Load):
        return None, "the container is changed"
    if not container_at(function, node.value):
        return None, f"`{ast.unparse(node.value)}` is no attribute of self"
    if container_kind(function, node.value) == "torch.nn.ParameterList":
        return Lookup(function, node, node.slice, [Use(node, "", None)]), ""
    lookup = looked_up(function, node, node.slice)
    return lookup, "the module goes other ways than into a call, or is called with * or **"


def _method(method: Dispatch, container: str, word: str) -> str:
    """The method that finds the module by its index."""
    names = {p.partition(":")[0] for p in method.parameters}
    index = "index" if "index" not in names else "at"
    keys = [(lookup.function, lookup.key) for lookup, _ in method.uses]
    negative = any(not never_negative(f, key) for f, key in keys)
    own = method.last.self_name
    test = f"i == {index}" + (f" or i - len({container}) == {index}" if negative else "")
    return (
        f"\ndef {method.name}({', '.join([f'{own}, {index}: int', *method.parameters])}):\n"
        f"    for i, {word} in enumerate({container}):\n"
        f"        if {test}:\n            return {word}{method.result}\n"
        f"    raise IndexError('{container.partition('.')[2]}')"
    )
