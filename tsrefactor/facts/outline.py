"""What it takes to make some statements a function of their own: arguments, results, what else must move."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from tsrefactor.source.excerpt import trailing_comment

from .file import Function
from .flow import leaves
from .reaching import Reaching
from .scriptable import BUILTINS, module_constants, obstacle
from .types import BOOL, COMPLEX, FLOAT, INT, STR, TENSOR, Type, optional

_PLAIN = frozenset({INT, FLOAT, BOOL, STR, COMPLEX})
_GROWTH = 20


class Unmovable(Exception):
    """Why the statements cannot become a TorchScript function, as the end of "…: it calls self.conv"."""


@dataclass(frozen=True)
class Argument:
    """A parameter of the new function and what the caller passes for it. A `TENSOR` needs no annotation."""

    name: str
    value: str
    type: Type = TENSOR


@dataclass
class Outline:
    """A function that can stand for ``statements``, which follow one another in one block.

    ``definitions`` are earlier assignments that it repeats, in order; ``obsolete`` those of them that nothing else
    needs. ``results`` are the names that it returns, all tensors; with ``returns`` it gives the whole function's
    result instead. ``changes`` is the new source of expressions in it (``self.scale`` → ``scale``). ``presumed``: a
    parameter that nothing speaks for is taken for a tensor.
    """

    statements: list[ast.stmt]
    arguments: list[Argument] = field(default_factory=list)
    results: list[str] = field(default_factory=list)
    definitions: list[ast.stmt] = field(default_factory=list)
    obsolete: list[ast.stmt] = field(default_factory=list)
    changes: dict[ast.expr, str] = field(default_factory=dict)
    returns: bool = False
    presumed: bool = False


def outline(function: Function, statement: ast.stmt) -> Outline:
    """The smallest such function that holds the statement and has only tensors for results. Raises Unmovable."""
    return _Outliner(function, statement).outline()


class _Outliner:
    def __init__(self, function: Function, statement: ast.stmt):
        self.function, self.flow, self.file = function, function.flow, function.file
        self._stand_on(statement)

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
            returns = any(isinstance(n, ast.Return) for n in _walk(self.region))
            if returns:
                if not leaves(self.region) and not self._take_the_rest():
                    continue
                results = []
            else:
                results = self._results()
                odd = [n for n in results if not self._is_tensor(n)]
                if odd:
                    grown = f"its result {odd[0]} is not a tensor, and with what uses that, "
                    self._take_readers(odd)
                    continue
            return self._complete(results, returns)
        raise Unmovable("it is tied to too much of the function")

    # -- how much must move ------------------------------------------------------------------------------------------

    def _jumps_out(self) -> bool:
        """Whether a ``break`` or ``continue`` belongs to a loop around the statements."""
        inside = {n for loop in _walk(self.region) if isinstance(loop, (ast.For, ast.While)) for n in _walk(loop.body)}
        return any(isinstance(n, (ast.Break, ast.Continue)) and n not in inside for n in _walk(self.region))

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
        """Takes in the statements that follow up to the last that reads one of the names."""
        last = max(
            (i for i, s in enumerate(self.block) if i >= self.end and self.flow.reads(s) & set(names)), default=None
        )
        if last is None:
            raise Unmovable(f"its result {names[0]} is not a tensor")
        self.end = last + 1

    def _results(self) -> list[str]:
        region, last = self.region, self.region[-1]
        live, mutated = self.flow.live_after(last), self.flow.mutates(region)
        if self.function.self_name in mutated:
            raise Unmovable(f"it updates an attribute of {self.function.self_name}")
        names = [n for n in _order(region) if n in live & (self.flow.writes(region) | mutated)]
        names = names or [n for n in _order(region) if n in mutated & self.flow.local_names]
        if not names:
            raise Unmovable("nothing uses what it computes")
        unbound = set(names) - self.flow.always_writes(region) - self.flow.bound_before(region[0])
        if unbound:
            raise Unmovable(f"{min(unbound)} may be unbound after it")
        return names

    # -- what must be passed -----------------------------------------------------------------------------------------

    def _complete(self, results: list[str], returns: bool) -> Outline:
        found = Outline([], results=results, returns=returns)
        self._reaching = Reaching(self.function, self.region)
        if returns:
            found.presumed = self._check_returned()
        for name in self.flow.writes(self.region):
            if self.function.types.of_name(name).name in ("Union", "Optional", "!"):
                raise Unmovable(f"{name} is not of one type all through it")
        needed = (
            self.flow.free(self.region) | (set(results) - self.flow.always_writes(self.region))
        ) & self.flow.local_names
        needed.discard(self.function.self_name or "")
        seen: set[str] = set()
        while needed - seen:
            name = min(needed - seen)
            seen.add(name)
            definition = self._pass(name, found)
            if definition is not None and definition not in found.definitions:
                found.definitions.append(definition)
                seen |= self.flow.writes(definition)
                needed |= self.flow.free([definition]) - {self.function.self_name}
        found.definitions.sort(key=lambda s: s.lineno)
        self._close_over(found)
        self._settle(found)
        moved = [*found.definitions, *found.statements]
        rank = {n: i for i, n in enumerate(_order(moved))}
        found.arguments.sort(key=lambda a: (a.type != TENSOR, rank.get(a.value.partition(".")[0], len(rank)), a.name))
        return found

    def _check_returned(self) -> bool:
        """Raises Unmovable unless tensors are all that is returned; whether that is presumed."""
        arities, presumed = set(), False
        for node in _walk(self.region):
            if isinstance(node, ast.Return):
                parts = node.value.elts if isinstance(node.value, ast.Tuple) else [node.value]
                if any(p is None or self.function.type_of(p, presume=True) != TENSOR for p in parts):
                    raise Unmovable("what it returns is not known to be tensors only")
                presumed |= any(p is not None and self.function.type_of(p) != TENSOR for p in parts)
                arities.add(len(parts) if isinstance(node.value, ast.Tuple) else 0)
        if len(arities) > 1:
            raise Unmovable("it returns different numbers of tensors")
        return presumed

    def _pass(self, name: str, found: Outline) -> ast.stmt | None:
        """Makes a local name an argument, or gives the assignment that the new function is to repeat for it."""
        node, types = ast.Name(name, ast.Load()), self.function.types
        if self._is_tensor(name):
            found.presumed |= types.of(node) != TENSOR
            found.arguments.append(Argument(name, name))
            return None
        type_ = types.of(node)
        dependence = self.function.dependence
        frozen = name in dependence.sized_names or name in dependence.extracted_names
        fixed = type_ in _PLAIN and not frozen
        if not fixed and type_ != optional(TENSOR):
            definition = self._reaching.definition(name)
            if definition is not None:
                return definition
        elif (
            fixed
            and (definition := self._reaching.definition(name)) is not None
            and self._reaching.only_here(definition)
        ):
            return definition
        if type_ != optional(TENSOR) and not fixed:
            why = "is a number taken from a tensor" if frozen else "is not known to be a tensor"
            raise Unmovable(f"it needs {name}, which {why}")
        self._check_callers(name, found)
        found.arguments.append(Argument(name, name, type_))
        return None

    def _check_callers(self, name: str, found: Outline) -> None:
        """Raises Unmovable when a call in the file gives the number parameter a size: it would be frozen in the helper.

        A number that a call takes from its own parameters, or that nothing in the file gives, is presumed to be none.
        """
        parameter = next((p for p in self.function.parameters if p.name == name), None)
        if parameter is None:
            return
        given = list(self._given(name))
        for caller, value in given:
            if caller.dependence.is_sized(value) or caller.dependence.is_extracted(value):
                where = f"where {self.function.name} is called"
                raise Unmovable(f"it needs {name}, which is a number taken from a tensor {where}")
        numbers = self.function.types.of_name(name) == INT
        plain = all(isinstance(v, ast.Constant) or caller.self_attribute(v) is not None for caller, v in given)
        found.presumed |= numbers and not (plain if given else parameter.default is not None)

    def _given(self, name: str) -> Iterator[tuple[Function, ast.expr]]:
        """What the calls in the file pass for a parameter, with the function that calls."""
        names = [p.name for p in self.function.parameters]
        for caller in self.file.functions:
            for call in caller.of(ast.Call):
                if self._calls_this(caller, call):
                    given = dict(zip(names, call.args, strict=False)) | {k.arg: k.value for k in call.keywords if k.arg}
                    if name in given:
                        yield caller, given[name]

    def _calls_this(self, caller: Function, call: ast.Call) -> bool:
        cls = self.function.cls
        if cls is None:
            return self.file.function_named(self.file.origin(call.func)) is self.function
        attribute = caller.self_attribute(call.func)
        if attribute is None or caller.cls is None:
            return False
        if caller.cls.method(attribute) is self.function:
            return True
        values = (v for _, v in caller.cls.assigned.get(attribute, ()) if v is not None)
        return self.function.name == "forward" and any(
            isinstance(n, ast.Name) and n.id == cls.name for v in values for n in ast.walk(v)
        )

    # -- what is not a local name ------------------------------------------------------------------------------------

    def _close_over(self, found: Outline) -> None:
        """Makes arguments of attributes of the instance and of the module's constants."""
        code = [*found.definitions, *self.region]
        taken = self.flow.reads(code) | self.flow.writes(code)
        names: dict[str, str] = {}
        for node in _walk(code):
            attribute = self.function.self_attribute(node)
            if attribute is not None:
                assert isinstance(node, ast.Attribute)
                if attribute not in names:
                    names[attribute] = attribute if attribute not in taken else f"own_{attribute}"
                    value = f"{self.function.self_name}.{attribute}"
                    found.arguments.append(Argument(names[attribute], value, self._attribute_type(node, attribute)))
                found.changes[node] = names[attribute]
        whole = sum(isinstance(n, ast.Name) and n.id == self.function.self_name for n in _walk(code))
        if self.function.self_name is not None and whole > len(found.changes):
            raise Unmovable(f"it uses {self.function.self_name} itself")
        constants = module_constants(self.function, code)
        known = set(self.file.imports.origins) | set(constants) | self.flow.local_names | BUILTINS
        for name in sorted(self.flow.reads(code) - known):
            if self.file.function_named(name) is None:
                raise Unmovable(f"it reads {name} from outside the function")
        for name, constant in sorted(constants.items()):
            type_ = self.function.type_of(constant)
            if type_ not in _PLAIN:
                raise Unmovable(f"it reads the global {name}")
            found.arguments.append(Argument(name, name, type_))

    def _attribute_type(self, node: ast.Attribute, attribute: str) -> Type:
        type_, cls = self.function.type_of(node), self.function.cls
        if type_ in (TENSOR, optional(TENSOR)):
            return type_
        if attribute == "training":
            return BOOL
        if type_ not in _PLAIN:
            raise Unmovable(f"it needs {ast.unparse(node)}, which is not known to be a tensor or a number")
        assert cls is not None
        for c in (cls, *cls.ancestors, *cls.subclasses):
            if any(method.name != "__init__" for method, _ in c.assigned.get(attribute, ())):
                raise Unmovable(f"it needs {ast.unparse(node)}, which changes after construction")
        return type_

    # -- what happens to the repeated assignments --------------------------------------------------------------------

    def _settle(self, found: Outline) -> None:
        """Takes in the assignments right before the statements that serve nothing else; notes others of that sort."""
        unneeded = self._unneeded(found.definitions)
        for before in reversed(self.block[: self.start]):
            if before not in unneeded or trailing_comment(self.file.source, before):
                break
            self.start -= 1
        found.statements = self.region
        found.definitions = [d for d in found.definitions if d not in found.statements]
        found.obsolete = [d for d in found.definitions if d in unneeded]

    def _unneeded(self, definitions: list[ast.stmt]) -> set[ast.stmt]:
        """The assignments whose names nothing reads but the statements and other unneeded assignments."""
        unneeded = set(definitions)
        while True:
            inside = {n for s in (*self.region, *unneeded) for n in ast.walk(s)}
            outside = {n.id for n in ast.walk(self.function.node) if isinstance(n, ast.Name) and n not in inside}
            kept = {d for d in unneeded if not self.flow.writes(d) & outside}
            if kept == unneeded:
                return kept
            unneeded = kept

    # -- small things ------------------------------------------------------------------------------------------------

    def _is_tensor(self, name: str) -> bool:
        return self.function.types.of(ast.Name(name, ast.Load()), presume=True) == TENSOR


def _walk(code: Iterable[ast.AST]) -> Iterator[ast.AST]:
    for root in code:
        yield from ast.walk(root)


def _order(code: Iterable[ast.AST]) -> list[str]:
    """Names in the order in which the text first has them."""
    names = (n for n in _walk(code) if isinstance(n, ast.Name))
    return list(dict.fromkeys(n.id for n in sorted(names, key=lambda n: (n.lineno, n.col_offset))))
