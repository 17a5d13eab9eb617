"""Two traces of one model, made on different inputs, held against each other: what differs was frozen."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import torch

from .values import Leaf, digest

_FRAME = re.compile(r'^(?:(.+)\((\d+)\): \S+|\s*File "([^"]+)", line (\d+)\b.*)$')
"""A frame of Python that was traced, or one of compiled code."""
_LEAVES = ("prim::Constant", "prim::GetAttr", "prim::ListConstruct", "prim::TupleConstruct")
"""Nodes that are described where they are used: torch puts them anywhere before."""

Frame = tuple[str, int]
"""File and line."""


@dataclass(frozen=True)
class Operation:
    """One recorded operation: what it does to what, and the Python frames it was recorded in, innermost first."""

    kind: str
    operands: tuple[str, ...]
    frames: tuple[Frame, ...]


@dataclass(frozen=True)
class Difference:
    """Where two recordings part: the operations there (None: one has ended), and the constants that differ.

    ``alike``: from there on, too, both hold operations of the same kinds from the same lines.
    """

    first: Operation | None
    second: Operation | None
    constants: tuple[str, str] | None
    alike: bool


def operations(program: Any) -> list[Operation]:
    """The operations of a trace in order, those inside of compiled branches and loops included."""
    graph = program.inlined_graph
    names: dict[str, str] = {value.debugName(): f"input {i}" for i, value in enumerate(graph.inputs())}
    found: list[Operation] = []
    _collect(graph.nodes(), names, found)
    return found


def first_difference(first: list[Operation], second: list[Operation]) -> Difference | None:
    """The first operation in which two recordings differ, in kind, operand or constant."""
    for i in range(max(len(first), len(second))):
        a, b = (ops[i] if i < len(ops) else None for ops in (first, second))
        if a is not None and b is not None and (a.kind, a.operands) == (b.kind, b.operands):
            continue
        alike = [(o.kind, o.frames) for o in first[i:]] == [(o.kind, o.frames) for o in second[i:]]
        return Difference(a, b, _constants(a, b), alike)
    return None


def _constants(a: Operation | None, b: Operation | None) -> tuple[str, str] | None:
    """The operand in which two otherwise equal operations differ."""
    if a is None or b is None or a.kind != b.kind or len(a.operands) != len(b.operands):
        return None
    apart = [pair for pair in zip(a.operands, b.operands, strict=True) if pair[0] != pair[1]]
    if len(apart) != 1 or any("%" in text for text in apart[0]):
        return None
    return apart[0]


def _collect(nodes: Any, names: dict[str, str], found: list[Operation]) -> None:
    for node in nodes:
        kind, operands = node.kind(), [names.get(v.debugName(), "?") for v in node.inputs()]
        if kind in _LEAVES:
            names[node.output().debugName()] = _leaf(node, kind, operands)
            continue
        for i, output in enumerate(node.outputs()):
            names[output.debugName()] = f"%{len(found)}.{i}"
        found.append(Operation(kind, tuple(operands), _frames(node)))
        for block in node.blocks():
            for i, value in enumerate(block.inputs()):
                names[value.debugName()] = f"%{len(found)}.in{i}"
            _collect(block.nodes(), names, found)


def _leaf(node: Any, kind: str, operands: list[str]) -> str:
    if kind == "prim::GetAttr":
        return f"{operands[0]}.{node.s('name')}"
    if kind == "prim::Constant":
        return _shown(node.output().toIValue())
    return f"[{', '.join(operands)}]"


def _shown(value: Any) -> str:
    """A constant as text: equal for equal constants."""
    if not isinstance(value, torch.Tensor):
        return repr(value)
    if value.dim() == 0 and not value.is_meta:
        return repr(value.item())
    return f"tensor {digest([Leaf('', value)])}"


def _frames(node: Any) -> tuple[Frame, ...]:
    matches = map(_FRAME.match, node.sourceRange().splitlines())
    return tuple((m[1] or m[3], int(m[2] or m[4])) for m in matches if m)
