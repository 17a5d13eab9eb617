"""membership."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tsrefactor.facts.definitions import Function
from tsrefactor.facts.diagnosis import Diagnosis
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.signatures import function_at
from tsrefactor.facts.types import INT
from tsrefactor.facts.whole import is_whole
from tsrefactor.source.edits import Edit, Pieces, Replace
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings

_HEAD = """\
import torch
from torch import nn


class Model(nn.Module):
    def __init__(self, mode=None):
        super().__init__()
        self.mode = mode

    def forward(self, x):
"""


def _example(before: str, after: str, error: str, model: str = "Model()") -> Example:
    inputs = "[(torch.rand(3, 4),), (torch.rand(2, 5),)]"
    return Example(_HEAD + before, _HEAD + after, inputs, Target.SCRIPT, error=error, model=model)


class Membership(Rule):
    """Ask whether a value is one of several in a way that TorchScript knows.

    It knows `in` for lists and tuples of one type, and for values of that type. `mode in (None, 'a')` becomes
    `mode is None or mode in ('a',)`; where the value may be None and the list holds no None, it is asked for first.
    An attribute is asked in an expression `… if self.mode is not None else …`, whose arm TorchScript drops for an
    instance that holds None; it compiles both sides of an `or`. A set of literals becomes a tuple,
    `n in range(2, 5)` becomes `2 <= n < 5` where `n` is an int.

    Left alone: values that are computed by a call where they would be asked for twice, ranges with a step, sets that
    hold anything but literals.

    Source: `aten::__contains__` in torch/csrc/jit/runtime/register_prim_ops.cpp; "Set aren't supported" in
    `torch/jit/frontend.py`.
    """

    name = "membership"
    targets = frozenset({Target.SCRIPT})
    answers = frozenset({"none-compare", "arguments-not-valid", "unsupported-syntax", "not-a-value", "list-element"})
    needs_diagnosis = True
    examples = [
        _example(
            """\
        if self.mode in (None, 'sum'):
            return x.sum(0)
        return x
""",
            """\
        if (self.mode in ('sum',) if self.mode is not None else True):
            return x.sum(0)
        return x
""",
            error="NoneType",
        ),
        _example(
            """\
        if x.size(0) in {2, 3}:  # small
            x = x * 2
        n = x.size(1)
        return x if n in range(1, 5) and self.mode not in ['sum', 'mean'] else x + 1
""",
            """\
        if x.size(0) in (2, 3):  # small
            x = x * 2
        n = x.size(1)
        return x if 1 <= n < 5 and self.mode not in ['sum', 'mean'] else x + 1
""",
            error="Set aren't supported",
            model="Model('max')",
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        for diagnosis in self.diagnoses(file):
            place = diagnosis.place
            assert place is not None
            function = function_at(file, place.line)
            for node in function.nodes if function is not None else ():
                if isinstance(node, ast.Compare) and node.lineno <= place.line <= (node.end_lineno or node.lineno):
                    assert function is not None
                    if len(node.ops) == 1 and isinstance(node.ops[0], (ast.In, ast.NotIn)):
                        yield from self._asked(function, node, diagnosis)

    def _asked(self, function: Function, node: ast.Compare, diagnosis: Diagnosis) -> Iterator[Finding]:
        among = node.comparators[0]
        edit: Edit | None = None
        message = ""
        if diagnosis.kind == "unsupported-syntax":
            if isinstance(among, ast.Set) and all(isinstance(e, ast.Constant) for e in among.elts):
                message = "TorchScript knows no sets; ask a tuple"
                parts = {f"e{i}": e for i, e in enumerate(among.elts)}
                edit = Replace(among, _tuple(list(parts)), parts)
        elif isinstance(among, ast.Call) and function.file.origin(among.func) == "range":
            message = "TorchScript's `in` knows no range; compare with its ends"
            edit = _between(function, node, among)
        elif isinstance(among, (ast.List, ast.Tuple)) and _is_asked_for(node, among, diagnosis):
            message = "TorchScript's `in` takes no None; ask for it first"
            edit = _none_first(function, node, among)
        unsure = isinstance(among, ast.Call) and not is_whole(function, node.left)
        caveat = f"`{ast.unparse(node.left)}` was an int in all runs; a float between the ends counts, too"
        if edit is not None:
            yield self.finding(
                node, message, edit, answers=diagnosis, presumed=unsure, caveat=caveat if unsure else None
            )


def _is_asked_for(node: ast.Compare, among: ast.List | ast.Tuple, diagnosis: Diagnosis) -> bool:
    """Whether the diagnosis is about None in a comparison whose value can be asked for twice."""
    place = diagnosis.place
    assert place is not None
    if not isinstance(node.left, (ast.Name, ast.Attribute)):
        return False
    if diagnosis.kind == "none-compare":
        return place.column in (None, node.col_offset)
    return diagnosis.kind != "not-a-value" and any(isinstance(e, ast.Constant) and e.value is None for e in among.elts)


def _tuple(names: list[str]) -> str:
    inside = ", ".join(f"{{{n}}}" for n in names)
    return f"({inside},)" if len(names) == 1 else f"({inside})"


def _between(function: Function, node: ast.Compare, among: ast.Call) -> Edit | None:
    """`1 <= n < 5`, or `not …`; None where that is another question."""
    whole = all(function.type_of(e) == INT for e in (node.left, *among.args))
    if not whole or not 1 <= len(among.args) <= 2 or among.keywords:
        return None
    pieces: Pieces = {"n": node.left, "low": among.args[0] if len(among.args) == 2 else "0", "high": among.args[-1]}
    test = "{low} <= {n} < {high}"
    return Replace(node, test if isinstance(node.ops[0], ast.In) else f"not ({test})", pieces)


def _none_first(function: Function, node: ast.Compare, among: ast.List | ast.Tuple) -> Edit | None:
    value, is_in = node.left, isinstance(node.ops[0], ast.In)
    held = [e for e in among.elts if not (isinstance(e, ast.Constant) and e.value is None)]
    with_none = len(held) < len(among.elts)
    pieces: dict[str, ast.expr] = {"v": value}
    word = "in" if is_in else "not in"
    if not with_none:
        test, pieces["test"] = "{test}", node
    else:
        pieces |= {f"e{i}": e for i, e in enumerate(held)}
        names = [n for n in pieces if n != "v"]
        listed = _tuple(names) if isinstance(among, ast.Tuple) else f"[{', '.join(f'{{{n}}}' for n in names)}]"
        test = f"{{v}} {word} {listed}"
    if not held:
        return Replace(node, f"{{v}} is {'' if is_in else 'not '}None", pieces)
    answer = with_none == is_in  # what None gives
    if function.self_attribute(value) is not None:
        return Replace(node, f"({test} if {{v}} is not None else {answer})", pieces)
    return Replace(node, f"{{v}} is None or {test}" if answer else f"{{v}} is not None and {test}", pieces)
