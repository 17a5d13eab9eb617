"""Conditions that the instance decides once for all: TorchScript drops a branch only where a Final bool decides it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cached_property

from .attributes import Attributes
from .definitions import Function
from .file import FileFacts
from .nodes import walk
from .types import BOOL, NONE, SCALARS, STR, UNKNOWN, Type

_PLAIN = SCALARS | {STR, BOOL, NONE}


class FixedConditions:
    """The conditions of one file that nothing but attributes set by `__init__` decides."""

    def __init__(self, file: FileFacts):
        self.file = file

    @cached_property
    def attributes(self) -> Attributes:
        return Attributes(self.file)

    def open(self, function: Function, test: ast.expr) -> bool:
        """Whether Final bools could decide the condition, one of which is none yet.

        Not where it also asks for what an instance does not fix, its mode or its inputs.
        """
        if function.cls is None or function.self_name is None:
            return False
        found = [self._open(function, leaf) for leaf in _leaves(test)]
        return None not in found and any(found)

    def _open(self, function: Function, leaf: ast.expr) -> bool | None:
        """The same for a part of a condition; None where the instance does not fix it."""
        assert function.cls is not None
        if isinstance(leaf, ast.Compare) and _compares_identity(leaf):
            return False if function.self_attribute(leaf.left) is not None else None
        if self.parts(function, leaf):
            return True
        name = function.self_attribute(leaf)
        if name is None or not self.attributes.is_flag(function.cls, name):
            return None
        return not self.attributes.is_final(function.cls, name)

    def parts(self, function: Function, test: ast.expr) -> list[ast.expr]:
        """The parts of a condition, below `not`, `and` and `or`, that such attributes decide and that are no bool."""
        return [part for leaf in _leaves(test) for part in self._parts(function, leaf)]

    def _parts(self, function: Function, test: ast.expr) -> list[ast.expr]:
        if isinstance(test, ast.Compare):
            return [test] if not _compares_identity(test) and self.reads(function, test) else []
        name = function.self_attribute(test)
        if name is None or function.cls is None:
            return []
        type_ = self.attributes.fixed_type(function.cls, name)
        return [test] if _is_plain(type_) and type_ not in (BOOL, NONE) else []

    def reads(self, function: Function, node: ast.expr) -> list[str]:
        """The attributes that an expression compares, when it reads nothing else but literals; else none."""
        if function.cls is None:
            return []
        names: list[str] = []
        for n in walk(node):
            name = function.self_attribute(n)
            if name is not None:
                if not _is_plain(self.attributes.fixed_type(function.cls, name)):
                    return []
                names.append(name)
            elif isinstance(n, ast.Name):
                if n.id != function.self_name:
                    return []
            elif not isinstance(n, (ast.Compare, ast.Constant, ast.List, ast.Tuple, ast.UnaryOp)):
                return []
        return list(dict.fromkeys(names))


def _leaves(test: ast.expr) -> Iterator[ast.expr]:
    """The parts of a condition below `not`, `and` and `or`."""
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        yield from _leaves(test.operand)
    elif isinstance(test, ast.BoolOp):
        for value in test.values:
            yield from _leaves(value)
    else:
        yield test


def _compares_identity(test: ast.Compare) -> bool:
    """Whether it holds `is` or `is not`, which TorchScript decides itself where it can."""
    return any(isinstance(op, (ast.Is, ast.IsNot)) for op in test.ops)


def _is_plain(type_: Type) -> bool:
    members = type_.args if type_.name in ("Optional", "Union") else (type_,)
    return type_ != UNKNOWN and set(members) <= _PLAIN
