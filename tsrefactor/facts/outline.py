"""What it takes to make statements, or an expression, a function of their own: what else must move, what is passed."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass, field

from tsrefactor.source.excerpt import trailing_comment
from tsrefactor.source.imports import Import

from .definitions import Function
from .flow import leaves
from .living import is_tensor_in
from .own_values import Argument, OwnValues, Unmovable, in_order, walk_all
from .passing import Passing
from .placement import is_elif
from .scriptable import obstacle
from .types import TENSOR

_GROWTH = 20
_BEFORE = 8  # statements that may move with one, at most
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp, ast.Lambda)


@dataclass
class Outline:
    """A function that can stand for ``statements``, which follow one another in one block, or for an ``expression``.

    ``definitions`` are earlier assignments that it repeats, in order; ``obsolete`` those of them that nothing else
    needs. ``results`` are the names that it returns, all tensors; with ``returns`` it gives the whole function's
    result instead. ``changes`` is the new source of expressions in it (``self.scale`` → ``scale``), ``additions`` what
    follows some (more arguments of a call), ``checks`` what is to be asserted before statements of it, ``methods`` and
    ``layers`` what it calls as functions. ``presumed``: a parameter that nothing speaks for is taken for a tensor.
    """

    statements: list[ast.stmt]
    arguments: list[Argument] = field(default_factory=list)
    results: list[str] = field(default_factory=list)
    definitions: list[ast.stmt] = field(default_factory=list)
    obsolete: list[ast.stmt] = field(default_factory=list)
    changes: dict[ast.expr, str] = field(default_factory=dict)
    additions: dict[ast.expr, str] = field(default_factory=dict)
    checks: dict[ast.stmt, str] = field(default_factory=dict)
    methods: list[OwnValues] = field(default_factory=list)
    layers: list[str] = field(default_factory=list)
    imports: frozenset[Import] = frozenset()
    returns: bool = False
    presumed: bool = False
    expression: ast.expr | None = None

    def take(self, passing: Passing) -> None:
        """Takes over what is passed."""
        own = passing.own
        self.arguments, self.changes, self.additions = passing.arguments, passing.changes, own.additions
        self.checks, self.methods, self.layers, self.imports = own.checks, own.methods, own.layers, own.imports
        self.presumed |= passing.presumed


def outline(function: Function, statement: ast.stmt, frozen: Set[str] | None = None) -> Outline:
    """The smallest such function that holds the statement and has only tensors for results. Raises Unmovable.

    Where it needs the sizes of a tensor that is bound again before, these statements move along. With ``frozen``, the
    names whose numbers a trace keeps, sizes are passed where that does not help.
    """
    try:
        return _Outliner(function, statement).outline()
    except Unmovable as reason:
        ways = [lambda: _with_before(function, statement)]
        if frozen is not None:
            ways.append(lambda: _Outliner(function, statement, frozen=frozen).outline())
        return _first(ways, reason)


def outline_use(function: Function, expression: ast.expr, frozen: Set[str], sizes: bool) -> Outline:
    """A function that computes an expression, which is a tensor, of numbers that a trace keeps. Raises Unmovable.

    With ``sizes``, other sizes are rather passed than that statements before it move along.
    """
    try:
        return outline_expression(function, expression, frozen if sizes else None)
    except Unmovable as reason:
        statement = function.file.statement_of(expression)
        ways = [lambda: _with_before(function, statement), lambda: outline_expression(function, expression, frozen)]
        return _first(ways if not sizes else ways[:1], reason)


def _first(ways: Sequence[Callable[[], Outline]], reason: Unmovable) -> Outline:
    """What the first way gives that gives something."""
    for way in ways:
        try:
            return way()
        except Unmovable:
            continue
    raise reason


def _with_before(function: Function, statement: ast.stmt) -> Outline:
    """The function of the statement and the fewest statements before it. Raises Unmovable."""
    at, before = statement, 0
    for _ in range(_BEFORE):
        if function.file.block_of(at).index(at) == before:
            parent = function.file.parents[at]
            if not isinstance(parent, ast.If) or is_elif(function.file, parent):
                break
            at, before = parent, 0
        else:
            before += 1
        try:
            return _Outliner(function, at, before).outline()
        except Unmovable:
            continue
    raise Unmovable("what it needs stands too far before it")


def outline_expression(function: Function, expression: ast.expr, frozen: Set[str] | None = None) -> Outline:
    """A function that computes an expression, which is a tensor. Raises Unmovable.

    With ``frozen``, the names whose numbers a trace keeps, other sizes may be passed: in a trace they are tensors.
    """
    flow, statement = function.flow, function.file.statement_of(expression)
    reason = obstacle(function, [expression])
    if reason is not None:
        raise Unmovable(reason)
    if flow.mutates(expression):
        raise Unmovable("it updates a value in place")
    node: ast.AST = expression
    while node is not statement:
        node = function.file.parents[node]
        if isinstance(node, _COMPREHENSIONS):
            raise Unmovable("it stands in a comprehension")
    passing = Passing(function, [expression], statement, flow.reads(expression) & flow.local_names, frozen)
    found = Outline([statement], definitions=passing.definitions, expression=expression)
    unneeded = passing.unneeded()
    found.obsolete = [d for d in found.definitions if d in unneeded]
    found.take(passing)
    return found


class _Outliner:
    def __init__(self, function: Function, statement: ast.stmt, before: int = 0, frozen: Set[str] | None = None):
        self.function, self.flow, self.file, self._frozen = function, function.flow, function.file, frozen
        self._stand_on(statement)
        self.start -= before

    def _stand_on(self, statement: ast.stmt) -> None:
        self.block = self.file.block_of(statement)
        self.start = self.block.index(statement)
        self.end = self.start + 1

    @property
    def region(self) -> list[ast.stmt]:
        return self.block[self.start : self.end]

    def outline(self) -> Outline:
        grown = ""
        for _ in range(_GROWTH):
            reason = obstacle(self.function, self.region)
            if reason is not None:
                raise Unmovable(grown + reason)
            if self._jumps_out() or self._is_elif():
                self._step_out()
                continue
            returns = any(isinstance(n, ast.Return) for n in walk_all(self.region))
            if returns:
                if not leaves(self.region) and not self._take_the_rest():
                    continue
                results = []
            else:
                results = self._results()
                odd = [n for n in results if not self._ends_as_tensor(n)]
                if odd:
                    grown = f"its result {odd[0]} is not a tensor, and with what uses that, "
                    self._take_readers(odd)
                    continue
            return self._complete(results, returns)
        raise Unmovable("it is tied to too much of the function")

    # -- how much must move ------------------------------------------------------------------------------------------

    def _jumps_out(self) -> bool:
        """Whether a ``break`` or ``continue`` belongs to a loop around the statements."""
        inside = {
            n for loop in walk_all(self.region) if isinstance(loop, (ast.For, ast.While)) for n in walk_all(loop.body)
        }
        return any(isinstance(n, (ast.Break, ast.Continue)) and n not in inside for n in walk_all(self.region))

    def _is_elif(self) -> bool:
        parent = self.file.parents[self.region[0]]
        if not isinstance(parent, ast.If) or parent.orelse != [self.region[0]]:
            return False
        start, _ = self.file.source.span(self.region[0])
        return self.file.source.text.startswith("elif", start)

    def _step_out(self) -> None:
        parent = self.file.parents[self.region[0]]
        if not isinstance(parent, (ast.If, ast.For, ast.While, ast.With)):
            raise Unmovable("it jumps out of a block that cannot move")
        self._stand_on(parent)

    def _take_the_rest(self) -> bool:
        """Takes in what follows a ``return`` on only some paths; False when that means the block around, first."""
        if self.block is not self.function.node.body:
            self._step_out()
            return False
        self.end = len(self.block)
        if not leaves(self.region):
            raise Unmovable("it returns on some paths, and the function's end returns nothing")
        reason = obstacle(self.function, self.region)
        if reason is not None:
            raise Unmovable(f"it returns early, and in the rest of the function {reason}")
        return True

    def _take_readers(self, names: Sequence[str]) -> None:
        """Takes in the statements that follow up to the last that reads one of the names, before it is bound again."""
        last, held = None, set(names)
        for i, statement in enumerate(self.block[self.end :], self.end):
            last = i if self.flow.reads(statement) & held else last
            held -= self.flow.always_writes([statement])
        if last is not None:
            self.end = last + 1
        elif isinstance(self.file.parents[self.region[0]], (ast.If, ast.For, ast.While, ast.With)):
            self._step_out()  # what reads it comes after the block, or in its next turn
        else:
            raise Unmovable(f"its result {names[0]} is not a tensor")

    def _results(self) -> list[str]:
        region, last = self.region, self.region[-1]
        live, mutated = self.flow.live_after(last), self.flow.mutates(region)
        calls = [n for n in walk_all(region) if isinstance(n, ast.Call)]
        if self.function.self_name in self.flow.mutates(calls):
            raise Unmovable(f"it updates an attribute of {self.function.self_name}")
        names = [n for n in in_order(region) if n in live & (self.flow.writes(region) | mutated)]
        names = names or [n for n in in_order(region) if n in mutated & self.flow.local_names]
        if not names:
            raise Unmovable("nothing uses what it computes")
        unbound = set(names) - self.flow.always_writes(region) - self.flow.bound_before(region[0])
        if unbound:
            raise Unmovable(f"{min(unbound)} may be unbound after it")
        return names

    # -- what must be passed -----------------------------------------------------------------------------------------

    def _complete(self, results: list[str], returns: bool) -> Outline:
        found = Outline([], results=results, returns=returns)
        if returns:
            found.presumed = self._check_returned()
        for name in self.flow.writes(self.region):
            several = self.function.types.of_name(name).name in ("Union", "Optional", "!")
            if several and name not in self._bound_outside_blocks() and not self._is_tensor(name):
                raise Unmovable(f"{name} is not of one type all through it")
        needed = self.flow.free(self.region) | (set(results) - self.flow.always_writes(self.region))
        passing = Passing(self.function, self.region, self.region[0], needed & self.flow.local_names, self._frozen)
        self._settle(passing, found)
        found.take(passing)
        return found

    def _check_returned(self) -> bool:
        """Raises Unmovable unless tensors are all that is returned; whether that is presumed."""
        arities, presumed = set(), False
        for node in walk_all(self.region):
            if isinstance(node, ast.Return):
                parts = node.value.elts if isinstance(node.value, ast.Tuple) else [node.value]
                if any(p is None or self.function.type_of(p, presume=True) != TENSOR for p in parts):
                    raise Unmovable("what it returns is not known to be tensors only")
                presumed |= any(p is not None and self.function.type_of(p) != TENSOR for p in parts)
                arities.add(len(parts) if isinstance(node.value, ast.Tuple) else 0)
        if len(arities) > 1:
            raise Unmovable("it returns different numbers of tensors")
        return presumed

    def _settle(self, passing: Passing, found: Outline) -> None:
        """Takes in the assignments right before the statements that serve nothing else; notes others of that sort."""
        unneeded = passing.unneeded() | self._rebound(passing.definitions, set(found.results))
        for before in reversed(self.block[: self.start]):
            if before not in unneeded or trailing_comment(self.file.source, before):
                break
            self.start -= 1
        found.statements = self.region
        found.definitions = [d for d in passing.definitions if d not in found.statements]
        found.obsolete = [d for d in found.definitions if d in unneeded]

    def _rebound(self, definitions: Sequence[ast.stmt], results: set[str]) -> set[ast.stmt]:
        """Definitions beside the region whose names hold the function's results before anything else reads them."""
        found = set()
        for definition in definitions:
            bound = self.flow.writes(definition)
            if definition in self.block and bound <= results:
                between = self.block[self.block.index(definition) + 1 : self.start]
                found |= set() if self.flow.reads(between) & bound else {definition}
        return found

    # -- small things ------------------------------------------------------------------------------------------------

    def _bound_outside_blocks(self) -> set[str]:
        """Names that the region binds in plain assignments only, where TorchScript lets a name change its type.

        In the blocks it may grow lists (``outs += [y]``), which changes no type.
        """
        plain = [s for s in self.region if isinstance(s, ast.Assign)]
        others = [s for s in self.region if s not in plain]
        grown = {
            n.target: n.target.id
            for n in walk_all(others)
            if isinstance(n, ast.AugAssign) and isinstance(n.target, ast.Name) and isinstance(n.value, ast.List)
        }
        stored = (n for n in walk_all(others) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store))
        bound = {n.id for n in stored if n not in grown} & set(grown.values())
        return self.flow.writes(plain) - (self.flow.writes(others) - (set(grown.values()) - bound))

    def _ends_as_tensor(self, name: str) -> bool:
        """Whether a name is a tensor after the region, though it may be a list before."""
        if self._is_tensor(name):
            return True
        bound = [s for s in self.region if name in self.flow.writes(s)]
        last = bound[-1] if bound and name in self._bound_outside_blocks() else None
        whole = isinstance(last, ast.Assign) and any(isinstance(t, ast.Name) and t.id == name for t in last.targets)
        return whole and self.function.type_of(last.value) == TENSOR  # type: ignore[union-attr]

    def _is_tensor(self, name: str) -> bool:
        return is_tensor_in(self.function, self.region, name)
