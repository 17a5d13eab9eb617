"""Numbers that are whole for every instance and call, by what the file shows: not by what one run had in them."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from .bindings import Element
from .callers import callee
from .definitions import Class, Function, Parameter
from .signs import not_negative
from .types import INT, Type
from .whole_uses import uses_ask_for_whole

_ALWAYS = frozenset("len int math.floor math.ceil math.comb math.gcd".split())
_FRACTIONS = frozenset("float math.sqrt math.exp math.log math.sin math.cos math.tan".split())
_NUMBERS = frozenset(f"{module}.{name}" for module in ("math", "numpy", "torch") for name in ("inf", "nan", "pi", "e"))
_CHOOSING = frozenset("max min sum math.prod".split())
_SEQUENCES = frozenset("list tuple sorted reversed torch.Size".split())
_COUNTS = frozenset("size dim numel nelement ndimension __len__".split())
_OF_LAYERS = frozenset(
    "in_features out_features in_channels out_channels num_features num_embeddings embedding_dim input_size"
    " hidden_size num_layers embed_dim num_heads num_groups num_channels groups".split()
)
_PER_DIMENSION = frozenset("kernel_size stride dilation normalized_shape".split())
_KEEPING = (ast.Add, ast.Sub, ast.Mult, ast.FloorDiv, ast.Mod, ast.LShift, ast.RShift)


def is_whole(function: Function, node: ast.expr, presume: bool = False) -> bool:
    """Whether an expression is an int whatever the instance is and whoever calls.

    A literal, a size, what is annotated as an int, what is used as nothing but an int may be (``range(n)``,
    ``nn.Linear(n, n)``), and what is computed of these. A default that is an int shows nothing, nor does a run. With
    ``presume``, so is the parameter of a function to which all calls of the file give such numbers.
    """
    return _Shown(presume).number(function, node)


def is_fraction(function: Function, node: ast.expr) -> bool:
    """Whether a number is a float whatever it is made of."""
    match node:
        case ast.Constant(value=value):
            return isinstance(value, float)
        case ast.UnaryOp(operand=operand):
            return is_fraction(function, operand)
        case ast.BinOp(left=left, op=op, right=right):
            return isinstance(op, ast.Div) or is_fraction(function, left) or is_fraction(function, right)
        case ast.Attribute():
            return function.file.origin(node) in _NUMBERS
        case ast.Call(func=func):
            origin = function.file.origin(func)
            return origin in _FRACTIONS and not function.types.bindings.shadows(origin)
    return False


@dataclass
class _Shown:
    """One question. ``asked``: what is being answered; a name that is made of itself (``n = n // 2``) adds nothing."""

    presume: bool
    asked: set[tuple[Function | Class, str]] = field(default_factory=set)

    def number(self, function: Function, node: ast.expr) -> bool:
        """Whether it is whole."""
        match node:
            case ast.Constant():
                return _is_literal(node)
            case ast.UnaryOp(op=ast.USub() | ast.UAdd(), operand=operand):
                return self.number(function, operand)
            case ast.BinOp(left=left, op=op, right=right):
                kept = isinstance(op, _KEEPING) or (isinstance(op, ast.Pow) and not_negative(function, right))
                return kept and self.number(function, left) and self.number(function, right)
            case ast.IfExp(body=body, orelse=orelse):
                return self.number(function, body) and self.number(function, orelse)
            case ast.BoolOp(values=values):
                return all(self.number(function, v) for v in values)
            case ast.NamedExpr(value=value):
                return self.number(function, value)
            case ast.Name():
                return self._name(function, node, single=True)
            case ast.Attribute():
                return self._attribute(function, node, single=True)
            case ast.Subscript(value=value, slice=index):
                return not isinstance(index, ast.Slice) and self.sequence(function, value)
            case Element(over=over):
                return self.sequence(function, over)
            case ast.Call():
                return self._call(function, node)
        return False

    def sequence(self, function: Function, node: ast.expr) -> bool:
        """Whether all that it holds is whole: the sizes of a tensor, a display of whole numbers, a range."""
        match node:
            case ast.Tuple(elts=elts) | ast.List(elts=elts):
                return all(
                    self.sequence(function, e.value) if isinstance(e, ast.Starred) else self.number(function, e)
                    for e in elts
                )
            case ast.Subscript(value=value, slice=ast.Slice()) | ast.BinOp(left=value, op=ast.Mult()):
                return self.sequence(function, value)
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                return self.sequence(function, left) and self.sequence(function, right)
            case ast.ListComp(elt=elt) | ast.GeneratorExp(elt=elt):
                return self.number(function, elt)
            case ast.Name():
                return self._name(function, node, single=False)
            case ast.Attribute():
                return self._attribute(function, node, single=False)
            case ast.Call(func=ast.Attribute(attr="size"), args=[], keywords=[]):
                return True
            case ast.Call(func=func, args=args):
                origin = function.file.origin(func)
                known = not function.types.bindings.shadows(origin)
                kept = origin in _SEQUENCES and len(args) == 1 and self.sequence(function, args[0])
                return known and (origin == "range" or kept)
        return False

    def _call(self, function: Function, call: ast.Call) -> bool:
        origin, called = function.file.origin(call.func), callee(function, call)
        if called is not None:
            return self._returned(called)
        if function.types.bindings.shadows(origin):
            return False
        if origin in _CHOOSING and call.args and not any(isinstance(a, ast.Starred) for a in call.args):
            one = len(call.args) == 1
            return all(self.sequence(function, a) if one else self.number(function, a) for a in call.args)
        return origin in _ALWAYS or (isinstance(call.func, ast.Attribute) and call.func.attr in _COUNTS)

    def _returned(self, called: Function) -> bool:
        if called.node.returns is not None:
            return called.file.annotated(called.node.returns) == INT
        key = (called, "return")
        if key in self.asked:
            return True
        self.asked.add(key)
        values = [r.value for r in called.of(ast.Return)]
        found = bool(values) and all(v is not None and self.number(called, v) for v in values)
        self.asked.discard(key)
        return found

    def _all(self, function: Function, values: Iterable[ast.expr | Type], single: bool) -> bool:
        ask = self.number if single else self.sequence
        return all(ask(function, v) if isinstance(v, ast.expr) else _is_of_ints(v, single) for v in values)

    def _name(self, function: Function, node: ast.Name, single: bool) -> bool:
        inner = function.types.bindings.inner(node)
        if inner is not None:
            return self._all(function, inner, single)
        key = (function, node.id)
        if key in self.asked:
            return True
        self.asked.add(key)
        found = self._bound(function, node, single)
        self.asked.discard(key)
        return found

    def _bound(self, function: Function, node: ast.Name, single: bool) -> bool:
        bindings, name = function.types.bindings, node.id
        values: Sequence[ast.expr | Type] = bindings.values.get(name, ())
        parameter = next((p for p in function.parameters if p.name == name), None)
        if parameter is not None:
            given = _is_rebound_before(function, node) or self._given(function, parameter, single)
            return given and self._all(function, values, single)
        if values:
            return (single or name not in bindings.mutations) and self._all(function, values, single)
        constants = function.file.assigned.get(name, ()) if "<locals>" not in function.qualname else ()
        return single and bool(constants) and all(map(_is_literal, constants))

    def _given(self, function: Function, parameter: Parameter, single: bool) -> bool:
        if parameter.kind not in ("positional", "keyword"):
            return False
        if parameter.annotation is not None:
            return _is_of_ints(function.file.annotated(parameter.annotation), single)
        uses = (n for n in function.of(ast.Name) if n.id == parameter.name and not _is_rebound_before(function, n))
        if single and uses_ask_for_whole(function, uses):
            return True
        private = function.name.startswith("_") and not function.name.endswith("__")
        given = list(function.file.callers.given(function, parameter.name)) if private or self.presume else []
        default = [] if parameter.default is None else [(function, parameter.default)]
        return bool(given) and all(self._all(f, [value], single) for f, value in [*given, *default])

    def _attribute(self, function: Function, node: ast.Attribute, single: bool) -> bool:
        """Whether it is of a tensor or a layer, which fix its type, or one of the instance: declared so, assigned
        nothing else, or used so.
        """
        name, cls = function.self_attribute(node), function.cls
        if name is None or cls is None:
            of_tensor = node.attr == ("ndim" if single else "shape")
            of_layer = node.attr in (_OF_LAYERS if single else _PER_DIMENSION)
            return of_tensor or (of_layer and _is_of_ints(function.type_of(node), single))
        for c in (cls, *cls.ancestors):
            if name in c.annotations:
                return _is_of_ints(c.file.annotated(c.annotations[name]), single)
        key = (cls, name)
        if key in self.asked:
            return True
        self.asked.add(key)
        found = self._assigned(cls, name, single)
        self.asked.discard(key)
        if found or not single:
            return found
        inits = [c.methods["__init__"] for c in (cls, *cls.ancestors) if "__init__" in c.methods]
        return any(uses_ask_for_whole(m, m.self_attributes.get(name, ())) for m in dict.fromkeys([function, *inits]))

    def _assigned(self, cls: Class, name: str, single: bool) -> bool:
        stored = list(_stored(cls, name))
        if not stored and any(b.startswith("torch.nn.") and b != "torch.nn.Module" for b in cls.foreign_bases):
            return name in (_OF_LAYERS if single else _PER_DIMENSION)
        return bool(stored) and all(
            value is not None and (_is_literal(value) if method is None else self._all(method, [value], single))
            for method, value in stored
        )


def _is_of_ints(type_: Type, single: bool) -> bool:
    present = type_.present  # nobody computes with None
    return present == INT if single else present.name in ("List", "Tuple") and set(present.args) == {INT}


def _is_literal(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and type(node.value) is int


def _is_rebound_before(function: Function, node: ast.Name) -> bool:
    """Whether a statement of the body itself binds the name before it is read there."""
    at = (getattr(node, "lineno", 0), getattr(node, "col_offset", 0))
    return any(
        isinstance(s, (ast.Assign, ast.AnnAssign))
        and (s.end_lineno or 0, s.end_col_offset or 0) <= at
        and node.id in function.flow.writes(s)
        for s in function.node.body
    )


def _stored(cls: Class, name: str) -> Iterator[tuple[Function | None, ast.expr | None]]:
    """What is assigned to the attribute: by methods of the class and its relatives, in their bodies, from outside."""
    for c in (cls, *cls.ancestors, *cls.subclasses):
        yield from c.assigned.get(name, ())
        if name in c.body_values:
            yield None, c.body_values[name].value
    selves = {f.self_name for f in cls.file.all_functions}
    for node in cls.file.of(ast.Attribute):
        if node.attr == name and isinstance(node.ctx, ast.Store) and ast.unparse(node.value) not in selves:
            statement = cls.file.statement_of(node)
            yield None, statement.value if isinstance(statement, ast.Assign) else None
