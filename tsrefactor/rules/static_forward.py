"""static-forward."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tsrefactor.facts.definitions import Class, Function
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.nodes import walk
from tsrefactor.source.edits import Replace, verbatim
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings


class StaticForward(Rule):
    """Make a static forward a method.

    TorchScript compiles `forward` as a method, whatever its decorators: the module itself becomes the first argument.
    `@staticmethod def forward(x)` becomes `def forward(self, x)`. What is called on an instance stays as it was.

    Left alone: a forward that the file calls on the class, `SiLU.forward(x)`; one with further decorators, with
    `*args` or with a parameter of the name `self`.

    Source: `torch/jit/_recursive.py` (`infer_methods_to_compile`) compiles what the instance has as `forward` with
    `self`; the error is "Expected a value of type 'Tensor' … but instead found type" of the module.
    """

    name = "static-forward"
    targets = frozenset({Target.SCRIPT})
    answers = frozenset({"argument-type", "arguments-not-valid", "no-attribute-on-type", "argument-count"})
    examples = [
        Example(
            before='''\
import torch
from torch import nn


class Swish(nn.Module):
    """x times its sigmoid."""

    @staticmethod
    def forward(x, beta: float = 1.0):
        # smooth near zero
        return x * torch.sigmoid(beta * x)


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.act = Swish()

    def forward(self, x):
        return self.act(x) + self.act(x, 2.0)
''',
            after='''\
import torch
from torch import nn


class Swish(nn.Module):
    """x times its sigmoid."""

    def forward(self, x, beta: float = 1.0):
        # smooth near zero
        return x * torch.sigmoid(beta * x)


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.act = Swish()

    def forward(self, x):
        return self.act(x) + self.act(x, 2.0)
''',
            inputs="[(torch.randn(3, 4),)]",
            breaks=Target.SCRIPT,
            error="for argument 'self' but instead found type|__torch__",
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        if not file.mentions("staticmethod"):
            return
        for function in file.functions:
            cls = function.cls
            if function.name == "forward" and cls is not None and cls.is_module and function.is_static:
                message = "TorchScript compiles a static forward with the module as its first argument"
                reason = _refusal(file, function, cls)
                if reason is not None:
                    yield self.finding(function.node, f"{message}: {reason}")
                    continue
                yield self.finding(
                    function.node,
                    f"{message}; make it a method: `{_header(function)}`",
                    Replace([function.node], f"{_header(function)}\n    {{body}}", {"body": function.node.body}),
                    caveat=f"`{cls.name}.forward` can no longer be called without an instance",
                )


def _refusal(file: FileFacts, function: Function, cls: Class) -> str | None:
    a = function.node.args
    if function.decorators != ["staticmethod"]:
        return "it has another decorator"
    if a.vararg or a.kwarg or a.kwonlyargs or a.posonlyargs or not a.args:
        return "its parameters are not all by position"
    if any(isinstance(n, ast.Name) and n.id == "self" for n in walk(function.node)) or a.args[0].arg == "self":
        return "it uses the name `self` for something else"
    names = {c.name for c in (cls, *cls.subclasses)}
    for node in walk(file.tree):
        of_class = isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in names
        if of_class and node.attr == "forward":  # type: ignore[attr-defined]
            return f"`{ast.unparse(node)}` is called without an instance"
    return None


def _header(function: Function) -> str:
    """The author's ``def`` line with ``self`` as the first parameter."""
    node, source = function.node, function.file.source
    arguments = node.args
    parts: list[ast.AST] = [*arguments.args, *arguments.defaults]
    spans = [source.span(p) for p in parts]  # type: ignore[arg-type]
    parameters = verbatim(source.text[min(s for s, _ in spans) : max(e for _, e in spans)])
    returns = f" -> {source.segment(node.returns)}" if node.returns is not None else ""
    return f"def {node.name}(self, {parameters}){returns}:"
