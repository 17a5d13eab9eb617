"""flag-and."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tsrefactor.facts.attributes import Attributes, Declaration
from tsrefactor.facts.declaring import declared
from tsrefactor.facts.definitions import Function
from tsrefactor.facts.diagnosis import Diagnosis
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.short_circuit import asked_by_conditional, guards
from tsrefactor.facts.signatures import function_at
from tsrefactor.facts.types import BOOL
from tsrefactor.source.edits import Edit, Replace
from tsrefactor.source.imports import Import
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings, preview


def _example(before: str, after: str) -> Example:
    head, model = "import torch\nfrom torch import distributed, nn\n\n\n", "class Model(nn.Module):\n"
    inputs = "[(torch.rand(2, 4),), (torch.rand(3, 4),)]"
    return Example(
        head + model + before, "from typing import Final\n\n" + head + model + after, inputs, Target.SCRIPT,
        error="attribute on class|not a value|no attribute",
    )  # fmt: skip


class FlagAnd(Rule):
    """Ask a flag by a conditional expression, where an `and` guards what TorchScript cannot compile.

    TorchScript compiles all of `self.distributed and torch.distributed.is_initialized()`, also where the flag is a
    constant. Of a conditional expression it drops the arm that a `Final[bool]` does not take:
    `(torch.distributed.is_initialized() if self.distributed else False)`, which is the same value in eager. An `or`
    likewise.

    Left alone: attributes that are not always bools, or that something else than `__init__` sets; `self.training`.

    Source: measured on torch 2.13; `emitTernaryIf` and `emitShortCircuitLogical` in
    torch/csrc/jit/frontend/ir_emitter.cpp.
    """

    name = "flag-and"
    targets = frozenset({Target.SCRIPT})
    needs_diagnosis = True
    answers = frozenset(
        "missing-attribute no-attribute-on-type class-attribute attribute-on-python-value unknown-builtin-op"
        " python-value-as-value python-type-as-value python-builtin not-callable not-a-value"
        " undefined-value argument-type argument-match arguments-not-valid".split()
    )
    examples = [
        _example(
            """\
    def __init__(self, gather=False):
        super().__init__()
        self.gather = gather

    def forward(self, x):
        if self.gather and distributed.is_initialized():
            x = x / distributed.get_world_size()  # the mean of all
        return x * 2
""",
            """\
    gather: Final[bool]

    def __init__(self, gather=False):
        super().__init__()
        self.gather = gather

    def forward(self, x):
        if (distributed.is_initialized() if self.gather else False):
            x = x / distributed.get_world_size()  # the mean of all
        return x * 2
""",
        ),
        _example(
            """\
    def __init__(self, plain=True):
        super().__init__()
        self.plain = plain
        if not plain:
            self.factor = 2.0

    def forward(self, x):
        small = x.dim() == 2 and (self.plain or self.factor < 1.0)
        return x * 2 if small else x
""",
            """\
    plain: Final[bool]

    def __init__(self, plain=True):
        super().__init__()
        self.plain = plain
        if not plain:
            self.factor = 2.0

    def forward(self, x):
        small = x.dim() == 2 and (True if self.plain else self.factor < 1.0)
        return x * 2 if small else x
""",
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        for diagnosis in self.diagnoses(file):
            assert diagnosis.place is not None
            function = function_at(file, diagnosis.place.line)
            if function is not None and function.cls is not None and diagnosis.place.column is not None:
                yield from self._guarded(Attributes(file), function, diagnosis)

    def _guarded(self, attributes: Attributes, function: Function, diagnosis: Diagnosis) -> Iterator[Finding]:
        assert diagnosis.place is not None and diagnosis.place.column is not None and function.cls is not None
        for guard in guards(function, diagnosis.place.line, diagnosis.place.column):
            flags = [_flag(function, part) for part in guard.values[:-1]]
            at = next((i for i, f in enumerate(flags) if f and attributes.is_flag(function.cls, f)), None)
            if at is None:
                continue
            name = flags[at]
            assert name is not None
            owner = attributes.owner(function.cls, name)
            edits: list[Edit] = []
            imports: frozenset[Import] = frozenset()
            if not attributes.is_final(function.cls, name):
                edits, imports = declared(owner, [Declaration(owner, name, BOOL, True, guard, "")])
                if not edits:
                    continue
            template, pieces = asked_by_conditional(function.file, guard, at)
            yield self.finding(
                guard,
                f"TorchScript compiles both sides; let `{name}` decide: `{preview(template, pieces)}`",
                Replace(guard, template, pieces),
                *edits,
                imports=imports,
                answers=diagnosis,
            )


def _flag(function: Function, part: ast.expr) -> str | None:
    """The attribute of self that a part of a condition asks, as it is or negated."""
    negated = isinstance(part, ast.UnaryOp) and isinstance(part.op, ast.Not)
    return function.self_attribute(part.operand if isinstance(part, ast.UnaryOp) and negated else part)
