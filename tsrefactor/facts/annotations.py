"""What an author's annotation means, where TorchScript does not take it as it is written."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from .nodes import walk
from .types import (
    FLOAT,
    INT,
    NONE,
    TENSOR,
    TOP,
    UNKNOWN,
    Type,
    dict_of,
    join,
    join_all,
    list_of,
    optional,
    parse,
    tuple_of,
)

if TYPE_CHECKING:
    from .file import FileFacts

_PREFIXES = ("typing.", "typing_extensions.", "collections.abc.", "collections.", "builtins.")
_LISTS = frozenset("Sequence MutableSequence Iterable Collection List list".split())
_DICTS = frozenset("Mapping MutableMapping OrderedDict DefaultDict defaultdict Dict dict".split())
_NAMES = {
    **dict.fromkeys(("torch.autograd.Variable", "torch.autograd.variable.Variable"), TENSOR),
    **dict.fromkeys(("numbers.Number", "numbers.Real"), join(INT, FLOAT)),
    "torch.Size": list_of(INT),
}
# What a value of these is under TorchScript, as far as it can be one, where no run passed one.
_PRESUMED = {"dict": dict_of(Type("str"), TENSOR), "list": list_of(TENSOR), "numpy.ndarray": TENSOR}


def meant(file: FileFacts, node: ast.expr) -> Type:
    """The TorchScript type nearest to what an annotation says; `UNKNOWN` where it says nothing that has one."""
    match node:
        case ast.Constant(value=str() as text):
            try:
                return meant(file, ast.parse(text.strip(), mode="eval").body)
            except SyntaxError:
                return UNKNOWN
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return _any_of([meant(file, left), meant(file, right)])
        case ast.Subscript(value=head, slice=inside):
            return _generic(file, _name(file, head), inside.elts if isinstance(inside, ast.Tuple) else [inside])
        case ast.Name(id=name) if (alias := file.alias(name)) is not None:
            return meant(file, alias)
        case ast.Name() | ast.Attribute() if file.origin(node) in _NAMES:
            return _NAMES[file.origin(node)]
    found = file.annotated(node)
    return UNKNOWN if found == TOP else found


def _generic(file: FileFacts, name: str, inside: list[ast.expr]) -> Type:
    if name == "Literal":
        return join_all(parse(type(e.value).__name__) for e in inside if isinstance(e, ast.Constant))
    if name in ("Annotated", "Final", "ClassVar", "torch.jit.Final") or name.startswith("jaxtyping."):
        return meant(file, inside[0])  # the rest says something about it
    dots = any(isinstance(e, ast.Constant) and e.value is Ellipsis for e in inside)
    args = [meant(file, e) for e in inside if not (isinstance(e, ast.Constant) and e.value is Ellipsis)]
    if name == "Optional":
        return optional(args[0]) if args[0] != UNKNOWN else UNKNOWN
    if name == "Union":
        return _any_of(args)
    if UNKNOWN in args:
        return UNKNOWN
    if name in _LISTS or (name in ("Tuple", "tuple") and dots):
        return list_of(args[0]) if len(args) == 1 else UNKNOWN
    if name in ("Tuple", "tuple"):
        return tuple_of(args)
    return dict_of(*args) if name in _DICTS and len(args) == 2 else UNKNOWN


def _any_of(types: list[Type]) -> Type:
    found = join_all(types)
    return UNKNOWN if UNKNOWN in types or found == TOP else found


def _name(file: FileFacts, head: ast.expr) -> str:
    name = file.origin(head)
    prefix = next((p for p in _PREFIXES if name.startswith(p)), "")
    return name.removeprefix(prefix)


def presumed(file: FileFacts, node: ast.expr) -> Type:
    """What a value of a bare ``dict``, ``list`` or an array would be, or None; `NONE` for any other annotation."""
    if isinstance(node, ast.Subscript) and _name(file, node.value) == "Optional":
        return presumed(file, node.slice)
    name = _name(file, node)
    return _PRESUMED.get(name.lower() if name in ("Dict", "List") else name, NONE)


def rejected(file: FileFacts, node: ast.expr) -> bool:
    """Whether TorchScript does not compile an annotation. It takes a Union of whatever types it has."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        try:
            node = ast.parse(node.value.strip(), mode="eval").body
        except SyntaxError:
            return True
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return rejected(file, node.left) or rejected(file, node.right)
    if isinstance(node, ast.Subscript) and _name(file, node.value) in ("Union", "Optional"):
        members = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        return any(rejected(file, m) for m in members)
    if isinstance(node, ast.Name) and (alias := file.alias(node.id)) is not None:
        return rejected(file, alias)
    names = (n for n in walk(node) if isinstance(n, (ast.Name, ast.Attribute)))
    return (file.annotated(node) == TOP and _name(file, node) != "Any") or any(file.origin(n) in _NAMES for n in names)
