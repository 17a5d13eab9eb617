"""import-at-top."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator

from tsrefactor.facts.definitions import Function
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.nodes import walk
from tsrefactor.source.edits import Replace
from tsrefactor.source.imports import Import
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings


class ImportAtTop(Rule):
    """Move an import out of a function to the top of the file.

    TorchScript takes no import inside a function. Where the top of the file binds the name to the same thing already,
    the import in the function only goes.

    Refused: modules other than those of Python itself and of torch (importing them at the top may cost time, fail, or
    turn in a circle) unless the top has them, names that the file uses for something else, and new `… as …` names.

    Source: "import statements aren't supported", raised by torch/jit/frontend.py.
    """

    name = "import-at-top"
    targets = frozenset({Target.SCRIPT})
    answers = frozenset({"unsupported-syntax"})
    needs_diagnosis = True
    examples = [
        Example(
            before="""\
import torch
import torch.nn.functional as F


class Model(torch.nn.Module):
    def forward(self, x):
        import math

        # functional as usual
        import torch.nn.functional as F
        return F.relu(x) * math.pi
""",
            after="""\
import math

import torch
import torch.nn.functional as F


class Model(torch.nn.Module):
    def forward(self, x):
        return F.relu(x) * math.pi
""",
            inputs="[(torch.rand(2, 3),), (torch.rand(4, 3),)]",
            breaks=Target.SCRIPT,
            error="import statements aren't supported",
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        for diagnosis in self.diagnoses(file):
            if diagnosis.names.get("construct") != "import" or diagnosis.place is None:
                continue
            at, message = diagnosis.place.line, "TorchScript takes no import in a function"
            for function in file.all_functions:
                if not function.node.lineno <= at <= (function.node.end_lineno or at):
                    continue
                for run in _runs(function):
                    try:
                        imports = set().union(*(_missing(function, node) for node in run))
                    except NotMovable as reason:
                        yield self.finding(run[0], f"{message}, and {reason}", answers=diagnosis)
                        continue
                    edit = Replace(run, "")
                    yield self.finding(run[0], f"{message}; move it up", edit, imports=imports, answers=diagnosis)


def _runs(function: Function) -> list[list[ast.Import | ast.ImportFrom]]:
    """Imports of a function that follow one another."""
    runs: list[list[ast.Import | ast.ImportFrom]] = []
    for node in function.statements:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            block = function.file.block_of(node)
            before = block[block.index(node) - 1] if block.index(node) else None
            if runs and runs[-1][-1] is before:
                runs[-1].append(node)
            else:
                runs.append([node])
    return runs


class NotMovable(Exception):
    """Why an import stays, as the end of "…, and its module is no part of Python or torch"."""


def _missing(function: Function, node: ast.Import | ast.ImportFrom) -> set[Import]:
    """What the top of the file lacks. Raises NotMovable."""
    table, found = function.file.imports, set()
    if all(isinstance(s, (ast.Import, ast.ImportFrom)) for s in function.file.block_of(node)):
        raise NotMovable("nothing else is in its block")
    for alias in node.names:
        module = (
            "." * getattr(node, "level", 0) + (node.module or "") if isinstance(node, ast.ImportFrom) else alias.name
        )
        origin = f"{module}.{alias.name}" if isinstance(node, ast.ImportFrom) else module
        bound = alias.asname or (alias.name if isinstance(node, ast.ImportFrom) else module.partition(".")[0])
        stored = [n for n in walk(function.node) if isinstance(n, ast.Name) and n.id == bound]
        if any(not isinstance(n.ctx, ast.Load) for n in stored) or bound in {a.arg for a in function.node.args.args}:
            raise NotMovable(f"`{bound}` is bound again")
        dotted = isinstance(node, ast.Import) and not alias.asname
        wanted = bound if dotted else origin
        if bound in table.certain and table.origins[bound] == wanted and (bound == module or not dotted):
            continue
        if bound in function.file.module_names and table.origins.get(bound) != wanted:
            raise NotMovable(f"`{bound}` is something else in this file")
        root = module.partition(".")[0]
        if root not in sys.stdlib_module_names and root != "torch":
            raise NotMovable(f"`{module or '.'}` is no part of Python or torch")
        if alias.asname or alias.name == "*":
            raise NotMovable(f"`{bound}` is another name for it")
        found.add(Import(module, alias.name) if isinstance(node, ast.ImportFrom) else Import(module))
    return found
