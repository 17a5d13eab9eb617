"""unzip."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tsrefactor.facts.definitions import Function
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.names import fresh
from tsrefactor.facts.nodes import walk
from tsrefactor.facts.operations import is_operation
from tsrefactor.facts.sequences import FIXED, LIST, SIZE, any_kind_where_read, sort_of
from tsrefactor.source.edits import Edit, InsertBefore, Piece, Pieces, Replace
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings

_WHY = "TorchScript has no `zip` of starred arguments"
_HEAD = """\
import torch
from torch import nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def both(self, x):
        y = self.fc(x)
        return y, y.sum()

    def forward(self, x):
"""


def _example(before: str, after: str) -> Example:
    inputs = "[(torch.rand(2, 4),), (torch.rand(3, 4),)]"
    return Example(_HEAD + before, _HEAD + after, inputs, Target.SCRIPT, error="starred expansion|Lambda")


class Unzip(Rule):
    """Take the first value of each pair, and the second, where `zip(*pairs)` takes pairs apart.

    TorchScript does not know how many arguments `zip(*pairs)` has. `a, b = zip(*pairs)` says that each pair holds two
    values: `a, b = [pair[0] for pair in pairs], [pair[1] for pair in pairs]`. So does
    `a, b = map(torch.stack, zip(*pairs))`, with `torch.stack` around each of them.

    Left alone: what is no list of tuples or lists, or only iterated once; results that are kept or returned as the
    tuples that `zip` makes; other functions than torch's in the place of `torch.stack`; no fixed number of results, as
    in `list(zip(*rows))`. Pairs with more values than names made eager raise, and are cut off now.

    Source: "Unexpected starred expansion", raised by torch/csrc/jit/frontend/ir_emitter.cpp.
    """

    name = "unzip"
    targets = frozenset({Target.SCRIPT})
    examples = [
        _example(
            """\
        pairs = [self.both(row) for row in x]
        rows, sums = zip(*pairs)  # all of one kind
        return torch.stack(rows) * len(sums)
""",
            """\
        pairs = [self.both(row) for row in x]
        rows, sums = [pair[0] for pair in pairs], [pair[1] for pair in pairs]  # all of one kind
        return torch.stack(rows) * len(sums)
""",
        ),
        _example(
            """\
        rows, sums = map(lambda ts: torch.stack(ts, dim=0), zip(*[self.both(row) for row in x]))
        return rows * sums[:, None]
""",
            """\
        pairs = [self.both(row) for row in x]
        rows, sums = torch.stack([pair[0] for pair in pairs], dim=0), torch.stack([pair[1] for pair in pairs], dim=0)
        return rows * sums[:, None]
""",
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        if not file.mentions("zip("):
            return
        for function in file.functions:
            for call in function.calls("zip"):
                if len(call.args) != 1 or not isinstance(call.args[0], ast.Starred) or call.keywords:
                    continue
                if function.types.bindings.shadows("zip"):
                    continue
                found = _taken_apart(function, call)
                if isinstance(found, str):
                    yield self.finding(call, f"{_WHY}, and {found}")
                    continue
                message = f"{_WHY}; take each part by its index, as in `{found[1][0]}`"
                presumed = function.type_of(call.args[0].value).name != "List"
                yield self.finding(call, message, *found[0], presumed=presumed)


def _taken_apart(function: Function, call: ast.Call) -> tuple[list[Edit], list[str]] | str:
    """The edits that index into the pairs and what they write for each part, or why there are none."""
    file = function.file
    statement = file.statement_of(call)
    starred = call.args[0]
    assert isinstance(starred, ast.Starred)
    pairs, value = starred.value, getattr(statement, "value", None)
    if not isinstance(statement, ast.Assign) or len(statement.targets) != 1 or value is None:
        return "it is not unpacked at once"
    target, around = statement.targets[0], file.parents[call]
    if not isinstance(target, ast.Tuple) or not all(isinstance(t, ast.Name) for t in target.elts):
        return "it is not unpacked at once"
    mapped = value if isinstance(value, ast.Call) and around is value else None
    if value is not call and (mapped is None or file.origin(mapped.func) != "map" or len(mapped.args) != 2):
        return "it is not unpacked at once"
    if "#" in file.source.segment(statement):
        return "there is a comment inside"
    element = function.type_of(pairs, presume=True)
    if element.name != "List" or element.args[0].name not in ("Tuple", "List"):
        return "what it takes apart may be no list of tuples"
    if not isinstance(pairs, ast.ListComp) and sort_of(function, pairs) not in (LIST, FIXED, SIZE):
        return "what it takes apart may be no list of tuples"
    names = [t.id for t in target.elts if isinstance(t, ast.Name)]
    called = mapped.args[0] if mapped is not None else None
    kept = called is None or file.origin(called) == "tuple"
    if kept and not all(any_kind_where_read(function, name) for name in names):
        return "a tuple of it is kept"
    taken = function.flow.local_names | {n.id for n in walk(statement) if isinstance(n, ast.Name)}
    before: list[Edit] = []
    listed = ast.unparse(pairs)
    if not isinstance(pairs, (ast.Name, ast.Attribute)):
        listed = fresh(taken, "pairs", "results")
        taken.add(listed)
        before.append(InsertBefore(statement, f"{listed} = {{pairs}}", {"pairs": pairs}))
    singular = listed.removeprefix("all_")[:-1] if listed.isidentifier() and listed.endswith("s") else "pair"
    one = fresh(taken, *(s for s in (singular, "pair", "item") if s.isidentifier()))
    parts = [f"[{one}[{i}] for {one} in {listed}]" for i in range(len(names))]
    written = _called(function, called, parts) if not kept else (parts, {})
    if written is None:
        return "what is made of each part may be another thing for a list"
    edit = Replace([statement], f"{', '.join(names)} = {', '.join(written[0])}", written[1])
    return [*before, edit], parts


def _called(function: Function, called: ast.expr | None, parts: list[str]) -> tuple[list[str], Pieces] | None:
    """What the mapped function makes of each part: templates and pieces; None where a list may not do for it."""
    origin = function.file.origin(called) if called is not None else ""
    if origin == "list":
        return parts, {}
    if is_operation(origin):
        return [f"{{called}}({part})" for part in parts], {"called": called}  # type: ignore[dict-item]
    if not isinstance(called, ast.Lambda) or len(called.args.args) != 1 or called.args.defaults:
        return None
    name, body = called.args.args[0].arg, called.body
    uses = [n for n in walk(body) if isinstance(n, ast.Name) and n.id == name]
    takes = isinstance(body, ast.Call) and is_operation(function.file.origin(body.func)) and body.args[:1] == uses
    if not takes or any(isinstance(n, (ast.Lambda, ast.NamedExpr, ast.ListComp, ast.GeneratorExp)) for n in walk(body)):
        return None
    return [f"{{p{i}}}" for i in range(len(parts))], {f"p{i}": Piece(body, {uses[0]: p}) for i, p in enumerate(parts)}
