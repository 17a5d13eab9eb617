"""plain-module-list."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from tsrefactor.facts.computed_names import prefix
from tsrefactor.facts.definitions import Class, Function
from tsrefactor.facts.family import attributes_in_use
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.filling import elements_of
from tsrefactor.facts.loop_edits import around_body
from tsrefactor.facts.module_loops import Loop
from tsrefactor.facts.names import fresh
from tsrefactor.facts.nodes import walk
from tsrefactor.facts.registering import registers_nothing, sees_children
from tsrefactor.facts.registrations import Registration, registration, registrations
from tsrefactor.facts.stateless import is_stateless
from tsrefactor.source.edits import Edit, InsertAfter, InsertBefore, Piece, Replace
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings

_WHY = "TorchScript sees no modules in a plain list"
_BASES = ("torch.nn.Module", "object")  # those from elsewhere that register no children
_HEAD = """\
import torch
from torch import nn


class Model(nn.Module):
"""


def _example(before: str, after: str) -> Example:
    inputs = "[(torch.rand(2, 4, 8),), (torch.rand(1, 4, 6),)]"
    return Example(_HEAD + before, _HEAD + after, inputs, Target.SCRIPT, error="failed to convert Python type: 'list'")


class PlainModuleList(Rule):
    """Let TorchScript see the modules that a plain list holds.

    A plain list of modules is no attribute that TorchScript takes. Where each of them is also registered by
    `self.add_module(…)` or `setattr(self, …)`, loops go over the module's children: over all of them, or over those
    whose name begins as theirs; how many there are is kept in an attribute. Layers without parameters, of torch or of
    the file, which do the same in train and eval mode, go into an `nn.ModuleList`: that adds no keys to the state_dict.

    Left alone: other modules that are not registered (to register them would add their parameters), lists that are
    used otherwise than by loops or that no compiled method reads, and children whose names others have, too, or whose
    names or layers may be the same for two of them.

    Source: "failed to convert Python type: 'list' to a TorchScript type", raised by
    torch/csrc/jit/python/python_sugared_value.cpp.
    """

    name = "plain-module-list"
    targets = frozenset({Target.SCRIPT})
    answers = frozenset({"unconvertible-attribute"})
    examples = [
        _example(
            """\
    def __init__(self, sizes=(2, 3)):
        super().__init__()
        self.pools = [nn.MaxPool1d(size) for size in sizes]

    def forward(self, x):
        return torch.cat([pool(x) for pool in self.pools], dim=-1)
""",
            """\
    def __init__(self, sizes=(2, 3)):
        super().__init__()
        self.pools = nn.ModuleList([nn.MaxPool1d(size) for size in sizes])

    def forward(self, x):
        return torch.cat([pool(x) for pool in self.pools], dim=-1)
""",
        ),
        _example(
            """\
    def __init__(self, depth=2):
        super().__init__()
        self.layers = [nn.Conv1d(4, 4, 1) for _ in range(depth)]
        for i, layer in enumerate(self.layers):
            self.add_module(str(i), layer)

    def forward(self, x):
        for i, layer in enumerate(self.layers):
            x = layer(x) * i
        return x
""",
            """\
    def __init__(self, depth=2):
        super().__init__()
        self.layers = [nn.Conv1d(4, 4, 1) for _ in range(depth)]
        for i, layer in enumerate(self.layers):
            self.add_module(str(i), layer)

    def forward(self, x):
        for i, layer in enumerate(self.children()):
            x = layer(x) * i
        return x
""",
        ),
        _example(
            """\
    def __init__(self, heads=3):
        super().__init__()
        self.heads = [nn.Conv1d(4, 4, 1) for _ in range(heads)]
        for i, head in enumerate(self.heads):
            self.add_module('head_{}'.format(i), head)
        self.out = nn.Conv1d(4, 4, 1)

    def forward(self, x):
        for head in self.heads:  # one by one
            x = x + head(x)
        x = torch.stack([head(x) for head in self.heads], dim=1)
        return self.out(x.sum(1))
""",
            """\
    def __init__(self, heads=3):
        super().__init__()
        self.heads = [nn.Conv1d(4, 4, 1) for _ in range(heads)]
        for i, head in enumerate(self.heads):
            self.add_module('head_{}'.format(i), head)
        self.out = nn.Conv1d(4, 4, 1)

    def forward(self, x):
        for name, head in self.named_children():  # one by one
            if name.startswith('head_'):
                x = x + head(x)
        outputs = []
        for name, head in self.named_children():
            if name.startswith('head_'):
                outputs.append(head(x))
        x = torch.stack(outputs, dim=1)
        return self.out(x.sum(1))
