"""Where a statement may be put before a use: whether the use is always evaluated, and what stands there."""

from __future__ import annotations

import ast

from .definitions import Function
from .file import FileFacts


def lazy_place(file: FileFacts, node: ast.AST, statement: ast.stmt) -> ast.AST | None:
    """The innermost expression around a node that may leave it out: the arm of a ternary, what follows an ``and``."""
    inside = node
    while inside is not statement:
        outer = file.parents[inside]
        if isinstance(outer, ast.IfExp) and inside is not outer.test:
            return outer
        if isinstance(outer, ast.BoolOp) and inside is not outer.values[0]:
            return outer
        if isinstance(outer, (ast.Lambda, ast.GeneratorExp)):
            return outer
        inside = outer
    return None


def is_elif(file: FileFacts, statement: ast.stmt) -> bool:
    """Whether the statement is the ``elif`` of another: nothing can be put before it."""
    parent = file.parents[statement]
    if not isinstance(statement, ast.If) or not isinstance(parent, ast.If) or parent.orelse != [statement]:
        return False
    return file.source.segment(statement).startswith("elif")


def is_tried(function: Function, node: ast.AST) -> bool:
    """Whether a node stands in a ``try``, which may wait for what it raises."""
    while node is not function.node:
        node = function.file.parents[node]
        if isinstance(node, ast.Try):
            return True
    return False


def only_eager(file: FileFacts, node: ast.AST) -> bool:
    """Whether a node stands where TorchScript only parses: under ``if not torch.jit.is_scripting():``."""
    while not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        parent = file.parents[node]
        if isinstance(parent, (ast.IfExp, ast.If)):
            test, negated = parent.test, False
            if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
                test, negated = test.operand, True
            if isinstance(test, ast.Call) and file.origin(test.func) == "torch.jit.is_scripting":
                body = parent.body if isinstance(parent.body, list) else [parent.body]
                if (node in body) == negated and node is not parent.test:
                    return True
        node = parent
    return False


def untraced(file: FileFacts, statement: ast.stmt) -> bool:
    """Whether a trace never asks for the statement's condition: `torch.jit.is_tracing()` is asked before."""
    parent = file.parents[statement]
    if isinstance(parent, ast.If) and statement in parent.orelse and _asks_for_trace(file, parent.test):
        return True
    if not isinstance(statement, ast.If) or not isinstance(statement.test, ast.BoolOp):
        return False
    first = statement.test.values[0]
    if isinstance(statement.test.op, ast.And):
        return isinstance(first, ast.UnaryOp) and isinstance(first.op, ast.Not) and _asks_for_trace(file, first.operand)
    return _asks_for_trace(file, first)


def _asks_for_trace(file: FileFacts, test: ast.expr) -> bool:
    return isinstance(test, ast.Call) and file.origin(test.func) == "torch.jit.is_tracing"


def declines(file: FileFacts, node: ast.AST) -> bool:
    """Whether it raises under TorchScript and only there: ``if torch.jit.is_scripting():`` before a ``raise``."""
    if not isinstance(node, ast.If) or not isinstance(node.test, ast.Call) or not isinstance(node.body[-1], ast.Raise):
        return False
    return file.origin(node.test.func) == "torch.jit.is_scripting"


def always_evaluated(function: Function, node: ast.AST) -> bool:
    """Whether every call of the function that returns evaluates a node; loops are taken to run at least once."""
    parents, inside = function.file.parents, node
    while inside is not function.node:
        outer = parents[inside]
        match outer:
            case ast.If(test=test) | ast.IfExp(test=test) | ast.While(test=test) if inside is not test:
                return False
            case ast.BoolOp(values=[first, *_]) if inside is not first:
                return False
            case ast.Lambda() | ast.ExceptHandler() | ast.Assert():
                return False
        inside = outer
    line = function.file.statement_of(node).lineno
    return not any(n.lineno < line for n in function.of(ast.Return))
