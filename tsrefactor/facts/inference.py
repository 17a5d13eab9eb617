"""Types of expressions in one function: annotations first, then recorded runs, then what the source itself says."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from functools import cached_property
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from .bindings import Bindings, Element, buffers
from .operations import (
    DTYPE,
    DTYPES,
    ONLY_TENSOR_METHODS,
    TENSOR_ATTRIBUTES,
    TENSOR_METHODS,
    call_returns,
    is_operation,
    method_returns,
    one_tensor_layer,
)
from .types import (
    BOOL,
    COMPLEX,
    DEVICE,
    FLOAT,
    INT,
    MODULE,
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
    tuple_of,
)  # fmt: skip

if TYPE_CHECKING:
    from .file import Class, FileFacts, Function, Parameter

_PLAIN_CALLS = {
    "len": INT, "int": INT, "float": FLOAT, "bool": BOOL, "str": STR, "isinstance": BOOL, "hasattr": BOOL,
    "round": UNKNOWN,
    "math.sqrt": FLOAT, "math.log": FLOAT, "math.exp": FLOAT, "math.pow": FLOAT, "math.floor": INT, "math.ceil": INT,
    "torch.jit.is_scripting": BOOL, "torch.jit.is_tracing": BOOL, "torch.is_tensor": BOOL,
    "torch.tensor": TENSOR, "torch.as_tensor": TENSOR, "torch.from_numpy": TENSOR,
}  # fmt: skip
_OF_UNKNOWNS = frozenset({"size", "dim", "numel", "permute", "unsqueeze", "contiguous"})
_NUMBERS = {INT, FLOAT, BOOL}
_RETURNED: WeakKeyDictionary[Function, Type] = WeakKeyDictionary()


_ROUNDS = 8  # a loop that has not settled after so many says nothing


class Inference:
    """The types of one function's expressions, not sensitive to the order of statements.

    A name has the type that all that is bound to it has: one value that cannot be told makes it `UNKNOWN`. A
    ``lenient`` inference goes by what can be told alone, and by uses that other values than tensors allow too: what it
    finds is presumed.
    """

    def __init__(self, function: Function, lenient: bool = False):
        self.function, self.lenient = function, lenient
        self.bindings = Bindings(function)
        self._names: dict[str, Type] = {}
        self._settling: dict[str, Type | None] = {}  # names of a cycle; None for one of which nothing is known yet
        self._pending = False  # whether such a one was read

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
        names = [n.id for n in ast.walk(node) if isinstance(n, ast.Name) and self.unspoken(n.id)]
        saved = dict(self._names)
        self._names.update(dict.fromkeys(names, TENSOR))
        try:
            return self._of(node) == TENSOR
        finally:
            self._names = saved

    # -- names -----------------------------------------------------------------------------------------------------

    def of_name(self, name: str) -> Type:
        if name in self._settling:
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
            before = {n: self._settling[n] for n in cycle}
            for name in cycle:
                self._settling[name] = self._infer_name(name)
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
        if observed is not None and name in observed.locals and observed.locals[name].known:
            return observed.locals[name]
        if name not in self.bindings.values:
            return _module_constant(function.file, name)
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

    def used_as(self, name: str) -> Type:
        """The type that the function's uses of a name ask for: a tensor's methods, ``range(name)``, ``name == "x"``."""
        if name in self._tensor_names:
            return TENSOR
        for node in self.function.nodes:
            if isinstance(node, ast.Call) and self.function.file.origin(node.func) == "range":
                if any(isinstance(a, ast.Name) and a.id == name for a in node.args):
                    return INT
            elif isinstance(node, ast.Compare) and isinstance(node.left, ast.Name) and node.left.id == name:
                others = [c.value for c in node.comparators if isinstance(c, ast.Constant)]
                if any(isinstance(o, str) for o in others):
                    return STR
        return UNKNOWN

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
        for node in self.function.nodes:
            if not isinstance(node, ast.Call):
                continue
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
            for node in self.function.nodes
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.attr in attributes
        }

    def _takes_tensor(self, call: ast.Call) -> bool:
        """Whether the first argument of a call is surely a tensor: torch's functions and one-tensor layers."""
        origin = self.function.file.origin(call.func)
        if origin.startswith("torch.nn.functional."):
            return True
        if is_operation(origin):
            return origin.rpartition(".")[2] in TENSOR_METHODS
        attribute = self.function.self_attribute(call.func)
        return attribute is not None and self._layer(attribute)

    def _assigned(self, name: str) -> list[Type]:
        return [
            self._of(value) if isinstance(value, ast.expr) else value for value in self.bindings.values.get(name, ())
        ]

    # -- expressions -------------------------------------------------------------------------------------------------

    def _of(self, node: ast.expr) -> Type:
        handler = getattr(self, "_of_" + type(node).__name__.lower(), None)
        return handler(node) if handler is not None else UNKNOWN

    def _of_constant(self, node: ast.Constant) -> Type:
        kinds = {bool: BOOL, int: INT, float: FLOAT, str: STR, complex: COMPLEX, type(None): NONE}
        return kinds.get(type(node.value), UNKNOWN)

    def _of_name(self, node: ast.Name) -> Type:
        inner = self.bindings.inner(node)
        if inner is None:
            return self.of_name(node.id)
        return self._all([self._of(v) if isinstance(v, ast.expr) else v for v in inner])

    def _all(self, types: Iterable[Type]) -> Type:
        """The join; `UNKNOWN` where one of them cannot be told, unless leniently."""
        types = list(types)
        return UNKNOWN if UNKNOWN in types and not self.lenient else join_all(types)

    def _of_element(self, node: Element) -> Type:
        value = self._of(node.over)
        if value.name == "Dict":
            return value.args[0]
        return self._all(value.args) if value.name == "Tuple" else self._element(value)

    def _of_namedexpr(self, node: ast.NamedExpr) -> Type:
        return self._of(node.value)

    def _of_starred(self, node: ast.Starred) -> Type:
        return UNKNOWN

    def _of_attribute(self, node: ast.Attribute) -> Type:
        name = self.function.self_attribute(node)
        if name is not None:
            return self.of_self(name)
        value = self._of(node.value)
        if value == TENSOR or node.attr in ("shape", "device", "requires_grad", "is_cuda"):
            table = {
                "shape": list_of(INT),
                "device": DEVICE,
                "requires_grad": BOOL,
                "is_cuda": BOOL,
                "ndim": INT,
                "is_leaf": BOOL,
                "dtype": UNKNOWN,
                "itemsize": INT,
            }
            return table.get(
                node.attr, TENSOR if node.attr in ("T", "mT", "H", "data", "grad", "real", "imag") else UNKNOWN
            )
        origin = self.function.file.origin(node)
        if origin in ("math.pi", "math.inf", "math.e", "torch.pi", "torch.inf"):
            return FLOAT
        return DTYPE if origin.removeprefix("torch.") in DTYPES and origin.startswith("torch.") else UNKNOWN

    def of_self(self, name: str) -> Type:
        """The type of ``self.name``: annotated, recorded, or said by the assignments in the class."""
        cls = self.function.cls
        if cls is None:
            return UNKNOWN
        for c in (cls, *cls.ancestors):
            if name in c.annotations:
                return c.file.annotated(c.annotations[name])
        if cls.observed is not None:
            if name in cls.observed.attributes:
                return cls.observed.attributes[name]
            if name in cls.observed.children:
                return MODULE
        for c in (cls, *cls.ancestors):
            if c.assigned.get(name):
                if name not in c.attribute_types:
                    c.attribute_types[name] = UNKNOWN  # self.x = self.x + 1 says nothing new about it
                    c.attribute_types[name] = join_all(self._assigned_to_self(c, name))
                return c.attribute_types[name]
            if name in buffers(c):
                return TENSOR
        return UNKNOWN

    def _assigned_to_self(self, cls: Class, name: str) -> list[Type]:
        types = []
        for method, value in cls.assigned[name]:
            if value is None:
                types.append(UNKNOWN)
                continue
            origin = cls.file.origin(value.func) if isinstance(value, ast.Call) else ""
            if origin in ("torch.nn.Parameter", "torch.nn.parameter.Parameter"):
                types.append(TENSOR)
            elif origin.startswith("torch.nn.") and not origin.startswith(("torch.nn.functional.", "torch.nn.init.")):
                types.append(MODULE)
            else:
                types.append(method.type_of(value))
        return types

    def _layer(self, attribute: str) -> bool:
        """Whether ``self.attribute`` only ever holds torch's layers that take one tensor and return one."""
        cls = self.function.cls
        for c in (cls, *cls.ancestors) if cls is not None else ():
            if attribute in c.assigned:
                made = [v if isinstance(v, ast.Call) else None for _, v in c.assigned[attribute]]
                return all(
                    v is not None
                    and one_tensor_layer(c.file.origin(v.func), len(v.args), frozenset(k.arg or "" for k in v.keywords))
                    for v in made
                )
        return False

    def _of_call(self, node: ast.Call) -> Type:
        file = self.function.file
        origin = file.origin(node.func)
        if self.bindings.shadows(origin):
            called = file.function_named(origin)
            local = origin in self.bindings.values or any(p.name == origin for p in self.function.parameters)
            return _returned(called) if called is not None and not local else UNKNOWN
        if origin in _PLAIN_CALLS:
            return _PLAIN_CALLS[origin]
        if origin in ("list", "dict") and not node.args and not node.keywords:
            return list_of(UNKNOWN) if origin == "list" else dict_of(UNKNOWN, UNKNOWN)
        if origin == "list" and len(node.args) == 1:
            inner = self._of(node.args[0])
            return inner if inner.name == "List" else list_of(TENSOR) if inner == TENSOR else UNKNOWN
        if origin in ("max", "min", "abs", "sum") and node.args:
            types = [self._of(a) for a in node.args]
            return self._all(types) if len(types) > 1 or origin == "abs" else self._element(types[0])
        if origin == "torch.jit.annotate" and len(node.args) == 2:
            return file.annotated(node.args[0])
        keywords = frozenset(k.arg for k in node.keywords if k.arg)
        if origin.startswith("torch.atleast_"):
            return TENSOR if [self._of(a) for a in node.args] == [TENSOR] else UNKNOWN
        if is_operation(origin):
            return call_returns(origin, len(node.args), keywords)
        if isinstance(node.func, ast.Attribute):
            attribute = self.function.self_attribute(node.func)
            if attribute is not None:
                return self._of_self_call(attribute)
            receiver = self._of(node.func.value)
            if receiver == TENSOR:
                return method_returns(node.func.attr, len(node.args), keywords)
            known = _OF_UNKNOWNS | {"view"} if self.lenient else _OF_UNKNOWNS
            if receiver == UNKNOWN and node.func.attr in known:
                return method_returns(node.func.attr, len(node.args), keywords)
            if receiver.name == "Dict" and node.func.attr in ("keys", "values"):
                return list_of(receiver.args[node.func.attr == "values"])
            return UNKNOWN
        return UNKNOWN

    def _of_self_call(self, attribute: str) -> Type:
        cls = self.function.cls
        assert cls is not None
        method = cls.method(attribute)
        if method is not None:
            return _returned(method)
        return TENSOR if self._layer(attribute) else UNKNOWN

    def _of_binop(self, node: ast.BinOp) -> Type:
        left, right = self._of(node.left), self._of(node.right)
        if STR in (left, right):
            return STR if left == STR and (right == STR or isinstance(node.op, ast.Mod)) else UNKNOWN
        if TENSOR in (left, right):
            return TENSOR
        if left in _NUMBERS and right in _NUMBERS:
            if isinstance(node.op, ast.Div):
                return FLOAT
            return FLOAT if FLOAT in (left, right) else INT
        if isinstance(node.op, ast.Add) and {left.name, right.name} <= {"List", "?"}:
            return join(left, right)  # only a list can be added to a list
        if left.name == "List" and right == INT and isinstance(node.op, ast.Mult):
            return left
        return UNKNOWN

    def _of_unaryop(self, node: ast.UnaryOp) -> Type:
        return BOOL if isinstance(node.op, ast.Not) else self._of(node.operand)

    def _of_compare(self, node: ast.Compare) -> Type:
        if any(isinstance(op, (ast.Is, ast.IsNot, ast.In, ast.NotIn)) for op in node.ops):
            return BOOL
        types = [self._of(n) for n in (node.left, *node.comparators)]
        return TENSOR if TENSOR in types else UNKNOWN if UNKNOWN in types else BOOL

    def _of_boolop(self, node: ast.BoolOp) -> Type:
        return self._all(self._of(v) for v in node.values)

    def _of_ifexp(self, node: ast.IfExp) -> Type:
        return self._all((self._of(node.body), self._of(node.orelse)))

    def _of_subscript(self, node: ast.Subscript) -> Type:
        value = self._of(node.value)
        if value == TENSOR:
            return TENSOR
        if isinstance(node.slice, ast.Slice):
            return value if value.name == "List" else UNKNOWN
        if value.name == "Tuple":
            index = node.slice.value if isinstance(node.slice, ast.Constant) else None
            if isinstance(node.slice, ast.UnaryOp) and isinstance(node.slice.operand, ast.Constant):
                index = -node.slice.operand.value  # type: ignore[operator]
            if isinstance(index, int) and -len(value.args) <= index < len(value.args):
                return value.args[index]
            return join_all(value.args)
        return self._element(value)

    def _element(self, value: Type) -> Type:
        if value.name == "List":
            return value.args[0]
        if value.name == "Dict":
            return value.args[1]
        return TENSOR if value == TENSOR else STR if value == STR else UNKNOWN

    def _of_list(self, node: ast.List) -> Type:
        types = [self._of(e) for e in node.elts]
        return UNKNOWN if UNKNOWN in types else list_of(join_all(types))

    def _of_tuple(self, node: ast.Tuple) -> Type:
        types = [self._of(e) for e in node.elts]
        return UNKNOWN if UNKNOWN in types or not types else tuple_of(types)

    def _of_dict(self, node: ast.Dict) -> Type:
        keys = [self._of(k) if k is not None else UNKNOWN for k in node.keys]
        values = [self._of(v) for v in node.values]
        return dict_of(self._all(keys), self._all(values))

    def _of_listcomp(self, node: ast.ListComp) -> Type:
        return list_of(self._of(node.elt))

    def _of_joinedstr(self, node: ast.JoinedStr) -> Type:
        return STR


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
    values = [
        s.value for s in file.tree.body
        if isinstance(s, ast.Assign) and any(isinstance(t, ast.Name) and t.id == name for t in s.targets)
    ]  # fmt: skip
    value = values[0] if len(values) == 1 else None
    return kinds.get(type(value.value), UNKNOWN) if isinstance(value, ast.Constant) else UNKNOWN


def _returned(function: Function) -> Type:
    """What a function of the file returns: annotated or recorded."""
    if function.node.returns is not None:
        return function.file.annotated(function.node.returns)
    if function.observed is not None:
        return function.observed.returns
    if function not in _RETURNED:
        _RETURNED[function] = UNKNOWN  # what a recursive function says about itself
        returns = [n.value for n in function.nodes if isinstance(n, ast.Return) and n.value is not None]
        _RETURNED[function] = function.type_of(returns[0]) if len(returns) == 1 else UNKNOWN
    return _RETURNED[function]
