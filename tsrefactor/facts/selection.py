"""Two-way choices on tensor data whose sides are alike: what `torch.where` may compute in their place."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

from .definitions import Function
from .operations import is_operation
from .types import FLOAT, INT, TENSOR

# Elementwise, with a finite slope everywhere: nothing that an untaken side could spoil a gradient with.
_KEEP_TYPE = frozenset("abs neg relu clamp clip detach clone contiguous positive".split())
_MAKE_FLOAT = frozenset("tanh sigmoid sin cos atan arctan".split())
_FUNCTIONAL_FLOAT = frozenset(
    "tanh sigmoid elu selu celu gelu silu mish softplus leaky_relu hardtanh relu6 softsign hardsigmoid".split()
)
_NO_GRADIENT = frozenset("detach zeros_like ones_like full_like new_zeros new_ones".split())
_REDUCTIONS = frozenset("sum mean max min any all norm std var prod amax amin median count_nonzero".split())
_TRUTHS = frozenset("isnan isinf isfinite eq ne lt le gt ge logical_and logical_or logical_not".split())
_FLOAT_ONLY = frozenset("mean std var softmax log_softmax".split())  # these raise for a tensor of integers


class Scalar(IntEnum):
    """How far the numbers and functions in an expression push the dtype of its result."""

    NONE = 0
    INT = 1
    FLOAT = 2


class NotAlike(Exception):
    """Why `torch.where` may not stand for a choice."""


@dataclass(frozen=True)
class Form:
    """What an elementwise expression has in common with another of equal shape, dtype and gradient.

    ``tensors``: the tensors whose shapes are broadcast in it, as written; ``gradient``: those of them that it carries a
    gradient to; ``scalar``: what its numbers do to the dtype.
    """

    tensors: frozenset[str]
    gradient: frozenset[str]
    scalar: Scalar


@dataclass(frozen=True)
class Choice:
    """``taken if test else otherwise`` (the other way round when ``negated``); ``otherwise`` may be a choice again.

    ``presumed``: the sides are of one dtype when the tensors are floating, which nothing in the source proves.
    """

    test: ast.expr
    negated: bool
    taken: ast.expr
    otherwise: ast.expr | Choice
    presumed: bool

    def sides(self) -> Iterator[ast.expr]:
        yield self.taken
        if isinstance(self.otherwise, Choice):
            yield from self.otherwise.sides()
        else:
            yield self.otherwise


def choose(function: Function, test: ast.expr, taken: ast.expr, otherwise: ast.expr | Choice) -> Choice:
    """The choice, when `torch.where` gives what Python gives, bit for bit, gradients too. Raises NotAlike."""
    negated = isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not)
    condition = test.operand if isinstance(test, ast.UnaryOp) and negated else test
    if not is_single_truth(function, condition) or not function.flow.is_pure(condition):
        raise NotAlike(f"`{ast.unparse(condition)}` is not surely one bool in a tensor without dimensions")
    forms = []
    for side in (taken, *(otherwise.sides() if isinstance(otherwise, Choice) else [otherwise])):
        form = form_of(function, side) if function.flow.is_pure(side) else None
        if form is None:
            raise NotAlike(
                f"`{ast.unparse(side)}` is not plain elementwise arithmetic, safe to compute where it is not taken"
            )
        forms.append(form)
    first = forms[0]
    if any(f.tensors != first.tensors for f in forms):
        raise NotAlike("the sides are made of different tensors, so that their shapes and gradients may differ")
    if any(f.gradient != first.gradient for f in forms):
        raise NotAlike("only one of the sides carries a gradient")
    presumed = len({f.scalar for f in forms}) > 1 and not all(_surely_float(function, t) for t in first.tensors)
    presumed |= any(function.types.presumable(n) for s in (test, taken) for n in function.flow.reads(s))
    presumed |= isinstance(otherwise, Choice) and otherwise.presumed
    return Choice(condition, negated, taken, otherwise, presumed)


def form_of(function: Function, node: ast.expr) -> Form | None:
    """The form of an elementwise expression over tensors; None for any other expression."""
    if isinstance(node, (ast.Name, ast.Attribute)):
        if function.type_of(node, presume=True) != TENSOR or not _plain(function, node):
            return None
        name = ast.unparse(node)
        return Form(frozenset({name}), frozenset({name}), Scalar.NONE)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.UAdd)):
        inner = form_of(function, node.operand)
        return inner and Form(inner.tensors, inner.gradient, inner.scalar)
    if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Add, ast.Sub, ast.Mult, ast.Div)):
        return _arithmetic(function, node)
    return _called(function, node) if isinstance(node, ast.Call) else None


def is_single_value(function: Function, test: ast.expr) -> bool:
    """Whether a condition is surely a tensor without dimensions, of bools or not: ``x.all()`` of bytes gives a byte."""
    if is_single_truth(function, test):
        return True
    name, subject, arguments = _method(function, test) if isinstance(test, ast.Call) else ("", None, [])
    full = name in ("any", "all") and subject is not None and not arguments
    return full and function.type_of(subject, presume=True) == TENSOR  # type: ignore[arg-type]


def is_single_truth(function: Function, test: ast.expr) -> bool:
    """Whether a condition is surely a bool tensor without dimensions: a comparison or test of full reductions."""
    if isinstance(test, ast.Name):
        bound = _only_binding(function, test.id)
        return bound is not None and is_single_truth(function, bound)
    if isinstance(test, ast.Compare) and len(test.ops) == 1:
        parts = [test.left, *test.comparators]
        ordered = isinstance(test.ops[0], (ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Eq, ast.NotEq))
        return ordered and any(_is_single(function, p) for p in parts) and all(
            _is_single(function, p) or _is_number(function, p) for p in parts
        )  # fmt: skip
    if isinstance(test, ast.Call) and not test.keywords:
        name, subject, arguments = _method(function, test)
        if subject is None or arguments:
            return False
        if name in ("any", "all"):
            return _is_truth(function, subject)  # of bytes they are bytes, which torch.where does not take
        return name in _TRUTHS and _is_single(function, subject)
    return False


def _is_truth(function: Function, node: ast.expr) -> bool:
    """Whether an expression is surely a tensor of bools."""
    if isinstance(node, ast.Name):
        bound = _only_binding(function, node.id)
        return bound is not None and _is_truth(function, bound)
    if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.BitAnd, ast.BitOr)):
        return _is_truth(function, node.left) and _is_truth(function, node.right)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Invert):
        return _is_truth(function, node.operand)
    if isinstance(node, ast.Compare):
        return function.type_of(node, presume=True) == TENSOR
    return (
        isinstance(node, ast.Call)
        and _method(function, node)[0] in _TRUTHS
        and function.type_of(node, presume=True) == TENSOR
    )


def _is_single(function: Function, node: ast.expr) -> bool:
    """Whether an expression is surely a tensor without dimensions."""
    if isinstance(node, ast.Name):
        bound = _only_binding(function, node.id)
        return bound is not None and _is_single(function, bound)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return _is_single(function, node.operand)
    if isinstance(node, ast.BinOp):
        parts = (node.left, node.right)
        return any(_is_single(function, p) for p in parts) and all(
            _is_single(function, p) or _is_number(function, p) for p in parts
        )
    called = _own_function(function, node) if isinstance(node, ast.Call) else None
    if called is not None:
        returned = [n.value for n in called.of(ast.Return)]
        return len(returned) == 1 and returned[0] is not None and _is_single(called, returned[0])
    if isinstance(node, ast.Call) and not node.keywords:
        name, subject, arguments = _method(function, node)
        if subject is None:
            return False
        if name in _REDUCTIONS and not arguments:
            return function.type_of(subject, presume=True) == TENSOR
        return (
            name in _KEEP_TYPE | _MAKE_FLOAT | {"sqrt", "exp", "log", "float"}
            and not arguments
            and _is_single(function, subject)
        )
    return False


def _own_function(function: Function, call: ast.Call) -> Function | None:
    """The function or method of the file that a call is of."""
    method = function.self_attribute(call.func)
    if method is not None:
        return function.cls.method(method) if function.cls is not None else None
    return function.file.function_named(function.file.origin(call.func))


def _arithmetic(function: Function, node: ast.BinOp) -> Form | None:
    sides = (node.left, node.right)
    numbers = [s for s in sides if _is_number(function, s)]
    forms = [f for s in sides if s not in numbers and (f := form_of(function, s)) is not None]
    if len(forms) + len(numbers) != 2 or not forms:
        return None
    scalar = max(f.scalar for f in forms)
    for number in numbers:
        scalar = max(scalar, Scalar.FLOAT if function.type_of(number) == FLOAT else Scalar.INT)
    if isinstance(node.op, ast.Div):
        if not (node.right in numbers and isinstance(node.right, ast.Constant) and node.right.value):
            return None  # where the divisor is zero, the untaken side would put NaN into the gradient
        scalar = Scalar.FLOAT
    return Form(frozenset().union(*(f.tensors for f in forms)), frozenset().union(*(f.gradient for f in forms)), scalar)


def _called(function: Function, node: ast.Call) -> Form | None:
    name, subject, arguments = _method(function, node)
    inner = form_of(function, subject) if subject is not None else None
    if inner is None or not all(_is_number(function, a) for a in [*arguments, *(k.value for k in node.keywords)]):
        return None
    functional = function.file.origin(node.func).startswith("torch.nn.functional.")
    gradient = frozenset[str]() if name in _NO_GRADIENT else inner.gradient
    if name in ("detach", "contiguous"):
        return Form(inner.tensors, gradient, inner.scalar)
    if name in ("zeros_like", "ones_like"):
        return None if node.keywords else Form(inner.tensors, gradient, inner.scalar)
    if name in _KEEP_TYPE:
        numbers = [*arguments, *(k.value for k in node.keywords)]
        scalar = max([inner.scalar, *(Scalar.FLOAT if function.type_of(n) == FLOAT else Scalar.INT for n in numbers)])
        return Form(inner.tensors, gradient, scalar)
    if name in _MAKE_FLOAT or (functional and name in _FUNCTIONAL_FLOAT):
        return Form(inner.tensors, gradient, Scalar.FLOAT)
    return None


def _method(function: Function, call: ast.Call) -> tuple[str, ast.expr | None, list[ast.expr]]:
    """(name, the tensor it works on, the other arguments) of ``x.f(a)``, ``torch.f(x, a)`` and ``F.f(x, a)``."""
    origin = function.file.origin(call.func)
    if is_operation(origin):
        return origin.rpartition(".")[2], call.args[0] if call.args else None, call.args[1:]
    if isinstance(call.func, ast.Attribute) and function.self_attribute(call.func) is None:
        return call.func.attr, call.func.value, call.args
    return "", None, []


def _is_number(function: Function, node: ast.expr) -> bool:
    """A Python number that does not come out of a tensor's data: what a trace may take for a constant, or a size."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        node = node.operand
    if isinstance(node, ast.Constant):
        return isinstance(node.value, (int, float)) and not isinstance(node.value, bool)
    known = isinstance(node, (ast.Name, ast.Attribute)) and function.type_of(node) in (INT, FLOAT)
    return known and not function.dependence.is_extracted(node)


def _plain(function: Function, node: ast.expr) -> bool:
    return isinstance(node, ast.Name) or function.self_attribute(node) is not None


def _only_binding(function: Function, name: str) -> ast.expr | None:
    """The expression of the only assignment to a local name; None for a parameter, or a name bound in another way."""
    writers = [
        s for s in function.statements if name in function.flow.writes(s) and not isinstance(s, (ast.If, ast.With))
    ]
    if len(writers) != 1 or name in {p.name for p in function.parameters}:
        return None
    only = writers[0]
    if isinstance(only, ast.Assign) and len(only.targets) == 1 and isinstance(only.targets[0], ast.Name):
        return only.value
    return None


def _surely_float(function: Function, written: str) -> bool:
    """Whether the function does to the tensor what would raise for integers."""
    for node in function.of(ast.Call):
        name, subject, _ = _method(function, node)
        if name in _FLOAT_ONLY and subject is not None and ast.unparse(subject) == written:
            return True
    return False
