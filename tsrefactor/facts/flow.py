"""Data flow of one function by names: what statements read and write, what is live after them, what is pure."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from .nodes import children, walk
from .operations import is_operation
from .types import TENSOR

if TYPE_CHECKING:
    from .definitions import Function

Code = ast.AST | Iterable[ast.AST]
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_PURE_BUILTINS = frozenset(
    "len int float bool abs max min range isinstance tuple list enumerate zip sum str round".split()
)
# Of torch's functions and a tensor's methods: those that do more than return a value. The norms update statistics.
_IMPURE_OPERATIONS = frozenset(
    "manual_seed seed save load set_grad_enabled set_num_threads backward retain_grad register_hook"
    " batch_norm instance_norm".split()
)
_RANDOM = frozenset(
    "rand randn randint randperm rand_like randn_like randint_like bernoulli multinomial normal poisson dropout"
    " dropout1d dropout2d dropout3d alpha_dropout feature_alpha_dropout gumbel_softmax rrelu".split()
)
_IMPURE = (
    ast.Raise, ast.Assert, ast.Return, ast.Yield, ast.YieldFrom, ast.Await, ast.Global, ast.Nonlocal, ast.Delete,
    ast.Import, ast.ImportFrom, ast.Break, ast.Continue, *_FUNCTIONS, ast.ClassDef, ast.AugAssign,
)  # fmt: skip
_CONTAINER_UPDATES = frozenset("append extend insert pop remove clear sort reverse update setdefault popitem".split())


class Flow:
    """Reads and writes of local names in one function."""

    def __init__(self, function: Function):
        self.function = function
        self._written: dict[ast.AST, set[str]] = {}
        self._is_asked = False

    def reads(self, code: Code) -> set[str]:
        """Names read anywhere in the code, in nested functions and comprehensions too, but for the latter's own."""
        return set().union(*(_read(root) for root in _roots(code)))

    def writes(self, code: Code) -> set[str]:
        """Local names that the code may bind, by `with … as`, walrus and del, too; not those of comprehensions."""
        return set().union(*map(self._writes, _roots(code)))

    def _writes(self, root: ast.AST) -> set[str]:
        if root in self._written:
            return self._written[root]
        found: set[str] = set()
        stack = [root]
        while stack:
            node = stack.pop()
            if isinstance(node, ast.Name):
                if not isinstance(node.ctx, ast.Load):
                    found.add(node.id)
            elif isinstance(node, (*_COMPREHENSIONS, ast.Lambda)):
                found |= {n.target.id for n in walk(node) if isinstance(n, ast.NamedExpr)}
            elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                found.add(node.name)
            elif isinstance(node, (ast.Import, ast.ImportFrom)):
                found |= {a.asname or a.name.partition(".")[0] for a in node.names}
            elif not (isinstance(node, ast.AnnAssign) and node.value is None):  # a declaration binds nothing
                if isinstance(node, ast.ExceptHandler) and node.name:
                    found.add(node.name)
                below = children(node)
                if isinstance(node, (ast.If, ast.For, ast.AsyncFor, ast.While, ast.With, ast.AsyncWith, ast.Try)):
                    for inner in below:
                        found |= self._writes(inner)
                else:
                    stack += below
        self._written[root] = found
        return found

    def always_writes(self, code: Sequence[ast.stmt]) -> set[str]:
        """Names bound on every path that reaches the end of the statements."""
        found: set[str] = set()
        for statement in code:
            if isinstance(statement, ast.If):
                arms = [self.always_writes(a) for a in (statement.body, statement.orelse) if not leaves(a)]
                found |= set.intersection(*arms) if arms else set()
            elif isinstance(statement, (ast.With, ast.AsyncWith)):
                names = [ast.Expr(i.optional_vars) for i in statement.items if i.optional_vars]
                found |= self.always_writes(statement.body) | self.writes(names)
            elif not isinstance(statement, (ast.For, ast.AsyncFor, ast.While, ast.Try, ast.Match)):
                found |= self.writes([statement])
        return found

    def mutates(self, code: Code) -> set[str]:
        """Names whose value the code may update in place.

        By ``x[i] = v``, ``x += v``, ``x.add_(v)``, ``xs.append(v)``, ``out=x``; that of ``self.x`` counts for ``self``.
        """
        found: set[str] = set()
        for root in _roots(code):
            for node in walk(root):
                if isinstance(node, (ast.Attribute, ast.Subscript)) and not isinstance(node.ctx, ast.Load):
                    found.add(root_name(node))
                elif isinstance(node, ast.AugAssign):
                    found.add(root_name(node.target))
                elif isinstance(node, ast.Call):
                    found |= {root_name(e) for e in self.updated(node)}
        return found - {""}

    def updated(self, call: ast.Call) -> list[ast.expr]:
        """What a call updates in place."""
        found = [k.value for k in call.keywords if k.arg == "out"]
        name = call.func.attr if isinstance(call.func, ast.Attribute) else ""
        if isinstance(call.func, ast.Attribute) and (_in_place(name) or name in _CONTAINER_UPDATES):
            new = name == "sort" and self.function.type_of(call.func.value, presume=True) == TENSOR
            found += [] if new else [call.func.value]
        if call.args and (_in_place(name) or self._asks_in_place(call) or self._is_in_place_layer(call)):
            found.append(call.args[0])
        return found

    def _is_in_place_layer(self, call: ast.Call) -> bool:
        """Whether it calls ``self.layer``, built with ``inplace=True`` somewhere in it."""
        cls, attribute = self.function.cls, self.function.self_attribute(call.func)
        values = cls.assigned.get(attribute, ()) if cls is not None and attribute is not None else ()
        built = (n for _, value in values if value is not None for n in walk(value))
        return any(isinstance(n, ast.keyword) and n.arg == "inplace" and not _is_false(n.value) for n in built)

    def free(self, code: Sequence[ast.stmt]) -> set[str]:
        """Local names whose value from before the code the code may read."""
        bound: set[str] = set()
        found: set[str] = set()
        for statement in code:
            found |= self._free_in(statement) - bound
            bound |= self.always_writes([statement])
        return found & self.local_names

    def _free_in(self, statement: ast.stmt) -> set[str]:
        if isinstance(statement, (ast.If, ast.While)):
            return self.reads(statement.test) | self.free(statement.body) | self.free(statement.orelse)
        if isinstance(statement, ast.For):
            inner = self.free(statement.body) - self.writes(statement.target)
            return self.reads(statement.iter) | inner | self.free(statement.orelse)
        if isinstance(statement, ast.With):
            bound = self.writes([ast.Expr(i.optional_vars) for i in statement.items if i.optional_vars])
            contexts = set().union(*(self.reads(i.context_expr) for i in statement.items))
            return contexts | (self.free(statement.body) - bound)
        if isinstance(statement, ast.Try):
            found = self.free(statement.body) | self.free(statement.finalbody)
            found |= self.free(statement.orelse) - self.always_writes(statement.body)
            for handler in statement.handlers:
                caught = self.reads(handler.type) if handler.type is not None else set()
                found |= caught | (self.free(handler.body) - {handler.name})
            return found
        return self.reads(statement)

    @cached_property
    def local_names(self) -> set[str]:
        """Parameters and everything the function binds."""
        return self._parameters | self.writes(self.function.node.body)

    @cached_property
    def _parameters(self) -> set[str]:
        a = self.function.node.args
        return {p.arg for p in (*a.posonlyargs, *a.args, *a.kwonlyargs, *filter(None, (a.vararg, a.kwarg)))}

    @cached_property
    def captured(self) -> set[str]:
        """Local names that nested functions and lambdas read, at whatever time they are called."""
        nested = self.function.of(*_FUNCTIONS)
        return set().union(*map(_read, nested)) & self.local_names if nested else set()

    def live_after(self, statement: ast.stmt) -> set[str]:
        """Names that may be read after the statement before they are bound again: later, or in a loop's next turn."""
        file, live = self.function.file, set(self.captured)
        node: ast.AST = statement
        bound: set[str] = set()
        while node is not self.function.node:
            block = file.block_of(node) if isinstance(node, ast.stmt) else []
            for later in block[block.index(node) + 1 :] if node in block else []:
                live |= self._free_in(later) - bound
                bound |= self.always_writes([later])
            node = file.parents[node]
            if isinstance(node, ast.While):
                live |= self.reads(node.test) | self.free(node.body)
                bound = set()
            elif isinstance(node, ast.For):
                live |= self.free(node.body) - self.writes(node.target)
                bound = set()
            elif isinstance(node, ast.Try):  # an exception may lead there from anywhere
                live |= self.reads([*node.handlers, *node.orelse, *node.finalbody])
                bound = set()
        return live & self.local_names

    def bound_before(self, statement: ast.stmt) -> set[str]:
        """Names that are bound on every path to the statement."""
        found = set(self._parameters)
        node: ast.AST = statement
        while node is not self.function.node:
            block = self.function.file.block_of(node) if isinstance(node, ast.stmt) else []
            if node in block:
                found |= self.always_writes(block[: block.index(node)])
            node = self.function.file.parents[node]
            if isinstance(node, ast.For):
                found |= self.writes(node.target)
            elif isinstance(node, ast.With):
                found |= self.writes([ast.Expr(i.optional_vars) for i in node.items if i.optional_vars])
        return found

    def is_pure(self, code: Code) -> bool:
        """Whether the code does no more than bind names: no in-place update, call-out, raise or random number."""
        return not any(self._impure(n) for root in _roots(code) for n in walk(root))

    def _impure(self, node: ast.AST) -> bool:
        if isinstance(node, _IMPURE):
            return True
        if isinstance(node, (ast.Attribute, ast.Subscript)) and not isinstance(node.ctx, ast.Load):
            return True
        if not isinstance(node, ast.Call):
            return False
        origin = self.function.file.origin(node.func)
        name = origin.rpartition(".")[2] if origin else getattr(node.func, "attr", "")
        if name in _RANDOM or name in _IMPURE_OPERATIONS or _in_place(name):
            return True
        if self._asks_in_place(node) or any(k.arg == "out" for k in node.keywords):
            return True
        if is_operation(origin) or origin in _PURE_BUILTINS or origin.startswith("math."):
            return False
        if isinstance(node.func, ast.Name):
            called = self.function.file.function_named(origin) if node.func.id not in self.local_names else None
            return called is None or not called.flow.only_computes
        receiver = node.func.value if isinstance(node.func, ast.Attribute) else None
        if isinstance(receiver, ast.Constant):  # "layer{}".format(i)
            return False
        return receiver is None or self.function.type_of(receiver, presume=True).name != "Tensor"

    @cached_property
    def only_computes(self) -> bool:
        """Whether a call of the function does no more than give a value, as `is_pure`; it calls not itself for that."""
        if self._is_asked or self.function.node.decorator_list or isinstance(self.function.node, ast.AsyncFunctionDef):
            return False
        self._is_asked = True
        nodes = (n for s in self.function.node.body for n in walk(s))
        return not any(self._impure(n) for n in nodes if not isinstance(n, ast.Return))

    def _asks_in_place(self, call: ast.Call) -> bool:
        """``inplace=True`` by name, or a bare ``True`` given to one of torch's activations."""
        named = (k.value for k in call.keywords if k.arg == "inplace")
        bare: list[ast.expr] = []
        if self.function.file.origin(call.func).startswith("torch.nn.functional."):
            bare = [a for a in call.args[1:] if isinstance(a, ast.Constant) and a.value is True]
        return bool(bare) or not all(map(_is_false, named))


