"""Variables that start as a number, and the statements that add to them."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tsrefactor.source.edits import Edit, Replace

from .definitions import Function

OPERATORS: dict[type[ast.operator], str] = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*"}


def numbers(statement: ast.Assign) -> Iterator[tuple[str, ast.expr]]:
    """The names that a statement starts with a number: ``a = 0``, ``a, b = 0, 0.``."""
    if len(statement.targets) != 1:
        return
    target, value = statement.targets[0], statement.value
    pairs = [(target, value)]
    if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple) and len(target.elts) == len(value.elts):
        pairs = list(zip(target.elts, value.elts, strict=True))
    for to, number in pairs:
        if isinstance(to, ast.Name) and is_number(number):
            yield to.id, number


def is_number(node: ast.expr) -> bool:
    """Whether it is a literal int or float."""
    return isinstance(node, ast.Constant) and type(node.value) in (int, float)


def out_of_place(function: Function, statement: ast.AugAssign, name: str) -> Edit:
    """``total += x`` as ``total = total + x``."""
    operator = {**OPERATORS, ast.Div: "/"}[type(statement.op)]
    value = statement.value if operator in "*/" else _operand(function, statement.value)
    return Replace([statement], f"{name} = {name} {operator} {{value}}", {"value": value})


def _operand(function: Function, node: ast.expr) -> ast.expr | str:
    """A term as it stands, without the parentheses that a product does not need."""
    text = function.file.source.segment(node)
    product = isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Mult, ast.Div, ast.MatMult))
    return text if product and "\n" not in text else node
