"""module-by-name."""

from __future__ import annotations

import ast
import re
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from tsrefactor.facts.computed_names import (
    children_named,
    defined,
    pattern,
    possible,
    prefix,
    registered_names,
)
from tsrefactor.facts.definitions import Class, Function
from tsrefactor.facts.diagnosis import Diagnosis
from tsrefactor.facts.dispatch import Dispatch, dispatches
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.lookups import Lookup, argument_types, looked_up, passed_through
from tsrefactor.facts.module_loops import element_name
from tsrefactor.facts.placement import only_eager
from tsrefactor.facts.seen_children import are_alike, seen_names
from tsrefactor.source.edits import Edit, InsertAfter, Replace
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings

_LITERALS = "TorchScript finds modules only by literal names"
_HEAD = """\
import torch
from torch import nn


class Model(nn.Module):
    def __init__(self, depth=3):
        super().__init__()
"""
_INPUTS = "[(torch.rand(2, 4),), (torch.rand(3, 4),)]"


def _example(before: str, after: str, error: str) -> Example:
    """An example of the methods of a model, from where its modules are made."""
    return Example(_HEAD + before, _HEAD + after, _INPUTS, Target.SCRIPT, error=error)


@dataclass(eq=False)
class _Site:
    """A module that is looked up by name and used: ``getattr(self, key)(…)``, ``self._modules[key].encode(…)``.

    ``over``: the ModuleDict, as text; "" for the children of self.
    """

    lookup: Lookup
    over: str = ""

    @property
    def function(self) -> Function:
        return self.lookup.function

    @property
    def key(self) -> ast.expr:
        return self.lookup.key

    @cached_property
    def names(self) -> list[str] | None:
        """The names that the key can be, where loops over literals tell them: there, or where modules are added."""
        cls, wanted = self.function.cls, pattern(self.function, self.key)
        if self.over or cls is None:
            return None
        told = possible(self.function, self.lookup.node, self.key)
        told = told if told is not None or wanted == ".+" else registered_names(cls, wanted) or None
        return told or self.seen or None

    @cached_property
    def seen(self) -> list[str]:
        """The names that runs saw, where other submodules would not take what the modules of these names take."""
        cls, wanted = self.function.cls, pattern(self.function, self.key)
        if self.over or cls is None or wanted == ".+":
            return []
        names, given = seen_names(cls, wanted), {len(u.call.args) for u in self.lookup.uses if u.call is not None}
        return [] if all(are_alike(cls, names, n) for n in given) else names

    @property
    def is_sure(self) -> bool:
        """Whether every instance has the modules of all names."""
        return self.names is None or self.names != self.seen


