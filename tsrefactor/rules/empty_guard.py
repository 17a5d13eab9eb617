"""empty-guard."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tsrefactor.facts.definitions import Function
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.layer_calls import calls_layers
from tsrefactor.facts.placement import is_elif
from tsrefactor.facts.types import TENSOR
from tsrefactor.source.edits import Replace
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings

_COUNTS = frozenset({"numel", "nelement", "size", "any", "sum"})
_BY_INDEX = {
    "index_add_": 1,
    "index_copy_": 1,
    "index_fill_": 1,
    "index_put_": 0,
    "masked_scatter_": 0,
    "masked_fill_": 0,
}


class EmptyGuard(Rule):
    """Let a trace run a block that a check for emptiness skips.

    `if index.numel() > 0:` around an update by `index` saves time and nothing else: by an empty index, nothing is
    updated. A trace keeps the answer of its example, so that what was empty then is never computed, as with an expert
    to which no token was sent. With `torch.jit.is_tracing() or …`, a trace always holds the block. Eager and script do
    what they did.

    Left alone: blocks that do more than update by the index that the check is about; an `else`; blocks without layers,
    which soft-refactor moves.

    Source: the TracerWarning "Converting a tensor to a Python boolean …"; the documentation of `torch.jit.is_tracing`.
    """

    name = "empty-guard"
    targets = frozenset({Target.TRACE})
    answers = frozenset({"trace-boolean"})
    examples = [
        Example(
            before="""\
import torch
from torch import nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.experts = nn.ModuleList([nn.Linear(3, 3) for _ in range(2)])

    def forward(self, x):
        chosen = x.argmax(dim=1) % 2
        out = torch.zeros_like(x)
        for i in range(2):
            rows = (chosen == i).nonzero().squeeze(1)
            if rows.numel() > 0:  # nobody? nothing to do
                out.index_add_(0, rows, self.experts[i](x[rows]))
        return out
""",
            after="""\
import torch
from torch import nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.experts = nn.ModuleList([nn.Linear(3, 3) for _ in range(2)])

    def forward(self, x):
        chosen = x.argmax(dim=1) % 2
        out = torch.zeros_like(x)
        for i in range(2):
            rows = (chosen == i).nonzero().squeeze(1)
            if torch.jit.is_tracing() or rows.numel() > 0:  # nobody? nothing to do
                out.index_add_(0, rows, self.experts[i](x[rows]))
        return out
""",
            inputs="[(torch.eye(3)[:1],), (torch.eye(3),), (torch.eye(3)[[1, 1, 0, 2]],)]",
            breaks=Target.TRACE,
            outcome="baked",
            recorded=True,
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        for function in file.functions:
            if function.dependence.is_compiled:
                continue
            for node in function.of(ast.If):
                subject = _subject(function, node.test)
                if subject is None or node.orelse or is_elif(file, node) or not calls_layers(function, node.body):
                    continue
                if all(_is_harmless(function, node, s, subject) for s in node.body):
                    tracing, imports = file.spell("torch.jit.is_tracing")
                    yield self.finding(
                        node,
                        f"a trace leaves the block out for ever where the example had nothing in `{subject}`;"
                        f" let it hold the block in a trace, with `{tracing}()`",
                        Replace(node.test, f"{tracing}() or {{test}}", {"test": node.test}),
                        imports=imports,
                        trap=True,
                    )


def _subject(function: Function, test: ast.expr) -> str | None:
    """``x`` of ``x.numel() > 0``, ``len(x) != 0``, ``x.shape[0] > 0``, ``x.any()``: what is tested not to be empty."""
    if isinstance(test, ast.Compare):
        zero = len(test.ops) == 1 and isinstance(test.comparators[0], ast.Constant) and test.comparators[0].value == 0
        if not zero or not isinstance(test.ops[0], (ast.Gt, ast.NotEq)):
            return None
        test = test.left
    if isinstance(test, ast.Subscript) and isinstance(test.value, ast.Attribute) and test.value.attr == "shape":
        return _tensor(function, test.value.value) if ast.unparse(test.slice) == "0" else None
    if not isinstance(test, ast.Call):
        return None
    if function.file.origin(test.func) == "len" and len(test.args) == 1:
        return _tensor(function, test.args[0])
    if isinstance(test.func, ast.Attribute) and test.func.attr in _COUNTS and not test.keywords:
        return _tensor(function, test.func.value) if [ast.unparse(a) for a in test.args] in ([], ["0"]) else None
    return None


def _tensor(function: Function, node: ast.expr) -> str | None:
    known = isinstance(node, ast.Name) and function.type_of(node, presume=True) == TENSOR
    return node.id if known and isinstance(node, ast.Name) else None


def _is_harmless(function: Function, node: ast.If, statement: ast.stmt, subject: str) -> bool:
    """Whether a statement of the block does nothing that lasts where the subject is empty."""
    flow = function.flow
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
        call = statement.value
        at = _BY_INDEX.get(call.func.attr) if isinstance(call.func, ast.Attribute) else None
        return at is not None and len(call.args) > at and subject in flow.reads(call.args[at])
    if isinstance(statement, (ast.Assign, ast.AugAssign)):
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        if all(isinstance(t, ast.Subscript) and subject in flow.reads(t.slice) for t in targets):
            return True
        named = isinstance(statement, ast.Assign) and all(isinstance(t, ast.Name) for t in targets)
        return named and not flow.mutates(statement) and not flow.writes(statement) & flow.live_after(node)
    return False
