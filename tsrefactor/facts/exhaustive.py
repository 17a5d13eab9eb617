"""Chains of `if` that leave no value out which the constructor lets through."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from .attributes import Attributes
from .branches import head_of, links
from .computed_names import set_by_name
from .definitions import Class, Function
from .nodes import walk

_Values = list[object]


def exhaustive_end(function: Function, attributes: Attributes) -> ast.If | None:
    """The chain without `else` that ends a method, where each link returns a value and asks for values of one
    attribute, all of them together those that `__init__` accepts: no instance passes all of them by."""
    last = function.node.body[-1]
    if not isinstance(last, ast.If) or function.cls is None:
        return None
    chain = links(function.file, head_of(function.file, last))
    if chain[-1].orelse or not all(isinstance(r := link.body[-1], ast.Return) and r.value for link in chain):
        return None
    asked = [_asked(function, link.test) for link in chain]
    names = {name for name, _ in asked}
    name = names.pop() if len(names) == 1 else None
    values = [v for _, found in asked for v in found]
    accepted = _accepted(function.cls, name, attributes) if name is not None else None
    return chain[0] if accepted and all(v in values for v in accepted) else None


def _asked(function: Function, test: ast.expr) -> tuple[str | None, _Values]:
    """``mode`` and ``['sum', 'mean']`` of ``self.mode in ('sum', 'mean')``, of ``self.mode == 'sum'`` the one."""
    if not isinstance(test, ast.Compare) or len(test.ops) != 1:
        return None, []
    name, values = function.self_attribute(test.left), _literals(test.comparators[0])
    if isinstance(test.ops[0], ast.Eq) and isinstance(test.comparators[0], ast.Constant):
        return name, [test.comparators[0].value]
    return (name, values) if isinstance(test.ops[0], ast.In) and values else (None, [])


def _literals(node: ast.expr) -> _Values:
    if not isinstance(node, (ast.List, ast.Tuple, ast.Set)) or not all(isinstance(e, ast.Constant) for e in node.elts):
        return []
    return [e.value for e in node.elts if isinstance(e, ast.Constant)]


def _accepted(cls: Class, name: str, attributes: Attributes) -> _Values | None:
    """The values of an attribute that `__init__` sets and lets through."""
    assigned = [pair for c in attributes.family(cls) for pair in c.assigned.get(name, ())]
    if len(assigned) != 1 or not attributes.set_by_init(cls, name) or set_by_name(cls, name):
        return None
    [(init, value)] = assigned
    for statement in init.node.body:
        if any(isinstance(n, ast.Return) for n in walk(statement)):
            return None  # what comes after it may be left out
        for asked, values in _lets_through(init, statement):
            same = isinstance(value, ast.Name) and isinstance(asked, ast.Name) and asked.id == value.id
            rebound = isinstance(value, ast.Name) and value.id in init.flow.writes(init.node.body)
            if init.self_attribute(asked) == name or (same and not rebound):
                return values
    return None


def _lets_through(init: Function, statement: ast.stmt) -> Iterator[tuple[ast.expr, _Values]]:
    """``mode`` and its values for ``if mode not in [...]: raise`` and ``assert mode in [...]``."""
    if isinstance(statement, ast.If) and isinstance(statement.body[0], ast.Raise) and not statement.orelse:
        test, wanted = statement.test, ast.NotIn
    elif isinstance(statement, ast.Assert):
        test, wanted = statement.test, ast.In  # type: ignore[assignment]
    else:
        return
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not) and wanted is ast.NotIn:
        test, wanted = test.operand, ast.In  # type: ignore[assignment]
    asks = isinstance(test, ast.Compare) and len(test.ops) == 1 and isinstance(test.ops[0], wanted)
    if isinstance(test, ast.Compare) and asks and (values := _literals(test.comparators[0])):
        yield test.left, values
