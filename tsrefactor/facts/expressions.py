"""Types of expressions, by what they are made of: constants, operations, calls and the attributes of self."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from .bindings import Bindings, Element, buffers
from .callees import layer_returns
from .fields import recorded_field
from .nodes import walk
from .operations import (
    DTYPE,
    DTYPES,
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
    from .definitions import Class, Function

_PLAIN_CALLS = {
    "len": INT, "int": INT, "float": FLOAT, "bool": BOOL, "str": STR, "isinstance": BOOL, "hasattr": BOOL,
    "round": UNKNOWN,
    "math.sqrt": FLOAT, "math.log": FLOAT, "math.exp": FLOAT, "math.pow": FLOAT, "math.floor": INT, "math.ceil": INT,
    "torch.jit.is_scripting": BOOL, "torch.jit.is_tracing": BOOL, "torch.is_tensor": BOOL,
    "torch.tensor": TENSOR, "torch.as_tensor": TENSOR, "torch.from_numpy": TENSOR,
}  # fmt: skip
_EINOPS = frozenset(f"einops.{name}" for name in ("rearrange", "repeat", "reduce", "einsum"))  # of arrays, too
_OF_UNKNOWNS = frozenset({"size", "dim", "numel", "permute", "unsqueeze", "contiguous"})
_NUMBERS = {INT, FLOAT, BOOL}
_RETURNED: WeakKeyDictionary[Function, Type] = WeakKeyDictionary()


class Expressions:
    """The types of one function's expressions; what a name is bound to is told by `of_name`.

    A ``lenient`` one drops what cannot be told from a join, where another gives `UNKNOWN`.
    """

    def __init__(self, function: Function, lenient: bool = False):
        self.function, self.lenient = function, lenient
        self.bindings: Bindings = function.bindings

    def of_name(self, name: str) -> Type:
        """The type of a name of the function."""
        raise NotImplementedError

    def _of(self, node: ast.expr) -> Type:
        handler = _HANDLERS.get(node.__class__)
        return handler(self, node) if handler is not None else UNKNOWN

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
        if (field := recorded_field(self.function, node)) is not None:
            return field
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
                    types = self._assigned_to_self(c, name)
                    c.attribute_types[name] = UNKNOWN if UNKNOWN in types else join_all(types)
                return c.attribute_types[name]
            if name in buffers(c):
                return TENSOR
        return UNKNOWN

    def _assigned_to_self(self, cls: Class, name: str) -> list[Type]:
        """The types of what the class assigns to an attribute, without those that only its own type would tell."""
        types = []
        for method, value in cls.assigned[name]:
            if value is None:
                added = any(method.self_attribute(n.target) == name for n in method.of(ast.AugAssign))
                types += [] if added else [UNKNOWN]
                continue
            origin = cls.file.origin(value.func) if isinstance(value, ast.Call) else ""
            if origin in ("torch.nn.Parameter", "torch.nn.parameter.Parameter"):
                types.append(TENSOR)
            elif origin.startswith("torch.nn.") and not origin.startswith(("torch.nn.functional.", "torch.nn.init.")):
                types.append(MODULE)
            else:
                found = method.type_of(value)
                own = any(method.self_attribute(n) == name for n in walk(value))
                types += [] if own and found == UNKNOWN and not isinstance(value, ast.Call) else [found]
        return types

    def is_layer(self, attribute: str) -> bool:
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
        if (field := recorded_field(self.function, node)) is not None:
            return field
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
        if origin in _EINOPS and node.args:
            return TENSOR if self._of(node.args[0]) in (TENSOR, list_of(TENSOR)) else UNKNOWN
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
                return self._of_self_call(node, attribute)
            receiver = self._of(node.func.value)
            if receiver in (TENSOR, optional(TENSOR)):  # None has no methods
                return method_returns(node.func.attr, len(node.args), keywords)
            known = _OF_UNKNOWNS | {"view"} if self.lenient else _OF_UNKNOWNS
            if receiver == UNKNOWN and node.func.attr in known:
                return method_returns(node.func.attr, len(node.args), keywords)
            if receiver.name == "Dict" and node.func.attr in ("keys", "values"):
                return list_of(receiver.args[node.func.attr == "values"])
            return UNKNOWN
        return UNKNOWN

    def _of_self_call(self, node: ast.Call, attribute: str) -> Type:
        cls = self.function.cls
        assert cls is not None
        method = cls.method(attribute)
        if method is not None:
            return _returned(method)
        if self.is_layer(attribute):
            return TENSOR
        several = layer_returns(self.function, attribute)
        return several if several != UNKNOWN and node.args and self._of(node.args[0]) == TENSOR else UNKNOWN

    def _of_binop(self, node: ast.BinOp) -> Type:
        # None has no arithmetic: where an Optional is computed with, it holds its content.
        left, right = (self._of(n).present for n in (node.left, node.right))
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
        if (field := recorded_field(self.function, node)) is not None:
            return field
        value = self._of(node.value)
        value = value.element if value.optional else value  # None has no items
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


_HANDLERS: dict[type[ast.expr], Callable[[Expressions, Any], Type]] = {
    cls: getattr(Expressions, f"_of_{cls.__name__.lower()}")
    for cls in (*vars(ast).values(), Element)
    if isinstance(cls, type) and issubclass(cls, ast.expr) and hasattr(Expressions, f"_of_{cls.__name__.lower()}")
}


def _returned(function: Function) -> Type:
    """What a function of the file returns: annotated or recorded."""
    if function.node.returns is not None:
        return function.file.annotated(function.node.returns)
    if function.observed is not None:
        return function.observed.returns
    if function not in _RETURNED:
        _RETURNED[function] = UNKNOWN  # what a recursive function says about itself
        returns = [n.value for n in function.of(ast.Return) if n.value is not None]
        _RETURNED[function] = function.type_of(returns[0]) if len(returns) == 1 else UNKNOWN
    return _RETURNED[function]
