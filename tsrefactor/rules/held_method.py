"""held-method."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from tsrefactor.facts.definitions import Class, Function
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.held import UNREADABLE, Held, HeldFunctions
from tsrefactor.facts.kept import is_stored_once
from tsrefactor.facts.nodes import walk
from tsrefactor.facts.signatures import written_header
from tsrefactor.source.edits import Replace
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings

_HEAD = """\
import torch
import torch.nn.functional as F
from torch import nn


"""


def _example(before: str, after: str) -> Example:
    inputs = "[(torch.rand(2, 3, 4, 4),), (torch.rand(1, 3, 6, 6),)]"
    error = "failed to convert Python type: 'method'|failed to compile it"
    return Example(_HEAD + before, _HEAD + after, inputs, Target.SCRIPT, error=error)


class HeldMethod(Rule):
    """Call a method by its own name where an attribute holds it.

    TorchScript takes no bound methods for attributes, and `F.interpolate` and the max pools only where they are called
    by their name. Where an attribute holds the same one in all instances, the calls name it: `self.interp(x, 2.0)`
    becomes `F.interpolate(x, 2.0)`. Where it holds one of several, methods that do not use `self` become static ones,
    which TorchScript takes like functions.

    Left alone: attributes that several methods with `self` share, or that other code sets.

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
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        held = HeldFunctions(file)
        given: set[Function] = set()
        for cls, name in held.called():
            values = held.values(cls, name)
            if len(values) == 1:
                yield from self._by_name(held, values[0])
                continue
            for value in values:
                method = _held_method(value)
                if method is not None and method not in given:
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
        message = f"TorchScript takes no bound method for an attribute (`{method.name}`)"
        reason = _bound(file, method)
        if reason is not None:
            return self.finding(method.node, f"{message}, and {reason}")
        header = _static_header(method)
        template = f"@staticmethod\n{header.replace('{', '{{').replace('}', '}}')}\n    {{body}}"
        return self.finding(
            method.node,
            f"{message}; make it static: `{header}`",
            Replace([method.node], template, {"body": method.node.body}),
        )


def _held_method(value: Held) -> Function | None:
    """The method of the class that is held, ``self.method``."""
    around, cls = value.around, value.cls
    if around is None or around.cls is None:
        return None
    name = around.self_attribute(value.node)
    method = cls.method(name) if name is not None else None
    return method if method is not None and not method.is_static and not method.decorators else None


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
