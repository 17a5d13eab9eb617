"""keyword-dict."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from keyword import iskeyword

from tsrefactor.facts.definitions import Function
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.names import fresh
from tsrefactor.facts.nodes import walk
from tsrefactor.facts.signatures import function_at
from tsrefactor.source.edits import Edit, Replace, kept_arguments
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings

_HEAD = """\
import torch.nn.functional as F
from torch import nn


class Model(nn.Module):
"""
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
Entries = dict[str, ast.expr]


def _example(before: str, after: str) -> Example:
    inputs = "[(torch.rand(2, 3, 4, 4),), (torch.rand(1, 3, 6, 4),)]"
    return Example(_HEAD + before, _HEAD + after, inputs, Target.SCRIPT, error="keyword-arg expansion is not supported")


class KeywordDict(Rule):
    """Name the keyword arguments of a call that takes them from a dict whose keys the code shows.

    `F.interpolate(x, **options)` does not compile, whatever `options` holds. Where it is a local dict that is only made
    to be passed so, its values go to the calls, under their names: numbers, strings, attributes that only `__init__`
    sets, and variables that are bound once. What else the dict computes is kept in a variable, computed where the dict
    was. Of a dict that `__init__` stores once, `**self.options` becomes `mode=self.options['mode']`; object-attribute
    then mends what TorchScript does not know about a dict with values of several types.

    Left alone: dicts that are changed, or used for anything else; those that come as arguments or are made of others;
    keys that are no names; calls that stand inside another call with the same dict.

    Source: "keyword-arg expansion is not supported", raised by torch/jit/frontend.py.
    """

    name = "keyword-dict"
    targets = frozenset({Target.SCRIPT})
    answers = frozenset({"unsupported-syntax"})
    examples = [
        _example(
            """\
    def __init__(self, mode='bilinear'):
        super().__init__()
        self.mode = mode
        self.align_corners = True if mode == 'bilinear' else None

    def forward(self, x):
        h, w = x.shape[2:]
        options = dict(mode=self.mode, align_corners=self.align_corners)
        # once larger, once as it was
        y = F.interpolate(x, size=(h * 2, w * 2), **options)
        return F.interpolate(y.relu(), (h, w), **options) + x
""",
            """\
    def __init__(self, mode='bilinear'):
        super().__init__()
        self.mode = mode
        self.align_corners = True if mode == 'bilinear' else None

    def forward(self, x):
        h, w = x.shape[2:]
        # once larger, once as it was
        y = F.interpolate(x, size=(h * 2, w * 2), mode=self.mode, align_corners=self.align_corners)
        return F.interpolate(y.relu(), (h, w), mode=self.mode, align_corners=self.align_corners) + x
""",
        ),
        _example(
            """\
    def forward(self, x):
        pooling = {
            'kernel_size': x.size(2) // 2,
            'stride': 2,
        }
        return F.max_pool2d(x, **pooling) + F.avg_pool2d(x, **pooling)
""",
            """\
    def forward(self, x):
        kernel_size = x.size(2) // 2
        return F.max_pool2d(x, kernel_size=kernel_size, stride=2) + F.avg_pool2d(x, kernel_size=kernel_size, stride=2)
