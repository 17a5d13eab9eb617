"""held-method."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from tsrefactor.facts.attributes import Declaration
from tsrefactor.facts.call_forms import NotNameable
from tsrefactor.facts.declaring import declared
from tsrefactor.facts.definitions import Class, Function
from tsrefactor.facts.dispatch import method_name
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.flags import last_store
from tsrefactor.facts.flow import leaves
from tsrefactor.facts.held import UNREADABLE, Held, HeldFunctions
from tsrefactor.facts.kept import is_stored_once
from tsrefactor.facts.nodes import walk
from tsrefactor.facts.signatures import written_header
from tsrefactor.facts.types import BOOL
from tsrefactor.source.edits import InsertAfter, Replace
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings

_HEAD = """\
import torch
import torch.nn.functional as F
from torch import nn


"""


def _example(before: str, after: str, imports: str = "") -> Example:
    inputs = "[(torch.rand(2, 3, 4, 4),), (torch.rand(1, 3, 6, 4),)]"
    error = "failed to convert Python type: 'method'|failed to compile it"
    return Example(_HEAD + before, imports + _HEAD + after, inputs, Target.SCRIPT, error=error)


class HeldMethod(Rule):
    """Call a method by its own name where an attribute holds it.

    TorchScript takes no bound methods for attributes, and `F.interpolate` and the max pools only where they are called
    by their name. Where an attribute holds the same one in all instances, the calls name it: `self.interp(x, 2.0)`
    becomes `F.interpolate(x, 2.0)`. Where it holds one of several, methods that do not use `self` become static ones,
    which TorchScript takes like functions. Where they use it, `__init__` keeps in a `Final[bool]` which one it is, and
    a method calls that one by its name; the others are not compiled.

    Left alone: attributes that other code sets, that some instances may not have, or that are read otherwise than by a
    call.

    Source: "failed to convert Python type: 'method' to a TorchScript type" and "cannot be directly compiled because it
    is overloaded", raised by torch/csrc/jit/python/python_sugared_value.cpp.
    """

    name = "held-method"
    targets = frozenset({Target.SCRIPT})
    answers = frozenset({"unconvertible-attribute", "function-attribute-failed", "variable-arguments"})
    examples = [
        _example(
            """\
class Model(nn.Module):
    def __init__(self, scale=2.0):
        super().__init__()
        self.interp = F.interpolate
        self.rescale = self._scaled
        self.scale = scale

    def _scaled(self, x):
        return x * self.scale

    def forward(self, x):
        x = self.interp(self.rescale(x), scale_factor=self.scale, mode="bilinear")  # twice the size
        return x
""",
            """\
class Model(nn.Module):
    def __init__(self, scale=2.0):
        super().__init__()
        self.interp = F.interpolate
        self.rescale = self._scaled
        self.scale = scale

    def _scaled(self, x):
        return x * self.scale

    def forward(self, x):
        x = F.interpolate(self._scaled(x), scale_factor=self.scale, mode="bilinear")  # twice the size
        return x
""",
        ),
        _example(
            """\
