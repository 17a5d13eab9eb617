"""What code must be given to be a function of its own: arguments, and assignments that the function is to repeat."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence, Set

from .definitions import Function
from .listed_layers import listed_layer
from .living import is_tensor_in
from .own_values import Argument, OwnValues, Unmovable, in_order, is_plain, layer_of, one_number, walk_all
from .reaching import Reaching
from .types import FLOAT, INT, TENSOR, Type, optional


class Passing:
    """What a function of some code needs: ``arguments``, ``definitions`` (earlier assignments that it repeats, in
    order), ``changes`` (new source of expressions in it), and what ``own`` values tell. ``presumed``: a parameter that
    nothing speaks for is taken for a tensor.

    ``code`` stands in the statement ``at``, or is it and those after it; ``needed`` are the local names that it reads.
    With ``frozen``, names whose numbers a trace keeps, other sizes are passed where nothing can be repeated: in a trace
    they are tensors, and ``int(n)`` is recorded in compiled code.
    """

    def __init__(
        self,
        function: Function,
        code: Sequence[ast.AST],
        at: ast.stmt,
        needed: set[str],
        frozen: Set[str] | None = None,
    ):
        self.function, self.flow, self.file = function, function.flow, function.file
        self.code, self._frozen = code, frozen
        self._reaching = Reaching(function, code, at)
        self.arguments: list[Argument] = []
        self.definitions: list[ast.stmt] = []
        self.changes: dict[ast.expr, str] = {}
        self.presumed = False
        self._collect(needed - {function.self_name or ""} - self._choosing(needed))
        self.own = OwnValues(function, [*self.definitions, *code])
        self.changes |= self.own.changes
        self.arguments += self.own.arguments
        self.presumed |= self.own.presumed
        rank = {n: i for i, n in enumerate(in_order([*self.definitions, *code]))}
        self.arguments.sort(
            key=lambda a: (a.type != TENSOR, a.size, rank.get(a.value.partition(".")[0], len(rank)), layer_of(a))
        )

    def _choosing(self, names: set[str]) -> set[str]:
        """Those of the names that say which layer of a list is called, and nothing else: its weights are passed."""
        called = [n.func for n in walk_all(self.code) if isinstance(n, ast.Call)]
        layers = [c for c in called if isinstance(c, (ast.Name, ast.Subscript))]
        layers = [c for c in layers if self.flow.reads(c) & names and listed_layer(self.function, c) is not None]
        choosing = set(walk_all(layers))
        reads = [n for n in walk_all(self.code) if isinstance(n, ast.Name) and n.id in names]
        return names - {n.id for n in reads if n not in choosing} if layers else set()

    def _collect(self, needed: set[str]) -> None:
        seen: set[str] = set()
        while needed - seen:
            name = min(needed - seen)
            seen.add(name)
            definition = self._pass(name)
            if definition is not None and definition not in self.definitions:
                self.definitions.append(definition)
                seen |= self.flow.writes(definition)
                needed |= self.flow.free([definition]) - {self.function.self_name}
        self.definitions.sort(key=lambda s: s.lineno)

    def _pass(self, name: str) -> ast.stmt | None:
        """Makes a local name an argument, or gives the assignment that the new function is to repeat for it."""
        node, types = ast.Name(name, ast.Load()), self.function.types
        if self._is_tensor(name):
            self.presumed |= types.of(node) != TENSOR
            self.arguments.append(Argument(name, name))
            return None
        type_ = one_number(types.of(node))
        dependence = self.function.dependence
        given = self._is_given(name)
        frozen = given or name in dependence.sized_names or name in dependence.extracted_names
        fixed = is_plain(type_) and not frozen
        if not fixed and not given and type_ != optional(TENSOR):
            definition = self._reaching.definition(name)
            if definition is not None:
                return definition
        elif (
            fixed
            and (definition := self._reaching.definition(name)) is not None
            and self._reaching.only_here(definition)
        ):
            return definition
        if self._is_traced_size(name, type_):
            self.arguments.append(Argument(name, name, size=True))
            reads = (n for n in walk_all(self.code) if isinstance(n, ast.Name) and n.id == name)
            self.changes |= dict.fromkeys(reads, f"int({name})")
            return None
        if _holds_tensors(type_) and name not in self.flow.mutates(self.code):
            self.arguments.append(Argument(name, name, type_))
            return None
        if type_ != optional(TENSOR) and not fixed:
            why = "is a number taken from a tensor" if frozen else "is not known to be a tensor"
            raise Unmovable(f"it needs {name}, which {why}")
        self.arguments.append(Argument(name, name, self._as_called(name, type_)))
        return None

    def _is_given(self, name: str) -> bool:
        """Whether a variable holds a size or number that is made of what a call in the file gives a parameter."""
        if any(p.name == name for p in self.function.parameters):
            return False
        dependence, node = self.function.dependence, ast.Name(name, ast.Load())
        if name in dependence.sized_names or name in dependence.extracted_names:
            return False
        return dependence.may_be_sized(node) or dependence.may_be_extracted(node)

    def _is_traced_size(self, name: str, type_: Type) -> bool:
        if self._frozen is None or type_ != INT or name in self._frozen:
            return False
        dependence, node = self.function.dependence, ast.Name(name, ast.Load())
        return dependence.may_be_sized(node) and not dependence.may_be_extracted(node)

    def _as_called(self, name: str, type_: Type) -> Type:
        """The type of a name, where a call in the file gives the parameter of a whole number a float: that.

        Raises Unmovable when a call gives the number parameter a size: it would be frozen in the helper. A number that
        a call takes from its own parameters, or that nothing in the file gives, is presumed to be none.
        """
        parameter = next((p for p in self.function.parameters if p.name == name), None)
        if parameter is None:
            return type_
        given = list(self._given(name))
        for caller, value in given:
            if caller.dependence.is_sized(value) or caller.dependence.is_extracted(value):
                where = f"where {self.function.name} is called"
                raise Unmovable(f"it needs {name}, which is a number taken from a tensor {where}")
        plain = all(isinstance(v, ast.Constant) or caller.self_attribute(v) is not None for caller, v in given)
        self.presumed |= type_ == INT and not (plain if given else parameter.default is not None)
        floats = any(caller.type_of(value) == FLOAT for caller, value in given)
        return FLOAT if type_ == INT and floats else type_

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

    def unneeded(self) -> set[ast.stmt]:
        """The definitions whose names nothing reads but the code and other unneeded ones."""
        unneeded = set(self.definitions)
        while True:
            inside = {n for s in (*self.code, *unneeded) for n in ast.walk(s)}
            outside = {n.id for n in ast.walk(self.function.node) if isinstance(n, ast.Name) and n not in inside}
            kept = {d for d in unneeded if not self.flow.writes(d) & outside}
            if kept == unneeded:
                return kept
            unneeded = kept

    # -- small things ------------------------------------------------------------------------------------------------

    def _is_tensor(self, name: str) -> bool:
        return is_tensor_in(self.function, self.code, name)


def _holds_tensors(type_: Type) -> bool:
    """Whether it is a list or a tuple of tensors: a trace passes each of them."""
    return type_.name in ("Tuple", "List") and bool(type_.args) and all(a == TENSOR for a in type_.args)
