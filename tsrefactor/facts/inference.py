"""Types of expressions in one function: annotations first, then recorded runs, then what the source itself says."""

from __future__ import annotations

import ast
from functools import cached_property
from typing import TYPE_CHECKING

from .annotations import meant
from .expressions import Expressions
from .nodes import walk
from .operations import (
    ONLY_TENSOR_METHODS,
    TENSOR_ATTRIBUTES,
    TENSOR_METHODS,
    is_operation,
)
from .types import (
    BOOL,
    FLOAT,
    INT,
    NONE,
    STR,
    TENSOR,
    TOP,
    UNKNOWN,
    Type,
    dict_of,
    join,
    join_all,
    list_of,
    optional,
)  # fmt: skip
from .uses import asked_by_uses

if TYPE_CHECKING:
    from .definitions import Function, Parameter
    from .file import FileFacts

_ROUNDS = 8  # a loop that has not settled after so many says nothing


class Inference(Expressions):
    """The types of one function's expressions, not sensitive to the order of statements.

    A name has the type that all that is bound to it has: one value that cannot be told makes it `UNKNOWN`. A
    ``lenient`` inference goes by what can be told alone, and by uses that other values than tensors allow too: what it
    finds is presumed.
    """

    def __init__(self, function: Function, lenient: bool = False):
        super().__init__(function, lenient)
        self._names: dict[str, Type] = {}
        self._settling: dict[str, Type | None] = {}  # names of a cycle; None for one of which nothing is known yet
        self._pending = False  # whether such a one was read
        self._provisional = 0  # how often a name of a cycle was read

    @cached_property
    def _presuming(self) -> Inference:
        return Inference(self.function, lenient=True)

    def of(self, node: ast.expr, presume: bool = False) -> Type:
        """The type of an expression; see `Function.type_of`."""
        found = self._of(node)
        if found == UNKNOWN and presume and self._presuming.presumed(node):
            return TENSOR
        return found

    def presumable(self, name: str) -> bool:
        """Whether a name is a tensor only by presumption: by weak evidence, or a parameter that nothing speaks for."""
        return self.of_name(name) == UNKNOWN and (
            self._presuming.of_name(name) == TENSOR or self._presuming.unspoken(name)
        )

    def unspoken(self, name: str) -> bool:
        """Whether a name is a parameter that nothing speaks for: unannotated, unobserved, without default."""
        parameter = next((p for p in self.function.parameters if p.name == name), None)
        return (
            parameter is not None
            and parameter.kind == "positional"
            and parameter.default is None
            and not self.bindings.tested.get(name, False)
            and self.of_name(name) == UNKNOWN
        )

    def presumed(self, node: ast.expr) -> bool:
        """Whether the expression would be a tensor if the parameters that nothing speaks for were."""
        names = [n.id for n in walk(node) if isinstance(n, ast.Name) and self.unspoken(n.id)]
        saved = dict(self._names)
        self._names.update(dict.fromkeys(names, TENSOR))
        try:
            return self._of(node) == TENSOR
        finally:
            self._names = saved

    # -- names -----------------------------------------------------------------------------------------------------

    def of_name(self, name: str) -> Type:
        if name in self._settling:
            self._provisional += 1
            found = self._settling[name]
            self._pending |= found is None
            return UNKNOWN if found is None else found
        if name not in self._names:
            self._settle(self.bindings.cycle(name))
        return self._names[name]

    def _settle(self, cycle: list[str]) -> None:
        """Finds the types of names that are bound to one another, from those that something else is bound to."""
        outer, self._pending = self._pending, False
        self._settling.update(dict.fromkeys(cycle))
        for _ in range(_ROUNDS):
            before, read = {n: self._settling[n] for n in cycle}, self._provisional
            for name in cycle:
                self._settling[name] = self._infer_name(name)
            if self._provisional == read:
                break  # nothing rests on what another round could change
            if before == {n: self._settling[n] for n in cycle}:
                if None not in before.values():
                    break
                self._settling.update({n: UNKNOWN for n in cycle if self._settling[n] is None})
        else:
            self._settling.update(dict.fromkeys(cycle, UNKNOWN))
        self._pending = outer
        for name in cycle:
            self._names[name] = self._settling.pop(name) or UNKNOWN

    def _infer_name(self, name: str) -> Type | None:
        """The type of a name; None while all that tells it is not settled."""
        function = self.function
        parameter = next((p for p in function.parameters if p.name == name), None)
        observed = function.observed
        if parameter is not None and parameter.kind in ("positional", "keyword"):
            return self._infer_parameter(parameter)
        if parameter is not None:
            return TOP
        recorded = observed.locals.get(name, UNKNOWN) if observed is not None else UNKNOWN
        if recorded.name == "Union":  # a rewrite may have left one of them
            bound = self._bound(name)
            return bound if bound is None or bound in recorded.args else recorded
        if recorded.known and recorded != NONE:
            return recorded
        if recorded == NONE:  # what else it may be, no run saw
            bound = self._bound(name)
            return bound if bound is None or bound.known else NONE
        if name not in self.bindings.values:
            return _module_constant(function.file, name) if name in function.file.assigned else UNKNOWN
        if self.bindings.tested.get(name, False):
            return UNKNOWN
        bound = self._bound(name)
        if bound is None or (bound == UNKNOWN and not self.lenient):
            return bound
        filled = self.filled(name)
        if (
            not self.lenient
            and filled == UNKNOWN
            and name in self.bindings.mutations
            and bound.name in ("List", "Dict")
        ):
            return Type(bound.name, (UNKNOWN,) * len(bound.args))
        return join(bound, filled)

    def _infer_parameter(self, parameter: Parameter) -> Type:
        name, observed = parameter.name, self.function.observed
        recorded = observed.arguments.get(name, UNKNOWN) if observed else UNKNOWN
        if self.bindings.tested.get(name, False) and recorded == UNKNOWN and parameter.annotation is None:
            return UNKNOWN
        known = recorded
        if parameter.annotation is not None:
            known = self.function.file.annotated(parameter.annotation)
            known = meant(self.function.file, parameter.annotation) if known == TOP else known
            if self.bindings.tested.get(name, False) and known == TENSOR and recorded != TENSOR:
                return UNKNOWN
        if known == UNKNOWN and parameter.default is not None:
            known = self._of(parameter.default)
            if known == NONE:
                known = optional(TENSOR) if name in self._tensor_names else UNKNOWN
        if known == UNKNOWN and self._given_tensor(name):
            known = TENSOR
        if known == UNKNOWN:
            return UNKNOWN
        if parameter.annotation is not None and self.lenient:
            return known
        if self._settling.get(name) is None:
            self._settling[name] = known  # what it is before it is rebound
        bound = self._bound(name)
        if bound == UNKNOWN and name in self.bindings.values and not self.lenient:
            local = observed.locals.get(name, UNKNOWN) if observed else UNKNOWN
            return join(known, local) if local.known else UNKNOWN
        return known if bound is None else join(known, bound)

    def _bound(self, name: str) -> Type | None:
        """The join of what is bound to a name; `UNKNOWN` where one cannot be told, None where none is settled."""
        found: Type | None = None
        outer = self._pending
        for value in self.bindings.values.get(name, ()):
            self._pending = False
            type_ = self._of(value) if isinstance(value, ast.expr) else value
            if type_ == UNKNOWN:
                if self._pending or self.lenient:
                    outer |= self._pending
                    continue
                return UNKNOWN
            if not self.lenient and isinstance(value, ast.expr) and _vague(type_, value):
                return Type(type_.name, (UNKNOWN,) * len(type_.args))
            found = type_ if found is None else join(found, type_)
        self._pending = outer
        return UNKNOWN if found is None and self.lenient else found

    def filled(self, name: str) -> Type:
        """The container type that a name has by what is put into it: appended, inserted, extended, set by index.

        `UNKNOWN` when nothing is put in, or when the type of anything that is cannot be told.
        """
        found = [self._put(node, name) for node in self.bindings.mutations.get(name, ())]
        return UNKNOWN if any(not t.known for t in found) else join_all(found)

    def _put(self, node: ast.Call | ast.Subscript | ast.expr, name: str) -> Type:
        """The container type that one mutation asks for."""
        if isinstance(node, ast.Subscript):
            statement = self.function.file.parents[node]
            value = self._of(statement.value) if isinstance(statement, ast.Assign) else UNKNOWN
            own = join_all(self._assigned(name)).name
            if own == "Tensor":
                return UNKNOWN
            if own == "List" or isinstance(node.slice, ast.Slice):
                return list_of(value) if not isinstance(node.slice, ast.Slice) else value
            return dict_of(self._of(node.slice), value)
        assert isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
        added = self._of(node.args[-1])
        return added if node.func.attr in ("extend", "update") else list_of(added)

    def assigned(self, name: str) -> Type:
        """The type of what the function itself binds to a name; `UNKNOWN` as soon as one value's cannot be told."""
        types = self._assigned(name)
        return UNKNOWN if any(not t.known for t in types) else join_all(types)

    def fills_with_none(self, name: str) -> bool:
        """Whether all that the function binds to a name are lists: one of None, others of what cannot be told."""
        types = set(self._assigned(name))
        return list_of(NONE) in types and types <= {list_of(NONE), list_of(UNKNOWN)}

    def used_as(self, name: str) -> Type:
        """The type that the function's uses of a name ask for: a tensor's methods, ``range(name)``, ``x[:name]``."""
        if name in self._tensor_names:
            return TENSOR
        return self._asked.get(name, UNKNOWN)

    @cached_property
    def _asked(self) -> dict[str, Type]:
        return asked_by_uses(self.function, self)

    def _given_tensor(self, name: str) -> bool:
        """Whether a parameter's uses show that a tensor was given: before it is rebound, or leniently any."""
        if self.lenient:
            return name in self._tensor_names
        if name in self.bindings.tested:
            return False
        until = self.bindings.first_store.get(name)
        return any(until is None or (u.lineno, u.col_offset) < until for u in self._only_tensors.get(name, ()))

    @cached_property
    def _only_tensors(self) -> dict[str, list[ast.Call]]:
        """name → the calls that nothing but a tensor allows: ``x.unsqueeze(0)``, ``F.relu(x)``."""
        found: dict[str, list[ast.Call]] = {}
        for node in self.function.of(ast.Call):
            func = node.func
            subject: ast.expr | None = None
            if node.args and self._takes_tensor(node):
                subject = node.args[0]
            elif isinstance(func, ast.Attribute) and func.attr in ONLY_TENSOR_METHODS:
                subject = func.value
            if isinstance(subject, ast.Name) and self.bindings.inner(subject) is None:
                found.setdefault(subject.id, []).append(node)
        return found

    @cached_property
    def _tensor_names(self) -> set[str]:
        """Names that the function does something to that works on a tensor, if not on a tensor alone."""
        attributes = TENSOR_METHODS | TENSOR_ATTRIBUTES
        return set(self._only_tensors) | {
            node.value.id
            for node in self.function.of(ast.Attribute)
            if isinstance(node.value, ast.Name) and node.attr in attributes
        }

    def _takes_tensor(self, call: ast.Call) -> bool:
        """Whether the first argument of a call is surely a tensor: torch's functions and one-tensor layers."""
        origin = self.function.file.origin(call.func)
        if origin.startswith("torch.nn.functional."):
            return True
        if is_operation(origin):
            return origin.rpartition(".")[2] in TENSOR_METHODS
        attribute = self.function.self_attribute(call.func)
        return attribute is not None and self.is_layer(attribute)

    def _assigned(self, name: str) -> list[Type]:
        return [
            self._of(value) if isinstance(value, ast.expr) else value for value in self.bindings.values.get(name, ())
        ]


def _vague(type_: Type, value: ast.expr) -> bool:
    """Whether a container's elements cannot be told, though it is not one that starts out empty."""
    if type_.name not in ("List", "Dict") or UNKNOWN not in type_.args:
        return False
    if isinstance(value, ast.Call):
        return bool(value.args or value.keywords)
    return not (isinstance(value, (ast.List, ast.Dict)) and not ast.unparse(value)[1:-1])


def _module_constant(file: FileFacts, name: str) -> Type:
    """The type of a number or string that the module binds once, at its top level."""
    kinds = {bool: BOOL, int: INT, float: FLOAT, str: STR}
    values = file.assigned[name]
    value = values[0] if len(values) == 1 else None
    return kinds.get(type(value.value), UNKNOWN) if isinstance(value, ast.Constant) else UNKNOWN
