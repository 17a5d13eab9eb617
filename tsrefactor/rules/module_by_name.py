"""module-by-name."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from tsrefactor.facts.computed_names import children_named, defined, pattern, possible, prefix
from tsrefactor.facts.definitions import Class, Function
from tsrefactor.facts.diagnosis import Diagnosis
from tsrefactor.facts.dispatch import method_name, passed_on
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.module_loops import element_name
from tsrefactor.facts.names import fresh
from tsrefactor.source.edits import Edit, InsertAfter, Piece, Replace
from tsrefactor.source.excerpt import trailing_comment
from tsrefactor.source.file import SourceFile
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings, kept_arguments

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
    """A module that is looked up by name and called: ``getattr(self, key)(…)``, ``self._modules[key](…)``.

    ``over``: the ModuleDict, as text; "" for the children of self. ``held``: the assignment of the module to a name.
    """

    function: Function
    calls: list[ast.Call]
    lookup: ast.Call | ast.Subscript
    key: ast.expr
    over: str = ""
    held: ast.Assign | None = None

    @cached_property
    def names(self) -> list[str] | None:
        """The names that the key can be, where loops over literals tell them."""
        return None if self.over else possible(self.function, self.lookup, self.key)


class ModuleByName(Rule):
    """Call a submodule through a small method where its name is computed.

    `getattr(self, f"layer{i}")(x)`, `self.__getattr__(name)(x)`, `self._modules[name](x)` and `self.heads[name](x)` of
    a ModuleDict name a module with a value; TorchScript takes only literals. The call goes to a method that compares
    the name with those of the modules: with the ones that a loop over literals can give, else with all that the module,
    or the ModuleDict, has. `self._modules.values()` becomes `self.children()`, and a literal name an attribute.
    state_dict keys stay.

    The modules that the method chooses from must take the same arguments and give results of one type. One that is
    registered under two names is found under the first of them only. Left alone: modules that are used otherwise than
    by a call, and names of which nothing shows that they name modules.

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
            "has no attribute '_modules'",
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        if not file.mentions("getattr", "_modules", "ModuleDict"):
            return
        for cls in file.classes:
            sites: list[_Site] = []
            for function in (f for f in file.methods_of(cls) if f.self_name is not None):
                yield from self._table(function)
                sites += _sites(function)
            given: set[str] = set()
            for word, group in _grouped(sites):
                yield from self._dispatched(cls, word, group, given)

    def _at(self, function: Function, node: ast.expr) -> Diagnosis | None:
        lines = range(node.lineno, (node.end_lineno or node.lineno) + 1)
        found = (d for d in self.diagnoses(function.file) if d.place is not None and d.place.line in lines)
        return next((d for d in found if d.names.get("attribute", "_modules") == "_modules"), None)

    def _table(self, function: Function) -> Iterator[Finding]:
        """Other uses of ``self._modules``: a literal name, a loop over all of them."""
        own, parents = function.self_name, function.file.parents
        for node in function.self_attributes.get("_modules", ()):
            parent = parents[node]
            answered = self._at(function, node)
            if isinstance(parent, ast.Subscript) and isinstance(parent.ctx, ast.Load):
                key = parent.slice.value if isinstance(parent.slice, ast.Constant) else None
                if isinstance(key, str) and key.isidentifier():
                    message = f"TorchScript sees no _modules; write `{own}.{key}`"
                    yield self.finding(parent, message, Replace(parent, f"{own}.{key}"), answers=answered)
            elif isinstance(parent, ast.Attribute) and isinstance(call := parents[parent], ast.Call):
                all_of = {"values": "children", "items": "named_children"}.get(parent.attr)
                iterated = isinstance(parents[call], (ast.For, ast.comprehension))
                if all_of is not None and call.func is parent and iterated:
                    message = f"TorchScript sees no `_modules`; loop over `{own}.{all_of}()`"
                    yield self.finding(call, message, Replace(call, f"{own}.{all_of}()"), answers=answered)

    def _dispatched(self, cls: Class, word: str, sites: Sequence[_Site], given: set[str]) -> Iterator[Finding]:
        """One method for the calls of modules of one kind of name."""
        first = sites[0]
        answered = next((d for s in sites if (d := self._at(s.function, s.lookup))), None)
        shown = [s for s in sites if s.over or _names_modules(cls, s)]
        if not shown and answered is None:
            return
        each = [s.names for s in sites]
        names = list(dict.fromkeys(n for found in each for n in found or ()))
        if names and None not in each and len(names) == 1:
            edits: list[Edit] = [Replace(s.lookup, f"{s.function.self_name}.{names[0]}") for s in sites]
            yield self.finding(first.lookup, f"{_LITERALS}; read the attribute `{names[0]}`", *edits, answers=answered)
            return
        last = max(sites, key=lambda s: s.function.node.lineno)
        name = method_name(cls, given, f"_call_{word}")
        listed = names if None not in each else []
        try:
            others = [call for site in sites for call in site.calls]
            taken = {"self", "name", "key", "module"}
            parameters, passed, imports = passed_on(last.function, last.calls[0], taken, others)
        except ValueError:
            yield self.finding(
                first.lookup, f"{_LITERALS}, and an argument has a type that it has not", answers=answered
            )
            return
        result = f"({', '.join(passed)})"
        method = f"\ndef {name}({', '.join(['self', 'name: str', *parameters])}):\n"
        if listed:
            method += "".join(f"    if name == {n!r}:\n        return self.{n}{result}\n" for n in listed)
        else:
            over = f"{first.over}.items()" if first.over else "self.named_children()"
            method += f"    for key, module in {over}:\n        if key == name:\n            return module{result}\n"
        method += f"    raise {'KeyError' if first.over else 'AttributeError'}(name)"
        edits = [InsertAfter(last.function.node, "{method}", {"method": method})]
        for site in sites:
            edits += _called(site, f"{site.function.self_name}.{name}", sites)
        presumed = len(shown) < len(sites)
        message = f"{_LITERALS}; call `{name}`, a method that looks for the module"
        yield self.finding(first.lookup, message, *edits, imports=imports, presumed=presumed, answers=answered)


