"""Bools that `__init__` can derive from conditions which nothing but its attributes decide, and their names."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass

from .attributes import assigned_annotations, constants
from .definitions import Class, Function
from .family import members
from .fixed import FixedConditions
from .names import fresh

_ORDER: dict[type[ast.cmpop], str] = {
    ast.Gt: "above", ast.GtE: "at_least", ast.Lt: "below", ast.LtE: "at_most",
    ast.Eq: "is", ast.NotEq: "is", ast.In: "in", ast.NotIn: "in",
}  # fmt: skip
_TURNED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Gt: ast.Lt, ast.Lt: ast.Gt, ast.GtE: ast.LtE, ast.LtE: ast.GtE, ast.Eq: ast.Eq, ast.NotEq: ast.NotEq,
}  # fmt: skip
_LONGEST = 32  # characters of a flag's name; one that would be longer leaves out whose value it is about


@dataclass(frozen=True)
class Flag:
    """A condition as an attribute of ``owner``: ``value`` is what its `__init__` assigns after ``anchor``.

    ``negated``: the condition is that the flag is false. ``anchor`` is None for an attribute that is there already,
    ``declared`` says that it is Final, too.
    """

    owner: Class
    name: str
    value: str
    negated: bool
    anchor: ast.stmt | None
    declared: bool = False


class Flags:
    """Flags for the conditions of one file; the same condition of a class gives the same flag."""

    def __init__(self, conditions: FixedConditions):
        self.conditions = conditions
        self._given: dict[tuple[str, str], Flag] = {}

    def of(self, function: Function, test: ast.expr) -> Flag | None:
        """The flag for a condition that `FixedConditions.parts` found; None where there is no place or name for it."""
        attributes = self.conditions.reads(function, test)
        owner = self._owner(function, attributes)
        init = owner.methods.get("__init__") if owner is not None else None
        described = _described(function, test)
        if owner is not None and (told := self._compared(function, test)) is not None:
            name, negated = told
            return Flag(owner, name, name, negated, None, self.conditions.attributes.is_final(owner, name))
        if owner is None or init is None or init.self_name != function.self_name or described is None:
            return None
        wanted, value, negated = described
        key = owner.qualname, value
        if key not in self._given:
            existing = next((n for n, values in owner.assigned.items() if self._is_flag(owner, n, value)), None)
            if existing is not None:
                return Flag(owner, existing, value, negated, None, True)
            anchor = last_store(init, attributes)
            if anchor is None:
                return None
            taken = members(owner) | {f.name for f in self._given.values()}
            self._given[key] = Flag(owner, fresh(taken, wanted), value, negated, anchor)
        found = self._given[key]
        return Flag(owner, found.name, value, negated, found.anchor)

    def _compared(self, function: Function, test: ast.expr) -> tuple[str, bool] | None:
        """The bool attribute that is compared with a literal (``self.wide == False``), and whether it must be false."""
        if not isinstance(test, ast.Compare) or not isinstance(test.ops[0], (ast.Eq, ast.NotEq)) or len(test.ops) > 1:
            return None
        name, other = function.self_attribute(test.left), test.comparators[0]
        if name is None or function.cls is None or not isinstance(other, ast.Constant):
            return None
        if not isinstance(other.value, bool) or not self.conditions.attributes.is_flag(function.cls, name):
            return None
        return name, other.value != isinstance(test.ops[0], ast.Eq)

    def _is_flag(self, owner: Class, name: str, value: str) -> bool:
        """Whether the class declares a flag of that value already."""
        final = "Final" in ast.unparse(owner.annotations[name]) if name in owner.annotations else False
        held = [v for _, v in owner.assigned[name]]
        same = len(held) == 1 and held[0] is not None and ast.unparse(held[0]) == value
        return same and (final or name in constants(owner) | assigned_annotations(owner))

    def _owner(self, function: Function, attributes: list[str]) -> Class | None:
        """The one class among the relatives that sets all of them."""
        if function.cls is None or not attributes:
            return None
        family = self.conditions.attributes.family(function.cls)
        setting = {c for c in family for a in attributes if a in c.assigned}
        owner = next(iter(setting)) if len(setting) == 1 else None
        above = owner is not None and owner in (function.cls, *function.cls.ancestors)
        return owner if above and owner is not None and all(a in owner.assigned for a in attributes) else None


def last_store(init: Function, attributes: list[str]) -> ast.stmt | None:
    """The last statement of `__init__` itself that sets any of them."""
    stores = [
        n for n in init.nodes
        if isinstance(n, ast.Attribute) and isinstance(n.ctx, ast.Store) and init.self_attribute(n) in attributes
    ]  # fmt: skip
    if any(isinstance(n, ast.Return) for n in init.nodes):
        return None
    tops = [s for s in init.node.body if any(s.lineno <= n.lineno <= (s.end_lineno or s.lineno) for n in stores)]
    return tops[-1] if tops else None


def _described(function: Function, test: ast.expr) -> tuple[str, str, bool] | None:
    """The name for a condition's flag, its value as source, and whether the condition is its negation."""
    name = function.self_attribute(test)
    if name is not None:
        return f"has_{name.strip('_')}", f"bool({ast.unparse(test)})", False
    if not isinstance(test, ast.Compare) or len(test.ops) != 1:
        return None
    left, right, op = test.left, test.comparators[0], type(test.ops[0])
    if function.self_attribute(left) is None and op in _TURNED:
        left, right, op = right, left, _TURNED[op]
    subject = function.self_attribute(left)
    if subject is None or op not in _ORDER:
        return None
    negated = op in (ast.NotEq, ast.NotIn)
    op = {ast.NotEq: ast.Eq, ast.NotIn: ast.In}.get(op, op)
    other = _slug(function, right)
    if other is None:
        return None
    wanted = f"{subject.strip('_')}_{'is' if op is ast.In else _ORDER[op]}_{other}"
    if len(wanted) > _LONGEST:
        if op is not ast.Eq or len(other) > _LONGEST or not isinstance(right, ast.Constant):
            return None
        wanted = f"is_{other}"
    value = ast.unparse(ast.Compare(left, [op()], [right]))
    return wanted, value, negated


def _slug(function: Function, node: ast.expr) -> str | None:
    """A value as part of a name."""
    if isinstance(node, (ast.Tuple, ast.List)) and node.elts:
        parts = [_slug(function, e) for e in node.elts]
        return None if None in parts else "_or_".join(filter(None, parts))
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        inner = _slug(function, node.operand)
        return f"minus_{inner}" if inner else None
    if isinstance(node, ast.Attribute):
        return function.self_attribute(node)
    if not isinstance(node, ast.Constant):
        return None
    written = f"{node.value:g}" if isinstance(node.value, float) else str(node.value)
    text = re.sub(r"\W+", "_", written).strip("_").lower()
    return text or "empty"
