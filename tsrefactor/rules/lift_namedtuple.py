"""lift-namedtuple."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tsrefactor.facts.definitions import Function
from tsrefactor.facts.diagnosis import Diagnosis
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.names import fresh
from tsrefactor.facts.nodes import walk
from tsrefactor.facts.signatures import function_at
from tsrefactor.source.edits import Edit, InsertBefore, Replace
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings

_HEAD = """\
from collections import namedtuple

from torch import nn


"""
_INPUTS = "[(torch.rand(2, 4),), (torch.rand(3, 4),)]"
_ERROR = "Compiled functions can't take variable number of arguments"


class LiftNamedtuple(Rule):
    """Move a namedtuple that a function makes to the module.

    TorchScript cannot make classes, but it takes the namedtuples of a module, whose fields it takes for tensors. At
    every call, `namedtuple("Outputs", ["a", "b"])` makes the same class anew; one for all of them has the same fields,
    and can be pickled.

    Left alone: names or fields that are no literals, and a class whose variable is bound again or used by a function
    inside the function.

    Source: "Compiled functions can't take variable number of arguments", raised by torch/jit/frontend.py for the
    source of `collections.namedtuple`.
    """

    name = "lift-namedtuple"
    targets = frozenset({Target.SCRIPT})
    answers = frozenset({"variable-arguments"})
    needs_diagnosis = True
    examples = [
        Example(
            _HEAD
            + """\
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.slice1 = nn.Linear(4, 4)
        self.slice2 = nn.Linear(4, 4)

    def forward(self, x):
        h1 = self.slice1(x)
        h2 = self.slice2(h1)
        outputs = namedtuple("Outputs", ['first', 'second'])
        out = outputs(h1, h2)  # by name
        return out
""",
            _HEAD
            + """\
Outputs = namedtuple("Outputs", ['first', 'second'])


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.slice1 = nn.Linear(4, 4)
        self.slice2 = nn.Linear(4, 4)

    def forward(self, x):
        h1 = self.slice1(x)
        h2 = self.slice2(h1)
        out = Outputs(h1, h2)  # by name
        return out
""",
            _INPUTS,
            Target.SCRIPT,
            error=_ERROR,
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        if not file.mentions("namedtuple"):
            return
        for diagnosis in self.diagnoses(file):
            found = _made_at(file, diagnosis)
            if found is None:
                continue
            function, statement, variable = found
            uses = _uses(function, statement, variable)
            if uses is None:
                continue
            assert isinstance(statement.value, ast.Call)
            name, edits = _module_level(function, statement.value)
            edits += [Replace([statement], ""), *(Replace(use, name) for use in uses)]
            message = f"TorchScript cannot make the class `{name}`; make it once, in the module"
            yield self.finding(statement, message, *edits, answers=diagnosis)


def _made_at(file: FileFacts, diagnosis: Diagnosis) -> tuple[Function, ast.Assign, str] | None:
    """The function, the statement that makes a namedtuple of literals where the error lies, and its variable."""
    place = diagnosis.place
    function = function_at(file, place.line) if place is not None else None
    if function is None or place is None:
        return None
    for call in function.calls("collections.namedtuple"):
        statement = file.parents[call]
        if call.lineno != place.line or not isinstance(statement, ast.Assign) or len(statement.targets) != 1:
            continue
        [target] = statement.targets
        if isinstance(target, ast.Name) and len(call.args) == 2 and not call.keywords and all(map(_plain, call.args)):
            return function, statement, target.id
    return None


def _plain(node: ast.expr) -> bool:
    """Whether it is a string, or a list or tuple of strings."""
    elements = node.elts if isinstance(node, (ast.List, ast.Tuple)) else [node]
    return all(isinstance(e, ast.Constant) and isinstance(e.value, str) for e in elements)


def _uses(function: Function, statement: ast.Assign, variable: str) -> list[ast.Name] | None:
    """The uses of the class in the function; None where another value, or another scope, has a part in it."""
    named = [n for n in walk(function.node) if isinstance(n, ast.Name) and n.id == variable]
    uses = [n for n in named if n is not statement.targets[0]]
    own = set(function.of(ast.Name))
    plain = all(isinstance(n.ctx, ast.Load) and n in own and n.lineno > statement.lineno for n in uses)
    return uses if plain and variable not in {p.name for p in function.parameters} else None


def _module_level(function: Function, made: ast.Call) -> tuple[str, list[Edit]]:
    """The name of the class in the module, and the edits that make it there where it does not stand yet."""
    file, written = function.file, made.args[0]
    assert isinstance(written, ast.Constant)
    text, wanted = ast.unparse(made), str(written.value)
    for statement in file.tree.body:
        if isinstance(statement, ast.Assign) and ast.unparse(statement.value) == text and len(statement.targets) == 1:
            target = statement.targets[0]
            if isinstance(target, ast.Name) and target.id not in function.flow.local_names:
                return target.id, []
    name = fresh(file.module_names | function.flow.local_names, wanted, f"_{wanted}")
    return name, [InsertBefore(file.top_level_of(function.node), f"{name} = {{made}}", {"made": made})]
