"""TorchScript's type lattice: what a value may be, how observations join, and how a type is written in source."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import reduce


@dataclass(frozen=True)
class Type:
    """A TorchScript type. ``name`` is a constructor (``List``) or a type (``Tensor``, a class's qualified name).

    Three names are not TorchScript's: ``?`` is *no observation yet* (the bottom, also the element of a container that
    was only seen empty), ``!`` is *not expressible* (the top), ``Module`` any nn.Module. ``str(t)`` is canonical and
    `parse` reads it back.
    """

    name: str
    args: tuple[Type, ...] = ()

    def __str__(self) -> str:
        return self.name + (f"[{', '.join(map(str, self.args))}]" if self.args else "")

    @property
    def known(self) -> bool:
        """Whether it can be written as an annotation: nothing in it is unknown, inexpressible or a module."""
        return self.name not in ("?", "!", "Module") and all(a.known for a in self.args)

    @property
    def optional(self) -> bool:
        return self.name == "Optional"

    @property
    def element(self) -> Type:
        """The type inside an Optional or List; itself otherwise."""
        return self.args[0] if self.name in ("Optional", "List") else self

    @property
    def present(self) -> Type:
        """The type of a value that is not None."""
        return self.element if self.optional else self

    def names(self) -> set[str]:
        """Every constructor and type name in it."""
        return {self.name}.union(*(a.names() for a in self.args))


UNKNOWN, TOP, NONE = Type("?"), Type("!"), Type("None")
TENSOR, INT, FLOAT, BOOL, STR, COMPLEX = (Type(n) for n in ("Tensor", "int", "float", "bool", "str", "complex"))
DEVICE, MODULE = Type("torch.device"), Type("Module")
SCALARS = frozenset({INT, FLOAT, BOOL, COMPLEX})
Alias = Callable[[str], "ast.expr | None"]


def list_of(element: Type) -> Type:
    return Type("List", (element,))


def dict_of(key: Type, value: Type) -> Type:
    return Type("Dict", (key, value))


def tuple_of(elements: Iterable[Type]) -> Type:
    elements = tuple(elements)
    return Type("Tuple", elements) if elements else TOP


def optional(inner: Type) -> Type:
    return inner if inner.optional or inner in (NONE, TOP) else Type("Optional", (inner,))


def join(a: Type, b: Type) -> Type:
    """The smallest type that holds both: ``None`` makes Optional, int with float a Union, tuples join by arity."""
    if a == b or b == UNKNOWN:
        return a
    if a == UNKNOWN:
        return b
    if TOP in (a, b):
        return TOP
    if a == NONE or b == NONE:
        return optional(b if a == NONE else a)
    if a.optional or b.optional:
        return optional(join(a.present, b.present))
    if a.name == b.name and a.name in ("List", "Dict", "Tuple") and len(a.args) == len(b.args):
        args = tuple(map(join, a.args, b.args))
        return TOP if TOP in args else Type(a.name, args)
    members = {m for t in (a, b) for m in (t.args if t.name == "Union" else (t,))}
    if members <= SCALARS | {TENSOR, STR} and len(members) <= 3:
        return Type("Union", tuple(sorted(members, key=str)))
    return TOP


def join_given(a: Type, b: Type) -> Type:
    """As `join`, for what a parameter is given: a tensor or a list or tuple of them, which `isinstance` tells apart."""
    joined = join(a, b)
    if joined != TOP or TOP in (a, b):
        return joined
    if a.optional or b.optional:
        return optional(join_given(a.element if a.optional else a, b.element if b.optional else b))
    members = {m for t in (a, b) for m in (t.args if t.name == "Union" else (t,))}
    several = [m for m in members if m != TENSOR]
    if TENSOR in members and len(several) == 1 and several[0].name in ("List", "Tuple") and several[0].known:
        return Type("Union", (TENSOR, several[0]))
    return TOP


def join_all(types: Iterable[Type]) -> Type:
    result = UNKNOWN
    for t in types:
        result = join(result, t)
    return result


def accepts(declared: Type, value: Type) -> bool:
    """Whether a value of type ``value`` may go where ``declared`` stands, as TorchScript sees it (no int → float)."""
    if declared == value or value == UNKNOWN:
        return True
    if declared.optional:
        return value == NONE or accepts(declared.element, value.present)
    if declared.name == "Union":
        return all(m in declared.args for m in (value.args if value.name == "Union" else (value,)))
    same_shape = declared.name == value.name and len(declared.args) == len(value.args) > 0
    return same_shape and all(map(accepts, declared.args, value.args))


def parse(text: str, resolve: Callable[[str], str] = lambda name: name, alias: Alias = lambda name: None) -> Type:
    """Reads ``str(type)``, or an annotation's source with ``resolve`` mapping a dotted name as written to its origin.

    What TorchScript does not take (``Any``, ``Tuple[T, ...]``, ``Callable``) gives the top.
    """
    if "?" in text or "!" in text:
        text = text.replace("?", "__unknown__").replace("!", "__top__")
    try:
        node = ast.parse(text.strip(), mode="eval").body
    except SyntaxError:
        return TOP
    return from_annotation(node, resolve, alias)


_SPELLINGS = {
    "__unknown__": UNKNOWN, "__top__": TOP, "torch.Tensor": TENSOR, "torch.nn.Parameter": TENSOR,
    "torch.nn.parameter.Parameter": TENSOR, "torch.Size": list_of(INT), "torch.nn.Module": TOP,
    "torch.nn.modules.module.Module": TOP, "torch.autograd.Variable": TOP, "torch.autograd.variable.Variable": TOP,
    **{f"torch.{kind}Tensor": TENSOR for kind in "Bool Byte Char Double Float Half Int Long Short".split()},
}  # fmt: skip
_GENERICS = {
    "List": "List",
    "list": "List",
    "Dict": "Dict",
    "dict": "Dict",
    "Tuple": "Tuple",
    "tuple": "Tuple",
    "Optional": "Optional",
    "Union": "Union",
}
_REFUSED = frozenset(
    "Any object Callable Sequence MutableSequence Iterable Iterator Generator Collection Mapping MutableMapping"
    " list dict tuple List Dict Tuple set Set FrozenSet frozenset Optional Union Type type Text AnyStr Hashable"
    " numbers.Number numbers.Real torch.layout torch.memory_format".split()
)


def from_annotation(
    node: ast.expr, resolve: Callable[[str], str] = lambda name: name, alias: Alias = lambda name: None
) -> Type:
    """The type an annotation denotes; the top when TorchScript has none for it.

    ``alias`` gives the annotation that a name stands for, if it is one.
    """
    if isinstance(node, ast.Constant):
        if node.value is None:
            return NONE
        return parse(node.value, resolve, alias) if isinstance(node.value, str) else TOP
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return join_given(from_annotation(node.left, resolve, alias), from_annotation(node.right, resolve, alias))
    if isinstance(node, ast.Subscript):
        name = resolve(ast.unparse(node.value)).removeprefix("typing.").removeprefix("torch.jit.annotations.")
        if name in ("Final", "torch.jit.Final"):
            return from_annotation(node.slice, resolve, alias)
        parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        args = tuple(from_annotation(p, resolve, alias) for p in parts)
        generic = _GENERICS.get(name)
        if generic is None or TOP in args:
            return TOP
        if generic in ("Optional", "Union"):
            return optional(args[0]) if generic == "Optional" else reduce(join_given, args, UNKNOWN)
        return Type(generic, args) if len(args) == {"List": 1, "Dict": 2}.get(generic, len(args)) else TOP
    if isinstance(node, (ast.Name, ast.Attribute)):
        meaning = alias(node.id) if isinstance(node, ast.Name) else None
        if meaning is not None:
            return from_annotation(meaning, resolve, alias)
        name = resolve(ast.unparse(node)).removeprefix("typing.").removeprefix("builtins.")
        name = name.removeprefix("collections.abc.")
        if name in _SPELLINGS:
            return _SPELLINGS[name]
        return TOP if name in _REFUSED or name.startswith("numpy.") else Type(name)
    return TOP


def render(type_: Type, spell: Callable[[str], str]) -> str:
    """The type as an annotation. ``spell`` maps an origin (``typing.List``, ``torch.Tensor``) to the file's name.

    Raises ValueError for a type that is not `known`.
    """
    if not type_.known:
        raise ValueError(f"{type_} cannot be written as a TorchScript annotation")
    if type_.name in ("List", "Dict", "Tuple", "Optional", "Union"):
        return f"{spell('typing.' + type_.name)}[{', '.join(render(a, spell) for a in type_.args)}]"
    if type_ == TENSOR:
        return spell("torch.Tensor")
    return spell(type_.name) if "." in type_.name else type_.name
