"""An `if` with its `elif`, which arms of it bind a name, and whether the name is surely read afterwards."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from .definitions import Function
from .file import FileFacts
from .flow import leaves
from .nodes import walk

_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_LOOPS = (ast.For, ast.AsyncFor, ast.While)


def is_elif(file: FileFacts, node: ast.AST) -> bool:
    """Whether an `if` is written `elif`."""
    parent = file.parents.get(node)
    return (
        isinstance(node, ast.If)
        and isinstance(parent, ast.If)
        and parent.orelse == [node]
        and node.col_offset == parent.col_offset
    )


def head_of(file: FileFacts, node: ast.If) -> ast.If:
    """The `if` that an `elif` belongs to."""
    while is_elif(file, node):
        node = file.parents[node]  # type: ignore[assignment]
    return node


def links(file: FileFacts, head: ast.If) -> list[ast.If]:
    """The `if` and its `elif`, in order."""
    found = [head]
    while len(found[-1].orelse) == 1 and is_elif(file, found[-1].orelse[0]):
        found.append(found[-1].orelse[0])  # type: ignore[arg-type]
    return found


def arms(file: FileFacts, head: ast.If) -> list[list[ast.stmt]]:
    """The blocks of an `if`, its `elif` and its `else`; the last is empty where there is no `else`."""
    every = links(file, head)
    return [*(link.body for link in every), every[-1].orelse]


def ends_without(function: Function, block: Sequence[ast.stmt], name: str) -> Iterator[ast.stmt | Sequence[ast.stmt]]:
    """Where the paths end that reach the end of a block without binding a name.

    An `if` without `else` stands for its missing `else`, a block for its end.
    """
    if leaves(block) or name in function.flow.always_writes(block):
        return
    last = next((s for s in reversed(block) if name in function.flow.writes([s])), None)
    if not isinstance(last, ast.If):
        yield block
        return
    for arm in arms(function.file, last):
        if not arm:
            yield last
        else:
            yield from ends_without(function, arm, name)


def enclosing_loop(function: Function, node: ast.AST) -> ast.stmt | None:
    """The outermost loop of the function around a node, or the node itself when it is one."""
    found = None
    while node is not function.node:
        if isinstance(node, _LOOPS):
            found = node
        node = function.file.parents[node]
    return found


def may_be_bound(function: Function, head: ast.stmt, name: str) -> bool:
    """Whether any path binds a name before a statement is reached."""
    if any(p.name == name for p in function.parameters):
        return True
    loop = enclosing_loop(function, head)
    until = (loop or head).lineno
    stores = [n for n in function.of(ast.Name) if n.id == name and isinstance(n.ctx, ast.Store)]
    inside = set(walk(loop)) if loop is not None else set()
    return any(n.lineno < until or n in inside for n in stores)


def surely_read(function: Function, statement: ast.stmt, name: str) -> bool:
    """Whether every path on from the end of a statement reads a name before it binds it; not where a `try` is."""
    file, node = function.file, statement
    above: ast.AST = statement
    while above is not function.node:
        above = file.parents[above]
        if isinstance(above, ast.Try):
            return False
    while True:
        block = file.block_of(node)
        for later in block[block.index(node) + 1 :]:
            told = reads_first(function, later, name)
            if told is not None:
                return told
        parent = file.parents[node]
        if not isinstance(parent, (ast.If, ast.With)):
            return False
        node = parent


def reads_first(function: Function, statement: ast.stmt, name: str) -> bool | None:
    """Whether a statement reads the name for sure (True), may end the search (False), or does neither (None)."""
    if isinstance(statement, (ast.If, ast.While)):
        heads = [statement.test]
    elif isinstance(statement, ast.For):
        heads = [statement.iter]
    elif isinstance(statement, ast.With):
        heads = [i.context_expr for i in statement.items]
    elif isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Try, ast.Match)):
        return False
    else:
        heads = [e for e in ast.iter_child_nodes(statement) if isinstance(e, ast.expr)]
    if any(reads_surely(head, name) for head in heads):
        return True
    if isinstance(statement, ast.AugAssign) and isinstance(statement.target, ast.Name) and statement.target.id == name:
        return True
    if isinstance(statement, ast.If):
        told = [_block_reads_first(function, arm, name) for arm in (statement.body, statement.orelse)]
        if all(told):
            return True
    if isinstance(statement, ast.With):
        return _block_reads_first(function, statement.body, name)
    ends = (ast.Return, ast.Raise, ast.Break, ast.Continue)
    if name in function.flow.writes([statement]) or any(isinstance(n, ends) for n in walk(statement)):
        return False
    return None


def _block_reads_first(function: Function, block: Sequence[ast.stmt], name: str) -> bool | None:
    return next((told for s in block if (told := reads_first(function, s, name)) is not None), None)


def reads_surely(node: ast.AST, name: str) -> bool:
    """Whether evaluating an expression always reads a name."""
    if isinstance(node, ast.Name):
        return node.id == name and isinstance(node.ctx, ast.Load)
    if isinstance(node, ast.Lambda):
        return False
    if isinstance(node, ast.IfExp):
        return reads_surely(node.test, name) or (reads_surely(node.body, name) and reads_surely(node.orelse, name))
    if isinstance(node, ast.BoolOp):
        return reads_surely(node.values[0], name)
    if isinstance(node, _COMPREHENSIONS):
        return reads_surely(node.generators[0].iter, name)
    return any(reads_surely(child, name) for child in ast.iter_child_nodes(node))
