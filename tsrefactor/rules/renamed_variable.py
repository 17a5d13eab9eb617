"""renamed-variable."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tsrefactor.facts.definitions import Function
from tsrefactor.facts.diagnosis import Diagnosis
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.lives import Lives, Unclear
from tsrefactor.facts.names import fresh
from tsrefactor.facts.signatures import function_at
from tsrefactor.source.edits import Replace
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings

_SEVERAL = ("List[", "Tuple[")
_HEAD = """\
import torch
from torch import nn


class Model(nn.Module):
"""


def _example(before: str, after: str) -> Example:
    inputs = "[(torch.rand(2, 3),), (torch.rand(3, 4),)]"
    return Example(_HEAD + before, _HEAD + after, inputs, Target.SCRIPT, error="previously had type", recorded=True)


class RenamedVariable(Rule):
    """Give a variable another name where it takes up another type inside of a branch or a loop.

    TorchScript lets a name change its type only among the statements of one block: in the arm of an `if`, or in a
    loop, it has the type that it had outside. Where no statement may read the one value as well as the other, they are
    two variables: the list (or else the later one) gets a name of its own.

    Left alone: values that one statement may both read; parameters; names that nested functions, `try`, `del`, `:=`
    or f-strings use.

    Source: "Variable 'x' previously had type …", raised by torch/csrc/jit/frontend/ir_emitter.cpp.
    """

    name = "renamed-variable"
    targets = frozenset({Target.SCRIPT})
    needs_diagnosis = True
    answers = frozenset({"reassign-type"})
    examples = [
        _example(
            """\
    def forward(self, x, stack: bool = True):
        out = [x.relu(), x.tanh()]  # both
        out.append(x)
        if stack:
            out = torch.stack(out)
        else:
            out = torch.cat(out, dim=1)
        return out.sum(dim=0)
""",
            """\
    def forward(self, x, stack: bool = True):
        outs = [x.relu(), x.tanh()]  # both
        outs.append(x)
        if stack:
            out = torch.stack(outs)
        else:
            out = torch.cat(outs, dim=1)
        return out.sum(dim=0)
""",
        ),
        _example(
            """\
    def forward(self, x, width: int = 2):
        if width > 1:
            x = [part * width for part in x.split(width)]
            x = torch.cat(x)
        return x
""",
            """\
    def forward(self, x, width: int = 2):
        if width > 1:
            xs = [part * width for part in x.split(width)]
            x = torch.cat(xs)
        return x
""",
        ),
        _example(
            """\
    def forward(self, x, shift: float = 1.0):
        size = x.mean()
        y = x + size
        if shift > 0:
            size = x.size(0)
            y = y[:size] + shift
        return y
""",
            """\
    def forward(self, x, shift: float = 1.0):
        size = x.mean()
        y = x + size
        if shift > 0:
            new_size = x.size(0)
            y = y[:new_size] + shift
        return y
""",
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        for diagnosis in self.diagnoses(file):
            assert diagnosis.place is not None
            function = function_at(file, diagnosis.place.line)
            renamed = _renamed(function, diagnosis) if function is not None else None
            if function is None or renamed is None:
                continue
            nodes, name = renamed
            old = diagnosis.names["variable"]
            message = f"TorchScript lets `{old}` keep one type here; name the other `{name}`"
            yield self.finding(nodes[0], message, *(Replace(n, name) for n in nodes), answers=diagnosis)


def _renamed(function: Function, diagnosis: Diagnosis) -> tuple[list[ast.Name], str] | None:
    """The bindings and reads that get another name, in the order of the text, and that name."""
    name, place = diagnosis.names["variable"], diagnosis.place
    assert place is not None
    stores = [n for n in function.of(ast.Name) if n.id == name and isinstance(n.ctx, ast.Store)]
    here = [n for n in stores if function.file.statement_of(n).lineno == place.line]
    if len(here) != 1:
        return None
    try:
        lives = Lives(function, name)
    except Unclear:
        return None
    later = lives.life(here[0])
    before = [n for n in lives.before.get(here[0], ()) if n is not None]
    earlier: set[ast.Name | None] = lives.life(min(before, key=lambda n: n.lineno)) if before else {None}
    if earlier & later:
        return None
    nodes, type_ = later, diagnosis.names["found"]
    if diagnosis.names["expected"].startswith(_SEVERAL) and None not in earlier:
        nodes, type_ = earlier, diagnosis.names["expected"]
    if None in nodes:
        return None
    taken = function.flow.local_names | function.flow.reads(function.node.body)
    stem = name.rstrip("_") or name
    plural = f"{stem}_list" if stem.endswith("s") else f"{stem}s"
    new = fresh(taken, *((plural, f"{stem}_list") if type_.startswith(_SEVERAL) else (f"new_{name}",)))
    return sorted((n for n in nodes if n is not None), key=lambda n: (n.lineno, n.col_offset)), new