""",
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        if "**" not in file.source.text:
            return
        for function in file.functions:
            expanded = [(c, k.value) for c in function.of(ast.Call) for k in c.keywords if k.arg is None]
            taken = {n.id for n in walk(function.node) if isinstance(n, ast.Name)} | function.flow.local_names
            for name in dict.fromkeys(v.id for _, v in expanded if isinstance(v, ast.Name)):
                yield from self._local(function, name, taken)
            for call, value in expanded:
                yield from self._stored(function, call, value)

    def _local(self, function: Function, name: str, taken: set[str]) -> Iterator[Finding]:
        """A dict that a local name holds. ``taken`` grows by the names of the variables that its values are kept in."""
        made = _made(function, name)
        entries = _entries(function.file, made.value) if made is not None else None
        calls = _calls(function, name, made) if made is not None and entries else []
        if made is None or not entries or not calls or not all(_fits(c, entries) for c in calls):
            return
        inner = any(_is_comprehended(function, c) for c in calls)
        given: dict[str, str | ast.expr] = dict(entries)
        kept: list[str] = []
        for key, value in entries.items():
            if not _is_movable(function, value, inner):
                given[key] = variable = fresh(taken, key, f"{name}_{key}")
                taken.add(variable)
                kept.append(f"{variable} = {{{key}}}")
        edits: list[Edit] = [Replace([made], "\n".join(kept), {k: v for k, v in entries.items() if given[k] is not v})]
        edits += [_named(c, name, given) for c in calls]
        yield self.finding(calls[0], _message(name, entries), *edits)

    def _stored(self, function: Function, call: ast.Call, value: ast.expr) -> Iterator[Finding]:
        name = function.self_attribute(value)
        entries = _stored_entries(function, name) if name is not None else None
        if entries and _fits(call, entries):
            text = function.file.source.segment(value)
            edit = _named(call, text, {key: f"{text}[{key!r}]" for key in entries})
            caveat = f"keys that other files add to `{text}` are not passed on"
            yield self.finding(call, _message(text, entries), edit, caveat=caveat)


def _message(text: str, entries: Entries) -> str:
    return f"TorchScript does not expand `**{text}`; name what it holds: {', '.join(f'`{k}`' for k in entries)}"


def _named(call: ast.Call, text: str, given: Mapping[str, str | ast.expr]) -> Replace:
    """The call with names in the place of ``**text``."""
    parts, kept = kept_arguments(call.args, call.keywords)
    pieces: dict[str, str | ast.expr] = {"function": call.func, **kept}
    written: list[str] = []
    for part, argument in zip(parts, (*call.args, *call.keywords), strict=True):
        if isinstance(argument, ast.Starred):
            written.append("*" + part)
            pieces[part[1:-1]] = argument.value
        elif isinstance(argument, ast.keyword) and argument.arg is None and ast.unparse(argument.value) == text:
            del pieces[part[3:-1]]
            written += [f"{key}={{given_{key}}}" for key in given]
        else:
            written.append(part)
    pieces |= {f"given_{key}": value for key, value in given.items()}
    return Replace(call, f"{{function}}({', '.join(written)})", pieces)


def _fits(call: ast.Call, entries: Mapping[str, ast.expr]) -> bool:
    """Whether the call names none of the keys itself, and expands nothing else that could."""
    names = [k.arg for k in call.keywords]
    return names.count(None) == 1 and not entries.keys() & set(names)


def _entries(file: FileFacts, value: ast.expr | None) -> Entries | None:
    """What a dict that is written out holds, where its keys can be keywords."""
    pairs: list[tuple[object, ast.expr]] = []
    match value:
        case ast.Call(args=[], keywords=keywords) if file.origin(value.func) == "dict":
            pairs = [(k.arg, k.value) for k in keywords]
        case ast.Dict(keys=keys, values=values):
            pairs = [(getattr(k, "value", None), v) for k, v in zip(keys, values, strict=True)]
    named = {k: v for k, v in pairs if isinstance(k, str) and k.isidentifier() and not iskeyword(k)}
    return named if len(named) == len(pairs) and value is not None and "#" not in file.source.segment(value) else None


def _made(function: Function, name: str) -> ast.Assign | None:
    """The only assignment of a local name, where it assigns nothing else."""
    bound = function.bindings.values.get(name, [])
    if len(bound) != 1 or any(p.name == name for p in function.parameters):
        return None
    found = [s for s in function.of(ast.Assign) if s.value is bound[0] and len(s.targets) == 1]
    return found[0] if found and isinstance(found[0].targets[0], ast.Name) else None


def _calls(function: Function, name: str, made: ast.Assign) -> list[ast.Call]:
    """The calls that expand a local dict; none where it is used for more, or elsewhere than after it was made."""
    file, calls = function.file, []
    known = set(function.of(ast.Call))
    block = file.block_of(made)
    after = {n for s in block[block.index(made) + 1 :] for n in walk(s)}
    for node in walk(function.node):
        if not isinstance(node, ast.Name) or node.id != name or node is made.targets[0]:
            continue
        above = file.parents[node]
        call = file.parents[above]
        if not isinstance(above, ast.keyword) or above.arg is not None or not isinstance(call, ast.Call):
            return []
        if call not in known or call not in after:
            return []
        calls.append(call)
    nested = any(inner in calls for c in calls for inner in walk(c) if inner is not c)
    return [] if nested else calls


def _is_comprehended(function: Function, node: ast.AST) -> bool:
    while node is not function.node:
        if isinstance(node, _COMPREHENSIONS):
            return True
        node = function.file.parents[node]
    return False


def _is_movable(function: Function, value: ast.expr, inner: bool) -> bool:
    """Whether the value is the same wherever the function computes it; ``inner``: also inside a comprehension."""
    attribute = function.self_attribute(value)
    match value:
        case ast.Constant():
            return True
        case ast.UnaryOp(operand=ast.Constant()):
            return True
        case ast.Tuple(elts=elements):
            return all(_is_movable(function, e, inner) for e in elements)
        case ast.Name(id=name):
            bound = len(function.bindings.values.get(name, [])) + any(p.name == name for p in function.parameters)
            kept = not any(n.id == name and isinstance(n.ctx, ast.Del) for n in function.of(ast.Name))
            return bound == 1 and kept and not inner
        case ast.Attribute(attr="training"):  # `self.eval()` may come between
            return False
        case ast.Attribute() if attribute is not None and function.cls is not None:
            return function.cls.method(attribute) is None and all(
                (f := function_at(function.file, n.lineno)) is not None and f.name == "__init__"
                for n in _stores(function.file, attribute)
            )
    return False


def _stores(file: FileFacts, attribute: str) -> list[ast.Attribute]:
    return [n for n in file.of(ast.Attribute) if n.attr == attribute and not isinstance(n.ctx, ast.Load)]


def _stored_entries(function: Function, name: str) -> Entries | None:
    """What a dict holds that `__init__` stores once, and that the file only reads by keys."""
    file, cls = function.file, function.cls
    assert cls is not None
    stored = [pair for c in (cls, *cls.ancestors, *cls.subclasses) for pair in c.assigned.get(name, ())]
    if len(stored) != 1 or stored[0][0].name != "__init__" or len(_stores(file, name)) != 1:
        return None
    store = file.statement_of(_stores(file, name)[0])
    if store not in stored[0][0].node.body or not isinstance(store, ast.Assign) or len(store.targets) != 1:
        return None
    for node in file.of(ast.Attribute):
        above = file.parents[node]
        if node.attr == name and isinstance(node.ctx, ast.Load):
            expanded = isinstance(above, ast.keyword) and above.arg is None
            read = isinstance(above, ast.Subscript) and above.value is node and isinstance(above.ctx, ast.Load)
            if not expanded and not read:
                return None
    return _entries(file, stored[0][1])
