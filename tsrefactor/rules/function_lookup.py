"""function-lookup."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from tsrefactor.facts.definitions import Class, Function
from tsrefactor.facts.family import members
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.flags import last_store
from tsrefactor.facts.kept import is_stored_once
from tsrefactor.facts.names import fresh
from tsrefactor.facts.operations import is_operation
from tsrefactor.facts.placement import always_evaluated
from tsrefactor.source.edits import Edit, InsertAfter, Replace, verbatim
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings

_MODULES = ("torch", "torch.nn.functional")
_HEAD = "import torch\nimport torch.nn.functional as F\nfrom torch import nn\n\n\n"


def _example(before: str, after: str, error: str) -> Example:
    return Example(
        _HEAD + before, _HEAD + after, "[(torch.rand(2, 4),), (torch.rand(3, 4),)]", Target.SCRIPT, error=error
    )


class FunctionLookup(Rule):
    """Let `__init__` look up a function by its name, where forward looks it up at every call.

    TorchScript has no dict of functions, and no `getattr` by a computed name; a function that a module holds it
    compiles. So `ACT2FN[self.act](x)` becomes `self.act_fn(x)`, and `__init__` stores `self.act_fn = ACT2FN[self.act]`
    right after the name. Where a call need not come to the lookup, a name that is not in the dict is none in `__init__`
    either: `ACT2FN.get(self.act)`.

    A name that is changed after `__init__` has no effect any more, and one that is not known raises there: a caveat.
    Left alone: names that other methods, or other classes, set; dicts that are not written out at the top of the file,
    or hold more than functions; `getattr` that a call need not come to.

    Source: "python value of type 'dict' cannot be used as a value" and "getattr's second argument must be a string
    literal", raised by torch/csrc/jit/frontend/ir_emitter.cpp.
    """

    name = "function-lookup"
    targets = frozenset({Target.SCRIPT})
    examples = [
        _example(
            """\
def swish(x):
    return x * torch.sigmoid(x)


ACT2FN = {'relu': F.relu, 'swish': swish}


class Block(nn.Module):
    def __init__(self, act):
        super().__init__()
        self.act = act
        self.fc = nn.Linear(4, 4)

    def forward(self, x):
        return ACT2FN[self.act](self.fc(x))  # by name


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.last = Block('relu'), Block('swish')

    def forward(self, x):
        return self.last(self.first(x))
""",
            """\
def swish(x):
    return x * torch.sigmoid(x)


ACT2FN = {'relu': F.relu, 'swish': swish}


class Block(nn.Module):
    def __init__(self, act):
        super().__init__()
        self.act = act
        self.act_fn = ACT2FN[self.act]
        self.fc = nn.Linear(4, 4)

    def forward(self, x):
        return self.act_fn(self.fc(x))  # by name


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.last = Block('relu'), Block('swish')

    def forward(self, x):
        return self.last(self.first(x))
""",
            "cannot be used as a value",
        ),
        _example(
            """\
class Model(nn.Module):
    def __init__(self, act='gelu'):
        super().__init__()
        self.act = act

    def forward(self, x):
        x = getattr(F, self.act)(x)
        return getattr(F, self.act)(x * 2)
""",
            """\
class Model(nn.Module):
    def __init__(self, act='gelu'):
        super().__init__()
        self.act = act
        self.act_fn = getattr(F, self.act)

    def forward(self, x):
        x = self.act_fn(x)
        return self.act_fn(x * 2)
""",
            "getattr",
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        if not file.mentions("[self.", "getattr("):
            return
        groups: dict[tuple[Class, str], list[_Lookup]] = {}
        for function in file.functions:
            if function.cls is None or not function.cls.is_module or function.name == "__init__":
                continue
            for call in function.of(ast.Call):
                if isinstance(call.func, (ast.Subscript, ast.Call)):
                    lookup = _lookup(function, call.func)
                    if lookup is not None:
                        groups.setdefault((function.cls, ast.unparse(call.func)), []).append(lookup)
        given: dict[Class, set[str]] = {}
        for (cls, _), lookups in groups.items():
            first, init = lookups[0], cls.methods.get("__init__")
            anchor = last_store(init, [first.key]) if init is not None else None
            if init is None or init.self_name != first.function.self_name or anchor is None:
                continue
            if not is_stored_once(cls, first.key):
                continue
            text = file.source.segment(first.node)
            if not any(lookup.is_sure for lookup in lookups):
                if first.table is None:
                    continue
                text = f"{first.table}.get({init.self_name}.{first.key})"
            taken = given.setdefault(cls, members(cls))
            name = fresh(taken, f"{first.key.strip('_')}_fn")
            taken.add(name)
            edits: list[Edit] = [InsertAfter(anchor, verbatim(f"{init.self_name}.{name} = {text}"))]
            edits += [Replace(lookup.node, f"{init.self_name}.{name}") for lookup in lookups]
            message = f"TorchScript looks up no function by a name; call `{name}`, which `__init__` looks up"
            caveat = f"`{cls.name}` looks `{first.key}` up once, in `__init__`: a later change has no effect"
            yield self.finding(first.node, message, *edits, caveat=caveat)


@dataclass(frozen=True)
class _Lookup:
    """``ACT2FN[self.key]``, or ``getattr(F, self.key)`` (``table`` is None)."""

    function: Function
    node: ast.expr
    key: str
    table: str | None

    @property
    def is_sure(self) -> bool:
        """Whether every call of the module comes to it, of those of heirs, too."""
        cls = self.function.cls
        overridden = cls is not None and any("forward" in c.methods for c in cls.subclasses)
        return self.function.name == "forward" and not overridden and always_evaluated(self.function, self.node)


def _lookup(function: Function, node: ast.Subscript | ast.Call) -> _Lookup | None:
    file = function.file
    match node:
        case ast.Subscript(value=ast.Name(id=table), slice=ast.Attribute() as key):
            if table in function.flow.local_names or not _holds_functions(file, table):
                return None
            name = function.self_attribute(key)
            return _Lookup(function, node, name, table) if name is not None else None
        case ast.Call(func=ast.Name(id="getattr"), args=[module, ast.Attribute() as key], keywords=[]):
            name = function.self_attribute(key)
            return _Lookup(function, node, name, None) if name is not None and file.origin(module) in _MODULES else None
    return None


def _holds_functions(file: FileFacts, table: str) -> bool:
    """Whether the file binds a name once, at its top, to a dict of functions: a module would become a child."""
    values = file.assigned.get(table, ())
    if any(n.id == table and isinstance(n.ctx, ast.Load) and not _is_look(file, n) for n in file.of(ast.Name)):
        return False  # more may be put in
    held = values[0].values if len(values) == 1 and isinstance(values[0], ast.Dict) else []
    return bool(held) and all(_is_function(file, v) for v in held)


def _is_look(file: FileFacts, table: ast.Name) -> bool:
    """Whether a read of the table only looks into it."""
    parent = file.parents[table]
    match parent:
        case ast.Subscript():
            return isinstance(parent.ctx, ast.Load)
        case ast.Attribute(attr=name):
            return name in ("get", "keys", "values", "items")
        case ast.Call(func=ast.Name(id=name)):
            return name in ("len", "list", "sorted", "tuple")
    return isinstance(parent, (ast.Compare, ast.For, ast.comprehension, ast.FormattedValue))


def _is_function(file: FileFacts, value: ast.expr) -> bool:
    origin = file.origin(value)
    return is_operation(origin) or origin.startswith("torch.nn.functional.") or file.function_named(origin) is not None