""",
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        if not file.mentions_torch:
            return
        for cls in (c for c in file.classes if c.is_module):
            for attribute, values in cls.assigned.items():
                method, made = values[0]
                if len(values) > 1 or method.name != "__init__" or not isinstance(made, (ast.List, ast.ListComp)):
                    continue
                reads, lengths = _looped(cls, attribute)
                if not reads:
                    continue
                registered = registration(method, attribute)
                elements = elements_of(cls, attribute)
                if registered is not None:
                    yield from self._children(cls, method, attribute, registered, reads, lengths)
                elif elements and all(is_stateless(file, e) for e in elements) and not sees_children(cls):
                    module_list, imports = file.spell("torch.nn.ModuleList")
                    empty = isinstance(made, ast.List) and not made.elts
                    edit = Replace(made, f"{module_list}({'' if empty else '{layers}'})", {"layers": made})
                    yield self.finding(made, f"{_WHY}; keep them in an `{module_list}`", edit, imports=imports)

    def _children(
        self,
        cls: Class,
        init: Function,
        attribute: str,
        call: Registration,
        reads: Sequence[tuple[Function, ast.expr]],
        lengths: Sequence[ast.Call],
    ) -> Iterator[Finding]:
        """Loops over modules that are registered under a name that the constructor computes. ``lengths``: where the
        class asks how many they are."""
        own, begin = init.self_name, prefix(init, call.name)
        kept, counts = _counted(init, attribute, lengths)
        if not call.is_one_to_one:
            yield self.finding(reads[0][1], f"{_WHY}, and two of them may have one name or be one module")
            return
        others = [r for r in registrations(cls) if r.call is not call.call]
        foreign = any(b not in _BASES for c in (cls, *cls.subclasses) for b in c.foreign_bases)
        alone = not foreign and not others and not _names(cls, attribute)
        if alone and (not begin or any(_is_counted(f, read) for f, read in reads)):
            edits: list[Edit] = [Replace(read, f"{own}.children()") for _, read in reads]
            edits += [*kept, *(Replace(length, name) for length, name in counts.items())]
            message = f"{_WHY}; loop over `{own}.children()`, where they are registered"
            yield self.finding(reads[0][1], message, *edits)
            return
        message = f"{_WHY}; loop over `{own}.named_children()`, where they are registered"
        starts = [prefix(r.method, r.name) for r in others]
        clash = foreign or any(s.startswith(begin) or begin.startswith(s) for s in starts)
        if not begin or clash or any(n.startswith(begin) for n in _names(cls, attribute)):
            yield self.finding(reads[0][1], f"{_WHY}, and other attributes may have names like theirs")
            return
        test, edits = f".startswith({begin!r})", []
        taken: dict[Function, set[str]] = {}
        inside: set[ast.AST] = set()
        for function, read in reads:
            names = taken.setdefault(function, {n.id for n in function.of(ast.Name)} | function.flow.local_names)
            loop = function.file.parents[read]
            inside |= set(walk(function.file.parents[loop] if isinstance(loop, ast.comprehension) else loop))
            edit = _guarded(function, read, test, names, counts)
            if edit is None:
                yield self.finding(read, f"{_WHY}, and this use is no plain loop")
                return
            edits += edit
        edits += [*kept, *(Replace(length, name) for length, name in counts.items() if length not in inside)]
        yield self.finding(reads[0][1], message, *edits)


def _is_counted(function: Function, read: ast.expr) -> bool:
    """Whether a loop counts its rounds, which it could not with those of other children between them."""
    return isinstance(function.file.parents[read], ast.Call)


def _looped(cls: Class, attribute: str) -> tuple[list[tuple[Function, ast.expr]], list[ast.Call]]:
    """The loops of the class and its relatives over the list, and where they ask for its length; none where it is used
    in another way, too.

    Its constructor may append to it, and loop over it. A method that TorchScript compiles has to be among them.
    """
    found: list[tuple[Function, ast.expr]] = []
    lengths: list[ast.Call] = []
    family = (cls, *cls.ancestors, *cls.subclasses)
    for c in family:
        for method in c.methods.values():
            for node in method.self_attributes.get(attribute, ()):
                parent = method.file.parents[node]
                makes = c is cls and method.name == "__init__"
                if makes and (not isinstance(node.ctx, ast.Load) or _is_appended(method, node) or _is_item(parent)):
                    continue
                if isinstance(parent, ast.Call) and method.file.origin(parent.func) == "enumerate":
                    parent = method.file.parents[parent]
                if isinstance(parent, ast.Call) and method.file.origin(parent.func) == "len":
                    lengths += [] if makes else [parent]
                    continue
                if not isinstance(parent, (ast.For, ast.comprehension)):
                    return [], []
                if not makes:
                    found.append((method, node))
    compiled = {method for c in family for method in cls.file.methods_of(c)}
    return (found, lengths) if any(method in compiled for method, _ in found) else ([], [])


def _counted(init: Function, attribute: str, lengths: Sequence[ast.Call]) -> tuple[list[Edit], dict[ast.expr, str]]:
    """The edit that keeps the length of the list in an attribute of its own, once the constructor has filled it, and
    what stands for each ``len``."""
    if not lengths or init.cls is None:
        return [], {}
    last = max(init.self_attributes[attribute], key=lambda n: n.lineno)
    statement: ast.AST = init.file.statement_of(last)
    while init.file.parents[statement] is not init.node:
        statement = init.file.parents[statement]
    assert isinstance(statement, ast.stmt)
    name = fresh(attributes_in_use(init.cls), f"num_{attribute.strip('_')}")
    kept = f"{init.self_name}.{name} = len({init.self_name}.{attribute})"
    return [InsertAfter(statement, kept)], dict.fromkeys(lengths, f"{init.self_name}.{name}")


def _is_appended(init: Function, node: ast.expr) -> bool:
    """Whether something is appended to the list there, by a statement of its own."""
    method = init.file.parents[node]
    call = init.file.parents[method]
    called = isinstance(method, ast.Attribute) and method.attr == "append" and isinstance(call, ast.Call)
    return called and isinstance(init.file.parents[call], ast.Expr)


def _is_item(node: ast.AST) -> bool:
    """Whether it reads an element of the list."""
    return isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load)


def _names(cls: Class, attribute: str) -> list[str]:
    """Other attributes that the class and its relatives set by their names, and that may be modules."""
    return [
        name
        for c in (cls, *cls.ancestors, *cls.subclasses)
        for name, values in c.assigned.items()
        if name != attribute and not all(registers_nothing(method, value) for method, value in values)
    ]


def _guarded(
    function: Function, read: ast.expr, test: str, taken: set[str], counts: dict[ast.expr, str]
) -> list[Edit] | None:
    """The edits of one loop that then goes over all children and passes over others; None where that cannot be."""
    file = function.file
    over, own = file.parents[read], function.self_name
    name = fresh(taken, "name", "key")
    if isinstance(over, ast.For) and isinstance(over.target, ast.Name):
        loop = Loop(function, over, taken)
        if loop.refusal(guarded=True) is not None:
            return None
        head = f"for {name}, {over.target.id} in {own}.named_children():{{beside}}\n    if {name}{test}:\n"
        return [around_body(loop, f"{head}        {{body}}\n{{below}}", 2, counts)]
    comprehension = file.parents[over]
    statement = file.statement_of(read)
    if not isinstance(over, ast.comprehension) or not isinstance(comprehension, ast.ListComp):
        return None
    if over.ifs or len(comprehension.generators) > 1 or not isinstance(over.target, ast.Name):
        return None
    if not _comes_first(function, comprehension, statement) or _is_used_around(function, over.target.id, comprehension):
        return None
    listed = fresh(taken | {name}, "outputs", f"{over.target.id}_outputs")
    taken.add(listed)
    lines = (
        f"{listed} = []\nfor {name}, {over.target.id} in {own}.named_children():\n"
        f"    if {name}{test}:\n        {listed}.append({{element}})"
    )
    element = Piece(comprehension.elt, {n: text for n, text in counts.items() if n in set(walk(comprehension.elt))})
    return [InsertBefore(statement, lines, {"element": element}), Replace(comprehension, listed)]


def _is_used_around(function: Function, name: str, comprehension: ast.ListComp) -> bool:
    """Whether the variable of a comprehension has a meaning around it, too."""
    statement, inside = function.file.statement_of(comprehension), set(walk(comprehension))
    beside = {n.id for n in walk(statement) if isinstance(n, ast.Name) and n not in inside}
    parameters = {p.name for p in function.parameters}
    return name in beside | parameters | function.flow.live_after(statement)


def _comes_first(function: Function, node: ast.expr, statement: ast.stmt) -> bool:
    """Whether a statement does nothing before it computes the node: it is the first argument of all calls around it."""
    if not isinstance(statement, (ast.Assign, ast.Return, ast.Expr)):
        return False
    parents = function.file.parents
    while (parent := parents[node]) is not statement:
        if not isinstance(parent, ast.Call) or not parent.args or parent.args[0] is not node:
            return False
        if any(isinstance(n, ast.Call) for n in walk(parent.func)):
            return False
        node = parent
    return True
