"""call-to-forward."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tsrefactor.facts.definitions import Class
from tsrefactor.facts.file import FileFacts
from tsrefactor.source.edits import RenameFunction
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings


class CallToForward(Rule):
    """Name `forward` what a module computes, where it overrides `__call__`.

    TorchScript compiles the method `forward`. Some losses and metrics define `def __call__(self, …)` on an nn.Module
    and no forward: torch.jit.script then finds nothing to compile, or `forward(*input)` of nn.Module, which only
    raises. The method becomes `forward`; nn.Module's own `__call__` calls it with the same arguments, and runs the
    module's hooks as well, which the override left out.

    Left alone: a class with a `forward` of its own or its bases' (TorchScript compiles that, whatever `__call__`
    does), one whose bases or subclasses define `__call__`, a static or class method, methods that name `forward` or
    `__call__` themselves (`self.forward(x)`, for which subclasses elsewhere may have one).

    Source: `infer_methods_to_compile` in torch/jit/_recursive.py starts from `forward`; "Defining forward" and
    `Module.__call__` in https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html.
    """

    name = "call-to-forward"
    targets = frozenset({Target.SCRIPT})
    answers = frozenset({"no-forward", "variable-arguments"})
    examples = [
        Example(
            before='''\
import torch
from torch import nn


class Hinge(nn.Module):
    def __init__(self, margin: float = 1.0):
        super().__init__()
        self.margin = margin

    def __call__(self, score, real: bool):
        """The mean over a batch of scores."""
        return torch.relu(self.margin - (score if real else -score)).mean()
''',
            after='''\
import torch
from torch import nn


class Hinge(nn.Module):
    def __init__(self, margin: float = 1.0):
        super().__init__()
        self.margin = margin

    def forward(self, score, real: bool):
        """The mean over a batch of scores."""
        return torch.relu(self.margin - (score if real else -score)).mean()
''',
            model="Hinge()",
            inputs="[(torch.rand(4), True), (torch.rand(3), False)]",
            breaks=Target.SCRIPT,
            outcome="run-error",
            error="object has no attribute 'forward'",
        ),
        Example(
            before="""\
import torch
from torch import nn


class Distance(nn.Module):
    def __call__(self, a, b):
        return (a - b).abs().sum()  # city block


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.distance = Distance()

    def forward(self, a, b):
        return torch.exp(-self.distance(a, b))
""",
            after="""\
import torch
from torch import nn


class Distance(nn.Module):
    def forward(self, a, b):
        return (a - b).abs().sum()  # city block


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.distance = Distance()

    def forward(self, a, b):
        return torch.exp(-self.distance(a, b))
""",
            inputs="[(torch.rand(4), torch.rand(4)), (torch.rand(2, 3), torch.rand(2, 3))]",
            breaks=Target.SCRIPT,
            error="args",
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        if not file.mentions("__call__"):
            return
        for cls in file.classes:
            method = cls.methods.get("__call__")
            if method is None or not cls.is_module or _has_forward(cls):
                continue
            message = "TorchScript compiles `forward`, which this module has not: it overrides `__call__`"
            reason = _refusal(cls)
            if reason is not None:
                yield self.finding(method.node, f"{message}, and {reason}")
                continue
            yield self.finding(
                method.node,
                f"{message}; name the method `forward`",
                RenameFunction(method.node, "forward"),
                caveat=f"hooks registered on {cls.name} run now; its `__call__` ran none",
            )


def _has_forward(cls: Class) -> bool:
    """Whether the class has a forward, or a base from elsewhere that may have one."""
    return cls.method("forward") is not None or any(base != "torch.nn.Module" for base in cls.foreign_bases)


def _refusal(cls: Class) -> str | None:
    method = cls.methods["__call__"]
    family = (*cls.ancestors, *cls.subclasses)
    others = [c.name for c in family if "__call__" in c.methods or "forward" in c.methods]
    if others:
        return f"so does {others[0]}, or has a forward"
    if method.self_name is None or method.is_class_method:
        return "not by a method of the instance"
    asked = [n.attr for c in (cls, *family) for m in c.methods.values() for n in m.of(ast.Attribute)]
    if "__call__" in asked or "forward" in asked:
        return "code asks for a `__call__` or `forward` by its name"
    if sum(isinstance(s, ast.FunctionDef) and s.name == "__call__" for s in cls.node.body) > 1:
        return "more than once"
    return None
