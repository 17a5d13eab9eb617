"""Data flow of one function by names: what statements read and write, what is live after them, what is pure."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from .operations import is_operation

if TYPE_CHECKING:
    from .file import Function

_PURE_BUILTINS = {
    "len",
    "int",
    "float",
    "bool",
    "abs",
    "max",
    "min",
    "range",
    "isinstance",
    "tuple",
    "list",
    "enumerate",
    "zip",
    "sum",
    "str",
}
_IMPURE_OPERATIONS = {"manual_seed", "seed", "save", "load", "set_grad_enabled", "set_num_threads"}
_RANDOM = frozenset(
    "rand randn randint randperm rand_like randn_like randint_like bernoulli multinomial normal poisson dropout dropout1d dropout2d"
    " dropout3d alpha_dropout feature_alpha_dropout gumbel_softmax rrelu uniform_ normal_ bernoulli_ random_ exponential_".split()
)  # fmt: skip


class Flow:
    """Reads and writes of local names in one function."""

    def __init__(self, function: Function):
        self.function = function

    def reads(self, code: ast.AST | Sequence[ast.stmt]) -> set[str]:
        """Names read anywhere in the code (also in nested functions and comprehensions)."""
        return {n.id for root in _roots(code) for n in ast.walk(root) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)} | {
            n.target.id for root in _roots(code) for n in ast.walk(root) if isinstance(n, ast.AugAssign) and isinstance(n.target, ast.Name)
        }  # fmt: skip

    def writes(self, code: ast.AST | Sequence[ast.stmt]) -> set[str]:
        """Local names that the code may bind: assignment, loops, `with … as`, walrus, del. Not comprehension variables."""
        found: set[str] = set()
        stack = list(_roots(code))
        while stack:
            node = stack.pop()
            if isinstance(node, (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp, ast.Lambda)):
                found |= {n.target.id for n in ast.walk(node) if isinstance(n, ast.NamedExpr)}
                continue
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                found.add(node.name)
                continue
            if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
                found.add(node.id)
            stack.extend(ast.iter_child_nodes(node))
        return found

    def always_writes(self, code: Sequence[ast.stmt]) -> set[str]:
        """Names bound on every path that reaches the end of the statements."""
        found: set[str] = set()
        for statement in code:
            if isinstance(statement, ast.If):
                arms = [self.always_writes(a) for a in (statement.body, statement.orelse) if not _leaves(a)]
                found |= set.intersection(*arms) if arms else set()
            elif isinstance(statement, ast.With):
                found |= self.always_writes(statement.body) | self.writes(
                    [ast.Expr(i.optional_vars) for i in statement.items if i.optional_vars]
                )
            elif not isinstance(statement, (ast.For, ast.While, ast.Try, ast.Match)):
                found |= self.writes([statement])
        return found

    def free(self, code: Sequence[ast.stmt]) -> set[str]:
        """Local names whose value from before the code the code may read."""
        bound: set[str] = set()
        found: set[str] = set()
        for statement in code:
            found |= self._free_in(statement) - bound
            bound |= self.always_writes([statement])
        return found & self.local_names

    def _free_in(self, statement: ast.stmt) -> set[str]:
        if isinstance(statement, ast.If):
            return self.reads(statement.test) | self.free(statement.body) | self.free(statement.orelse)
        if isinstance(statement, ast.While):
            return self.reads(statement.test) | self.free(statement.body) | self.free(statement.orelse)
        if isinstance(statement, ast.For):
            inner = self.free(statement.body) - self.writes(statement.target)
            return self.reads(statement.iter) | inner | self.free(statement.orelse)
        if isinstance(statement, ast.With):
            return set().union(*(self.reads(i.context_expr) for i in statement.items)) | self.free(statement.body)
        if isinstance(statement, ast.AugAssign):
            return self.reads(statement)
        return self.reads(statement)

    @property
    def local_names(self) -> set[str]:
        """Parameters and everything the function binds."""
        a = self.function.node.args
        own = {p.arg for p in (*a.posonlyargs, *a.args, *a.kwonlyargs, *filter(None, (a.vararg, a.kwarg)))}
        return own | self.writes(self.function.node.body)

    def live_after(self, statement: ast.stmt) -> set[str]:
        """Names that may be read after the statement before they are bound again: later, or in a loop's next turn."""
        file, live = self.function.file, set()
        node: ast.AST = statement
        bound: set[str] = set()
        while node is not self.function.node:
            block = file.block_of(node) if isinstance(node, ast.stmt) else []  # type: ignore[arg-type]
            following = block[block.index(node) + 1 :] if node in block else []
            for later in following:
                live |= self._free_in(later) - bound
                bound |= self.always_writes([later])
            node = file.parents[node]
            if isinstance(node, ast.While):
                live |= self.reads(node.test) | self.free(node.body)
                bound = set()
            elif isinstance(node, ast.For):
                live |= self.free(node.body) - self.writes(node.target)
                bound = set()
        return live & self.local_names

    def bound_before(self, statement: ast.stmt) -> set[str]:
        """Names that are bound on every path to the statement."""
        a = self.function.node.args
        found = {p.arg for p in (*a.posonlyargs, *a.args, *a.kwonlyargs, *filter(None, (a.vararg, a.kwarg)))}
        node: ast.AST = statement
        while node is not self.function.node:
            block = self.function.file.block_of(node) if isinstance(node, ast.stmt) else []  # type: ignore[arg-type]
            if node in block:
                found |= self.always_writes(block[: block.index(node)])  # type: ignore[arg-type]
            node = self.function.file.parents[node]
            if isinstance(node, ast.For):
                found |= self.writes(node.target)
        return found

    def is_pure(self, code: ast.AST | Iterable[ast.stmt]) -> bool:
        """Whether running the code can be seen only in the names it binds: no in-place update, call-out, raise or random number."""
        return not any(self._impure(n) for root in _roots(code) for n in ast.walk(root))

    def _impure(self, node: ast.AST) -> bool:
        if isinstance(node, (ast.Raise, ast.Assert, ast.Return, ast.Yield, ast.YieldFrom, ast.Await, ast.Global, ast.Nonlocal, ast.Delete,
                             ast.Import, ast.ImportFrom, ast.Break, ast.Continue, ast.FunctionDef, ast.ClassDef, ast.Lambda, ast.AugAssign)):  # fmt: skip
            return True
        if isinstance(node, (ast.Attribute, ast.Subscript)) and not isinstance(node.ctx, ast.Load):
            return True
        if not isinstance(node, ast.Call):
            return False
        origin = self.function.file.origin(node.func)
        name = origin.rpartition(".")[2] if origin else getattr(node.func, "attr", "")
        if name in _RANDOM or name in _IMPURE_OPERATIONS or (name.endswith("_") and not name.endswith("__")):
            return True
        if any(
            k.arg in ("inplace", "out") and not (isinstance(k.value, ast.Constant) and not k.value.value)
            for k in node.keywords
        ):
            return True
        if is_operation(origin) or origin in _PURE_BUILTINS or origin.startswith("math."):
            return False
        receiver = node.func.value if isinstance(node.func, ast.Attribute) else None
        return receiver is None or self.function.type_of(receiver, presume=True).name != "Tensor"


def _roots(code: ast.AST | Iterable[ast.stmt]) -> list[ast.AST]:
    return [code] if isinstance(code, ast.AST) else list(code)


def _leaves(block: Sequence[ast.stmt]) -> bool:
    """Whether a block never reaches its end."""
    return bool(block) and isinstance(block[-1], (ast.Return, ast.Raise, ast.Continue, ast.Break))