def _sites(function: Function) -> Iterator[_Site]:
    """The calls of modules that a method looks up by a computed name."""
    for node in function.of(ast.Call, ast.Subscript):
        found = _lookup(function, node)
        if found is None:
            continue
        lookup, key, over = found
        parent = function.file.parents[lookup]
        if isinstance(parent, ast.Call) and parent.func is lookup:
            if _plain(parent):
                yield _Site(function, [parent], lookup, key, over)
        elif isinstance(parent, ast.Assign) and parent.value is lookup:
            calls = _calls_of_held(function, parent, key)
            if all(map(_plain, calls)) and len({_shape(c) for c in calls}) == 1:
                yield _Site(function, calls, lookup, key, over, parent)


def _grouped(sites: Sequence[_Site]) -> list[tuple[str, list[_Site]]]:
    """The sites that one method can serve, with a word for their modules: one for each word where the names can be
    listed, else one for all that pass the same arguments."""
    groups: dict[tuple[object, ...], list[_Site]] = {}
    unlisted = {_word(s) for s in sites if s.names is None}
    for site in sites:
        word = _word(site)
        call = site.calls[0]
        types = tuple(str(site.function.type_of(v)) for v in (*call.args, *(k.value for k in call.keywords)))
        key = (site.over, types) if word in unlisted else (site.over, word)
        groups.setdefault((*key, _shape(call)), []).append(site)
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


def _plain(call: ast.Call) -> bool:
    return not any(isinstance(a, ast.Starred) for a in call.args) and all(k.arg for k in call.keywords)


def _shape(call: ast.Call) -> tuple[object, ...]:
    return len(call.args), tuple(k.arg for k in call.keywords)


def _calls_of_held(function: Function, held: ast.Assign, key: ast.expr) -> list[ast.Call]:
    """The calls of a module that an assignment gives a name; none where that name, or its key, goes other ways."""
    target = held.targets[0]
    if len(held.targets) != 1 or not isinstance(target, ast.Name):
        return []
    block = function.file.block_of(held)
    after = block[block.index(held) + 1 :]
    again = next((i for i, s in enumerate(after) if target.id in function.flow.writes(s)), len(after))
    region = after[:again]
    inside = {n for s in region for n in ast.walk(s)}
    reads = [n for n in function.of(ast.Name) if n.id == target.id and isinstance(n.ctx, ast.Load)]
    mine = [n for n in reads if n in inside]
    used = [i for i, s in enumerate(region) if any(n in mine for n in ast.walk(s))]
    calls = [function.file.parents[n] for n in mine]
    if not used or not all(isinstance(c, ast.Call) and c.func is n for c, n in zip(calls, mine, strict=True)):
        return []
    moved = function.flow.writes(region[: used[-1] + 1]) & function.flow.reads(key)
    reaches = len(mine) == len(reads) or _others_have_theirs(function, target.id, reads)
    return [] if moved or not reaches else [c for c in calls if isinstance(c, ast.Call)]