def leaves(block: Sequence[ast.stmt]) -> bool:
    """Whether a block never reaches its end."""
    last = block[-1] if block else None
    if isinstance(last, ast.If):
        return leaves(last.body) and leaves(last.orelse)
    return isinstance(last, (ast.Return, ast.Raise, ast.Continue, ast.Break))


def root_name(node: ast.expr) -> str:
    """The name that attributes, subscripts and method calls start from: ``x`` of ``x[0].view(-1).data``; or ""."""
    while isinstance(node, (ast.Attribute, ast.Subscript, ast.Call, ast.Starred)):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ""


def _is_false(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and not node.value


def _in_place(method: str) -> bool:
    return method.endswith("_") and not method.endswith("__")


def _roots(code: Code) -> list[ast.AST]:
    return [code] if isinstance(code, ast.AST) else list(code)


def _read(node: ast.AST) -> set[str]:
    """Names that a node reads from outside of it."""
    if isinstance(node, ast.Name):
        return {node.id} if isinstance(node.ctx, ast.Load) else set()
    inside: set[str] = set().union(*map(_read, children(node)))
    if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
        return inside | {node.target.id}
    if isinstance(node, _COMPREHENSIONS):
        own = {n.id for g in node.generators for n in walk(g.target) if isinstance(n, ast.Name)}
        return (inside - own) | _read(node.generators[0].iter)
    if isinstance(node, _FUNCTIONS):
        a = node.args
        own = {p.arg for p in (*a.posonlyargs, *a.args, *a.kwonlyargs, *filter(None, (a.vararg, a.kwarg)))}
        own |= {n.id for n in walk(node) if isinstance(n, ast.Name) and not isinstance(n.ctx, ast.Load)}
        defaults = (d for d in (*a.defaults, *a.kw_defaults) if d is not None)
        return (inside - own) | set().union(*(_read(d) for d in defaults))
    return inside
