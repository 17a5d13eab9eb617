"""module-annotation."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tsrefactor.facts.definitions import Class
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.nodes import walk
from tsrefactor.source.edits import Edit, Replace
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings

_PLAIN = ("torch.nn.Parameter", "torch.nn.parameter.Parameter")


class ModuleAnnotation(Rule):
    """Annotate a submodule where it is made, not in the class body.

    TorchScript reads the annotations of a class body as types of values, and a submodule is none: with
    `layers: nn.ModuleList` there the class does not compile. The annotation moves to the assignment in `__init__`,
    where TorchScript ignores it and type checkers find it: `self.layers: nn.ModuleList = …`.

    Left alone: annotations of what holds tensors and plain values; those of a class that is no module, or that
    assigns the attribute nowhere.

    Source: `torch/jit/_recursive.py` (`infer_concrete_type_builder`): "Unknown type annotation", "Expected inferred
    type to be interface type".
    """

    name = "module-annotation"
    targets = frozenset({Target.SCRIPT})
    answers = frozenset({"unknown-type-name", "module-annotation"})
    examples = [
        Example(
            before='''\
import torch
from torch import nn


class Model(nn.Module):
    """A projection and its heads."""

    heads: nn.ModuleList  # one for each output
    scale: float
    projection: nn.Linear

    def __init__(self):
        super().__init__()
        self.projection = nn.Linear(4, 4)
        self.heads = nn.ModuleList([nn.Linear(4, 1), nn.Linear(4, 2)])
        self.scale = 2.0

    def forward(self, x):
        x = self.projection(x) * self.scale
        return [head(x) for head in self.heads]
''',
            after='''\
import torch
from torch import nn


class Model(nn.Module):
    """A projection and its heads."""

    scale: float

    def __init__(self):
        super().__init__()
        self.projection: nn.Linear = nn.Linear(4, 4)
        self.heads: nn.ModuleList = nn.ModuleList([nn.Linear(4, 1), nn.Linear(4, 2)])
        self.scale = 2.0

    def forward(self, x):
        x = self.projection(x) * self.scale
        return [head(x) for head in self.heads]
''',
            inputs="[(torch.randn(3, 4),)]",
            breaks=Target.SCRIPT,
            error="Unknown type annotation|Expected inferred type to be interface type",
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        if not file.mentions_torch:
            return
        for cls in file.classes:
            observed = any(c.observed is not None for c in (cls, *cls.subclasses))
            if not cls.is_module or (file.observations is not None and not observed):
                continue
            declared = [
                s for s in cls.node.body
                if isinstance(s, ast.AnnAssign) and s.value is None and isinstance(s.target, ast.Name)
                and _is_submodule(cls, s.target.id, s.annotation)
            ]  # fmt: skip
            if not declared:
                continue
            names = ", ".join(f"'{ast.unparse(s.target)}'" for s in declared)
            if len(declared) == len(cls.node.body):
                yield self.finding(declared[0], f"{names}: TorchScript takes no annotation of a submodule")
                continue
            edits: list[Edit] = []
            for statement in declared:
                edits += _moved(cls, statement)
            yield self.finding(
                declared[0],
                f"TorchScript takes no annotation of a submodule in the class body: {names}; "
                "annotate where `__init__` assigns it",
                *edits,
            )


def _is_submodule(cls: Class, name: str, annotation: ast.expr) -> bool:
    """Whether the attribute holds a module: by its annotation, where the class or one above it assigns it."""
    if cls.observed is not None and name in cls.observed.children:
        return True
    assigned = any(name in c.assigned for c in (cls, *cls.ancestors))
    named = [n for n in walk(annotation) if isinstance(n, (ast.Name, ast.Attribute))]
    return assigned and any(_is_module(cls.file, n) for n in named)


def _is_module(file: FileFacts, node: ast.expr) -> bool:
    origin = file.origin(node)
    known = file.class_named(origin)
    if known is not None:
        return known.is_module
    last = origin.rpartition(".")[2]
    return origin.startswith("torch.nn.") and origin not in _PLAIN and last[:1].isupper() and origin.count(".") > 1


def _moved(cls: Class, statement: ast.AnnAssign) -> list[Edit]:
    """The declaration taken out, and put at the first plain assignment of the attribute in `__init__`."""
    assert isinstance(statement.target, ast.Name)
    name, file = statement.target.id, cls.file
    edits: list[Edit] = [Replace([statement], "")]
    method = cls.methods.get("__init__")
    for node in method.statements if method is not None else ():
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        if method is None or len(targets) != 1 or method.self_attribute(targets[0]) != name:
            continue
        if isinstance(node, ast.Assign):
            text = f"{{target}}: {file.source.segment(statement.annotation)} = {{value}}"
            edits.append(Replace([node], text, {"target": targets[0], "value": node.value}))
        break
    return edits
