"""Types of expressions in one function: annotations first, then recorded runs, then what the source itself says."""

from __future__ import annotations

import ast
from functools import cached_property
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from .bindings import Bindings, buffers
from .operations import DTYPE, DTYPES, TENSOR_ATTRIBUTES, TENSOR_METHODS, call_returns, is_operation, method_returns
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
    from .file import Class, FileFacts, Function

_PLAIN_CALLS = {
    "len": INT, "int": INT, "float": FLOAT, "bool": BOOL, "str": STR, "isinstance": BOOL, "hasattr": BOOL,
    "round": UNKNOWN,
    "math.sqrt": FLOAT, "math.log": FLOAT, "math.exp": FLOAT, "math.pow": FLOAT, "math.floor": INT, "math.ceil": INT,
    "torch.jit.is_scripting": BOOL, "torch.jit.is_tracing": BOOL, "torch.is_tensor": BOOL,
    "torch.tensor": TENSOR, "torch.as_tensor": TENSOR, "torch.from_numpy": TENSOR,
}  # fmt: skip
_NOT_ONE_TENSOR = (
    "LSTM",
    "GRU",
    "RNN",
    "MultiheadAttention",
    "ModuleList",
    "ModuleDict",
    "ParameterList",
    "ParameterDict",
    "AdaptiveLogSoftmaxWithLoss",
)
_NUMBERS = {INT, FLOAT, BOOL}
_RETURNED: WeakKeyDictionary[Function, Type] = WeakKeyDictionary()


