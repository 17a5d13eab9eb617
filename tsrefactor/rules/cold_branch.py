"""cold-branch."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tsrefactor.facts.cold import ColdBlock, cold_blocks, cold_branches, never_called, statement_at
from tsrefactor.facts.definitions import Function
from tsrefactor.facts.diagnosis import Diagnosis, Place
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.flow import leaves
from tsrefactor.facts.nodes import walk
from tsrefactor.facts.signatures import function_at
from tsrefactor.source.edits import InsertBefore
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings

_PARSED = frozenset({"unsupported-syntax", "function-definition", "type-comment", "source-unparsable"})
# Constructs that the compiler refuses after parsing, and so not behind a raise.
_COMPILED = frozenset({"print", "del", "star", "raise", "break-in-unrolled-loop", "attribute-annotation"})
_SCRIPTING = "torch.jit.is_scripting"
_SUSPECTS = 3


class ColdBranch(Rule):
    """Raise under TorchScript in a branch that no run reached and that does not compile.

    TorchScript compiles every branch, also those for configurations that nobody runs. `torch.jit.is_scripting()` is
    decided when it compiles, and what follows a `raise` is not compiled: so
    `if torch.jit.is_scripting(): raise RuntimeError(…)` at the head of such a branch leaves it out. Eager runs it as
    before; the scripted model fails loudly should it ever get there. The migration is then *partial*, and the report
    lists the line.

    The rule comes after all others. It takes the innermost branch that holds the error, or what follows an early
    return; for an error in a function that no run called, the branch it is called from, else the head of that
    function. Where the error lies in a line that runs reached, it may come from a branch that assigns a name read
    there, or returns another type: these are tried as well.

    Left alone: branches that a recorded run reached, conditions, and syntax that TorchScript cannot even parse (there
    the branch does not help).

    Source: a static `if` and what follows a `raise` are left out by torch/csrc/jit/frontend/ir_emitter.cpp.
    """

    name = "cold-branch"
    targets = frozenset({Target.SCRIPT})
    needs_diagnosis = True
    fallback = True
    examples = [
        Example(
            before="""\
import torch
from torch import nn


class Model(nn.Module):
    def __init__(self, mode='relu'):
        super().__init__()
        self.mode = mode

    def forward(self, x):
        if self.mode == 'relu':
            y = torch.relu(x)
        else:
            # whatever torch has
            y = getattr(torch, self.mode)(x)
        return y
""",
            after="""\
import torch
from torch import nn


class Model(nn.Module):
    def __init__(self, mode='relu'):
        super().__init__()
        self.mode = mode

    def forward(self, x):
        if self.mode == 'relu':
            y = torch.relu(x)
        else:
            if torch.jit.is_scripting():
                raise RuntimeError("Model.forward does not support `self.mode != 'relu'` under TorchScript")
            # whatever torch has
            y = getattr(torch, self.mode)(x)
        return y
""",
            inputs="[(torch.randn(2, 3),), (torch.randn(4, 3),)]",
            breaks=Target.SCRIPT,
            error="getattr's second argument must be a string literal",
            recorded=True,
        ),
        Example(
            before="""\
import numpy as np
import torch
from torch import nn


class Model(nn.Module):
    def forward(self, x):
        if x.dim() == 2:
            return x * 2

        rows = self.widest(x)
        return x[rows]

    def widest(self, x):
        return np.argsort(x.detach().numpy())
""",
            after="""\
import numpy as np
import torch
from torch import nn


class Model(nn.Module):
    def forward(self, x):
        if x.dim() == 2:
            return x * 2

        if torch.jit.is_scripting():
            raise RuntimeError('Model.forward does not support `x.dim() != 2` under TorchScript')
        rows = self.widest(x)
        return x[rows]

    def widest(self, x):
        return np.argsort(x.detach().numpy())
