"""outline-cold."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from tsrefactor.facts.cold import ColdBlock, cold_blocks, statement_at
from tsrefactor.facts.diagnosis import Diagnosis
from tsrefactor.facts.eager_part import NotMovable, own_method, own_nodes
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.flow import leaves
from tsrefactor.facts.nodes import walk
from tsrefactor.facts.scriptable import unparsed
from tsrefactor.facts.signatures import function_at
from tsrefactor.source.edits import Edit, InsertBefore, Replace
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings

_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom)
_SCRIPTING = "torch.jit.is_scripting"


class OutlineCold(Rule):
    """Move code that TorchScript cannot parse, and no run reached, into a method of its own.

    TorchScript parses all of a function, also the branches that it never compiles: a `try`, an `import` or a lambda is
    refused wherever it stands. What no run reached moves into a method (or, outside a class, a function) over the
    names that it needs, which only eager calls: before the call, the branch raises under TorchScript. The migration is
    then *partial*, and the report lists the line.

    The rule comes after all others. It moves the statements from the first to the last that TorchScript cannot parse,
    and, where they may return, all up to the end of the block.

    Refused: code that jumps out of a loop around it or yields, that returns only on some paths, and whose names may be
    unbound before or after it.

    Source: "… aren't supported", raised by torch/jit/frontend.py while it parses.
    """

    name = "outline-cold"
    targets = frozenset({Target.SCRIPT})
    answers = frozenset({"unsupported-syntax", "function-definition"})
    needs_diagnosis = True
    fallback = True
    examples = [
        Example(
            before="""\
import torch
from torch import nn


class Model(nn.Module):
    def __init__(self, path=None):
        super().__init__()
        self.path = path

    def forward(self, x):
        scale = 1.0
        if self.path is not None:
            try:
                scale = float(open(self.path).read())
            except OSError:  # as before
                scale = 2.0
        return x * scale
""",
            after="""\
import torch
from torch import nn


class Model(nn.Module):
    def __init__(self, path=None):
        super().__init__()
        self.path = path

    def forward(self, x):
        scale = 1.0
        if self.path is not None:
            if torch.jit.is_scripting():
                raise RuntimeError('Model.forward does not support `self.path is not None` under TorchScript')
            scale = self._forward_path()
        return x * scale

    def _forward_path(self):
        try:
            scale = float(open(self.path).read())
        except OSError:  # as before
            scale = 2.0
        return scale
""",
            inputs="[(torch.randn(2, 3),), (torch.randn(4, 3),)]",
            breaks=Target.SCRIPT,
            error="try blocks aren't supported",
            recorded=True,
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        for diagnosis in self.diagnoses(file):
            block = _block(file, diagnosis) if file.observations is not None else None
            if block is None or diagnosis.place is None:
                continue
            at = diagnosis.place.line
            first = next(s for s in block.statements if s.lineno <= at <= (s.end_lineno or at))
            message = f"no run reached this, and TorchScript does not parse it: {diagnosis.message}"
            try:
                edits, imports = _outlined(block, first)
            except NotMovable as reason:
                yield self.finding(first, f"{message}; it cannot move: {reason}", answers=diagnosis)
                continue
            yield self.finding(first, message, *edits, imports=imports, partial=True, answers=diagnosis)


def _block(file: FileFacts, diagnosis: Diagnosis) -> ColdBlock | None:
    """The innermost cold block around what could not be parsed, in the function that TorchScript parses."""
    place = diagnosis.place
    function = function_at(file, place.line) if place is not None else None
    while function is not None and "<locals>" in function.qualname:
        parent = file.parents[function.node]
        while not isinstance(parent, (ast.FunctionDef, ast.AsyncFunctionDef)):
            parent = file.parents[parent]
        function = next(f for f in file.all_functions if f.node is parent)
    if function is None or place is None or function.skipped:
        return None
    statement = statement_at(function, place)
    return next(cold_blocks(function, statement), None) if statement is not None else None


def _outlined(block: ColdBlock, first: ast.stmt) -> tuple[list[Edit], frozenset]:
    """Edits that move the code. Raises NotMovable."""
    function, file = block.function, block.function.file
    moved = _extent(block, first)
    own = own_method(function, moved, f"_{function.name.strip('_')}_{_hint(block)}")
    scripting, imports = file.spell(_SCRIPTING)
    guard = f"if {scripting}():\n    raise RuntimeError({{told}})\n"
    told = repr(f"{block.unsupported} under TorchScript")
    guarded = InsertBefore(block.statements[0], guard, {"told": told})
    return [guarded, Replace(moved, "{call}", {"call": own.call}), own.definition], imports


def _extent(block: ColdBlock, first: ast.stmt) -> list[ast.stmt]:
    """The statements of the block that must move. Raises NotMovable."""
    statements, flow = block.statements, block.function.flow
    start = statements.index(first)
    bad = [i for i, s in enumerate(statements) if i >= start and any(map(unparsed, walk(s)))]
    end = max([start, *bad])
    while True:
        defined = flow.writes([s for s in statements[start : end + 1] if isinstance(s, _DEFINITIONS)])
        defined |= {n for s in statements[start : end + 1] for n in _lambdas(s)}
        last = max((i for i, s in enumerate(statements) if i > end and flow.reads(s) & defined), default=end)
        if last == end:
            break
        end = last
    moved = statements[start : end + 1]
    if any(isinstance(n, ast.Return) for s in moved for n in own_nodes(s)):
        moved = statements[start:]
        if not leaves(moved) and not _ends(block, moved):
            raise NotMovable("it returns on some paths only")
    loops = {n for s in moved for loop in walk(s) if isinstance(loop, (ast.For, ast.While)) for n in walk(loop)}
    if any(isinstance(n, (ast.Break, ast.Continue)) and n not in loops for s in moved for n in walk(s)):
        raise NotMovable("it jumps out of a loop around it")
    return moved


def _ends(block: ColdBlock, moved: Sequence[ast.stmt]) -> bool:
    """Whether the function ends where the statements do."""
    return block.function.node.body[-1] is moved[-1]


def _lambdas(statement: ast.stmt) -> set[str]:
    if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Lambda):
        return {t.id for t in statement.targets if isinstance(t, ast.Name)}
    return set()


def _hint(block: ColdBlock) -> str:
    """What a name tells of the branch: the last name of its condition."""
    names = [n.attr if isinstance(n, ast.Attribute) else n.id for n in walk(block.condition)
             if isinstance(n, (ast.Attribute, ast.Name))] if block.condition is not None else []  # fmt: skip
    return names[0].strip("_") if names else "rest"
