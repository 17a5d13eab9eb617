"""Data dependence: what Python takes out of tensors' *data* or sizes, which a trace freezes.

Followed within a function through names, and between the functions of a file through what they return, what their calls
pass, and what methods leave in attributes.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Set
from functools import cached_property
from typing import TYPE_CHECKING

from .callers import arguments, callee
from .nodes import children, walk
from .own_tensors import is_own
from .types import TENSOR, optional

if TYPE_CHECKING:
    from .definitions import Function

_EXTRACTS = {"item", "tolist", "numpy", "__bool__", "__int__", "__float__", "equal", "allclose", "is_nonzero"}
_CONVERSIONS = frozenset(
    "int float bool str complex round math.sqrt math.floor math.ceil math.log math.exp"
    " numpy.sqrt numpy.floor numpy.ceil numpy.log numpy.log2 torch.equal torch.allclose torch.is_nonzero".split()
)
_COMBINING = ("max", "min", "abs", "sum", "round")
_SIZE_METHODS = {"size", "numel", "nelement", "__len__"}
_Holds = Callable[["Dependence", ast.expr, frozenset[str]], bool]
_COMPOUND = (ast.BinOp, ast.UnaryOp, ast.Compare, ast.BoolOp, ast.IfExp, ast.Subscript, ast.Tuple, ast.List)


class Dependence:
    """Which Python values and branches of a function depend on tensor data, or on the sizes of tensors."""

    def __init__(self, function: Function):
        self.function = function
        self._asked: set[str] = set()  # what is being answered: a function that calls itself adds nothing to it

    @cached_property
    def extracted_names(self) -> set[str]:
        """Local names that hold Python numbers taken from tensor data."""
        names = self._closure(self._extracts)
        return {n for n in names if self.function.types.of_name(n) != TENSOR}

    @cached_property
    def sized_names(self) -> set[str]:
        """Local names that hold numbers or tuples computed from sizes of tensors (``b, c = x.shape``)."""
        names = self._closure(self._measures)
        return {n for n in names if self.function.types.of_name(n) != TENSOR}

    def is_extracted(self, node: ast.expr, given: frozenset[str] = frozenset()) -> bool:
        """Whether an expression is a Python value computed from tensor data (``x.max().item() + 1``).

        ``given``: parameters that are taken for such values.
        """
        return self._extracts(node, self._made_of(self._extracts, given) if given else self.extracted_names)

    def is_sized(self, node: ast.expr, given: frozenset[str] = frozenset()) -> bool:
        """Whether an expression is a Python value computed from sizes of tensors (``x.shape[0] // 2``, ``len(x)``).

        ``given``: parameters that are taken for sizes.
        """
        return self._measures(node, self._made_of(self._measures, given) if given else self.sized_names)

    def may_be_sized(self, node: ast.expr) -> bool:
        """Whether `is_sized`, also where a call in the file gives a parameter a size."""
        return self._measures(node, self._sized)

    def may_be_extracted(self, node: ast.expr) -> bool:
        """Whether `is_extracted`, also where a call in the file gives a parameter such a number."""
        return self._extracts(node, self._extracted)

    def holds_kept(self, node: ast.AST) -> bool:
        """Whether it holds a plain number of data or sizes, those of a caller too, that a trace may keep."""
        values = [n for n in walk(node) if isinstance(n, ast.expr)]
        return any(self._measures(v, self._sized) or self._extracts(v, self._extracted) for v in values)

    def decides(self, test: ast.expr, presume: bool = False) -> bool:
        """Whether the truth of a condition depends on tensor data, so that a trace keeps one side of it for ever."""
        return any(
            self._holds_tensor(part, presume) or self._extracts(part, self._extracted) for part in _conditions(test)
        )

    def freezes(self, test: ast.expr, presume: bool = False) -> bool:
        """Whether a trace keeps one side of a condition that another input may turn: it `decides`, or reads sizes."""
        return self.decides(test, presume) or any(self._measures(p, self._sized) for p in _conditions(test))

    def freezes_loop(self, loop: ast.For | ast.comprehension, presume: bool = False) -> bool:
        """Whether a trace keeps the example's number of turns: over a tensor's rows, or a range of data or sizes."""
        over = [loop.iter]
        if self._calls(loop.iter, "enumerate", "zip", "range", "reversed"):
            over = loop.iter.args  # type: ignore[attr-defined]
        return self._counts_sizes(loop.iter, self._ranges) or any(
            self._holds_tensor(n, presume) or self._extracts(n, self._extracted) for n in over
        )

    def freezes_block(self, block: ast.AST) -> bool:
        """Whether a trace keeps the example's way through an `if`, a `while` or a `for`."""
        if isinstance(block, ast.For):
            return self.freezes_loop(block)
        return isinstance(block, (ast.If, ast.While)) and self.freezes(block.test)

    def _counts_sizes(self, node: ast.expr, names: Set[str]) -> bool:
        """Whether it is a range up to a size. What is made of a tensor's sizes itself has as many as there are dims."""
        if isinstance(node, ast.Name):
            return node.id in names
        if self._calls(node, "range"):
            return any(self._measures(a, self._sized) for a in node.args)  # type: ignore[attr-defined]
        return self._calls(node, "enumerate", "zip", "reversed", "list", "tuple") and any(
            self._counts_sizes(a, names)
            for a in node.args  # type: ignore[attr-defined]
        )

    @cached_property
    def _ranges(self) -> set[str]:
        """Local names that hold such ranges."""
        return self._closure(self._counts_sizes)

    def _calls(self, node: ast.expr, *names: str) -> bool:
        return isinstance(node, ast.Call) and self.function.file.origin(node.func) in names

    # -- between functions ---------------------------------------------------------------------------------------------

    @cached_property
    def _extracted(self) -> set[str]:
        """`extracted_names`, and parameters that a call in the file gives such a number."""
        given = self._given(lambda caller, value: caller.dependence.is_extracted(value))
        return self._closure(self._extracts, given) if given else self.extracted_names

    @cached_property
    def _sized(self) -> set[str]:
        """`sized_names`, and parameters that a call in the file gives such a number."""
        given = self._given(lambda caller, value: caller.dependence.is_sized(value))
        return self._closure(self._measures, given) if given else self.sized_names

    def _holds_tensor(self, node: ast.expr, presume: bool) -> bool:
        """Whether an expression is a tensor, or presumed one without a call in the file that says otherwise."""
        function = self.function
        if function.type_of(node) == TENSOR:
            return True
        if not presume or function.type_of(node, presume=True) != TENSOR:
            return False
        names = {n.id for n in walk(node) if isinstance(n, ast.Name)}
        presumed = [p.name for p in function.parameters if p.name in names and function.types.of_name(p.name) != TENSOR]
        values = (v for name in presumed for v in function.types.bindings.values.get(name, ()))
        if any(isinstance(v, (ast.List, ast.Tuple, ast.ListComp, ast.Dict)) for v in values):
            return False
        return not presumed or not all(map(self._given_others, presumed))

    def _given_others(self, name: str) -> bool:
        """Whether a call in the file passes for a parameter what is not even presumed a tensor."""
        given = self.function.file.callers.given(self.function, name)
        return any(caller.type_of(value, presume=True) != TENSOR for caller, value in given)

    def _given(self, holds: Callable[[Function, ast.expr], bool]) -> set[str]:
        function, bindings = self.function, self.function.types.bindings
        names = [p.name for p in function.parameters if len(bindings.values.get(p.name, ())) < 2]
        names = [n for n in names if function.types.of_name(n) != TENSOR]
        return {n for n in names if any(holds(c, value) for c, value in function.file.callers.given(function, n))}

    def returns(self, position: int | None, holds: _Holds, given: frozenset[str] = frozenset()) -> bool:
        """Whether a result, or an item of the tuples that are returned, is an expression for which ``holds``."""
        if "return" in self._asked:
            return False
        self._asked.add("return")
        try:
            values = [r.value for r in self.function.of(ast.Return) if r.value is not None]
            if position is not None:
                values = [v.elts[position] for v in values if isinstance(v, ast.Tuple) and position < len(v.elts)]
            return any(not isinstance(v, ast.Tuple) and holds(self, v, given) for v in values)
        finally:
            self._asked.discard("return")

    def _comes_back(self, node: ast.expr, holds: _Holds, within: Callable[[ast.expr], bool]) -> bool:
        """Whether it is a call of a function of the file, or an item of what that returns, whose result ``holds``:
        by itself, or as made of arguments that hold ``within`` this function.
        """
        position = None
        if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
            position = node.slice.value if isinstance(node.slice.value, int) else None
            node = node.value
        called = callee(self.function, node) if isinstance(node, ast.Call) else None
        if called is None:
            return False
        assert isinstance(node, ast.Call)
        given = frozenset(name for name, value in arguments(called, node).items() if within(value))
        return called.dependence.returns(position, holds, given)

    def _was_left(self, node: ast.Attribute, holds: _Holds) -> bool:
        """Whether it is an attribute in which a method, not the constructor, leaves an expression that ``holds``."""
        name, cls = self.function.self_attribute(node), self.function.cls
        if name is None or cls is None or name in self._asked:
            return False
        self._asked.add(name)
        try:
            left = [pair for c in (cls, *cls.ancestors) for pair in c.assigned.get(name, ())]
            return any(m.name != "__init__" and v is not None and holds(m.dependence, v, frozenset()) for m, v in left)
        finally:
            self._asked.discard(name)

    # -- within one ----------------------------------------------------------------------------------------------------

    @cached_property
    def is_compiled(self) -> bool:
        """Whether a trace never runs the function as Python: it, or all that calls it in the file, is compiled."""
        function = self.function
        if self._is_compiled(function):
            return True
        if function.cls is not None or function.file.function_named(function.name) is not function:
            return False
        callers = [f for f in function.file.functions if f is not function and function.name in f.dependence._called]
        return bool(callers) and all(map(self._is_compiled, callers))

    @cached_property
    def _called(self) -> set[str]:
        """The plain names that the function calls."""
        return {call.func.id for call in self.function.of(ast.Call) if isinstance(call.func, ast.Name)}

    @staticmethod
    def _is_compiled(function: Function) -> bool:
        return bool({"torch.jit.script", "torch.jit.script_if_tracing"} & set(function.decorators))

    def _made_of(self, holds: Callable[[ast.expr, set[str]], bool], given: frozenset[str]) -> set[str]:
        """Local names that hold plain values for which ``holds``, where the ``given`` parameters do."""
        return {n for n in self._closure(holds, given) if self.function.types.of_name(n) != TENSOR}

    def _closure(self, holds: Callable[[ast.expr, set[str]], bool], given: Set[str] = frozenset()) -> set[str]:
        """Names that are bound, anywhere in the function, to an expression for which ``holds``, given such names."""
        names = set(given)
        left = self._bindings
        while True:
            found = [pair for pair in left if holds(pair[0], names)]
            if not found:
                return names
            names.update(*(bound for _, bound in found))
            left = [pair for pair in left if pair not in found]

    @cached_property
    def _bindings(self) -> list[tuple[ast.expr, set[str]]]:
        """Every expression of the function that is bound to names, with these."""
        found = []
        for node in self.function.of(ast.Assign, ast.AugAssign, ast.AnnAssign, ast.NamedExpr, ast.For):
            if isinstance(node, ast.Assign):
                found += [pair for target in node.targets for pair in _pairs(target, node.value)]
            elif isinstance(node, (ast.AugAssign, ast.AnnAssign, ast.NamedExpr)) and node.value is not None:
                found.append((node.value, _names(node.target)))
            elif isinstance(node, ast.For):
                found.append((node.iter, _names(node.target)))
        return found

    def _extracts(self, node: ast.expr, names: set[str]) -> bool:
        if isinstance(node, ast.Name):
            return node.id in names
        if isinstance(node, ast.Attribute):
            return self._was_left(node, Dependence.is_extracted)
        if isinstance(node, (ast.Call, ast.Subscript)) and self._comes_back(
            node, Dependence.is_extracted, lambda value: self._extracts(value, names)
        ):
            return True
        if isinstance(node, ast.Call):
            method = isinstance(node.func, ast.Attribute) and node.func.attr in _EXTRACTS
            if method and self._is_tensor(node.func.value):  # type: ignore[attr-defined]
                return True
            origin = self.function.file.origin(node.func)
            if origin in _CONVERSIONS and node.args:
                return self.function.type_of(node.args[0]) == TENSOR or self._extracts(node.args[0], names)
            if origin in ("range", "enumerate", "zip"):
                return any(self._extracts(a, names) for a in node.args)
            return origin in _COMBINING and any(self._extracts(a, names) for a in node.args)
        return isinstance(node, _COMPOUND) and any(self._extracts(c, names) for c in _children(node))

    def _measures(self, node: ast.expr, names: set[str]) -> bool:
        if isinstance(node, ast.Name):
            return node.id in names
        if isinstance(node, ast.Attribute):
            left = self._was_left(node, Dependence.is_sized)
            return left or (node.attr == "shape" and self._varies(node.value))
        if isinstance(node, (ast.Call, ast.Subscript)) and self._comes_back(
            node, Dependence.is_sized, lambda value: self._measures(value, names)
        ):
            return True
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Attribute) and node.func.attr in _SIZE_METHODS:
                return self._varies(node.func.value)
            origin = self.function.file.origin(node.func)
            if origin == "len":  # of a tensor; that of its shape is the rank, which no input of this trace changes
                return bool(node.args) and self._varies(node.args[0])
            numeric = origin in _CONVERSIONS or origin in _COMBINING or origin.startswith("math.")
            if numeric or origin in ("list", "tuple", "range", "enumerate", "zip", "any", "all"):
                return any(self._measures(a, names) for a in node.args)
            return False
        if isinstance(node, _COMPOUND) and self.function.type_of(node) != TENSOR:
            return any(self._measures(c, names) for c in _children(node))
        return False

    def _varies(self, node: ast.expr) -> bool:
        """Whether it is a tensor whose sizes may differ from run to run. What is asked for sizes is not None."""
        type_ = self.function.type_of(node, presume=True)
        return type_ in (TENSOR, optional(TENSOR)) and not is_own(self.function, node)

    def _is_tensor(self, node: ast.expr) -> bool:
        return self.function.type_of(node, presume=True) == TENSOR