class Model(nn.Module):
    def __init__(self, python=True):
        super().__init__()
        self.act = self._gelu if python else F.gelu

    def _gelu(self, x):
        \"""The exact form.\"""
        return x * 0.5 * (1.0 + torch.erf(x / 2.0**0.5))

    def forward(self, x):
        return self.act(x)
""",
            """\
class Model(nn.Module):
    def __init__(self, python=True):
        super().__init__()
        self.act = self._gelu if python else F.gelu

    @staticmethod
    def _gelu(x):
        \"""The exact form.\"""
        return x * 0.5 * (1.0 + torch.erf(x / 2.0**0.5))

    def forward(self, x):
        return self.act(x)
""",
        ),
        _example(
            """\
class Model(nn.Module):
    def __init__(self, kind="general"):
        super().__init__()
        if kind == "dot":
            self.norm = 2.0
            self.score = self._dot
        else:
            self.linear = nn.Linear(4, 4)
            self.score = self._general

    def _dot(self, x, y):
        return (x * y).sum(-1) / self.norm

    def _general(self, x, y):
        return (self.linear(x) * y).sum(-1)

    def forward(self, x):
        return self.score(x, x + 1)  # (batch, channel, height)
""",
            """\
class Model(nn.Module):
    score_is_dot: Final[bool]

    def __init__(self, kind="general"):
        super().__init__()
        if kind == "dot":
            self.norm = 2.0
            self.score = self._dot
        else:
            self.linear = nn.Linear(4, 4)
            self.score = self._general
        self.score_is_dot = self.score == self._dot

    def _dot(self, x, y):
        return (x * y).sum(-1) / self.norm

    def _general(self, x, y):
        return (self.linear(x) * y).sum(-1)

    def _call_score(self, x, y):
        if self.score_is_dot:
            return self._dot(x, y)
        else:
            return self._general(x, y)

    def forward(self, x):
        return self._call_score(x, x + 1)  # (batch, channel, height)
""",
            imports="from typing import Final\n\n",
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        held = HeldFunctions(file)
        given: set[Function] = set()
        taken: set[str] = set()
        for cls, name in held.called():
            values = held.values(cls, name)
            if len(values) == 1:
                yield from self._by_name(held, values[0])
                continue
            methods = list(dict.fromkeys(m for m in map(_held_method, values) if m is not None))
            reason = next((r for m in methods if not m.is_static and (r := _bound(file, m)) is not None), None)
            if reason is not None:
                yield self._chosen(held, cls, name, methods, _holds_others(held, values), reason, taken)
                continue
            for method in methods:
                if method not in given and not method.is_static:
                    given.add(method)
                    yield self._static(file, method)

    def _by_name(self, held: HeldFunctions, value: Held) -> Iterator[Finding]:
        """The calls of an attribute that holds one function, and never another."""
        file, cls, name = held.file, value.cls, value.attribute
        written = file.source.segment(value.node)
        if file.origin(value.node) in UNREADABLE:
            kind = f"TorchScript compiles `{written}` only where it is called by this name"
        elif _held_method(value) is not None:
            kind = f"TorchScript takes no bound method for an attribute (`{name}`)"
        else:
            return
        calls = held.form(cls, name).calls
        if not is_stored_once(cls, name):
            yield self.finding(value.node, f"{kind}; other code sets it, too")
            return
        message = f"{kind}; call `{written}`"
        yield self.finding(value.node, message, *(Replace(c.func, written) for _, c in calls))

    def _static(self, file: FileFacts, method: Function) -> Finding:
        header = _static_header(method)
        template = f"@staticmethod\n{header.replace('{', '{{').replace('}', '}}')}\n    {{body}}"
        return self.finding(
            method.node,
            f"TorchScript takes no bound method for an attribute (`{method.name}`); make it static: `{header}`",
            Replace([method.node], template, {"body": method.node.body}),
        )

    def _chosen(
        self, held: HeldFunctions, cls: Class, name: str, methods: list[Function], others: bool, bound: str,
        taken: set[str],
    ) -> Finding:  # fmt: skip
        """A method that calls the one of several that the attribute holds.

        ``others``: it may hold other functions. ``taken`` grows by the names of what is new.
        """
        init = cls.methods.get("__init__")
        message = f"TorchScript takes no bound method for an attribute (`{name}`), and {bound}"
        anchor = last_store(init, [name]) if init is not None else None
        if anchor is None or init is None or not _set_by(held, init, name):
            return self.finding(methods[0].node, f"{message}; it is not set by `__init__` of `{cls.name}` alone")
        if not _is_set(init, init.node.body, name):
            return self.finding(methods[0].node, f"{message}; some instances may have none")
        form = held.form(cls, name)
        try:
            alike = not others and len({_taken(m) for m in methods}) == 1
            parameters = form.of_target(methods[0], 0, ()) if alike else form.of_calls(())
        except NotNameable as reason:
            return self.finding(methods[0].node, f"{message}; {reason}")
        if not form.is_plain:
            return self.finding(methods[0].node, f"{message}; it is called with `*` or `**`")
        self_name = init.self_name
        told = methods if others else methods[:-1]
        flags = [method_name(cls, taken, f"{name.strip('_')}_is_{m.name.strip('_')}") for m in told]
        dispatch = method_name(cls, taken, f"_call_{name.strip('_')}")
        passed = ", ".join(p.passed for p in parameters)
        last = name if others else methods[-1].name
        body = "".join(
            f"    {'el' if i else ''}if {self_name}.{flag}:\n        return {self_name}.{m.name}({passed})\n"
            for i, (flag, m) in enumerate(zip(flags, told, strict=True))
        )
        header = ", ".join([str(self_name), *(p.written for p in parameters)])
        template = f"\ndef {dispatch}({header}):\n{body}    else:\n        return {self_name}.{last}({passed})"
        stores = [
            f"{self_name}.{f} = {self_name}.{name} == {self_name}.{m.name}" for f, m in zip(flags, told, strict=True)
        ]
        declarations, imports = declared(
            cls, [Declaration(cls, f, BOOL, True, init.node, "it says which method is called") for f in flags]
        )
        after = max((m.node for m in methods if m.cls is cls), key=lambda n: n.lineno, default=init.node)
        edits = [InsertAfter(anchor, "\n".join(stores)), InsertAfter(after, template), *declarations]
        edits += [Replace(c.func, f"{f.self_name}.{dispatch}") for f, c in form.calls]
        listed = ", ".join(f"`{m.name}`" for m in methods)
        message = f"TorchScript takes no bound method for an attribute (`{name}`); call by name what it holds: {listed}"
        caveat = f"a function that other files put in the place of `{name}` later is not called"
        return self.finding(anchor, message, *edits, imports=imports | form.imports, caveat=caveat)


def _holds_others(held: HeldFunctions, values: list[Held]) -> bool:
    """Whether the attribute may hold something else than the methods that the file shows."""
    return not all(_held_method(v) is not None or _is_choice(held, v) for v in values)


def _is_choice(held: HeldFunctions, value: Held) -> bool:
    """Whether it is an entry of a table that is written out, or what a function of the file returns: looked at, too."""
    if isinstance(value.node, ast.Call):
        called = held.chooser(value.node, value.around)
        return called is not None and leaves(called.node.body) and not called.decorators
    return isinstance(value.node, ast.Subscript) and isinstance(value.node.value, (ast.Dict, ast.List, ast.Tuple))


def _taken(method: Function) -> tuple[str, ...]:
    """The parameters of a method with their defaults."""
    return tuple(f"{p.name}={ast.unparse(p.default)}" if p.default else p.name for p in method.parameters)


def _set_by(held: HeldFunctions, init: Function, name: str) -> bool:
    """Whether nothing but this constructor sets the attribute, and methods only call it."""
    cls = init.cls
    assert cls is not None
    setting = {method for c in (cls, *cls.ancestors, *cls.subclasses) for method, _ in c.assigned.get(name, ())}
    return (
        setting == {init} and not any(f is init for f, _ in held.form(cls, name).calls) and held.only_called(cls, name)
    )


def _is_set(init: Function, block: list[ast.stmt], name: str) -> bool:
    """Whether the attribute has a value on every path to the end of the block."""
    for statement in block:
        if isinstance(statement, ast.Assign) and name in map(init.self_attribute, statement.targets):
            return True
        if isinstance(statement, ast.AnnAssign) and init.self_attribute(statement.target) == name:
            return statement.value is not None
        arms = [statement.body, statement.orelse] if isinstance(statement, ast.If) else []
        if arms and all(leaves(arm) or _is_set(init, arm, name) for arm in arms):
            return True
        if isinstance(statement, ast.With) and _is_set(init, statement.body, name):
            return True
    return False


def _held_method(value: Held) -> Function | None:
    """The method of the class that is held, ``self.method``."""
    around, cls = value.around, value.cls
    if around is None or around.cls is None:
        return None
    name = around.self_attribute(value.node)
    method = cls.method(name) if name is not None else None
    if method is None or method.is_class_method:
        return None
    return method if not method.decorators or (method.is_static and len(method.decorators) == 1) else None


def _bound(file: FileFacts, method: Function) -> str | None:
    """Why a method cannot be static."""
    cls = method.cls
    assert cls is not None
    if any(isinstance(n, ast.Name) and n.id == method.self_name for s in method.node.body for n in walk(s)):
        return f"it uses `{method.self_name}`"
    if any(isinstance(n, ast.Name) and n.id == "super" for n in walk(method.node)):
        return "it calls `super()`"
    if any(method.name in c.methods for c in _relatives(cls)):
        return "a relative has a method of this name"
    names = {c.name for c in (cls, *cls.subclasses)}
    for node in file.of(ast.Attribute):
        if node.attr == method.name and isinstance(node.value, ast.Name) and node.value.id in names:
            return f"`{ast.unparse(node)}` is used without an instance"
    a = method.node.args
    plain = not (a.vararg or a.kwarg or a.kwonlyargs or a.posonlyargs) and len(a.args) > 1
    return None if plain else "its parameters are not all by position"


def _relatives(cls: Class) -> Iterator[Class]:
    yield from cls.ancestors
    yield from cls.subclasses


def _static_header(method: Function) -> str:
    """The author's ``def`` line without ``self``."""
    return re.sub(rf"\((\s*){method.self_name}\b[^,]*,\s*", r"(\1", written_header(method), count=1)
