"""Conditions that the instance decides once for all: TorchScript drops a branch only where a Final bool decides it."""

from __future__ import annotations

import ast
from functools import cached_property

from .attributes import Attributes, decided_by
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
        """Whether a Final bool could decide the condition, at least in part, that is none yet."""
        if function.cls is None or function.self_name is None:
            return False
        flags = [f for f in decided_by(function, test) if self.attributes.is_flag(function.cls, f)]
        return any(not self.attributes.is_final(function.cls, f) for f in flags) or bool(self.parts(function, test))

    def parts(self, function: Function, test: ast.expr) -> list[ast.expr]:
        """The parts of a condition, below `not`, `and` and `or`, that such attributes decide and that are no bool."""
        if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
            return self.parts(function, test.operand)
        if isinstance(test, ast.BoolOp):
            return [part for value in test.values for part in self.parts(function, value)]
        if isinstance(test, ast.Compare):
            if any(isinstance(op, (ast.Is, ast.IsNot)) for op in test.ops):
                return []  # TorchScript decides these itself
            return [test] if self.reads(function, test) else []
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


def _is_plain(type_: Type) -> bool:
    members = type_.args if type_.name in ("Optional", "Union") else (type_,)
    return type_ != UNKNOWN and set(members) <= _PLAIN
