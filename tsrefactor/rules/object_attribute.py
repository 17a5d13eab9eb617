"""object-attribute."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from tsrefactor.facts.definitions import Class, Function
from tsrefactor.facts.diagnosis import Diagnosis
from tsrefactor.facts.family import attributes_in_use
from tsrefactor.facts.fields import Held, fields_stored, is_changed, path_of, recorded_at, stored_at
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.names import fresh
from tsrefactor.facts.nodes import walk
from tsrefactor.facts.observations import step
from tsrefactor.facts.placement import always_evaluated
from tsrefactor.facts.signatures import function_at
from tsrefactor.facts.types import DEVICE, NONE, SCALARS, STR, UNKNOWN, Type, join
from tsrefactor.source.edits import Edit, InsertAfter, Replace, verbatim
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings

_PLAIN = {t.name for t in (*SCALARS, STR, NONE, DEVICE)} | {"torch.dtype", "List", "Dict", "Tuple", "Optional"}


class ObjectAttribute(Rule):
    """Let `__init__` read a number out of an object, where forward reads it from the object at every call.

    TorchScript types what a module holds, and has no type for an object of a plain class, an `argparse.Namespace`, or
    a dict with values of several types; of a named tuple it knows the values, not the names. Numbers, strings, flags
    and lists of them it takes as attributes: so `__init__` stores `self.width = config.width` right after the object,
    and the methods read `self.width`. Where `__init__` stores that value already, they read this one.

    A field that no call needs to have is read with `getattr(config, 'width', None)` (a dict's with `get`), so that
    an object without it still makes a module. Fields become attributes only where a recorded run shows that they hold
    plain values. Left alone: objects that the class changes or replaces, calls of an object's methods, objects that
    are passed on as a whole, fields that hold modules or tensors.

    A change of the object after `__init__` has no effect any more: a caveat.

    Source: "failed to convert Python type", raised by torch/csrc/jit/python/python_sugared_value.cpp for what
    `tryToInferType` of torch/csrc/jit/python/pybind_utils.h has no type for.
    """

    name = "object-attribute"
    targets = frozenset({Target.SCRIPT})
    answers = frozenset({"unconvertible-attribute", "no-attribute-on-type"})
    needs_diagnosis = True
    examples = [
        Example(
            before="""\
from types import SimpleNamespace

import torch
from torch import nn


class Model(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config  # also for those who save the model
        self.fc = nn.Linear(config.width, config.width)

    def forward(self, x):
        x = self.fc(x).view(-1, self.config.heads, self.config.width // self.config.heads)
        if self.config.residual and getattr(self.config, "scaled", False):
            x = x * self.config.scale
        return x
""",
            after="""\
from types import SimpleNamespace

import torch
from torch import nn


class Model(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config  # also for those who save the model
        self.heads = config.heads
        self.width = config.width
        self.residual = config.residual
        self.scaled = getattr(config, "scaled", False)
        self.scale = getattr(config, "scale", None)
        self.fc = nn.Linear(config.width, config.width)

    def forward(self, x):
        x = self.fc(x).view(-1, self.heads, self.width // self.heads)
        if self.residual and self.scaled:
            x = x * self.scale
        return x
""",
            inputs="[(torch.rand(3, 4),), (torch.rand(2, 4),)]",
            model="Model(SimpleNamespace(width=4, heads=2, residual=True, scaled=True, scale=2.0))",
            breaks=Target.SCRIPT,
            error="failed to convert Python type: 'types.SimpleNamespace'",
            recorded=True,
        ),
        # A dict of values of several types, one of which `__init__` stores already, and another under a taken name.
        Example(
            before="""\
import torch
from torch import nn


class Model(nn.Module):
    def __init__(self, opt, scale=1.0):
        super().__init__()
        self.opt, self.scale = opt, scale
        self.mode = opt['mode']

    def forward(self, x):
        if self.opt['mode'] == 'sum' and 'bias' in self.opt:
            x = x + self.opt['bias']
        return x * self.opt['scale'] * self.opt.get('factor', 2) + self.opt['MODEL']['DEPTH'] * self.scale
""",
            after="""\
import torch
from torch import nn


class Model(nn.Module):
    def __init__(self, opt, scale=1.0):
        super().__init__()
        self.opt, self.scale = opt, scale
        self.has_bias = 'bias' in opt
        self.bias = opt.get('bias')
        self.opt_scale = opt['scale']
        self.factor = opt.get('factor', 2)
        self.depth = opt['MODEL']['DEPTH']
        self.mode = opt['mode']

    def forward(self, x):
        if self.mode == 'sum' and self.has_bias:
            x = x + self.bias
        return x * self.opt_scale * self.factor + self.depth * self.scale
""",
            inputs="[(torch.rand(3, 4),), (torch.rand(2, 4),)]",
            model="Model({'mode': 'sum', 'bias': 0.5, 'scale': 3.0, 'MODEL': {'DEPTH': 2, 'NAME': 'b'}})",
            breaks=Target.SCRIPT,
            error="failed to convert Python type: 'dict'",
            recorded=True,
        ),
        # A named tuple has all its fields. A local name of the object goes where only its fields are read.
        Example(
            before="""\
from collections import namedtuple

import torch
from torch import nn

Params = namedtuple("Params", ["depth", "skip", "rate"])


class Model(nn.Module):
    def __init__(self, params):
        super().__init__()
        self._params = params
        self.fc = nn.Linear(4, 4)

    def forward(self, x):
        p = self._params
        y = self.fc(x)
        if p.skip and p.depth > 1:
            if p.rate:
                y = nn.functional.dropout(y, p.rate, self.training)
            y = x + y
        return y
""",
            after="""\
from collections import namedtuple

import torch
from torch import nn

Params = namedtuple("Params", ["depth", "skip", "rate"])


class Model(nn.Module):
    def __init__(self, params):
        super().__init__()
        self._params = params
        self.skip = params.skip
        self.depth = params.depth
        self.rate = params.rate
        self.fc = nn.Linear(4, 4)

    def forward(self, x):
        y = self.fc(x)
        if self.skip and self.depth > 1:
            if self.rate:
                y = nn.functional.dropout(y, self.rate, self.training)
            y = x + y
        return y
""",
            inputs="[(torch.rand(3, 4),), (torch.rand(2, 4),)]",
            model="Model(Params(2, True, 0.5))",
            breaks=Target.SCRIPT,
            error="object has no attribute or method 'skip'",
            recorded=True,
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        for diagnosis in self.diagnoses(file):
            assert diagnosis.place is not None
            function = function_at(file, diagnosis.place.line)
            name = _object(function, diagnosis) if function is not None else None
            if function is None or function.cls is None or name is None:
                continue
            place = stored_at(function.cls, name)
            if place is None:
                continue
            typed = _is_typed(diagnosis)
            reads = [r for f in file.methods_of(function.cls) if f.name != "__init__" for r in _reads(f, name, typed)]
            if reads and not is_changed(function.cls, name, {r.steps[0].removeprefix("has_") for r in reads}):
                yield self._moved(function.cls, place, reads, diagnosis)

    def _moved(self, cls: Class, place: Held, reads: list[_Read], diagnosis: Diagnosis) -> Finding:
        """The reads of attributes instead, and what `__init__` must store for them."""
        edits: list[Edit] = []
        stored, names, lines = fields_stored(cls), {}, []
        complete = _is_typed(diagnosis)  # a named tuple has all its fields
        for read in reads:
            value = _value_of(place, read)
            if value not in names and not isinstance(read.node, (ast.Call, ast.Compare)) and read.path in stored:
                names[value] = stored[read.path]
            if value not in names:
                sure = complete or any(r.sure and _value_of(place, r) == value for r in reads)
                names[value] = _name(cls, place.name, read, set(names.values()))
                lines.append(f"{place.self_name}.{names[value]} = {value if sure else _value_if_any(place, read)}")
            edits.append(Replace(read.node, f"{read.function.self_name}.{names[value]}"))
            edits += [] if read.alias is None else [Replace([read.alias], "")]
        what = ", ".join(f"`{n}`" for n in names)
        if lines:
            text = verbatim("\n".join(lines))
            edits.insert(0, InsertAfter(place.anchor, text))
        return self.finding(
            reads[0].node,
            f"TorchScript does not know the object in `self.{place.name}`; let `__init__` store {what}",
            *edits,
            caveat=f"`{cls.name}` reads {what} once, in `__init__`: a later change of the object has no effect",
            answers=diagnosis,
        )


@dataclass(frozen=True)
class _Read:
    """An expression that reads a field. ``steps``: the names on the way to it; ``alias``: `cfg = self.cfg`, to drop."""

    function: Function
    node: ast.expr
    root: ast.expr
    path: str
    steps: tuple[str, ...]
    sure: bool
    alias: ast.stmt | None = None


def _value_of(place: Held, read: _Read) -> str:
    """The field in terms of `__init__`, as its author reads it."""
    source = read.function.file.source
    return " ".join(source.segment(read.node).replace(source.segment(read.root), place.text, 1).split())


def _value_if_any(place: Held, read: _Read) -> str:
    """The same where the object may lack it."""
    text = read.function.file.source.text
    quote = "'" if text.count("'") > text.count('"') else '"'
    value = _value_of(place, read)
    match read.node:
        case ast.Attribute(attr=name):
            return f"getattr({value[: value.rindex('.')]}, {quote}{name}{quote}, None)"
        case ast.Subscript():
            return f"{value[: value.rindex('[')]}.get({value[value.rindex('[') + 1 : -1]})"
    return value


def _object(function: Function | None, diagnosis: Diagnosis) -> str | None:
    """The attribute of self that holds the object, of which a diagnosis complains."""
    place, name = diagnosis.place, diagnosis.names.get("attribute", "")
    if function is None or place is None:
        return None
    if diagnosis.kind == "unconvertible-attribute":
        return name if any(n.lineno == place.line for n in function.self_attributes.get(name, ())) else None
    for node in function.of(ast.Attribute):
        if node.attr == name and node.lineno == place.line:
            held: list[ast.expr | Type] = [node.value]
            if isinstance(node.value, ast.Name):
                held = function.bindings.values.get(node.value.id, [])
            found = [function.self_attribute(h) for h in held if isinstance(h, ast.expr)]
            if len(found) == 1:
                return found[0]
    return None


# -- reads ---------------------------------------------------------------------------------------------------------


def _is_typed(diagnosis: Diagnosis) -> bool:
    """Whether TorchScript has types for all values in a named tuple, and only no names for them."""
    type_ = diagnosis.names.get("type", "")
    return type_.startswith("Tuple[") and "Tensor" not in type_


def _reads(function: Function, name: str, typed: bool) -> Iterator[_Read]:
    """The fields of the object that a method reads, through a local name for the object, too."""
    parents = function.file.parents
    for root in function.self_attributes.get(name, ()):
        parent = parents[root]
        if isinstance(parent, ast.Assign) and isinstance(parent.targets[0], ast.Name) and len(parent.targets) == 1:
            yield from _through_alias(function, parent, parent.targets[0].id, name, typed)
        elif (read := _read(function, root, name, typed)) is not None:
            yield read


def _through_alias(function: Function, alias: ast.Assign, local: str, name: str, typed: bool) -> Iterator[_Read]:
    names = [n for n in walk(function.node) if isinstance(n, ast.Name) and n.id == local]
    if len(function.bindings.values.get(local, ())) != 1:
        return
    found = [_read(function, n, name, typed) for n in names if isinstance(n.ctx, ast.Load)]
    reads = [r for r in found if r is not None]
    if len(reads) == len(found) and reads:
        yield from reads[:-1]
        yield replace(reads[-1], alias=alias)


def _read(function: Function, root: ast.expr, name: str, typed: bool) -> _Read | None:
    """The longest expression over the object that holds a plain value: in all recorded instances, or as ``typed``."""
    cls, node, path = function.cls, root, name
    assert cls is not None
    steps: tuple[str, ...] = ()
    found: _Read | None = None
    while (further := _step(function.file, node)) is not None:
        node, asked = further
        if _is_test(node):
            return _Read(function, node, root, path, (*steps, f"has_{asked}"), True)
        path, steps = path + step(asked), (*steps, asked)
        type_ = recorded_at(cls, path) or UNKNOWN
        if isinstance(node, ast.Call):  # `getattr(cfg, 'n', 1)`, `cfg.get('n', 1)`, `cfg.get('n')`
            default = node.args[-1] if len(node.args) > isinstance(node.func, ast.Name) + 1 else None
            type_ = join(type_, function.type_of(default) if default is not None else NONE)
        if _is_plain(type_) or (typed and len(steps) == 1):
            sure = isinstance(node, ast.Call) or _surely_read(function, node, path)
            found = _Read(function, node, root, path, steps, sure)
    return found


def _is_test(node: ast.expr) -> bool:
    """Whether it asks for a field: ``hasattr(cfg, 'n')``, ``'n' in cfg``."""
    return isinstance(node, ast.Compare) or (isinstance(node, ast.Call) and ast.unparse(node.func) == "hasattr")


def _step(file: FileFacts, node: ast.expr) -> tuple[ast.expr, str] | None:
    """The expression around an object that reads one of its fields or asks for one, and that field's name."""
    parent = file.parents[node]
    above = file.parents[parent]
    match parent:
        case ast.Attribute(attr=name, ctx=ast.Load()):
            if not (isinstance(above, ast.Call) and above.func is parent):
                return parent, name
            match above:
                case ast.Call(args=[ast.Constant(value=str(key)), *rest], keywords=[]) if name == "get":
                    return (above, key) if all(isinstance(r, ast.Constant) for r in rest) else None
        case ast.Subscript(value=value, slice=ast.Constant(value=str(name)), ctx=ast.Load()) if value is node:
            return parent, name
        case ast.Call(func=ast.Name(id="getattr"), args=[value, ast.Constant(value=str(name)), *rest]):
            return (parent, name) if value is node and all(isinstance(r, ast.Constant) for r in rest) else None
        case ast.Call(func=ast.Name(id="hasattr"), args=[value, ast.Constant(value=str(name))]) if value is node:
            return parent, name
        case ast.Compare(left=ast.Constant(value=str(name)), ops=[ast.In()], comparators=[value]) if value is node:
            return parent, name
    return None


def _surely_read(function: Function, node: ast.expr, path: str) -> bool:
    """Whether every instance has the field: `__init__` reads it always, or every call of forward does."""
    cls = function.cls
    assert cls is not None
    init = cls.methods["__init__"]
    if any(path_of(init, n) == path and always_evaluated(init, n) for n in init.of(ast.Attribute, ast.Subscript)):
        return True
    if not always_evaluated(function, node):
        return False
    calls = [(f, c) for f in function.file.methods_of(cls) for c in f.self_attributes.get(function.name, ())]
    return function.name == "forward" or any(f.name == "forward" and always_evaluated(f, c) for f, c in calls)


def _is_plain(type_: Type) -> bool:
    """Whether TorchScript takes a value of that type as it is; it may be another one in another instance."""
    if type_.name == "Union":
        return all(map(_is_plain, type_.args))
    return type_.known and type_.names() <= _PLAIN


# -- names ---------------------------------------------------------------------------------------------------------


def _name(cls: Class, held: str, read: _Read, given: set[str]) -> str:
    """The field's name, with those of the objects around it where it is taken."""
    taken = attributes_in_use(cls) | given
    words = [re.sub(r"\W+", "_", s.lower() if s.isupper() else s).strip("_") for s in (held, *read.steps)]
    return fresh(taken, *("_".join(words[i:]) for i in reversed(range(len(words)))))
