"""list-of-none."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tsrefactor.facts.definitions import Function
from tsrefactor.facts.diagnosis import Diagnosis
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.signatures import found_type, function_at
from tsrefactor.facts.types import TENSOR, UNKNOWN, Type, list_of, optional
from tsrefactor.source.edits import Replace
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings, preview

_HEAD = """\
import torch
from torch import nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([nn.GRU(4, 4), nn.GRU(4, 4)])

"""


def _example(before: str, after: str, error: str, typed: bool = False) -> Example:
    imports = "from typing import List, Optional\n\n"
    return Example(
        (imports if typed else "") + _HEAD + before,
        imports + _HEAD + after,
        "[(torch.rand(2, 3, 4),), (torch.rand(3, 1, 4),)]",
        Target.SCRIPT,
        error=error,
        recorded=True,
    )


class ListOfNone(Rule):
    """Say what a list may hold besides None, where it is made of nothing else.

    For TorchScript, `[None] * n` is a list whose elements are None for ever: nothing else can be put in, or stand for
    it. `torch.jit.annotate(List[Optional[Tensor]], [None]) * n` says what may come. That is what a recorded run saw in
    the list, else a tensor. So it says that a list of tensors may be one that holds None, too, where its variable does.

    Left alone: lists that TorchScript does not complain of; a list that a loop fills place by place, and that is not
    read before, is for filled-list.

    Source: "found type 'List[NoneType]'" and "expected an expression of type … but found List[NoneType]", raised by
    torch/csrc/jit/frontend/schema_matching.cpp and ir_emitter.cpp.
    """

    name = "list-of-none"
    targets = frozenset({Target.SCRIPT})
    needs_diagnosis = True
    answers = frozenset({"argument-type", "argument-match", "arguments-not-valid", "reassign-type", "branch-type"})
    examples = [
        _example(
            """\
    def forward(self, x):
        states = [None] * len(self.layers)  # of each layer
        for _ in range(2):
            for i, layer in enumerate(self.layers):
                x, states[i] = layer(x, states[i])
        return x
""",
            """\
    def forward(self, x):
        states = torch.jit.annotate(List[Optional[torch.Tensor]], [None]) * len(self.layers)  # of each layer
        for _ in range(2):
            for i, layer in enumerate(self.layers):
                x, states[i] = layer(x, states[i])
        return x
""",
            "List.NoneType",
        ),
        _example(
            """\
    def forward(self, x, states: Optional[List[Optional[torch.Tensor]]] = None):
        if states is None:
            states = [x[:1] for _ in range(2)]
        return self.layers[0](x, states[0])
""",
            """\
    def forward(self, x, states: Optional[List[Optional[torch.Tensor]]] = None):
        if states is None:
            states = torch.jit.annotate(List[Optional[torch.Tensor]], [x[:1] for _ in range(2)])
        return self.layers[0](x, states[0])
""",
            "previously had type",
            typed=True,
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        if not file.mentions("None"):
            return
        for diagnosis in self.diagnoses(file):
            assert diagnosis.place is not None
            function = function_at(file, diagnosis.place.line)
            if function is not None and "variable" in diagnosis.names:
                yield from self._without_none(function, diagnosis)
            if function is None or "NoneType" not in diagnosis.names.get("found", ""):
                continue
            here = {n.id for n in function.of(ast.Name) if n.lineno == diagnosis.place.line}
            for assign in function.of(ast.Assign):
                target, empty = assign.targets[0], _only_none(assign.value)
                if empty is None or not isinstance(target, ast.Name) or target.id not in here:
                    continue
                text, imports = file.spell_type(list_of(optional(_element(function, target.id))))
                annotate, needed = file.spell("torch.jit.annotate")
                edit = Replace(empty, f"{annotate}({text}, {{list}})", {"list": empty})
                message = (
                    f"TorchScript lets nothing but None into this list; write `{preview(edit.template, edit.pieces)}`"
                )
                yield self.finding(empty, message, edit, imports=imports | needed, answers=diagnosis)

    def _without_none(self, function: Function, diagnosis: Diagnosis) -> Iterator[Finding]:
        """A list of tensors for a variable that may hold a list with None."""
        file, place = function.file, diagnosis.place
        expected, found = (found_type(diagnosis.names.get(role, "")) for role in ("expected", "found"))
        wanted = expected.element if expected.optional else expected
        if place is None or found.name != "List" or wanted != list_of(optional(found.args[0])):
            return
        for assign in function.of(ast.Assign):
            target, value = assign.targets[0], assign.value
            named = isinstance(target, ast.Name) and target.id == diagnosis.names["variable"]
            if named and assign.lineno == place.line and isinstance(value, (ast.List, ast.ListComp)):
                text, imports = file.spell_type(wanted)
                annotate, needed = file.spell("torch.jit.annotate")
                edit = Replace(value, f"{annotate}({text}, {{list}})", {"list": value})
                message = f"the variable may hold a list with None; write `{preview(edit.template, edit.pieces)}`"
                yield self.finding(value, message, edit, imports=imports | needed, answers=diagnosis)


def _only_none(value: ast.expr) -> ast.expr | None:
    """The list of None in ``[None] * n``, ``[None, None]`` and ``[None for _ in xs]``."""
    if isinstance(value, ast.BinOp) and isinstance(value.op, ast.Mult):
        return _only_none(value.left) or _only_none(value.right)
    elements = value.elts if isinstance(value, ast.List) else [value.elt] if isinstance(value, ast.ListComp) else []
    only = bool(elements) and all(isinstance(e, ast.Constant) and e.value is None for e in elements)
    return value if only else None


def _element(function: Function, name: str) -> Type:
    """What runs saw in the list besides None."""
    seen = function.observed.locals.get(name, UNKNOWN) if function.observed is not None else UNKNOWN
    inner = seen.present
    element = inner.args[0] if inner.name == "List" else UNKNOWN
    element = element.present
    return element if element.known and element.name not in ("None", "Union") else TENSOR
