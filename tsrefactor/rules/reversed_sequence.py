"""reversed-sequence."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tsrefactor.facts.definitions import Function
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.grown import grown, is_kept
from tsrefactor.facts.sequences import LIST, SIZE, sort_of
from tsrefactor.source.edits import Pieces, Replace
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings, preview

_MODEL = """\
import torch
from torch import nn


class Model(nn.Module):
    def forward(self, x):
"""


_TYPED = "from typing import List\n\nimport"


def _example(before: str, after: str, error: str) -> Example:
    """An example of a forward's body."""
    inputs = "[(torch.rand(2, 4),), (torch.rand(3, 4),)]"
    return Example(_MODEL + before, _MODEL + after, inputs, Target.SCRIPT, error=error)


class ReversedSequence(Rule):
    """Count down, or read a list backwards by a slice, where `reversed` is called.

    TorchScript has no `reversed`. `reversed(range(n))` becomes `range(n - 1, -1, -1)` and `reversed(items)` of a list
    `items[::-1]`, in a loop, a comprehension, or under `list`, `enumerate` or `zip`.

    A trace runs `reversed`, but keeps the number of turns of a loop over a size, or over a list that such a loop has
    filled. soft-refactor lets it compile these, for which this is done as well.

    Left alone: ranges with a step, values that are not known to be lists or tuples, and a list that the loop changes: a
    slice is a copy. A parameter that is no list by its annotation but was one in recorded runs is presumed to be one.

    Source: "range cannot be used as a value" and "Expected a value of type 'Tensor' for argument '0'" of `reversed`,
    raised by torch/csrc/jit/frontend/ir_emitter.cpp.
    """

    name = "reversed-sequence"
    targets = frozenset({Target.SCRIPT, Target.TRACE})
    answers = frozenset({"not-a-value", "argument-type", "python-type-as-value"})
    examples = [
        Example(
            before=_MODEL.replace("(self, x)", "(self, levels: List[torch.Tensor])").replace("import", _TYPED, 1)
            + """\
        return torch.cat([x * 2 for x in reversed(levels)])
""",
            after=_MODEL.replace("(self, x)", "(self, levels: List[torch.Tensor])").replace("import", _TYPED, 1)
            + """\
        return torch.cat([x * 2 for x in levels[::-1]])
""",
            inputs="[([torch.rand(2, 4), torch.rand(1, 4)],), ([torch.rand(3, 4)],)]",
            breaks=Target.SCRIPT,
            error="reversed",
        ),
        _example(
            """\
        for i in reversed(range(x.shape[0])):
            x = x + i * x[i]
        for i in reversed(range(1, 3)):  # once more
            x = x * i
        return x
""",
            """\
        for i in range(x.shape[0] - 1, -1, -1):
            x = x + i * x[i]
        for i in range(2, 0, -1):  # once more
            x = x * i
        return x
""",
            "range cannot be used as a value",
        ),
        _example(
            """\
        steps = [x, x * 2]
        for i, step in enumerate(reversed(steps)):
            x = x * step + i
        return torch.cat(list(reversed(steps))) + x.sum()
""",
            """\
        steps = [x, x * 2]
        for i, step in enumerate(steps[::-1]):
            x = x * step + i
        return torch.cat(steps[::-1]) + x.sum()
""",
            "reversed",
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        if "reversed(" not in file.source.text:
            return
        traced = self.for_trace(file, settings)
        for function in file.functions:
            for call in function.calls("reversed"):
                if traced and not _is_kept(function, call):
                    continue
                if len(call.args) != 1 or call.keywords or function.types.bindings.shadows("reversed"):
                    continue
                parent = file.parents[call]
                origin = file.origin(parent.func) if isinstance(parent, ast.Call) else ""
                loop = isinstance(parent, (ast.For, ast.comprehension)) and parent.iter is call
                if not loop and origin not in ("list", "enumerate", "zip"):
                    continue
                over = call.args[0]
                if isinstance(over, ast.Call) and file.origin(over.func) == "range":
                    found = _down(over)
                    if found is not None:
                        yield self.finding(
                            call, f"TorchScript has no reversed; count down: `{preview(*found)}`", Replace(call, *found)
                        )
                    continue
                sort = sort_of(function, over)
                typed = sort is None and function.type_of(over).name == "List"
                if (sort in (LIST, SIZE) or typed) and not _changes(function, parent, over):
                    place = parent if origin == "list" and sort == LIST and isinstance(parent, ast.Call) else call
                    edit = Replace(place, "{items}[::-1]", {"items": over})
                    message = f"TorchScript has no reversed; write `{preview(edit.template, edit.pieces)}`"
                    yield self.finding(call, message, edit, presumed=typed and not _is_annotated(function, over))


def _is_kept(function: Function, call: ast.Call) -> bool:
    """Whether a trace keeps how many there are."""
    if function.dependence.is_compiled:
        return False
    return is_kept(function, function.file.statement_of(call)) or bool(function.flow.reads(call) & grown(function))


def _is_annotated(function: Function, over: ast.expr) -> bool:
    """Whether the author says what it is, and not only what was recorded."""
    return isinstance(over, ast.Name) and any(p.name == over.id and p.annotation for p in function.parameters)


def _changes(function: Function, loop: ast.AST, over: ast.expr) -> bool:
    """Whether a loop changes the list that it goes over."""
    names = function.flow.reads(over)
    return isinstance(loop, ast.For) and bool(names & function.flow.mutates(loop.body))


def _down(over: ast.Call) -> tuple[str, Pieces] | None:
    """A range in the other direction: its template and pieces."""
    if over.keywords or not 1 <= len(over.args) <= 2 or any(isinstance(a, ast.Starred) for a in over.args):
        return None
    start, stop = (over.args[0], over.args[1]) if len(over.args) == 2 else (None, over.args[0])
    pieces: dict[str, ast.expr] = {}
    last = _less_one(stop, "stop", pieces)
    before = "-1" if start is None else _less_one(start, "start", pieces)
    return f"range({last}, {before}, -1)", pieces


def _less_one(node: ast.expr, name: str, pieces: dict[str, ast.expr]) -> str:
    if isinstance(node, ast.Constant) and isinstance(node.value, int):
        return str(node.value - 1)
    pieces[name] = node
    return f"{{{name}}} - 1"
