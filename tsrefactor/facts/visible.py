"""Which functions of a file TorchScript could compile, as far as the file itself says."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING

from .nodes import walk

if TYPE_CHECKING:
    from .definitions import Class, Function
    from .file import FileFacts

_JIT_DECORATORS = {
    "torch.jit.script", "torch.jit.script_if_tracing", "torch.jit.export", "torch.jit.script_method",
    "torch.jit.interface",
}  # fmt: skip
_ENTRIES = {"forward", "__call__", "__getitem__", "__len__", "__contains__"}
_TRAINING = ("torch.optim.", "torch.utils.data.", "torch.save", "torch.load")
"""Functions that use one of these, or call ``.backward()``, run a model; no model calls them."""


def _is_made_below_forward(cls: Class) -> bool:
    """Whether runs saw a forward make objects of a class that derives from nothing: TorchScript compiles all of it."""
    init = cls.methods.get("__init__")
    made = init is not None and init.observed is not None and init.observed.scripted
    return made and not cls.node.bases and not cls.node.decorator_list


def could_be_compiled(function: Function) -> bool:
    """Whether nothing in the function itself keeps it from being compiled: it is a method of a module (or of a class
    that modules derive from) and no set-up code, or it uses torch.
    """
    if function.skipped or function.stand_in is not None:
        return False
    if "<locals>" in function.qualname:  # as soft-refactor places what a trace compiles
        return "torch.jit.script_if_tracing" in function.decorators
    if function.cls is not None:
        of_module = function.cls.is_module or any(c.is_module for c in function.cls.subclasses)
        if not of_module and _is_made_below_forward(function.cls):
            return True
        return of_module and (not function.name.startswith("__") or function.name in _ENTRIES)
    if not _JIT_DECORATORS.isdisjoint(function.decorators):
        return True
    if function.observed is not None and function.observed.scripted:
        return True
    if function.file.first_original_line(function) is None:  # a rewrite made it, to be compiled
        return True
    of_torch = function.file.is_of_torch
    annotations = (p.annotation for p in function.parameters if p.annotation is not None)
    return (
        any(function.file.origin(a).startswith("torch.") for a in annotations)
        or any(map(of_torch, function.of(ast.Name)))
        or any(map(of_torch, function.of(ast.Attribute)))
    )


def stand_ins(block: Iterable[ast.stmt]) -> dict[str, str]:
    """Functions of a block → those that TorchScript compiles in their place (``f.__wrapped__ = g``)."""
    found = {}
    for node in block:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Name) and len(node.targets) == 1:
            target = node.targets[0]
            if (
                isinstance(target, ast.Attribute)
                and target.attr == "__wrapped__"
                and isinstance(target.value, ast.Name)
            ):
                found[target.value.id] = node.value.id
    return found


class Reach:
    """What the modules of a file, and the functions that are compiled by themselves, lead to."""

    def __init__(self, file: FileFacts):
        self.file = file
        self.modules = [cls for cls in file.classes if cls.is_module]

    @cached_property
    def functions(self) -> list[Function]:
        """Those that could be compiled and are reached: from the forward of a module, by any mention of their name;
        in source order but for helpers that use no torch, which come last.
        """
        able = [f for f in self.file.all_functions if could_be_compiled(f)]
        methods: dict[str, list[Function]] = {}
        for function in able:
            if function.cls is not None and not function.is_class_method:
                methods.setdefault(function.stands_for or function.name, []).append(function)
        reached = dict.fromkeys(f for f in able if self._is_entry(f))
        queue = list(reached)
        for function in queue:  # grows while it is walked
            found = [f for name in _attributes(function) for f in methods.get(name, ())]
            found += self._named(function.of(ast.Name))
            queue += [f for f in dict.fromkeys(found) if f not in reached]
            reached |= dict.fromkeys(found)
        return [f for f in able if f in reached] + [f for f in reached if f not in able]

    def _is_entry(self, function: Function) -> bool:
        """Whether a function is compiled though nothing in the file may call it."""
        if function.observed is not None and function.observed.scripted:
            return True
        if not _JIT_DECORATORS.isdisjoint(function.decorators) or function in self._held:
            return True
        if function.cls is None:
            return not self.modules and not _runs_models(function)
        if function.is_class_method:
            return False
        is_property = any(isinstance(d, ast.Name) and d.id == "property" for d in function.node.decorator_list)
        return (function.stands_for or function.name) in _ENTRIES or is_property or not self._has_forward(function.cls)

    def _has_forward(self, cls: Class) -> bool:
        """Whether the file shows what calls the methods of a class: a forward of its own, its bases' or its heirs'."""
        return cls.method("forward") is not None or any("forward" in heir.methods for heir in cls.subclasses)

    @cached_property
    def _held(self) -> set[Function]:
        """Functions that modules keep (``self.act = swish``, ``def __init__(self, act=swish)``), that stand in a table
        of the file, or that are handed to ``torch.jit``.
        """
        if not self.file.has_functions:
            return set()
        places: list[ast.AST] = [s.value for s in self.file.tree.body if isinstance(s, ast.Assign)]
        for cls in self.modules:
            places += [value for values in cls.assigned.values() for _, value in values if value is not None]
            places += [p.default for m in cls.methods.values() for p in m.parameters if p.default is not None]
        found = set(self._named(node for place in places for node in _kept(place)))
        for call in self.file.of(ast.Call) if self.file.mentions("jit") else ():
            if call.args and self.file.origin(call.func).startswith("torch.jit."):
                found |= set(self._named(call.args))
        return found

    def _named(self, nodes: Iterable[ast.AST]) -> list[Function]:
        """The module-level functions that these nodes name."""
        named = (self.file.function_named(node.id) for node in nodes if isinstance(node, ast.Name))
        compiled = (f and self.file.function_named(f.stand_in or f.name) for f in named)
        return [f for f in compiled if f is not None and not f.skipped]


def _attributes(function: Function) -> Iterator[str]:
    return (node.attr for node in function.of(ast.Attribute))


def _kept(value: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a value, without the functions that are only called for it."""
    called: set[ast.AST] = set()
    for node in walk(value):
        if isinstance(node, ast.Call):
            called.add(node.func)
        if node not in called:
            yield node


def _runs_models(function: Function) -> bool:
    """Whether a function trains, loads or saves a model."""
    named = (function.file.origin(node) for node in function.of(ast.Name, ast.Attribute))
    return "backward" in _attributes(function) or any(origin.startswith(_TRAINING) for origin in named)