class Inference:
    """The types of one function's expressions, not sensitive to the order of statements."""

    def __init__(self, function: Function):
        self.function = function
        self.bindings = Bindings(function)
        self._busy: set[str] = set()
        self._names: dict[str, Type] = {}

    def of(self, node: ast.expr, presume: bool = False) -> Type:
        """The type of an expression; see `Function.type_of`."""
        found = self._of(node)
        if found == UNKNOWN and presume and self._presumed(node):
            return TENSOR
        return found

    def presumable(self, name: str) -> bool:
        """Whether a name is a parameter that nothing speaks for: unannotated, unobserved, without default."""
        parameter = next((p for p in self.function.parameters if p.name == name), None)
        return (
            parameter is not None
            and parameter.kind == "positional"
            and parameter.default is None
            and self.of_name(name) == UNKNOWN
        )

    def _presumed(self, node: ast.expr) -> bool:
        """Whether the expression would be a tensor if the parameters that nothing speaks for were."""
        names = [n.id for n in ast.walk(node) if isinstance(n, ast.Name) and self.presumable(n.id)]
        if not names:
            return False
        saved = dict(self._names)
        self._names.update(dict.fromkeys(names, TENSOR))
        try:
            return self._of(node) == TENSOR
        finally:
            self._names = saved

    # -- names -----------------------------------------------------------------------------------------------------

    def of_name(self, name: str) -> Type:
        if name not in self._names:
            if name in self._busy:  # x = x + 1 says nothing new about x
                return UNKNOWN
            self._busy.add(name)
            self._names[name] = self._infer_name(name)
            self._busy.discard(name)
        return self._names[name]

    def _infer_name(self, name: str) -> Type:
        function = self.function
        parameter = next((p for p in function.parameters if p.name == name), None)
        observed = function.observed
        if parameter is not None and parameter.kind in ("positional", "keyword"):
            if parameter.annotation is not None:
                return function.file.annotated(parameter.annotation)
            assigned = join_all(self._assigned(name))
            known = observed.arguments.get(name, UNKNOWN) if observed else UNKNOWN
            if known == UNKNOWN and parameter.default is not None:
                default = self._of(parameter.default)
                known = (
                    optional(TENSOR)
                    if default == NONE and self._used_as_tensor(name)
                    else UNKNOWN
                    if default == NONE
                    else default
                )
            if known == UNKNOWN and self._used_as_tensor(name):
                known = TENSOR
            return join(known, assigned) if known != UNKNOWN else UNKNOWN
        if parameter is not None:
            return TOP
        if observed is not None and name in observed.locals and observed.locals[name].known:
            return observed.locals[name]
        if name not in self.bindings.values:
            return _module_constant(function.file, name)
        return join_all([*self._assigned(name), self.filled(name)])

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
        if self._used_as_tensor(name):
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

    def _used_as_tensor(self, name: str) -> bool:
        """Whether the function does to a name what only works on a tensor."""
        return name in self._tensor_names

    @cached_property
    def _tensor_names(self) -> set[str]:
        found: set[str] = set()
        for node in self.function.nodes:
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                if node.attr in TENSOR_METHODS or node.attr in TENSOR_ATTRIBUTES:
                    found.add(node.value.id)
            elif (
                isinstance(node, ast.Call)
                and node.args
                and isinstance(node.args[0], ast.Name)
                and self._takes_tensor(node)
            ):
                found.add(node.args[0].id)
        return found

    def _takes_tensor(self, call: ast.Call) -> bool:
        """Whether the first argument of a call is surely a tensor: torch's functions and one-tensor layers."""
        origin = self.function.file.origin(call.func)
        if origin.startswith("torch.nn.functional."):
            return True
        if is_operation(origin):
            return origin.rpartition(".")[2] in TENSOR_METHODS
        attribute = self.function.self_attribute(call.func)
        return attribute is not None and self._layer(attribute) not in (None, "")

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
        return self.of_name(node.id)

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

    def _layer(self, attribute: str) -> str | None:
        """The torch layer class held by ``self.attribute`` when a call takes one tensor and returns one; else None."""
        cls = self.function.cls
        if cls is None:
            return None
        for c in (cls, *cls.ancestors):
            for _, value in c.assigned.get(attribute, ()):
                origin = c.file.origin(value.func) if isinstance(value, ast.Call) else ""
                if (
                    not origin.startswith("torch.nn.")
                    or origin.endswith(_NOT_ONE_TENSOR)
                    or origin.startswith(("torch.nn.functional.", "torch.nn.Parameter"))
                ):
                    return None
                return origin
        return None

    def _of_call(self, node: ast.Call) -> Type:
        file = self.function.file
        origin = file.origin(node.func)
        if origin in _PLAIN_CALLS:
            return _PLAIN_CALLS[origin]
        if origin in ("list", "dict") and not node.args and not node.keywords:
            return list_of(UNKNOWN) if origin == "list" else dict_of(UNKNOWN, UNKNOWN)
        if origin == "list" and len(node.args) == 1:
            inner = self._of(node.args[0])
            return inner if inner.name == "List" else list_of(TENSOR) if inner == TENSOR else UNKNOWN
        if origin in ("max", "min", "abs", "sum") and node.args:
            types = [self._of(a) for a in node.args]
            return join_all(types) if len(types) > 1 or origin == "abs" else self._element(types[0])
        if origin == "torch.jit.annotate" and len(node.args) == 2:
            return file.annotated(node.args[0])
        keywords = frozenset(k.arg for k in node.keywords if k.arg)
        if is_operation(origin):
            return call_returns(origin, len(node.args), keywords)
        if isinstance(node.func, ast.Attribute):
            attribute = self.function.self_attribute(node.func)
            if attribute is not None:
                return self._of_self_call(attribute)
            receiver = self._of(node.func.value)
            if receiver == TENSOR:
                return method_returns(node.func.attr, len(node.args), keywords)
            if (
                receiver == UNKNOWN
                and node.func.attr in TENSOR_METHODS
                and node.func.attr in ("size", "dim", "numel", "view", "permute", "unsqueeze", "contiguous")
            ):
                return method_returns(node.func.attr, len(node.args), keywords)
            if receiver.name == "Dict" and node.func.attr in ("keys", "values"):
                return list_of(receiver.args[node.func.attr == "values"])
            return UNKNOWN
        called = file.function_named(origin)
        return _returned(called) if called is not None else UNKNOWN

    def _of_self_call(self, attribute: str) -> Type:
        cls = self.function.cls
        assert cls is not None
        method = cls.method(attribute)
        if method is not None:
            return _returned(method)
        return TENSOR if self._layer(attribute) and self._layer(attribute) != "torch.nn.Sequential" else UNKNOWN

    def _of_binop(self, node: ast.BinOp) -> Type:
        left, right = self._of(node.left), self._of(node.right)
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
        return STR if left == right == STR else UNKNOWN

    def _of_unaryop(self, node: ast.UnaryOp) -> Type:
        return BOOL if isinstance(node.op, ast.Not) else self._of(node.operand)

    def _of_compare(self, node: ast.Compare) -> Type:
        if any(isinstance(op, (ast.Is, ast.IsNot, ast.In, ast.NotIn)) for op in node.ops):
            return BOOL
        types = [self._of(n) for n in (node.left, *node.comparators)]
        return TENSOR if TENSOR in types else UNKNOWN if UNKNOWN in types else BOOL

    def _of_boolop(self, node: ast.BoolOp) -> Type:
        return join_all(self._of(v) for v in node.values)

    def _of_ifexp(self, node: ast.IfExp) -> Type:
        return join(self._of(node.body), self._of(node.orelse))

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
        return dict_of(join_all(keys), join_all(values))

    def _of_listcomp(self, node: ast.ListComp) -> Type:
        return list_of(self._of(node.elt))

    def _of_joinedstr(self, node: ast.JoinedStr) -> Type:
        return STR


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
