"""kept-state."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tsrefactor.facts.definitions import Function
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.nodes import walk
from tsrefactor.facts.types import SCALARS
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings


class KeptState(Rule):
    """Tell where a trace keeps a number that every run changes.

    A trace records what one run did to tensors. An attribute that `forward` counts up (`self.step += 1`), or such a
    variable of the module (`global step`), is a plain number in Python: the trace holds the one that its example found,
    for ever. A buffer is state that a trace follows: `self.register_buffer("step", torch.tensor(0), persistent=False)`.
    That changes what the class offers to its users, and is left to the author.

    Left alone: what is set anew in every run before it is read, or only outside of one (a setting of the model, which a
    trace keeps as it is then); what is counted and never used.

    Source: "Tracing vs Scripting" in https://docs.pytorch.org/docs/stable/jit.html: a trace records tensor operations
    only; the graph of a trace, in which the number is a `prim::Constant`.
    """

    name = "kept-state"
    targets = frozenset({Target.TRACE})
    examples = [
        # A counter: by the second run it has another value.
        Example(
            """\
import torch


class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.step = 0

    def forward(self, x):
        self.step += 1
        return x / self.step
""",
            None,
            "[(torch.rand(2, 4),), (torch.rand(3, 4),)]",
            Target.TRACE,
            "mismatch",
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        functions = [f for f in file.functions if f.name != "__init__" and not f.dependence.is_compiled]
        changes = [(text, function) for function in functions for text in _changed(function)]
        for function in functions if changes else ():
            seen = {text: by for text, by in changes if not text.startswith("self.") or _related(function, by)}
            for node in function.of(ast.Attribute, ast.Name):
                text = _state(function, node)
                if text not in seen or not isinstance(node.ctx, ast.Load) or not _is_number(function, node):
                    continue
                if text in _updated(function, file.statement_of(node)):
                    continue
                by = seen.pop(text)
                yield self.finding(
                    node, f"a trace keeps the example's `{text}`, which `{by.name}` changes; a buffer would follow it"
                )


def _state(function: Function, node: ast.AST) -> str | None:
    """What a node reads or writes, where that outlives a run: ``self.name``, or a variable of the module."""
    attribute = function.self_attribute(node)
    if attribute is not None:
        return f"self.{attribute}"
    if not isinstance(node, ast.Name) or node.id not in function.file.module_names:
        return None
    declared = {name for statement in function.of(ast.Global) for name in statement.names}
    return node.id if node.id in declared or node.id not in function.flow.local_names else None


def _is_number(function: Function, node: ast.expr) -> bool:
    if not isinstance(node, ast.Name):
        return function.type_of(node) in SCALARS
    values = function.file.assigned.get(node.id, ())
    return bool(values) and all(isinstance(v, ast.Constant) and isinstance(v.value, (int, float)) for v in values)


def _changed(function: Function) -> Iterator[str]:
    for statement in function.of(ast.Assign, ast.AugAssign):
        yield from _updated(function, statement)


def _updated(function: Function, statement: ast.stmt) -> set[str]:
    """The state to which a statement gives a value made of what it was."""
    if isinstance(statement, ast.AugAssign):
        return {text for text in [_state(function, statement.target)] if text is not None}
    if not isinstance(statement, ast.Assign):
        return set()
    read = {_state(function, node) for node in walk(statement.value)}
    return {text for target in statement.targets if (text := _state(function, target)) is not None and text in read}


def _related(one: Function, other: Function) -> bool:
    """Whether one object may have both methods."""
    a, b = one.cls, other.cls
    return a is not None and b is not None and a.is_module and (a is b or a in b.ancestors or b in a.ancestors)
