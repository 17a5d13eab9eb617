"""set-membership."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.types import SCALARS
from tsrefactor.source.edits import Replace
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings, preview


class SetMembership(Rule):
    """Look for a value in a tuple instead of a set that is written out.

    TorchScript has no sets, not even in code that is never compiled. `x in {'a', 'b'}` is true for the same numbers
    and texts as `x in ('a', 'b')`.

    Left alone: sets that do more than to be searched, those whose elements are not all literal texts or all literal
    integers, and values that may be tensors (a set finds them by identity).

    Source: "Set aren't supported", raised by torch/jit/frontend.py.
    """

    name = "set-membership"
    targets = frozenset({Target.SCRIPT})
    answers = frozenset({"unsupported-syntax"})
    examples = [
        Example(
            before="""\
from torch import nn


class Model(nn.Module):
    def __init__(self, mode='sum'):
        super().__init__()
        self.mode = mode

    def forward(self, x):
        if self.mode not in {'sum', 'mean'}:  # as in the paper
            return x
        if x.dim() in {
            2,
            3,
        }:
            return x.sum(1)
        return x.sum(0)
""",
            after="""\
from torch import nn


class Model(nn.Module):
    def __init__(self, mode='sum'):
        super().__init__()
        self.mode = mode

    def forward(self, x):
        if self.mode not in ('sum', 'mean'):  # as in the paper
            return x
        if x.dim() in (2, 3):
            return x.sum(1)
        return x.sum(0)
""",
            inputs="[(torch.rand(2, 3),), (torch.rand(4, 3),)]",
            breaks=Target.SCRIPT,
            error="Set aren't supported",
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        if " in {" not in file.source.text:
            return
        for function in file.functions:
            for node in function.nodes:
                if not isinstance(node, ast.Compare) or len(node.ops) != 1:
                    continue
                [searched] = node.comparators
                if not isinstance(searched, ast.Set) or not isinstance(node.ops[0], (ast.In, ast.NotIn)):
                    continue
                kinds = {type(e.value) if isinstance(e, ast.Constant) else None for e in searched.elts}
                if kinds != {str} and not (kinds == {int} and function.type_of(node.left) in SCALARS):
                    continue
                pieces = {f"e{i}": e for i, e in enumerate(searched.elts)}
                template = ", ".join(f"{{{p}}}" for p in pieces) + ("," if len(pieces) == 1 else "")
                diagnoses = (d for d in self.diagnoses(file) if d.place and d.place.line == searched.lineno)
                edit = Replace(searched, f"({template})", pieces)
                message = f"TorchScript has no sets; look in the tuple `{preview(edit.template, edit.pieces)}`"
                yield self.finding(searched, message, edit, answers=next(diagnoses, None))
