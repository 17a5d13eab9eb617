"""is-integer."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.types import FLOAT
from tsrefactor.source.edits import Replace
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings, preview


class IsInteger(Rule):
    """Ask by arithmetic whether a float is whole.

    TorchScript's floats have no methods, so that `m.is_integer()`, as code that pads to a multiple has it, does not
    compile; in a trace, where sizes are tensors, what they are divided by gives one without that method. `m % 1 == 0`
    says the same of every float, infinite ones and nan among them.

    Left alone: what is not known to be a float and was not complained about.

    Source: "'float' object has no attribute or method 'is_integer'", raised by torch/csrc/jit/frontend
    (sugared_value.cpp).
    """

    name = "is-integer"
    targets = frozenset({Target.SCRIPT, Target.TRACE})
    answers = frozenset({"no-attribute-on-type"})
    examples = [
        Example(
            before="""\
import torch


class Model(torch.nn.Module):
    def forward(self, x, multiple: int = 4):
        windows = x.size(-1) / multiple
        if not windows.is_integer():
            x = torch.nn.functional.pad(x, (0, multiple - x.size(-1) % multiple))
        return x, (x.size(-1) / 3).is_integer()  # also of three
""",
            after="""\
import torch


class Model(torch.nn.Module):
    def forward(self, x, multiple: int = 4):
        windows = x.size(-1) / multiple
        if windows % 1 != 0:
            x = torch.nn.functional.pad(x, (0, multiple - x.size(-1) % multiple))
        return x, (x.size(-1) / 3) % 1 == 0  # also of three
""",
            inputs="[(torch.rand(2, 6),), (torch.rand(2, 8),), (torch.rand(1, 5), 3)]",
            breaks=Target.SCRIPT,
            error="no attribute or method 'is_integer'",
        ),
        # Tracing stops at it.
        Example(
            before="""\
import torch


class Model(torch.nn.Module):
    def forward(self, x):
        pairs = x.size(-1) / 2
        assert pairs.is_integer()
        return x.view(x.size(0), -1, 2)
""",
            after="""\
import torch


class Model(torch.nn.Module):
    def forward(self, x):
        pairs = x.size(-1) / 2
        assert pairs % 1 == 0
        return x.view(x.size(0), -1, 2)
""",
            inputs="[(torch.rand(2, 6),), (torch.rand(2, 8),)]",
            breaks=Target.TRACE,
            error="no attribute 'is_integer'",
            settings=Settings(Target.TRACE),
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        if not file.mentions(".is_integer("):
            return
        told = {
            d.place.line
            for d in self.diagnoses(file)
            if d.place is not None and d.names.get("attribute") == "is_integer"
        }
        traced = self.for_trace(file, settings)
        subject = "tensors, which sizes are in a trace," if traced else "TorchScript's floats"
        for function in file.functions:
            for call in function.of(ast.Call):
                func = call.func
                if not isinstance(func, ast.Attribute) or func.attr != "is_integer" or call.args or call.keywords:
                    continue
                if function.type_of(func.value) != FLOAT and call.lineno not in told:
                    continue
                if traced and not function.dependence.may_be_sized(func.value):
                    continue
                parent = file.parents[call]
                negated = isinstance(parent, ast.UnaryOp) and isinstance(parent.op, ast.Not)
                template, pieces = f"{{number}} % 1 {'!=' if negated else '=='} 0", {"number": func.value}
                yield self.finding(
                    call,
                    f"{subject} have no `is_integer`; write `{preview(template, pieces)}`",
                    Replace(parent if isinstance(parent, ast.UnaryOp) and negated else call, template, pieces),
                )
