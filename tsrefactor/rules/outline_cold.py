"""outline-cold."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Sequence

from tsrefactor.facts.cold import ColdBlock, cold_blocks, statement_at
from tsrefactor.facts.definitions import Function
from tsrefactor.facts.diagnosis import Diagnosis
from tsrefactor.facts.family import members
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.flow import leaves
from tsrefactor.facts.names import fresh
from tsrefactor.facts.nodes import walk
from tsrefactor.facts.scriptable import unparsed
from tsrefactor.facts.signatures import function_at
from tsrefactor.source.edits import Edit, InsertAfter, InsertBefore, Replace
from tsrefactor.source.excerpt import excerpt, indent_of, indented
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


class NotMovable(Exception):
    """Why code stays where it is."""


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
    function, file, flow = block.function, block.function.file, block.function.flow
    moved = _extent(block, first)
    inside = [n for s in moved for n in walk(s)]
    returns = any(isinstance(n, ast.Return) for s in moved for n in _own(s))
    if any(isinstance(n, (ast.Yield, ast.YieldFrom, ast.Await, ast.Nonlocal)) for n in inside):
        raise NotMovable("it yields or binds names of a function around it")
    results = [] if returns else _results(function, moved)
    unsure = set(results) - _always_bound(function, moved)  # these may keep the value that they have
    needed = _in_order(moved, (flow.free(moved) | unsure) - {function.self_name})
    if unbound := set(needed) - flow.bound_before(moved[0]):
        raise NotMovable(f"`{min(unbound)}` may not be bound before or after it")
    method = function.self_name is not None
    own = [function.self_name] if function.self_name is not None else []
    taken = members(function.cls) if method and function.cls is not None else file.module_names | flow.local_names
    name = fresh(taken, f"_{function.name.strip('_')}_{_hint(block)}")
    call = f"{function.self_name}.{name}" if method else name
    call = f"{call}({', '.join(needed)})"
    if returns or results:
        call = f"return {call}" if returns else f"{', '.join(results)} = {call}"
    scripting, imports = file.spell(_SCRIPTING)
    guard = f"if {scripting}():\n    raise RuntimeError({{told}})\n"
    told = repr(f"{block.unsupported} under TorchScript")
    guarded = InsertBefore(block.statements[0], guard, {"told": told})
    edits: list[Edit] = [guarded, Replace(moved, "{call}", {"call": call})]
    try:
        body = excerpt(file.source, moved)
    except ValueError as reason:
        raise NotMovable(str(reason)) from reason
    body += f"\nreturn {', '.join(results)}" if results else ""
    helper = f"def {name}({', '.join([*own, *needed])}):\n{indented(body, indent_of(file.source))}"
    if method:
        return [*edits, InsertAfter(function.node, "\n{helper}", {"helper": helper})], imports
    return [*edits, InsertBefore(file.top_level_of(function.node), "{helper}", {"helper": helper})], imports


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
    if any(isinstance(n, ast.Return) for s in moved for n in _own(s)):
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


def _own(node: ast.AST) -> Iterator[ast.AST]:
    """A node and what is below it, without nested functions."""
    yield node
    if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)):
        for child in ast.iter_child_nodes(node):
            yield from _own(child)


def _results(function: Function, moved: Sequence[ast.stmt]) -> list[str]:
    """The names that they may bind and that are read afterwards."""
    return _in_order(moved, function.flow.live_after(moved[-1]) & function.flow.writes(moved))


def _in_order(moved: Sequence[ast.stmt], names: Collection[str | None]) -> list[str]:
    """The names in the order of the text."""
    found = [n for s in moved for n in walk(s) if isinstance(n, ast.Name)]
    found.sort(key=lambda n: (n.lineno, n.col_offset))
    return [n for n in dict.fromkeys(n.id for n in found) if n in names]


def _always_bound(function: Function, moved: Sequence[ast.stmt]) -> set[str]:
    """As `always_writes`, and what all ways through a `try` bind."""
    found: set[str] = set()
    for statement in moved:
        if isinstance(statement, ast.Try):
            ways = [[*statement.body, *statement.orelse], *(h.body for h in statement.handlers)]
            arms = [_always_bound(function, way) for way in ways if not leaves(way)]
            found |= set.intersection(*arms) if arms else set()
            found |= _always_bound(function, statement.finalbody)
        else:
            found |= function.flow.always_writes([statement])
    return found


def _hint(block: ColdBlock) -> str:
    """What a name tells of the branch: the last name of its condition."""
    names = [n.attr if isinstance(n, ast.Attribute) else n.id for n in walk(block.condition)
             if isinstance(n, (ast.Attribute, ast.Name))] if block.condition is not None else []  # fmt: skip
    return names[0].strip("_") if names else "rest"
