"""The lives of a local name: which of its bindings each read may see, and so which of them need one name."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence

from .definitions import Function
from .nodes import walk

State = frozenset["ast.Name | None"]
"""The bindings whose value the name may have; None for what it has without any of them, as a parameter."""
_OWN_SCOPES = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_UNCLEAR = (
    *(ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda, ast.JoinedStr, ast.NamedExpr, ast.Try),
    *(ast.TryStar, ast.Match, ast.Delete, ast.Global, ast.Nonlocal, ast.Import, ast.ImportFrom, *_OWN_SCOPES),
)


class Unclear(Exception):
    """The function binds or reads the name in a way that is not followed."""


class Lives:
    """Groups of bindings and reads of a name that see one another. Raises `Unclear`."""

    def __init__(self, function: Function, name: str):
        self.name = name
        for node in walk(function.node):
            if isinstance(node, _UNCLEAR) and node is not function.node and self._is_unclear(node):
                raise Unclear
        self.before: dict[ast.Name, State] = {}
        """Binding → the bindings whose value it replaces."""
        self._seen: dict[ast.Name, State] = {}
        self._leaving: list[tuple[set[ast.Name | None], set[ast.Name | None]]] = []  # break and continue of each loop
        self._block(function.node.body, frozenset([None]))

    def _is_unclear(self, node: ast.AST) -> bool:
        """Whether it does more with the name than a comprehension that reads it."""
        names = [n for n in walk(node) if isinstance(n, ast.Name) and n.id == self.name]
        if isinstance(node, _OWN_SCOPES):
            return any(not isinstance(n.ctx, ast.Load) for n in names)
        if isinstance(node, (ast.Global, ast.Nonlocal)):
            return self.name in node.names
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            return any(self.name in (a.name, a.asname) for a in node.names)
        if isinstance(node, ast.NamedExpr):
            return any(n is node.target for n in names)
        named = getattr(node, "name", None) == self.name or isinstance(node, ast.Match)
        return bool(names) or named or any(isinstance(n, ast.arg) and n.arg == self.name for n in walk(node))

    def seen(self, read: ast.Name) -> State:
        """The bindings whose value a read may see."""
        return self._seen.get(read, frozenset([None]))

    def life(self, binding: ast.Name) -> set[ast.Name | None]:
        """The bindings and reads that must share a binding's name; None among them: the parameter, or nothing."""
        found: set[ast.Name | None] = {binding}
        while True:
            joined = [s for node, s in self._seen.items() if s & found or node in found]
            more = found.union(*joined) | {node for node, s in self._seen.items() if s & found}
            if more == found:
                return found
            found = more

    # -- the course of the function ------------------------------------------------------------------------------------

    def _block(self, block: Sequence[ast.stmt], state: State) -> State:
        for statement in block:
            state = self._statement(statement, state)
        return state

    def _statement(self, node: ast.stmt, state: State) -> State:
        match node:
            case ast.If(test=test, body=body, orelse=orelse):
                self._read([test], state)
                return self._block(body, state) | self._block(orelse, state)
            case ast.For(target=target, iter=over):
                self._read([over], state)
                return self._loop(node, [target], [], state)
            case ast.While(test=test):
                return self._loop(node, [], [test], state)
            case ast.With(items=items, body=body):
                self._read([i.context_expr for i in items], state)
                return self._block(body, self._bind([i.optional_vars for i in items if i.optional_vars], state))
            case ast.Return() | ast.Raise():
                self._read([node], state)
                return frozenset()
            case ast.Break() | ast.Continue():
                self._leaving[-1][isinstance(node, ast.Continue)].update(state)
                return frozenset()
            case ast.AugAssign(target=ast.Name(id=name) as target) if name == self.name:
                self._read([node.value], state)
                self._seen[target] = self._seen.get(target, frozenset()) | state
        self._read([node], state)
        return self._bind([node], state)

    def _loop(
        self, node: ast.For | ast.While, targets: Sequence[ast.expr], tests: Sequence[ast.expr], state: State
    ) -> State:
        while True:
            self._leaving.append((set(), set()))
            self._read(tests, state)
            after = self._block(node.body, self._bind(targets, state))
            left, again = self._leaving.pop()
            turned = state | after | again
            if turned == state:
                return self._block(node.orelse, state) | frozenset(left)
            state = turned

    def _read(self, code: Iterable[ast.AST], state: State) -> None:
        for root in code:
            for n in walk(root):
                if isinstance(n, ast.Name) and n.id == self.name and isinstance(n.ctx, ast.Load):
                    self._seen[n] = self._seen.get(n, frozenset()) | state

    def _bind(self, code: Iterable[ast.AST], state: State) -> State:
        names = [n for root in code for n in walk(root) if isinstance(n, ast.Name) and n.id == self.name]
        stores = [n for n in names if isinstance(n.ctx, ast.Store)]
        for store in stores:
            self.before[store] = self.before.get(store, frozenset()) | state
        return frozenset(stores[-1:]) if stores else state
