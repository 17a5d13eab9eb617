"""tolist-type."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tsrefactor.facts.definitions import Function
from tsrefactor.facts.elements import element_type
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.signatures import function_at
from tsrefactor.facts.types import FLOAT, INT, UNKNOWN, Type, list_of
from tsrefactor.source.edits import Replace
from tsrefactor.vocabulary import ContainerStyle, Target

from .base import Example, Finding, Rule, Settings, preview

_HEAD = "{typing}import torch\nfrom torch import nn\n\n\n"


def _example(before: str, after: str, style: ContainerStyle = ContainerStyle.CALL) -> Example:
    return Example(
        _HEAD.format(typing="") + before,
        _HEAD.format(typing="from typing import List\n\n") + after,
        "[(torch.rand(2, 5), torch.tensor([3, 1])), (torch.rand(3, 4), torch.tensor([1, 4, 2]))]",
        Target.SCRIPT,
        error="Expected type hint for result of tolist",
        recorded=True,
        settings=Settings(container_style=style),
    )


class TolistType(Rule):
    """Say what a list holds that is taken out of a tensor.

    How deep the list of `t.tolist()` is, and whether it holds ints or floats, shows only when the model runs, so
    TorchScript wants to be told: `torch.jit.annotate(List[int], t.tolist())`, or `sizes: List[int] = t.tolist()` with
    `--container-style annotation`. What it is: what a recorded run saw in the variable, or the operation that made the
    tensor (`argmax`, `long`); else a list of ints, and the finding counts as presumed.

    TorchScript raises where the tensor has another dtype (an int32 is none of its ints) or another number of
    dimensions.

    Left alone: what is annotated already.

    Source: "Expected type hint for result of tolist()", raised by torch/csrc/jit/frontend/ir_emitter.cpp.
    """

    name = "tolist-type"
    targets = frozenset({Target.SCRIPT})
    needs_diagnosis = True
    answers = frozenset({"type-hint-needed"})
    examples = [
        _example(
            """\
class Model(nn.Module):
    def forward(self, x, lengths):
        sizes = lengths.cpu().tolist()  # of each row
        total = x.new_zeros(())
        for row, size in enumerate(sizes):
            total = total + x[row, :size].sum()
        return total
""",
            """\
class Model(nn.Module):
    def forward(self, x, lengths):
        sizes = torch.jit.annotate(List[int], lengths.cpu().tolist())  # of each row
        total = x.new_zeros(())
        for row, size in enumerate(sizes):
            total = total + x[row, :size].sum()
        return total
""",
        ),
        _example(
            """\
class Model(nn.Module):
    def forward(self, x, lengths):
        rows = [row[:n].sum() for row, n in zip(x.unbind(), lengths.long().tolist())]
        return torch.stack(rows)
""",
            """\
class Model(nn.Module):
    def forward(self, x, lengths):
        rows = [row[:n].sum() for row, n in zip(x.unbind(), torch.jit.annotate(List[int], lengths.long().tolist()))]
        return torch.stack(rows)
""",
        ),
        _example(
            """\
class Model(nn.Module):
    def forward(self, x, lengths):
        sizes = lengths.tolist()
        return x[:, :max(sizes)]
""",
            """\
class Model(nn.Module):
    def forward(self, x, lengths):
        sizes: List[int] = lengths.tolist()
        return x[:, :max(sizes)]
""",
            ContainerStyle.ANNOTATION,
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        for diagnosis in self.diagnoses(file):
            assert diagnosis.place is not None
            function = function_at(file, diagnosis.place.line)
            for call in function.of(ast.Call) if function is not None else ():
                assert function is not None
                if not _is_tolist(call) or _is_annotated(file, call):
                    continue
                type_, known = _listed(function, call)
                text, imports = file.spell_type(type_)
                target = _variable(function, call)
                if settings.container_style is ContainerStyle.ANNOTATION and target is not None:
                    edit = Replace([file.statement_of(call)], f"{target}: {text} = {{value}}", {"value": call})
                else:
                    annotate, needed = file.spell("torch.jit.annotate")
                    imports |= needed
                    edit = Replace(call, f"{annotate}({text}, {{value}})", {"value": call})
                message = f"TorchScript must be told what is in the list; write `{preview(edit.template, edit.pieces)}`"
                yield self.finding(call, message, edit, imports=imports, presumed=not known, answers=diagnosis)


def _is_tolist(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Attribute) and call.func.attr == "tolist" and not call.args and not call.keywords


def _is_annotated(file: FileFacts, call: ast.Call) -> bool:
    parent = file.parents[call]
    if isinstance(parent, ast.Call) and file.origin(parent.func) == "torch.jit.annotate":
        return True
    return isinstance(parent, ast.AnnAssign)


def _variable(function: Function, call: ast.Call) -> str | None:
    """The variable that is given the list and nothing else."""
    parent = function.file.parents[call]
    target = parent.targets[0] if isinstance(parent, ast.Assign) and len(parent.targets) == 1 else None
    if not isinstance(target, ast.Name) or any(p.name == target.id for p in function.parameters):
        return None
    return target.id if len(function.types.bindings.values.get(target.id, ())) == 1 else None


def _listed(function: Function, call: ast.Call) -> tuple[Type, bool]:
    """The type of the list, and whether something tells it."""
    variable, observed = _variable(function, call), function.observed
    recorded = observed.locals.get(variable, UNKNOWN) if variable is not None and observed is not None else UNKNOWN
    inner = recorded
    while inner.name == "List":
        inner = inner.args[0]
    if recorded.name == "List" and inner in (INT, FLOAT):
        return recorded, True
    assert isinstance(call.func, ast.Attribute)
    element = element_type(function, call.func.value)
    return list_of(element if element.known else INT), element.known