def _others_have_theirs(function: Function, name: str, reads: Sequence[ast.Name]) -> bool:
    """Whether every read of a name follows an assignment of it in the same block, or in one around it."""
    for read in reads:
        statement: ast.AST = function.file.statement_of(read)
        while True:
            block = function.file.block_of(statement) if isinstance(statement, ast.stmt) else []
            before = block[: block.index(statement)] if isinstance(statement, ast.stmt) else []
            if any(isinstance(s, ast.Assign) and name in function.flow.writes(s) for s in before):
                break
            statement = function.file.parents[statement]
            if statement is function.node:
                return False
    return True


def _names_modules(cls: Class, site: _Site) -> bool:
    """Whether it shows that the computed name is that of a module."""
    if isinstance(site.lookup, ast.Subscript):
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


def _called(site: _Site, callee: str, others: Sequence[_Site]) -> list[Edit]:
    """``self.callee(key, …)`` in the place of the calls; a module that had a name is none any more.

    Where it is called once and no comment would be lost, the assignment goes; else its name is given a name. Calls of
    ``others`` that stand inside are changed with them.
    """
    edits: list[Edit] = []
    key, source = _key(site), site.function.file.source
    if site.held is not None and isinstance(key, str):
        edits.append(Replace([site.held], f"{key} = {{key}}", {"key": site.key}))
    elif site.held is not None:
        edits.append(Replace([site.held], ""))
    every = {c: s for s in others for c in s.calls}
    nested = {n for c in every for n in ast.walk(c) if n is not c and n in every}
    for call in (c for c in site.calls if c not in nested):
        parts, kept = kept_arguments(call.args, call.keywords)
        pieces: dict[str, Piece | ast.expr | str] = {"key": key}
        for name, value in kept.items():
            inner = [n for n in ast.walk(value) if n in every]
            outermost = [n for n in inner if not any(n is not o and n in ast.walk(o) for o in inner)]
            changes = {n: _with_key(n, callee, every, source) for n in outermost if isinstance(n, ast.Call)}
            pieces[name] = Piece(value, changes)  # type: ignore[arg-type]
        edits.append(Replace(call, f"{callee}({', '.join(['{key}', *parts])})", pieces))
    return edits


def _key(site: _Site) -> ast.expr | str:
    """The name as the calls pass it: the expression itself, or the name of a local that an assignment gives it."""
    held, function = site.held, site.function
    if held is None or (len(site.calls) == 1 and not _commented(held, function)):
        return site.key
    return fresh(function.flow.local_names, "name", "module_name", "key")


def _with_key(call: ast.Call, callee: str, every: dict[ast.Call, _Site], source: SourceFile) -> str:
    """The text of a call, and of the calls inside it, when they are changed."""
    start, end = source.span(call)
    parts = []
    for node in (n for n in ast.walk(call) if n in every):
        assert isinstance(node, ast.Call)
        key = _key(every[node])
        given = key if isinstance(key, str) else source.segment(key)
        begin, head = source.span(node.func)
        opened = source.text.index("(", head) + 1
        parts.append((begin, opened, f"{callee}({given}{', ' if node.args or node.keywords else ''}"))
    text = source.text[start:end]
    for a, b, new in sorted(parts, reverse=True):
        text = text[: a - start] + new + text[b - start :]
    return text


def _commented(statement: ast.stmt, function: Function) -> bool:
    """Whether a comment stands beside a statement or directly above it."""
    lines = function.file.source.lines
    above = lines[statement.lineno - 2].strip() if statement.lineno > 1 else ""
    return above.startswith("#") or bool(trailing_comment(function.file.source, statement))
