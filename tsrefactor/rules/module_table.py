"""module-table."""

from __future__ import annotations

import ast
import keyword
from collections.abc import Iterator

from tsrefactor.facts.definitions import Class, Function
from tsrefactor.facts.diagnosis import Diagnosis
from tsrefactor.facts.family import bound_in_body
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.registering import registers_nothing
from tsrefactor.facts.registrations import registrations
from tsrefactor.source.edits import Replace
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings

_WHY = "TorchScript sees no `_modules`"
_ITERATED = ("torch.nn.Sequential", "torch.nn.ModuleList")
_HEAD = """\
import torch
from torch import nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
"""
_INPUTS = "[(torch.rand(2, 4),), (torch.rand(3, 4),)]"


def _example(before: str, after: str) -> Example:
    return Example(_HEAD + before, _HEAD + after, _INPUTS, Target.SCRIPT, error="has no attribute '_modules'")


class ModuleTable(Rule):
    """Loop over a module's children, or name one, instead of reading its `_modules`.

    `self._modules.values()` becomes `self.children()`, `self.features._modules.items()`
    `self.features.named_children()`, and a literal name an attribute. A Sequential or ModuleList that the class makes
    is looped over as it is.

    `named_children` visits a module that stands in the table twice only once, and passes over None: unless `__init__`
    makes each child by a call of its own, the rewrite counts as presumed. Left alone: other uses of the table, loops in
    functions that change it, names of methods and of what the class body sets, and those that are no names in Python.

    Source: torch/csrc/jit/python/python_sugared_value.cpp knows the methods of a module, not its `_modules`.
    """

    name = "module-table"
    targets = frozenset({Target.SCRIPT})
    answers = frozenset({"missing-attribute"})
    examples = [
        _example(
            """\
        self.first = nn.Linear(4, 4)
        self.second = nn.Linear(4, 4)

    def forward(self, x):
        for name, module in self._modules.items():
            x = module(x)
        return self._modules['first'](x)
""",
            """\
        self.first = nn.Linear(4, 4)
        self.second = nn.Linear(4, 4)

    def forward(self, x):
        for name, module in self.named_children():
            x = module(x)
        return self.first(x)
""",
        ),
        _example(
            """\
        self.features = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4))

    def forward(self, x):
        outs = []
        for name, layer in self.features._modules.items():
            x = layer(x)
            if name in ['1', '2']:  # the layers that count
                outs.append(x)
        return outs
""",
            """\
        self.features = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4))

    def forward(self, x):
        outs = []
        for name, layer in self.features.named_children():
            x = layer(x)
            if name in ['1', '2']:  # the layers that count
                outs.append(x)
        return outs
""",
        ),
        _example(
            """\
        act = nn.ReLU()
        self.layers = nn.Sequential(nn.Linear(4, 4), act, nn.Linear(4, 4), act)

    def forward(self, x):
        for i, layer in enumerate(self.layers._modules.values()):
            x = layer(x) + i
        return x
""",
            """\
        act = nn.ReLU()
        self.layers = nn.Sequential(nn.Linear(4, 4), act, nn.Linear(4, 4), act)

    def forward(self, x):
        for i, layer in enumerate(self.layers):
            x = layer(x) + i
        return x
""",
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        if not file.mentions("_modules"):
            return
        for function in (f for f in file.functions if f.self_name is not None and f.cls is not None):
            for node in function.of(ast.Attribute):
                if node.attr == "_modules":
                    yield from self._read(function, node)

    def _read(self, function: Function, node: ast.Attribute) -> Iterator[Finding]:
        """What is written for one read of ``_modules``."""
        file, of, parent = function.file, node.value, function.file.parents[node]
        answered = self._answered(file, node)
        if isinstance(parent, ast.Subscript) and isinstance(parent.ctx, ast.Load):
            key = parent.slice.value if isinstance(parent.slice, ast.Constant) else None
            if isinstance(key, str) and function.self_attribute(node) and _is_attribute(function, key):
                message = f"{_WHY}; write `{ast.unparse(of)}.{key}`"
                yield self.finding(parent, message, Replace(parent, f"{{of}}.{key}", {"of": of}), answers=answered)
        elif isinstance(parent, ast.Attribute) and isinstance(call := file.parents[parent], ast.Call):
            over = _over(function, of, parent.attr)
            if over is None or call.func is not parent or not _is_iterated(function, call) or _is_changed(function):
                return
            message = f"{_WHY}; loop over `{over.format(of=ast.unparse(of))}`"
            cls = function.cls
            presumed = over != "{of}" and (
                isinstance(of, ast.Attribute) or cls is None or not _has_distinct_children(cls)
            )
            yield self.finding(call, message, Replace(call, over, {"of": of}), presumed=presumed, answers=answered)

    def _answered(self, file: FileFacts, node: ast.expr) -> Diagnosis | None:
        lines = range(node.lineno, (node.end_lineno or node.lineno) + 1)
        found = (d for d in self.diagnoses(file) if d.place is not None and d.place.line in lines)
        return next((d for d in found if d.names.get("attribute") == "_modules"), None)


def _over(function: Function, of: ast.expr, table: str) -> str | None:
    """The template of a loop over all modules of ``self`` or a submodule, by what is asked of its ``_modules``."""
    base = of
    while isinstance(base, ast.Attribute):
        base = base.value
    if not isinstance(base, ast.Name) or base.id != function.self_name:
        return None
    if table == "values" and _is_container(function, of):
        return "{of}"
    return {"values": "{of}.children()", "items": "{of}.named_children()"}.get(table)


def _is_container(function: Function, of: ast.expr) -> bool:
    """Whether an attribute holds nothing but containers that the class makes."""
    name, cls = function.self_attribute(of), function.cls
    values = (
        [v for c in (cls, *cls.ancestors, *cls.subclasses) for _, v in c.assigned.get(name or "", ())] if cls else []
    )
    return bool(values) and all(isinstance(v, ast.Call) and function.file.origin(v.func) in _ITERATED for v in values)


def _is_iterated(function: Function, node: ast.expr) -> bool:
    """Whether a loop or a comprehension goes over it, by itself or counted."""
    parents = function.file.parents
    over: ast.AST = parents[node]
    if isinstance(over, ast.Call) and function.file.origin(over.func) == "enumerate":
        node, over = over, parents[over]
    return isinstance(over, (ast.For, ast.comprehension)) and over.iter is node


def _is_changed(function: Function) -> bool:
    """Whether the function sets or deletes something in a table of modules."""
    changed = (n for n in function.of(ast.Subscript) if not isinstance(n.ctx, ast.Load))
    return any(isinstance(n.value, ast.Attribute) and n.value.attr == "_modules" for n in changed)


def _is_attribute(function: Function, name: str) -> bool:
    """Whether ``self.name`` gives the module of that name: no class has something else under it."""
    cls = function.cls
    family = (cls, *cls.ancestors, *cls.subclasses) if cls is not None else ()
    plain = name.isidentifier() and not keyword.iskeyword(name) and not name.startswith("__")
    return plain and not any(name in c.methods or name in bound_in_body(c) for c in family)


def _has_distinct_children(cls: Class) -> bool:
    """Whether ``__init__`` makes every child by a call of its own, and none is None."""
    family = (cls, *cls.ancestors, *cls.subclasses)
    if any(base not in ("torch.nn.Module", "object") for c in family for base in c.foreign_bases):
        return False
    pairs = [values for c in family for values in c.assigned.values()]
    children = [v for v in pairs if not all(registers_nothing(method, value) for method, value in v)]
    made = [value for values in children for method, value in values if method.name == "__init__"]
    fresh = [v for v in made if isinstance(v, ast.Call) and _makes(cls.file, v)]
    once = all(len(values) == 1 for values in children) and len(fresh) == len(children) == len(set(fresh))
    return once and not any(True for _ in registrations(cls))


def _makes(file: FileFacts, call: ast.Call) -> bool:
    origin = file.origin(call.func)
    return origin.startswith("torch.nn.") or file.class_named(origin) is not None
