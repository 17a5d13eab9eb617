"""What a function's return annotation must say for TorchScript."""

from __future__ import annotations

import ast

from .annotations import meant, rejected
from .definitions import Function
from .diagnosis import Diagnosis
from .signatures import Signatures, found_type
from .types import NONE, TENSOR, TOP, UNKNOWN, Type, join, join_all

_MEMBERS = 4  # a Union of more says nothing to a reader


def either(a: Type, b: Type) -> Type:
    """The type of a value that is one or the other: their `join`, else a Union. A caller must tell them apart."""
    joined = join(a, b)
    if joined != TOP:
        return joined
    members = {m for t in (a, b) for m in _members(t)}
    fits = all(m.known for m in members) and len(members) <= _MEMBERS
    return Type("Union", tuple(sorted(members, key=lambda m: (m != TENSOR, m == NONE, str(m))))) if fits else TOP


def _members(type_: Type) -> tuple[Type, ...]:
    if type_.optional:
        return (*_members(type_.element), NONE)
    return type_.args if type_.name == "Union" else (type_,)


def complained_return(function: Function, diagnosis: Diagnosis) -> Type:
    """The type of all that a function returns, where the compiler found two that differ from one another."""
    expected, found = (found_type(diagnosis.names[r]) for r in ("expected", "found"))
    recorded = function.observed.returns if function.observed is not None else UNKNOWN
    if diagnosis.kind == "mixed-return":
        return either(recorded if recorded.known else UNKNOWN, either(expected, found))
    if recorded.known:
        return either(recorded, found)
    if expected.name == "Union" or expected.optional or recorded == TOP:
        return either(expected, found)
    return found  # what is annotated is plainly wrong


def displayed_return(function: Function, display: ast.List | ast.Dict) -> Type:
    """What a function returns that gives back a list or dict display and is annotated otherwise; `UNKNOWN` where other
    returns differ from that.
    """
    if function.node.returns is None or not isinstance(function.file.parents[display], ast.Return):
        return UNKNOWN
    recorded = function.observed.returns if function.observed is not None else UNKNOWN
    found = (
        recorded if recorded.known else join_all(function.type_of(n.value) for n in function.of(ast.Return) if n.value)
    )
    return found if found.known and found.name in ("List", "Dict") else UNKNOWN


def rejected_return(function: Function) -> Type:
    """What must stand for a return annotation that TorchScript rejects; `UNKNOWN` where it is right, or nothing tells.

    What the function returns decides: a tuple is no list, though the annotation may mean either.
    """
    annotation = function.node.returns
    if annotation is None or not rejected(function.file, annotation):
        return UNKNOWN
    recorded = function.observed.returns if function.observed is not None else UNKNOWN
    returned = [function.type_of(n.value) for n in function.of(ast.Return) if n.value is not None]
    shown = UNKNOWN if UNKNOWN in returned else join_all(returned)
    for found in (join(recorded, shown), recorded, shown):
        if found.known:
            return found
    says = meant(function.file, annotation)
    return says if says.name not in ("List", "?") else UNKNOWN


def taken_apart(signatures: Signatures, function: Function, seen: frozenset[Function] = frozenset()) -> bool:
    """Whether code of the file computes with what the function returns, also where callers hand it on first."""
    if function in seen:
        return False
    return any(
        not isinstance(caller.file.parents[call], ast.Return) or taken_apart(signatures, caller, seen | {function})
        for caller, call in signatures.calls.get(function, ())
    )
