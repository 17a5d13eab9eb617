"""What kind of sequence an expression gives, and where any kind will do: sizes, shapes, lists and tuples."""

from __future__ import annotations

import ast

from .definitions import Function
from .nodes import walk
from .operations import call_returns, is_operation
from .types import BOOL, TENSOR, UNKNOWN, list_of

# How many values a sequence has is known to TorchScript only for FIXED ones; the others it sees as lists. In eager SIZE
# is a tuple (torch.Size too), LIST a list, OTHER anything that `list` takes.
FIXED, SIZE, LIST, OTHER = "fixed", "size", "list", "other"

# Methods of a tensor that take sizes one by one as well as in one sequence.
SIZE_METHODS = frozenset("view reshape permute expand repeat tile flip new_zeros new_ones new_empty resize_".split())
# Operations that give a tuple in eager and a list in TorchScript.
_TUPLES = frozenset(
    "chunk split split_with_sizes tensor_split hsplit vsplit dsplit unbind broadcast_tensors meshgrid".split()
)
# Methods of a tensor that take a sequence of sizes, dimensions or tensors, of any kind.
_TAKERS = SIZE_METHODS | frozenset(
    "sum mean std var any all amax amin norm logsumexp nansum nanmean roll movedim squeeze new_full new_tensor"
    " split split_with_sizes tensor_split unflatten index_put index_put_ expand_copy broadcast_to sum_to_size"
    " repeat_interleave as_strided view_copy masked_scatter count_nonzero std_mean var_mean rot90".split()
)
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
    stores = [n for n in function.of(ast.Name) if n.id == name and not isinstance(n.ctx, ast.Load)]
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


def is_plain_tuple(function: Function, node: ast.expr) -> bool:
    """Whether a SIZE is a tuple for sure (of ``x.chunk(2)``), where another is a ``torch.Size``."""
    return sort_of(function, node) == SIZE and function.type_of(node) == list_of(TENSOR)


def any_sequence_will_do(
    function: Function, node: ast.expr, size: bool = False, busy: frozenset[str] = frozenset()
) -> bool:
    """Whether a list does as well as a tuple, wherever the value of an expression goes.

    With ``size``, whether a ``torch.Size`` does: it is a tuple that is shown in another way, and may be joined to one.
    """
    file = function.file
    parent = file.parents[node]
    if isinstance(parent, ast.keyword):
        parent = file.parents[parent]
    match parent:
        case ast.Call():
            return parent.func is not node and _call_takes(function, parent)
        case ast.Subscript(value=value) if value is node:
            return not isinstance(parent.slice, ast.Slice) or any_sequence_will_do(function, parent, size, busy)
        case ast.Starred():
            return True
        case ast.For(iter=over) | ast.comprehension(iter=over):
            return over is node
        case ast.IfExp(test=test):
            return test is node or any_sequence_will_do(function, parent, size, busy)
        case ast.BinOp(op=ast.Add() | ast.Mult()) if size:
            return any_sequence_will_do(function, parent, size, busy)
        case ast.Compare(ops=ops) if size:
            return all(isinstance(op, (ast.Eq, ast.NotEq)) for op in ops)
        case ast.Assign(targets=[ast.Tuple() | ast.List()]):
            return True
        case ast.Assign(targets=[ast.Name(id=name)]):
            return name in busy or _reads_take(function, name, size, busy | {name})
    return False


def _call_takes(function: Function, call: ast.Call) -> bool:
    """Whether a call takes any sequence for an argument and keeps none."""
    origin = function.file.origin(call.func)
    if origin in _BUILTINS:
        picks = origin in ("max", "min") and len(call.args) > 1  # gives one of its arguments back
        return not picks and not function.types.bindings.shadows(origin)
    if is_operation(origin):
        return call_returns(origin, 1, frozenset()) not in (UNKNOWN, BOOL)
    return isinstance(call.func, ast.Attribute) and call.func.attr in _TAKERS


def any_kind_where_read(function: Function, name: str) -> bool:
    """Whether a list does as well as a tuple wherever a local name is read."""
    return _reads_take(function, name, False, frozenset({name}))


def _reads_take(function: Function, name: str, size: bool, busy: frozenset[str]) -> bool:
    """Whether any sequence will do wherever a local name is read; not where an inner scope or others may read it."""
    if any(name in node.names for node in function.of(ast.Global, ast.Nonlocal)):
        return False
    for scope in function.of(ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda):
        if any(isinstance(n, ast.Name) and n.id == name for n in walk(scope)):
            return False
    reads = [n for n in function.of(ast.Name) if n.id == name and isinstance(n.ctx, ast.Load)]
    return all(any_sequence_will_do(function, n, size, busy) for n in reads)
