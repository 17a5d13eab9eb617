"""float-start."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tsrefactor.facts.computed_names import defined
from tsrefactor.facts.definitions import Function
from tsrefactor.facts.diagnosis import Diagnosis
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.signatures import function_at
from tsrefactor.facts.types import TENSOR
from tsrefactor.source.edits import Replace
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings

_ROLES = (("expected", "found"), ("true_type", "false_type"))
_ARITHMETIC = (ast.BinOp, ast.Compare, ast.AugAssign, ast.Return)
_PASSED_ON = (ast.UnaryOp, ast.IfExp, ast.Tuple)
_OF_ANY_NUMBER = ("float", "max", "min", "abs")
_WHOLE = frozenset(
    "long int short bool argmax argmin argsort nonzero bincount arange randint eq ne lt gt le ge".split()
)
_WHOLE_TYPES = frozenset(f"torch.{t}" for t in "long int short bool uint8 int8 int16 int32 int64".split())


def _example(before: str, after: str, error: str) -> Example:
    head = "import torch\nfrom torch import nn\n\n\nclass Model(nn.Module):\n"
    inputs = "[(torch.rand(3, 4),), (torch.rand(2, 5),)]"
    return Example(head + before, head + after, inputs, Target.SCRIPT, error=error)


class FloatStart(Rule):
    """Write a whole number as a float where the variable, the choice or the result is a float elsewhere.

    A variable has one type in TorchScript, which converts no int to a float: `total = 0` before `total += 0.5 * i`
    becomes `total = 0.0`, `1 / n if n > 0 else 0` ends in `0.0`, and a `return 1` beside one of a float becomes
    `return 1.0`. The numbers are equal; but where nothing else made a float of it before, an integer tensor
    times `0.0` becomes a float tensor, which the finding's caveat says.

    Left alone: variables that are used for more than arithmetic (an index, the argument of a call, another variable),
    what the source shows to be computed with an integer tensor, and all whole numbers that are not written as such.

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
                caveat = (
                    "where it is left as it starts, the number is a float and no longer an int,"
                    " and what is computed of it and an integer tensor is a float tensor"
                )
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
        values = [choice] if isinstance(choice, ast.IfExp) and _serves(function, choice) else []
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
    """Whether a variable serves for arithmetic alone, and not with integer tensors."""
    reads = [n for n in function.of(ast.Name) if n.id == name and isinstance(n.ctx, ast.Load)]
    return name not in function.flow.captured and all(_is_arithmetic(function, n) for n in reads)


def _serves(function: Function, choice: ast.IfExp) -> bool:
    """Whether a choice, or the variable that it is bound to, is computed with no integer tensor."""
    parent = function.file.parents[choice]
    if isinstance(parent, ast.Assign) and isinstance(parent.targets[0], ast.Name):
        names = [n for n in function.of(ast.Name) if n.id == parent.targets[0].id and isinstance(n.ctx, ast.Load)]
        return not any(_meets_whole(function, n) for n in names)
    return not _meets_whole(function, choice)


def _is_arithmetic(function: Function, node: ast.expr) -> bool:
    file, parent = function.file, function.file.parents[node]
    if isinstance(parent, ast.Call):
        return file.origin(parent.func) in _OF_ANY_NUMBER
    if isinstance(parent, _PASSED_ON) and isinstance(parent, ast.expr):
        is_test = isinstance(parent, ast.IfExp) and parent.test is node
        return is_test or _is_chosen_again(function, node, parent) or _is_arithmetic(function, parent)
    return isinstance(parent, _ARITHMETIC) and not _meets_whole(function, node)


def _is_chosen_again(function: Function, node: ast.expr, parent: ast.expr) -> bool:
    """Whether the value is bound to its own variable again: ``n = n if test else 2``."""
    store = function.file.parents[parent]
    return isinstance(store, ast.Assign) and [ast.unparse(t) for t in store.targets] == [ast.unparse(node)]


def _meets_whole(function: Function, node: ast.expr) -> bool:
    """Whether the source shows that a value is computed with an integer tensor."""
    parent = function.file.parents[node]
    if isinstance(parent, ast.BinOp):
        other = parent.left if parent.right is node else parent.right
        return _is_whole(function, other) or _meets_whole(function, parent)
    if isinstance(parent, ast.AugAssign):
        return _is_whole(function, parent.target if parent.value is node else parent.value)
    return False


def _is_whole(function: Function, node: ast.expr, seen: frozenset[ast.AST] = frozenset()) -> bool:
    """Whether an expression is an integer tensor: of such a method, function or dtype, or one such changed in shape."""
    node = defined(function, node)
    if node in seen:  # `x = x.view(-1)`
        return False
    seen |= {node}
    if isinstance(node, ast.BinOp) and not isinstance(node.op, ast.Div):
        return _is_whole(function, node.left, seen) and _is_whole(function, node.right, seen)
    if isinstance(node, ast.Compare):
        return any(function.type_of(n) == TENSOR for n in (node.left, *node.comparators))
    if not isinstance(node, ast.Call):
        return False
    typed = [function.file.origin(a) for a in (*node.args, *(k.value for k in node.keywords))]
    if any(t in _WHOLE_TYPES for t in typed):
        return True
    if any(k.arg == "dtype" for k in node.keywords):
        return False
    called = function.file.origin(node.func)
    if called.startswith("torch."):
        return called.rpartition(".")[2] in _WHOLE
    method = node.func if isinstance(node.func, ast.Attribute) else None
    if method is None or method.attr in ("float", "double", "half", "mean", "softmax"):
        return False
    return method.attr in _WHOLE or _is_whole(function, method.value, seen)
