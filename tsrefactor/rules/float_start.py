"""float-start."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tsrefactor.facts.definitions import Function
from tsrefactor.facts.diagnosis import Diagnosis
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.signatures import function_at
from tsrefactor.source.edits import Replace
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings

_ROLES = (("expected", "found"), ("true_type", "false_type"))
_ARITHMETIC = (ast.BinOp, ast.UnaryOp, ast.Compare, ast.AugAssign, ast.Assign, ast.Return, ast.IfExp, ast.Tuple)
_OF_ANY_NUMBER = ("float", "max", "min", "abs")


def _example(before: str, after: str, error: str) -> Example:
    head = "import torch\nfrom torch import nn\n\n\nclass Model(nn.Module):\n"
    inputs = "[(torch.rand(3, 4),), (torch.rand(2, 5),)]"
    return Example(head + before, head + after, inputs, Target.SCRIPT, error=error)


class FloatStart(Rule):
    """Write a whole number as a float where the variable, the choice or the result is a float elsewhere.

    A variable has one type in TorchScript, which converts no int to a float: `total = 0` before `total += 0.5 * i`
    becomes `total = 0.0`, `1 / n if n > 0 else 0` ends in `0.0`, and a `return 1` beside one of a float becomes
    `return 1.0`. The numbers are equal; what the float follows is computed with floats already.

    Left alone: variables that are used for more than arithmetic (an index, the argument of a call), and all whole
    numbers that are not written as such.

    Source: "previously had type int but is now being assigned to a value of type float", raised by
    torch/csrc/jit/frontend/ir_emitter.cpp.
    """

    name = "float-start"
    targets = frozenset({Target.SCRIPT})
    answers = frozenset({"reassign-type", "branch-type", "mixed-return"})
    needs_diagnosis = True
    examples = [
        _example(
            """\
    def forward(self, x):
        low, total = -1, 0
        for i in range(3):  # weigh them
            total += 0.5 * i
            low = low / 2
        return x * total + low
""",
            """\
    def forward(self, x):
        low, total = -1.0, 0.0
        for i in range(3):  # weigh them
            total += 0.5 * i
            low = low / 2
        return x * total + low
""",
            "previously had type int but is now being assigned to a value of type float",
        ),
        _example(
            """\
    def scale(self, x):
        if x.dim() == 1:
            return 1
        share = 1 / x.size(0) if x.size(0) > 2 else 0
        return share + 1

    def forward(self, x):
        return x * self.scale(x)
""",
            """\
    def scale(self, x):
        if x.dim() == 1:
            return 1.0
        share = 1 / x.size(0) if x.size(0) > 2 else 0.0
        return share + 1

    def forward(self, x):
        return x * self.scale(x)
""",
            "true branch has type float but false branch has type int",
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        for diagnosis in self.diagnoses(file):
            assert diagnosis.place is not None
            function = function_at(file, diagnosis.place.line)
            if function is None or not any(
                {diagnosis.names.get(r) for r in pair} == {"int", "float"} for pair in _ROLES
            ):
                continue
            for number in _whole(function, diagnosis):
                message = f"TorchScript makes no float of this int; write `{number.value!r}.0`"
                caveat = "where it is left as it starts, the number is a float and no longer an int"
                yield self.finding(
                    number, message, Replace(number, f"{number.value!r}.0"), caveat=caveat, answers=diagnosis
                )


def _whole(function: Function, diagnosis: Diagnosis) -> Iterator[ast.Constant]:
    """The literals that should be floats."""
    variable = diagnosis.names.get("variable")
    values: list[ast.expr] = []
    if diagnosis.kind == "mixed-return":
        values = [r.value for r in function.of(ast.Return) if r.value is not None]
    elif variable is None:
        choice = function.file.node_at(diagnosis, ast.IfExp)
        values = [choice] if isinstance(choice, ast.IfExp) else []
    elif _computed_with(function, variable):
        values = [v for v in function.bindings.values.get(variable, ()) if isinstance(v, ast.expr)]
    for value in values:
        yield from _literals(value)


def _literals(value: ast.expr) -> Iterator[ast.Constant]:
    if isinstance(value, ast.IfExp):
        yield from _literals(value.body)
        yield from _literals(value.orelse)
    elif isinstance(value, ast.UnaryOp) and isinstance(value.op, ast.USub):
        yield from _literals(value.operand)
    elif isinstance(value, ast.Constant) and type(value.value) is int:
        yield value


def _computed_with(function: Function, name: str) -> bool:
    """Whether a variable serves for arithmetic alone."""
    file = function.file
    for node in function.of(ast.Name):
        if node.id != name or not isinstance(node.ctx, ast.Load):
            continue
        parent = file.parents[node]
        if isinstance(parent, ast.Call):
            if file.origin(parent.func) not in _OF_ANY_NUMBER:
                return False
        elif not isinstance(parent, _ARITHMETIC):
            return False
    return name not in function.flow.captured
