"""Plain numbers and lists that a trace takes from tensors' sizes or data and keeps: where they are made and used."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cached_property

from .callers import arguments, callee
from .definitions import Function
from .lengths import stays_in_tensor
from .nodes import walk
from .types import BOOL, FLOAT, INT, TENSOR, Type
from .whole_sizes import exact_form, presumed_form, window_count

_TAKEN = frozenset({"item", "tolist"})
_CONVERSIONS = frozenset({"int", "float", "bool", "complex", "round"})
_CHOOSING = frozenset({"max", "min"})
# What keeps a number without a warning: the place of the argument from which on it is asked for as a plain one.
_CONVOLUTIONS = frozenset(f"torch.nn.functional.conv{t}{d}d" for t in ("", "_transpose") for d in (1, 2, 3))
_ONE_FOR_ALL = {
    **{f"torch.nn.functional.{kind}_pool{d}d": 1 for kind in ("avg", "max") for d in (1, 2, 3)},
    **{f"torch.{kind}_pool{d}d": 1 for kind in ("avg", "max") for d in (1, 2, 3)},
    **dict.fromkeys(("torch.nn.functional.adaptive_avg_pool1d", "torch.nn.functional.adaptive_max_pool1d"), 1),
    "torch.roll": 1,
}
_JOINING = ("torch.cat", "torch.stack")
_DEEPEST = 3  # of calls between functions of the file
_WATCHED = (ast.Raise, ast.Assert, ast.If, ast.While)


class Freezing:
    """The numbers of one function that a trace keeps, and what uses them. ``given``: parameters that hold sizes."""

    def __init__(self, function: Function, given: frozenset[str] = frozenset(), depth: int = 0):
        self.function, self.file, self.dependence = function, function.file, function.dependence
        self._given, self._depth = given, depth

    @cached_property
    def roots(self) -> list[ast.expr]:
        """Where a plain number (or list) is made of sizes or data, or a size is used as one; outermost first.

        Not those that plain arithmetic with sizes can replace: see size-arithmetic.
        """
        found: list[ast.expr] = []
        inside: set[ast.AST] = set()
        for node in self.function.of(ast.Call, ast.BinOp, ast.ListComp):
            if node not in inside and self._freezes(node):
                assert isinstance(node, ast.expr)
                found.append(node)
                inside |= set(walk(node))
        return found

    @cached_property
    def names(self) -> set[str]:
        """Local names that hold such numbers."""
        names: set[str] = set()
        while True:
            more = {
                n for n, values in self._bound.items() if n not in names and any(self._holds(v, names) for v in values)
            }
            if not more:
                return names
            names |= more

    def uses(self) -> Iterator[tuple[ast.expr, ast.expr]]:
        """(use, root): where tensors meet such a number: the number's own expression, or a name that holds it."""
        roots = set(self.roots)
        for root in self.roots:
            if self._counts(root):
                yield root, root
        if not self.names:
            return
        inside = {n for r in roots for n in walk(r)}
        for node in self.function.of(ast.Name):
            if node.id in self.names and isinstance(node.ctx, ast.Load) and node not in inside and self._counts(node):
                yield node, self._root_of(node.id, set())

    def tensor_around(self, use: ast.expr) -> ast.expr | None:
        """The smallest expression around a use that is a tensor: in it, the number can be computed by compiled code."""
        node: ast.AST = use
        while isinstance(node, (ast.expr, ast.keyword)):
            if isinstance(node, ast.expr) and self.function.type_of(node, presume=True) == TENSOR:
                return node
            node = self.file.parents[node]
            if isinstance(node, ast.Slice):
                node = self.file.parents[node]
        return None

    # -- what freezes ------------------------------------------------------------------------------------------------

    def _freezes(self, node: ast.AST) -> bool:
        if isinstance(node, ast.BinOp):
            return self._repeated(node)
        if isinstance(node, ast.ListComp):
            return any(self.dependence.freezes_loop(g) for g in node.generators)
        assert isinstance(node, ast.Call)
        if isinstance(node.func, ast.Attribute) and node.func.attr in _TAKEN and not node.args:
            return self._is_tensor(node.func.value) and not stays_in_tensor(self.function, node)
        origin = self.file.origin(node.func)
        if self.function.types.bindings.shadows(origin):
            return self._is_kept_by(node)
        if origin in _CONVERSIONS or (origin.startswith(("math.", "numpy.")) and origin != "math.prod"):
            forms = (exact_form, presumed_form, window_count)
            return any(map(self._is_taken, node.args)) and all(form(self.function, node) is None for form in forms)
        if origin in _CHOOSING and len(node.args) > 1:
            return any(self._is_size(a) for a in node.args)
        return self._silently(node, origin) or self._is_kept_by(node)

    def _is_kept_by(self, call: ast.Call) -> bool:
        """Whether a function of the file makes such a number of the sizes that the call gives it."""
        called = callee(self.function, call)
        if called is None or called.dependence.is_compiled or self._depth == _DEEPEST:
            return False
        given = frozenset(name for name, value in arguments(called, call).items() if self._is_size(value))
        return bool(given) and Freezing(called, given, self._depth + 1).returns_one()

    def returns_one(self) -> bool:
        """Whether the function returns such a number."""
        values = (r.value for r in self.function.of(ast.Return))
        return any(v is not None and self._holds(v, self.names) for v in values)

    def _repeated(self, node: ast.BinOp) -> bool:
        """Whether it is ``[x] * n``."""
        if not isinstance(node.op, ast.Mult):
            return False
        sides = (node.left, node.right)
        return any(isinstance(s, ast.List) for s in sides) and any(self._is_size(s) for s in sides)

    def _silently(self, call: ast.Call, origin: str) -> bool:
        if origin in _CONVOLUTIONS:
            given = [*call.args[3:], *(k.value for k in call.keywords)]
            return any(self._is_size(n) for g in given for n in walk(g) if isinstance(n, ast.expr))
        method = call.func.attr if isinstance(call.func, ast.Attribute) else ""
        if origin in _ONE_FOR_ALL:
            given = [*call.args[_ONE_FOR_ALL[origin] :], *(k.value for k in call.keywords if k.arg != "dims")]
            return any(self._is_size(g) and self.function.type_of(g, presume=True) == INT for g in given)
        if origin in _JOINING and call.args:
            return self._takes_apart(call.args[0])
        if method in ("split", "roll", "chunk", "tensor_split") or origin == "torch.split":
            tensor = origin != "torch.split" and origin != "torch.chunk"
            first = call.args[0 if tensor else 1 :][:1]
            return any(self._is_size(g) and self.function.type_of(g).name != "List" for g in first)
        return False

    def _takes_apart(self, node: ast.expr) -> bool:
        """Whether it is as many tensors as a size tells: rows, or pieces of one length."""
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            return False
        function = self.file.origin(node.func).startswith("torch.")
        if node.func.attr == "unbind":
            return function or self._is_tensor(node.func.value)
        lengths = node.args[1 if function else 0 :][:1]
        pieces = node.func.attr == "split" and any(self.function.type_of(n) == INT for n in lengths)
        return pieces and (function or self._is_tensor(node.func.value))

    def _is_taken(self, node: ast.expr) -> bool:
        taken = self.dependence.is_extracted(node) or self.dependence.is_sized(node, self._given)
        return taken or self._is_tensor(node)

    def _is_size(self, node: ast.expr) -> bool:
        sequence = isinstance(node, (ast.Tuple, ast.List))
        return not sequence and self.dependence.is_sized(node, self._given) and not self.dependence.is_extracted(node)

    def _is_tensor(self, node: ast.expr) -> bool:
        return self.function.type_of(node, presume=True) == TENSOR

    # -- names -------------------------------------------------------------------------------------------------------

    @cached_property
    def _bound(self) -> dict[str, list[ast.expr]]:
        """Names that hold plain numbers, or what is taken out of tensors → what is bound to them."""
        values, types = self.function.types.bindings.values, self.function.types
        return {
            name: [e for e in bound if isinstance(e, ast.expr)]
            for name, bound in values.items()
            if _is_plain(types.of_name(name)) or name in self.dependence.extracted_names
        }

    def _holds(self, value: ast.expr, names: set[str]) -> bool:
        roots = set(self.roots)
        return self.function.type_of(value) != TENSOR and any(
            n in roots or (isinstance(n, ast.Name) and n.id in names) for n in walk(value)
        )

    def _root_of(self, name: str, seen: set[str]) -> ast.expr:
        """What the number in a name was made by."""
        roots = set(self.roots)
        for value in self._bound.get(name, ()):
            for node in walk(value):
                if node in roots:
                    assert isinstance(node, ast.expr)
                    return node
        for value in self._bound.get(name, ()):
            for node in walk(value):
                if isinstance(node, ast.Name) and node.id in self.names and node.id not in seen | {name}:
                    return self._root_of(node.id, seen | {name})
        return ast.Name(name, ast.Load())

    def _counts(self, use: ast.expr) -> bool:
        """Whether the place is one where the number matters to what the trace computes.

        Not in conditions and loops, which are frozen as such; not where another name is given the number only.
        """
        node: ast.AST = use
        while not isinstance(node, ast.stmt):
            parent = self.file.parents[node]
            if isinstance(parent, (ast.If, ast.While)) or (isinstance(parent, ast.For) and parent.iter is node):
                return False
            if isinstance(parent, ast.IfExp) and parent.test is node:
                return False
            node = parent
        if isinstance(node, (*_WATCHED, ast.Expr)):
            return isinstance(node, ast.Expr) and self.tensor_around(use) is not None
        if isinstance(node, ast.Assign) and self.tensor_around(use) is None:
            names = {n.id for t in node.targets for n in walk(t) if isinstance(n, ast.Name)}
            return any(self.function.types.of_name(n) == TENSOR for n in names)
        return True


def _is_plain(type_: Type) -> bool:
    """Whether it is a number, or a tuple of numbers."""
    members = type_.args if type_.name == "Tuple" else (type_,)
    return bool(members) and set(members) <= {INT, FLOAT, BOOL}
