"""What kind of sequence an expression gives, and where any kind will do: sizes, shapes, lists and tuples."""

from __future__ import annotations

import ast

from .file import Function
from .operations import TENSOR_METHODS, is_operation
from .types import TENSOR

# How many values a sequence has is known to TorchScript only for FIXED ones; the others it sees as lists. In eager SIZE
# is a tuple (torch.Size too), LIST a list, OTHER anything that `list` takes.
FIXED, SIZE, LIST, OTHER = "fixed", "size", "list", "other"

# Methods of a tensor that take sizes one by one as well as in one sequence.
SIZE_METHODS = frozenset("view reshape permute expand repeat tile flip new_zeros new_ones new_empty resize_".split())
# Operations that give a tuple in eager and a list in TorchScript.
_TUPLES = frozenset(
    "chunk split split_with_sizes tensor_split hsplit vsplit dsplit unbind broadcast_tensors meshgrid".split()
)
_TAKERS = TENSOR_METHODS | SIZE_METHODS | {"amax", "amin", "index_put", "tensor_split", "pad"}
_BUILTINS = {"len", "list", "tuple", "sum", "max", "min", "enumerate", "zip", "sorted", "reversed", "torch.Size"}


def sort_of(function: Function, node: ast.expr, busy: frozenset[str] = frozenset()) -> str | None:
    """What kind of sequence an expression gives in eager; None where the source does not say."""
    match node:
        case ast.Tuple(elts=elements):
            return SIZE if any(isinstance(e, ast.Starred) for e in elements) else FIXED
        case ast.List() | ast.ListComp():
            return LIST
        case ast.Attribute(attr="shape"):
            return SIZE
        case ast.Call():
            return _sort_of_call(function, node)
        case ast.Subscript(slice=ast.Slice()):
            return sort_of(function, node.value, busy)
        case ast.BinOp(op=ast.Add()):
            sorts = {sort_of(function, node.left, busy), sort_of(function, node.right, busy)}
            return (
                None if None in sorts or OTHER in sorts else LIST if LIST in sorts else SIZE if SIZE in sorts else FIXED
            )
        case ast.BinOp(op=ast.Mult()):
            sorts = {sort_of(function, node.left, busy), sort_of(function, node.right, busy)} - {None}
            return LIST if LIST in sorts else SIZE if sorts & {SIZE, FIXED} else None
        case ast.IfExp():
            sorts = {sort_of(function, node.body, busy), sort_of(function, node.orelse, busy)}
            return sorts.pop() if len(sorts) == 1 else None
        case ast.Name(id=name) if name not in busy:
            return _sort_of_name(function, name, busy | {name})
    return OTHER if function.type_of(node) == TENSOR else None


def _sort_of_call(function: Function, node: ast.Call) -> str | None:
    origin = function.file.origin(node.func)
    if isinstance(node.func, ast.Attribute) and node.func.attr == "size" and not node.args and not node.keywords:
        return SIZE
    if origin in ("list", "sorted") or (isinstance(node.func, ast.Attribute) and node.func.attr == "tolist"):
        return LIST
    if origin in ("tuple", "torch.Size"):
        return SIZE
    if origin in ("range", "zip", "map", "reversed", "enumerate", "filter"):
        return OTHER
    if (
        function.type_of(node).name == "List"
        and (origin or getattr(node.func, "attr", "")).rpartition(".")[2] in _TUPLES
    ):
        return SIZE
    return OTHER if function.type_of(node) == TENSOR else None


def _sort_of_name(function: Function, name: str, busy: frozenset[str]) -> str | None:
    """The one sort that all bindings of a local name have."""
    stores = [n for n in function.nodes if isinstance(n, ast.Name) and n.id == name and not isinstance(n.ctx, ast.Load)]
    if any(p.name == name for p in function.parameters) or not stores:
        return OTHER if function.type_of(ast.Name(name, ast.Load())) == TENSOR else None
    sorts = {_sort_of_binding(function, store, busy) for store in stores}
    added = any(isinstance(function.file.parents[s], ast.AugAssign) for s in stores)
    sorts.discard("")
    if added and sorts == {FIXED}:
        return SIZE
    return sorts.pop() if len(sorts) == 1 else None


def _sort_of_binding(function: Function, store: ast.Name, busy: frozenset[str]) -> str | None:
    """What one binding of a name gives it; "" for what is added in place, which changes neither list nor tuple."""
    parent = function.file.parents[store]
    if isinstance(parent, ast.AugAssign):
        return ""
    if isinstance(parent, ast.Starred):
        return LIST
    if isinstance(parent, (ast.Assign, ast.AnnAssign)) and parent.value is not None:
        return sort_of(function, parent.value, busy)
    if isinstance(parent, ast.Tuple):
        statement = function.file.parents[parent]
        value = statement.value if isinstance(statement, ast.Assign) else None
        if isinstance(value, ast.Tuple) and len(value.elts) == len(parent.elts):
            return sort_of(function, value.elts[parent.elts.index(store)], busy)
    return OTHER if function.type_of(ast.Name(store.id, ast.Load())) == TENSOR else None


def any_sequence_will_do(function: Function, node: ast.expr) -> bool:
    """Whether a list does as well as a tuple, wherever the value of an expression goes."""
    file = function.file
    parent = file.parents[node]
    if isinstance(parent, ast.keyword):
        parent = file.parents[parent]
    if isinstance(parent, ast.Call):
        origin = file.origin(parent.func)
        method = isinstance(parent.func, ast.Attribute) and parent.func.attr in _TAKERS
        return is_operation(origin) or origin in _BUILTINS or method
    if isinstance(parent, ast.Subscript):
        return parent.value is node
    if isinstance(parent, (ast.Starred, ast.For, ast.comprehension)):
        return True
    if isinstance(parent, ast.Assign) and len(parent.targets) == 1:
        target = parent.targets[0]
        if isinstance(target, ast.Tuple):
            return True
        if isinstance(target, ast.Name):
            named = [n for n in function.nodes if isinstance(n, ast.Name) and n.id == target.id]
            reads = [n for n in named if isinstance(n.ctx, ast.Load)]
            return all(not isinstance(file.parents[n], ast.Assign) and any_sequence_will_do(function, n) for n in reads)
    return False
