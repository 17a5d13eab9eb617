"""comprehension-loop."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tsrefactor.facts.diagnosis import Diagnosis
from tsrefactor.facts.file import FileFacts, Function
from tsrefactor.facts.names import fresh
from tsrefactor.facts.nodes import walk
from tsrefactor.facts.placement import is_elif, lazy_place
from tsrefactor.facts.signatures import function_at
from tsrefactor.source.edits import InsertBefore, Replace
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings

_Comprehension = ast.ListComp | ast.GeneratorExp
_CONSTRUCTS = ("comprehension-if", "nested-comprehension")
_WHOLE = frozenset({"sum", "max", "min", "list", "tuple", "sorted", "torch.cat", "torch.stack"})
"""Functions that a generator is given to and that read all of it."""
_HEAD = """\
import torch
from torch import nn


class Model(nn.Module):
    def forward(self, x):
"""


def _example(before: str, after: str, error: str) -> Example:
    inputs = "[(torch.rand(3, 4) + 1,), (torch.rand(2, 4) + 1,)]"
    return Example(_HEAD + before, _HEAD + after, inputs, Target.SCRIPT, error=error)


class ComprehensionLoop(Rule):
    """Write a loop for a comprehension that filters, or that runs over several things.

    TorchScript compiles a list comprehension over one thing, without conditions. `ys = [f(y) for y in xs if y.any()]`
    becomes an empty list and a loop that appends; one inside a larger expression gets a name before the statement.

    Left alone: what is not always evaluated (the arm of a conditional expression, what follows an `and`, the condition
    of a loop), what something with an effect may precede in its statement, generators that may not be read to their
    end (`any`, `next`), variables that the function uses for something else, and set and dict comprehensions.

    Source: "Comprehension ifs are not supported yet" and "Only a single generator is currently supported", raised by
    torch/jit/frontend.py (`build_ListComp`).
    """

    name = "comprehension-loop"
    targets = frozenset({Target.SCRIPT})
    answers = frozenset({"unsupported-syntax"})
    needs_diagnosis = True
    examples = [
        _example(
            """\
        # rows that are worth it
        rows = [row * 2 for row in x.unbind(0) if row.sum() > 0]
        return torch.stack(rows)
""",
            """\
        # rows that are worth it
        rows = []
        for row in x.unbind(0):
            if row.sum() > 0:
                rows.append(row * 2)
        return torch.stack(rows)
""",
            error="Comprehension ifs are not supported",
        ),
        _example(
            """\
        parts = [x, x + 1, x - 1]
        parts = [part for part in parts if part.size(0) > 1]
        return torch.cat([half for part in parts for half in part.chunk(2, 1)])
""",
            """\
        parts = [x, x + 1, x - 1]
        items = []
        for part in parts:
            if part.size(0) > 1:
                items.append(part)
        parts = items
        items_2 = []
        for part in parts:
            for half in part.chunk(2, 1):
                items_2.append(half)
        return torch.cat(items_2)
""",
            error="Comprehension ifs are not supported",
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        for diagnosis in self.diagnoses(file):
            place = diagnosis.place
            if diagnosis.names.get("construct") not in _CONSTRUCTS or place is None:
                continue
            function = function_at(file, place.line)
            for node in function.of(ast.ListComp, ast.GeneratorExp) if function is not None else ():
                if node.lineno <= place.line <= (node.end_lineno or 0) and _is_refused(node):
                    assert function is not None
                    yield self._answer(function, node, diagnosis)

    def _answer(self, function: Function, node: _Comprehension, diagnosis: Diagnosis) -> Finding:
        against = _obstacle(function, node)
        what = "TorchScript takes no comprehension that filters or nests"
        if against is not None:
            return self.finding(node, f"{what}, and {against}", answers=diagnosis)
        statement = function.file.statement_of(node)
        name = _target(statement, node)
        if name is not None:
            loop, pieces = _loop(node, name)
            return self.finding(node, f"{what}; write a loop", Replace([statement], loop, pieces), answers=diagnosis)
        name = fresh(function.flow.local_names | function.file.module_names, "items")
        loop, pieces = _loop(node, name)
        edits = InsertBefore(statement, loop, pieces), Replace(node, name)
        return self.finding(node, f"{what}; write a loop before the statement", *edits, answers=diagnosis)


def _is_refused(node: _Comprehension) -> bool:
    return len(node.generators) > 1 or any(g.ifs for g in node.generators)


def _target(statement: ast.stmt, node: _Comprehension) -> str | None:
    """The variable that a list comprehension alone is assigned to, where it does not read it."""
    match statement:
        case ast.Assign(targets=[ast.Name(id=name)], value=ast.ListComp() as value) if value is node:
            return name if not any(isinstance(n, ast.Name) and n.id == name for n in walk(node)) else None
    return None


def _loop(node: _Comprehension, name: str) -> tuple[str, dict[str, ast.expr]]:
    """The empty list and the loops that fill it."""
    lines, pieces, depth = [f"{name} = []"], {"element": node.elt}, 0
    for i, generator in enumerate(node.generators):
        lines.append(f"{'    ' * depth}for {{target{i}}} in {{values{i}}}:")
        pieces |= {f"target{i}": generator.target, f"values{i}": generator.iter}
        depth += 1
        for j, condition in enumerate(generator.ifs):
            lines.append(f"{'    ' * depth}if {{test{i}_{j}}}:")
            pieces[f"test{i}_{j}"] = condition
            depth += 1
    lines.append(f"{'    ' * depth}{name}.append({{element}})")
    return "\n".join(lines), pieces


def _obstacle(function: Function, node: _Comprehension) -> str | None:
    """Why no loop can take its place, as the end of a sentence."""
    file = function.file
    statement = file.statement_of(node)
    parent = file.parents[node]
    if isinstance(node, ast.GeneratorExp):
        whole = isinstance(parent, ast.Call) and file.origin(parent.func) in _WHOLE and parent.args == [node]
        if not whole:
            return "this generator may not be read to its end"
    if not isinstance(statement, (ast.Assign, ast.AugAssign, ast.AnnAssign, ast.Return, ast.Expr, ast.For, ast.If)):
        return "it is not evaluated once before its statement"
    if isinstance(statement, ast.For) and not any(n is node for n in walk(statement.iter)):
        return "it is not evaluated once before its statement"
    if lazy_place(file, node, statement) is not None or is_elif(file, statement):
        return "it is not always evaluated"
    inside: ast.AST = parent
    while inside is not statement:
        if isinstance(inside, (ast.ListComp, ast.SetComp, ast.DictComp, ast.comprehension)):
            return "it stands in another"
        inside = file.parents[inside]
    start = (node.lineno, node.col_offset)
    if any((c.end_lineno or 0, c.end_col_offset or 0) <= start for c in walk(statement) if isinstance(c, ast.Call)):
        return "something is called before it"
    own = {n.id for g in node.generators for n in walk(g.target) if isinstance(n, ast.Name)}
    taken = sorted(own & _used_otherwise(function))
    return f"`{taken[0]}` is a variable of its own" if taken else None


def _used_otherwise(function: Function) -> set[str]:
    """Parameters, and names that stand outside of the comprehensions and loops that bind them."""
    found = {p.name for p in function.parameters}
    loops = [(loop, {n.id for n in walk(loop.target) if isinstance(n, ast.Name)}) for loop in function.of(ast.For)]
    bound = {(n.id, n) for loop, names in loops for n in walk(loop) if isinstance(n, ast.Name) and n.id in names}
    for name in function.of(ast.Name):
        if function.bindings.inner(name) is None and (name.id, name) not in bound:
            found.add(name.id)
    return found