class ModuleByName(Rule):
    """Call a submodule through a small method where its name is computed.

    `getattr(self, f"layer{i}")(x)`, `self.__getattr__(name)(x)`, `self._modules[name](x)` and `self.heads[name](x)` of
    a ModuleDict name a module with a value; TorchScript takes only literals. The call goes to a method that compares
    the name with those of the modules: with the ones that a loop over literals can give, else with all that the module,
    or the ModuleDict, has. Where other submodules would not take what these take (a ModuleList beside `norm0` and
    `norm1`), it asks `hasattr` for the ones that runs saw, and eager takes any name, as before. state_dict keys stay.

    The modules that the method chooses from must take the same arguments and give results of one type. One that is
    registered under two names is found under the first of them only. Left alone: modules that are neither called
    nor a method of theirs, and names of which nothing shows that they name modules.

    Source: "getattr's second argument must be a string literal", raised by torch/csrc/jit/frontend/ir_emitter.cpp, and
    "Unable to extract string literal index", by torch/csrc/jit/python/python_sugared_value.cpp.
    """

    name = "module-by-name"
    targets = frozenset({Target.SCRIPT})
    answers = frozenset(
        {"getattr-name", "string-literal-index", "missing-attribute", "ignored-attribute", "unknown-type-name"}
    )
    examples = [
        _example(
            """\
        self.depth = depth
        for i in range(depth):
            setattr(self, f'layer{i}', nn.Linear(4, 4))

    def forward(self, x):
        for i in range(self.depth):
            layer = getattr(self, f'layer{i}')
            x = torch.relu(layer(x))
        return x
""",
            """\
        self.depth = depth
        for i in range(depth):
            setattr(self, f'layer{i}', nn.Linear(4, 4))

    def forward(self, x):
        for i in range(self.depth):
            x = torch.relu(self._call_layer(f'layer{i}', x))
        return x

    def _call_layer(self, name: str, x):
        for key, module in self.named_children():
            if key == name:
                return module(x)
        raise AttributeError(name)
""",
            "getattr's second argument must be a string literal",
        ),
        _example(
            """\
        self.down1 = nn.Linear(4, 4)
        self.down2 = nn.Linear(4, 4)
        self.merge = nn.Bilinear(4, 4, 4)

    def forward(self, x):
        parts = [getattr(self, 'down' + str(i))(x) for i in range(1, 3)]
        return self.merge(parts[0], parts[1])
""",
            """\
        self.down1 = nn.Linear(4, 4)
        self.down2 = nn.Linear(4, 4)
        self.merge = nn.Bilinear(4, 4, 4)

    def forward(self, x):
        parts = [self._call_down('down' + str(i), x) for i in range(1, 3)]
        return self.merge(parts[0], parts[1])

    def _call_down(self, name: str, x):
        if name == 'down1':
            return self.down1(x)
        if name == 'down2':
            return self.down2(x)
        raise AttributeError(name)
""",
            "getattr's second argument must be a string literal",
        ),
        _example(
            """\
        self.heads = nn.ModuleDict({'boxes': nn.Linear(4, 4), 'masks': nn.Linear(4, 4)})

    def forward(self, x):
        for task in ['masks', 'boxes']:
            x = self.heads[task](x)
        return x
""",
            """\
        self.heads = nn.ModuleDict({'boxes': nn.Linear(4, 4), 'masks': nn.Linear(4, 4)})

    def forward(self, x):
        for task in ['masks', 'boxes']:
            x = self._call_head(task, x)
        return x

    def _call_head(self, name: str, x):
        for key, module in self.heads.items():
            if key == name:
                return module(x)
        raise KeyError(name)
""",
            "Unable to extract string literal index",
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        if not file.mentions("getattr", "_modules", "ModuleDict"):
            return
        for cls in file.classes:
            sites: list[_Site] = []
            for function in (f for f in file.methods_of(cls) if f.self_name is not None):
                sites += _sites(function)
            given: set[str] = set()
            for word, group in _grouped(sites):
                yield from self._dispatched(cls, word, group, given)

    def _at(self, function: Function, node: ast.expr) -> Diagnosis | None:
        lines = range(node.lineno, (node.end_lineno or node.lineno) + 1)
        found = (d for d in self.diagnoses(function.file) if d.place is not None and d.place.line in lines)
        return next((d for d in found if d.names.get("attribute", "_modules") == "_modules"), None)

    def _dispatched(self, cls: Class, word: str, sites: Sequence[_Site], given: set[str]) -> Iterator[Finding]:
        """One method for the calls of modules of one kind of name."""
        first = sites[0]
        answered = next((d for s in sites if (d := self._at(s.function, s.lookup.node))), None)
        shown = [s for s in sites if s.over or _names_modules(cls, s)]
        if not shown and answered is None:
            return
        each = [s.names for s in sites]
        names = list(dict.fromkeys(n for found in each for n in found or ()))
        guarded = not all(s.is_sure for s in sites)
        if names and None not in each and len(names) == 1 and not guarded:
            edits: list[Edit] = [Replace(s.lookup.node, f"{s.function.self_name}.{names[0]}") for s in sites]
            yield self.finding(
                first.lookup.node, f"{_LITERALS}; read the attribute `{names[0]}`", *edits, answers=answered
            )
            return
        listed = names if None not in each else []
        lookups = [s.lookup for s in sites]
        try:
            methods = dispatches(cls, lookups, word, given, {"self", "name", "key", "module"})
        except ValueError:
            message = f"{_LITERALS}, and an argument has a type that no annotation says"
            yield self.finding(first.lookup.node, message, answers=answered)
            return
        scripting, asked = cls.file.spell("torch.jit.is_scripting") if listed and guarded else ("", frozenset())
        edits = []
        for method in methods:
            edits.append(
                InsertAfter(method.last.node, "{method}", {"method": _method(method, first.over, listed, scripting)})
            )
        edits += passed_through(
            lookups, {u: m.name for m in methods for _, u in m.uses}, ("name", "module_name", "key")
        )
        presumed = len(shown) < len(sites)
        imports = {i for m in methods for i in m.imports} | asked
        message = f"{_LITERALS}; call `{methods[0].name}`, a method that looks for the module"
        yield self.finding(
            first.lookup.node,
            message,
            *edits,
            imports=imports,
            presumed=presumed,
            answers=answered,
            caveat=f"under TorchScript names after `{names[-1]}` raise AttributeError" if guarded else None,
        )


def _method(method: Dispatch, over: str, listed: Sequence[str], scripting: str) -> str:
    """The method that compares the name with those listed, or with all that there are. ``scripting``: how to ask for
    TorchScript, where instances may have others, which eager is to find, or not all that are listed."""
    text = f"\ndef {method.name}({', '.join(['self', 'name: str', *method.parameters])}):\n"
    if scripting:
        by_key = all(isinstance(lookup.node, ast.Subscript) for lookup, _ in method.uses)
        looked_up = "self._modules[name]" if by_key else "getattr(self, name)"
        text += f"    if not {scripting}():\n        return {looked_up}{method.result}\n"
        for n in listed:
            text += (
                f"    if hasattr(self, {n!r}):\n        if name == {n!r}:\n            return self.{n}{method.result}\n"
            )
    elif listed:
        text += "".join(f"    if name == {n!r}:\n        return self.{n}{method.result}\n" for n in listed)
    else:
        modules = f"{over}.items()" if over else "self.named_children()"
        text += f"    for key, module in {modules}:\n        if key == name:\n"
        text += f"            return module{method.result}\n"
    return text + f"    raise {'KeyError' if over else 'AttributeError'}(name)"


def _sites(function: Function) -> Iterator[_Site]:
    """The calls of modules that a method looks up by a computed name, where TorchScript compiles them."""
    for node in function.of(ast.Call, ast.Subscript):
        found = _lookup(function, node)
        if found is None or only_eager(function.file, node):
            continue
        site = looked_up(function, *found[:2])
        if site is not None and all(use.call is not None for use in site.uses):
            yield _Site(site, found[2])


def _grouped(sites: Sequence[_Site]) -> list[tuple[str, list[_Site]]]:
    """The sites that methods can serve together, with a word for their modules: those of each word where the names can
    be listed, else all that use the modules in the same way."""
    groups: dict[Hashable, list[_Site]] = {}
    unlisted = {_word(s) for s in sites if s.names is None}
    for site in sites:
        word, uses = _word(site), site.lookup.uses
        forms = frozenset(use.form for use in uses)
        types = frozenset(argument_types(site.function, use) for use in uses)
        groups.setdefault((site.over, types if word in unlisted else word, forms), []).append(site)
    found = []
    for group in groups.values():
        words = {_word(s) for s in group}
        found.append((words.pop() if len(words) == 1 else "module", group))
    return found


def _lookup(function: Function, node: ast.AST) -> tuple[ast.Call | ast.Subscript, ast.expr, str] | None:
    """A lookup by a computed name: the node, the name, and the ModuleDict it is in ("": self)."""
    if isinstance(node, ast.Call):
        if function.file.origin(node.func) == "getattr" and len(node.args) == 2:
            own, key = node.args
        elif isinstance(node.func, ast.Attribute) and node.func.attr == "__getattr__" and len(node.args) == 1:
            own, key = node.func.value, node.args[0]
        else:
            return None
        if isinstance(own, ast.Name) and own.id == function.self_name and not isinstance(key, ast.Constant):
            return node, key, ""
    elif (
        isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load) and not isinstance(node.slice, ast.Constant)
    ):
        attribute = function.self_attribute(node.value)
        if attribute == "_modules":
            return node, node.slice, ""
        if attribute is not None and _is_module_dict(function, attribute):
            return node, node.slice, ast.unparse(node.value)
    return None


def _is_module_dict(function: Function, attribute: str) -> bool:
    cls = function.cls
    assert cls is not None
    for c in (cls, *cls.ancestors):
        values = [v for _, v in c.assigned.get(attribute, ())]
        if values:
            return all(isinstance(v, ast.Call) and c.file.origin(v.func) == "torch.nn.ModuleDict" for v in values)
    return False


def _names_modules(cls: Class, site: _Site) -> bool:
    """Whether it shows that the computed name is that of a module."""
    if isinstance(site.lookup.node, ast.Subscript):
        return True
    wanted = pattern(site.function, site.key)
    family = (cls, *cls.ancestors, *cls.subclasses)
    if any(re.fullmatch(wanted, m) for c in family for m in c.methods if not m.startswith("__")):
        return False
    return wanted != ".+" and children_named(cls, wanted)


def _word(site: _Site) -> str:
    """What to call the modules: ``layer`` for ``f"layer{i}"``, for ``self.layers[name]`` and for ``layer_name``."""
    if site.over:
        return element_name(site.over, "")
    word = prefix(site.function, site.key).strip("_").lower()
    if not word:
        key = defined(site.function, site.key)
        named = key.attr if isinstance(key, ast.Attribute) else key.id if isinstance(key, ast.Name) else ""
        word = named.removesuffix("name").strip("_").lower()
    return word if word.isidentifier() else "module"
