"""inline-lambda."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tsrefactor.facts.definitions import Function
from tsrefactor.facts.diagnosis import Diagnosis
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.inlining import NotInlinable, bound_around, substituted
from tsrefactor.facts.maps import as_comprehension
from tsrefactor.facts.nodes import walk
from tsrefactor.source.edits import Edit, Piece, Replace, verbatim
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings

_HEAD = """\
import torch
from torch import nn


class Model(nn.Module):
    def forward(self, x):
"""


def _example(before: str, after: str) -> Example:
    inputs = "[(torch.rand(2, 4),), (torch.rand(3, 4),)]"
    return Example(_HEAD + before, _HEAD + after, inputs, Target.SCRIPT, error="Lambda aren't supported")


class InlineLambda(Rule):
    """Write the body of a lambda where it is called.

    TorchScript has no lambdas. One that a function keeps under a name and only calls is replaced, at each call, by its
    body with the arguments in the place of its parameters; a `map` of it becomes a list comprehension.

    Not for a lambda that is passed on, bound again or called elsewhere than below its assignment, nor for an argument
    that more than one place would compute, or compute later than before: such a lambda becomes a nested `def`, which
    lift-function moves out where it can.

    Source: "Lambda aren't supported", raised by torch/jit/frontend.py.
    """

    name = "inline-lambda"
    targets = frozenset({Target.SCRIPT})
    answers = frozenset({"unsupported-syntax"})
    needs_diagnosis = True
    examples = [
        _example(
            """\
        rows = x.size(0)
        flat = lambda t: t.reshape(rows, -1)  # one row each
        return flat(x * 2) + flat(x)
""",
            """\
        rows = x.size(0)
        return (x * 2).reshape(rows, -1) + x.reshape(rows, -1)
""",
        ),
        _example(
            """\
        scale = lambda t: torch.sign(t) * torch.sqrt(torch.abs(t))
        y = scale(x)
        a, b = map(scale, (x - 1, x))
        return y - a * b
""",
            """\
        y = torch.sign(x) * torch.sqrt(torch.abs(x))
        a, b = [torch.sign(t) * torch.sqrt(torch.abs(t)) for t in (x - 1, x)]
        return y - a * b
""",
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        for diagnosis in self.diagnoses(file):
            if diagnosis.names.get("construct") != "lambda":
                continue
            for function in file.all_functions:
                for statement in function.statements:
                    assigned = _assigned(statement)
                    at = diagnosis.place.line if diagnosis.place is not None else 0
                    if assigned is not None and function.node.lineno <= at <= (function.node.end_lineno or at):
                        yield self._inlined(function, statement, *assigned, diagnosis)

    def _inlined(
        self, function: Function, statement: ast.stmt, name: str, body: ast.Lambda, diagnosis: Diagnosis
    ) -> Finding:
        try:
            edits = list(_calls(function, statement, name, body))
        except NotInlinable as reason:
            header = f"def {name}({ast.unparse(body.args)}):"
            return self.finding(
                statement,
                f"TorchScript has no lambdas, and {reason}; define `{name}` by `def`, for lift-function to move it",
                Replace([statement], f"{verbatim(header)}\n    return {{body}}", {"body": body.body}),
                answers=diagnosis,
            )
        message = f"TorchScript has no lambdas; write the body of `{name}` where it is called"
        return self.finding(statement, message, *edits, Replace([statement], ""), answers=diagnosis)


def _assigned(statement: ast.stmt) -> tuple[str, ast.Lambda] | None:
    """``name = lambda …``."""
    if not isinstance(statement, ast.Assign) or len(statement.targets) != 1:
        return None
    [target], value = statement.targets, statement.value
    return (target.id, value) if isinstance(target, ast.Name) and isinstance(value, ast.Lambda) else None


def _calls(function: Function, statement: ast.stmt, name: str, body: ast.Lambda) -> Iterator[Edit]:
    """The edits that put the body in the place of every call. Raises NotInlinable."""
    file = function.file
    a = body.args
    if a.vararg or a.kwarg or a.kwonlyargs or a.posonlyargs or a.defaults:
        raise NotInlinable("it takes more than plain parameters")
    names = [n for n in walk(function.node) if isinstance(n, ast.Name) and n.id == name]
    if sum(not isinstance(n.ctx, ast.Load) for n in names) != 1 or name in {p.arg for p in function.node.args.args}:
        raise NotInlinable(f"`{name}` is bound again")
    below = {n for s in _rest(function, statement) for n in walk(s)}
    free = function.flow.reads([ast.Expr(body)])
    for use in names:
        if not isinstance(use.ctx, ast.Load):
            continue
        call = file.parents[use]
        if use not in below:
            raise NotInlinable("it is called outside the block that assigns it")
        if free & bound_around(function, call):
            raise NotInlinable("a name in it means something else where it is called")
        if isinstance(call, ast.Call) and file.origin(call.func) == "map" and call.args[0] is use:
            if (mapped := as_comprehension(function, call, body)) is None:
                raise NotInlinable("it is mapped over values that are not used at once")
            yield mapped
            continue
        if not isinstance(call, ast.Call) or call.func is not use:
            raise NotInlinable("it is passed on as a value")
        if call.keywords or len(call.args) != len(a.args) or any(isinstance(v, ast.Starred) for v in call.args):
            raise NotInlinable("it is called with other arguments than it has parameters")
        if any(n in names for v in call.args for n in walk(v)):
            raise NotInlinable("it is called with its own result")
        values = dict(zip((p.arg for p in a.args), call.args, strict=True))
        yield Replace(call, "{body}", {"body": Piece(body.body, substituted(function, body.body, values))})


def _rest(function: Function, statement: ast.stmt) -> list[ast.stmt]:
    block = function.file.block_of(statement)
    return block[block.index(statement) + 1 :]