def _conditions(test: ast.expr) -> Iterator[ast.expr]:
    """The parts of a condition between its ``and``, ``or`` and ``not``, without the tests for None."""
    if isinstance(test, ast.BoolOp):
        for value in test.values:
            yield from _conditions(value)
    elif isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        yield from _conditions(test.operand)
    elif not (isinstance(test, ast.Compare) and any(isinstance(op, (ast.Is, ast.IsNot)) for op in test.ops)):
        yield test


def _pairs(target: ast.expr, value: ast.expr) -> list[tuple[ast.expr, set[str]]]:
    """(expression, names bound to it), element by element where both sides of an assignment are tuples."""
    sequences = (ast.Tuple, ast.List)
    if isinstance(target, sequences) and isinstance(value, sequences) and len(target.elts) == len(value.elts):
        return [pair for t, v in zip(target.elts, value.elts, strict=True) for pair in _pairs(t, v)]
    if (
        isinstance(target, sequences)
        and isinstance(value, ast.Call)
        and all(isinstance(t, ast.Name) for t in target.elts)
    ):
        items = [
            ast.copy_location(ast.Subscript(value, ast.Constant(i), ast.Load()), value) for i in range(len(target.elts))
        ]
        return [(item, _names(t)) for item, t in zip(items, target.elts, strict=True)]
    return [(value, _names(target))]


def _names(target: ast.expr) -> set[str]:
    return {n.id for n in walk(target) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}


def _children(node: ast.expr) -> Iterator[ast.expr]:
    return (c for c in children(node) if isinstance(c, ast.expr))
