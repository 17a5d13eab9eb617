"""unused-property."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tsrefactor.facts.definitions import Function
from tsrefactor.facts.diagnosis import Diagnosis
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.signatures import function_at
from tsrefactor.facts.types import TENSOR
from tsrefactor.source.edits import AddDecorator
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings

_GENERATORS = {"parameters", "named_parameters", "buffers", "named_buffers"}
"""Generators of torch.nn.Module's."""
_MODEL = """\
import torch
from torch import nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

"""


def _example(before: str, after: str, error: str) -> Example:
    """An example of the properties of a model."""
    return Example(_MODEL + before, _MODEL + after, "[(torch.rand(2, 4),)]", Target.SCRIPT, error=error)


class UnusedProperty(Rule):
    """Keep TorchScript from compiling a property that `forward` does not need.

    TorchScript compiles all properties of a module, also those that only training code reads: `device`, made with
    `next(self.parameters())`, or a count of parameters. `@torch.jit.unused` leaves one out. Eager has it as before.

    Left alone: a property that compiled code of the file reads, and one that compiles. What cannot read it any more is
    the scripted model, which did not compile with it.

    Source: `get_class_properties` in torch/jit/frontend.py.
    """

    name = "unused-property"
    targets = frozenset({Target.SCRIPT})
    needs_diagnosis = True
    answers = frozenset(
        "argument-count argument-match argument-type arguments-not-valid attribute-on-python-value attribute-type"
        " builtin-arity callable-signature cannot-instantiate-class constant-value export-python-call"
        " function-definition getattr-name getattr-object integer-literal-index internal-assert iterate-module"
        " keyword-arguments lambda-function missing-attribute missing-python-attribute mixed-return module-type"
        " no-attribute-on-type not-a-function not-a-value not-callable not-iterable not-subscriptable"
        " optional-refinement python-attribute python-builtin python-type-as-value python-value-as-value return-type"
        " size-of-list string-literal-index undefined-value unknown unknown-builtin-op unknown-type-name"
        " unpack-count unpack-value unsupported-syntax variable-arguments".split()
    )
    examples = [
        _example(
            """\
    @property
    def device(self):
        # where its weights are
        return next(self.parameters()).device

    def forward(self, x):
        return self.fc(x)
""",
            """\
    @torch.jit.unused
    @property
    def device(self):
        # where its weights are
        return next(self.parameters()).device

    def forward(self, x):
        return self.fc(x)
""",
            "Python builtin <built-in function next>",
        ),
        _example(
            """\
    def forward(self, x):
        return self.fc(x)

    @property
    def size(self) -> int:
        return sum(p.numel() for p in self.parameters() if p.requires_grad)
""",
            """\
    def forward(self, x):
        return self.fc(x)

    @torch.jit.unused
    @property
    def size(self) -> int:
        return sum(p.numel() for p in self.parameters() if p.requires_grad)
""",
            "Comprehension ifs are not supported",
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        if not file.mentions("property"):
            return
        for diagnosis in self.diagnoses(file):
            function = _property_at(file, diagnosis) or _generating(file, diagnosis)
            if function is None or _is_read(file, function):
                continue
            unused, imports = file.spell("torch.jit.unused")
            message = f"TorchScript compiles all properties, and not `{function.name}`, which `forward` does not read"
            edit = AddDecorator(function.node, unused)
            yield self.finding(function.node, message, edit, imports=imports, answers=diagnosis)


def _property_at(file: FileFacts, diagnosis: Diagnosis) -> Function | None:
    """The property of a module in which an error lies, or that leads there."""
    for place in (diagnosis.place, *diagnosis.chain):
        if place is None or place.file != str(file.source.path):
            continue
        function = function_at(file, place.line)
        if function is not None and _is_property(function):
            return function
    return None


def _generating(file: FileFacts, diagnosis: Diagnosis) -> Function | None:
    """A property that asks `self.parameters()`, where an error without a place says that something does."""
    if diagnosis.names.get("construct") != "yield":
        return None
    name = f".{diagnosis.module_type or ''}"
    cls = next((c for c in file.classes if name.endswith(f".{c.qualname}")), None)
    family = (cls, *cls.ancestors) if cls is not None else ()
    return next(
        (m for c in family for m in c.methods.values() if _is_property(m) and _GENERATORS & set(m.self_attributes)),
        None,
    )


def _is_property(function: Function) -> bool:
    first = function.node.decorator_list[:1]
    known = function.cls is not None and function.cls.is_module and not function.skipped
    return known and bool(first) and isinstance(first[0], ast.Name) and first[0].id == "property"


def _is_read(file: FileFacts, function: Function) -> bool:
    """Whether code that TorchScript may compile reads an attribute of the property's name, and not a tensor's."""
    return any(
        n.attr == function.name and f.type_of(n.value, presume=True) != TENSOR
        for f in file.functions
        if f is not function
        for n in f.of(ast.Attribute)
    )