""",
            inputs="[(torch.randn(2, 3),)]",
            breaks=Target.SCRIPT,
            recorded=True,
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        if file.observations is None:
            return
        for diagnosis in file.diagnoses:
            found = self._around(file, diagnosis)
            for block in [found] if found is not None else self._suspects(file, diagnosis):
                yield self._finding(block, diagnosis)

    def _finding(self, block: ColdBlock, diagnosis: Diagnosis) -> Finding:
        function = block.function
        scripting, imports = function.file.spell(_SCRIPTING)
        told = repr(f"{block.unsupported} under TorchScript")
        guard = f"if {scripting}():\n    raise RuntimeError({{message}})"
        first = block.statements[0]
        return self.finding(
            first,
            f"no run reached this, and TorchScript does not compile it: {diagnosis.message}",
            InsertBefore(first, guard, {"message": told}),
            imports=imports,
            partial=True,
            answers=diagnosis,
        )

    def _around(self, file: FileFacts, diagnosis: Diagnosis) -> ColdBlock | None:
        """The innermost cold block on the way to the error that a guard can take out."""
        heads: list[ColdBlock] = []
        callees: list[Function] = []
        for place in (p for p in (diagnosis.place, *diagnosis.chain) if p is not None):
            function = _function(file, place)
            if function is None:
                continue
            if never_called(function):
                callees.append(function)
            statement = statement_at(function, place)
            if place is diagnosis.place and _is_unparsed(diagnosis):
                continue
            if statement is None:  # in the header: of the signature, or without a place of its own
                statement = function.node.body[-1]
            blocks = [b for b in cold_blocks(function, statement) if not _guarded(b)]
            if never_called(function):
                heads += blocks[-1:]
            elif blocks and statement_at(function, place) is not None:
                return blocks[0]
        called = (block for callee in callees for block in _calls(callee))
        return next(called, heads[0] if heads else None)

    def _suspects(self, file: FileFacts, diagnosis: Diagnosis) -> list[ColdBlock]:
        """Cold blocks of the function in which the error lies that may be to blame for it, the nearest first."""
        place = diagnosis.place
        function = _function(file, place) if place is not None else None
        statement = statement_at(function, place) if function is not None and place is not None else None
        if function is None or _is_unparsed(diagnosis):
            return []
        if statement is None:
            return [b for b in cold_branches(function) if not _guarded(b)][:_SUSPECTS]
        flow, named = function.flow, diagnosis.names.get("variable", "")
        header = [e for e in ast.iter_child_nodes(statement) if isinstance(e, ast.expr)]
        names = {named} if named else flow.reads(header)
        returns = isinstance(statement, ast.Return)
        found = [
            block for block in cold_branches(function)
            if not _guarded(block)
            and (flow.writes(block.statements) & names or (returns and _returns(block)) or _is_arm(block, statement))
        ]  # fmt: skip
        found.sort(key=lambda b: abs(b.statements[0].lineno - statement.lineno))
        return found[:_SUSPECTS]


def _is_unparsed(diagnosis: Diagnosis) -> bool:
    return diagnosis.kind in _PARSED and diagnosis.names.get("construct") not in _COMPILED


def _function(file: FileFacts, place: Place) -> Function | None:
    if place.file != str(file.source.path):
        return None
    function = function_at(file, place.line)
    set_up = function is None or function.skipped or function.name == "__init__" or "<locals>" in function.qualname
    return None if set_up else function


def _calls(callee: Function) -> Iterator[ColdBlock]:
    """The cold blocks in which functions that runs reached call a function that none did."""
    for caller in callee.file.all_functions:
        if callee.cls is not None and caller.cls not in (callee.cls, *callee.cls.subclasses):
            continue
        for node in caller.nodes:
            if isinstance(node, ast.Call) and callee.name in (caller.self_attribute(node.func), _name(node.func)):
                blocks = [b for b in cold_blocks(caller, callee.file.statement_of(node)) if not _guarded(b)]
                if blocks and not never_called(caller):
                    yield blocks[0]


def _name(node: ast.expr) -> str | None:
    return node.id if isinstance(node, ast.Name) else None


def _guarded(block: ColdBlock) -> bool:
    """Whether it is left out already."""
    file = block.function.file
    return any(
        isinstance(s, ast.If) and isinstance(s.test, ast.Call) and file.origin(s.test.func) == _SCRIPTING
        and leaves(s.body)
        for s in file.block_of(block.statements[0])
    )  # fmt: skip


def _returns(block: ColdBlock) -> bool:
    return any(isinstance(n, ast.Return) for s in block.statements for n in walk(s))


def _is_arm(block: ColdBlock, statement: ast.stmt) -> bool:
    """Whether it is a branch of the `if` statement."""
    return isinstance(statement, ast.If) and block.statements[-1] in (statement.body[-1:] + statement.orelse[-1:])
