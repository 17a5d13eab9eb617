"""cache-in-trace."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tsrefactor.facts.cached_values import ASKED, is_persistent, makes_trained, reads_settled, updates
from tsrefactor.facts.definitions import Function
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.nodes import walk
from tsrefactor.facts.placement import untraced
from tsrefactor.facts.types import TENSOR
from tsrefactor.source.edits import Replace, verbatim
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings

_LIKE = frozenset("len type_as to new_zeros new_ones new_empty new_full zeros_like ones_like empty_like".split())
_DRAWN = ("rand", "normal", "uniform_", "bernoulli", "multinomial", "dropout")
_INPUTS = "[(torch.rand(3, 4),), (torch.rand(5, 4),), (torch.rand(12, 4),)]"


def _example(before: str, after: str) -> Example:
    head = "import torch\nfrom torch import nn\n\n\nclass Model(nn.Module):\n"
    settings = Settings(Target.TRACE)
    return Example(head + before, head + after, _INPUTS, Target.TRACE, "baked", settings=settings, recorded=True)


class CacheInTrace(Rule):
    """Make again in a trace what a module keeps from earlier calls for inputs of the same size.

    A mask or a table of positions that a method keeps on `self`, and makes anew only where the input's size is another,
    is a constant of the trace where the example's size was kept, or fitted: the trace keeps that side of the `if`. With
    `torch.jit.is_tracing()` in the condition it is made in the trace, of the sizes there. Eager and TorchScript, for
    which that is False, go on as before.

    It is done where what is kept is made of nothing but sizes, devices, dtypes and what the constructor alone sets, so
    that it is the same whenever it is made.

    Left alone: what is made of the values of a tensor, of parameters, of what was kept before, or of random numbers;
    what other methods change; conditions that do not ask for a size (`if self.mask is None:`), after which another
    input gets the first one's, in eager too.

    Source: `torch.jit.is_tracing` in torch/jit/_trace.py; the graph of a trace, which holds the table as a constant.
    """

    name = "cache-in-trace"
    targets = frozenset({Target.TRACE})
    answers = frozenset({"trace-boolean"})
    examples = [
        # A table that grows: the trace would have the rows that the constructor made.
        _example(
            """\
    def __init__(self, longest=4):
        super().__init__()
        self.register_buffer("frequencies", torch.tensor([1.0, 0.1, 0.01, 0.001]), persistent=False)
        self.longest = 0
        self._make(longest)

    def _make(self, longest):
        self.longest = longest
        self.table = torch.outer(torch.arange(longest).float(), self.frequencies)

    def forward(self, x):
        if x.shape[0] > self.longest:  # longer than all before
            self._make(x.shape[0])
        return x + self.table[:x.shape[0]]
""",
            """\
    def __init__(self, longest=4):
        super().__init__()
        self.register_buffer("frequencies", torch.tensor([1.0, 0.1, 0.01, 0.001]), persistent=False)
        self.longest = 0
        self._make(longest)

    def _make(self, longest):
        self.longest = longest
        self.table = torch.outer(torch.arange(longest).float(), self.frequencies)

    def forward(self, x):
        if torch.jit.is_tracing() or x.shape[0] > self.longest:  # longer than all before
            self._make(x.shape[0])
        return x + self.table[:x.shape[0]]
""",
        ),
        # What is kept is left early, or in one of two branches.
        _example(
            """\
    def __init__(self):
        super().__init__()
        self.kept = None

    def steps(self, x):
        if self.kept is not None and self.kept.size(0) == x.size(0):
            return self.kept
        self.kept = torch.arange(x.size(0)).unsqueeze(1).to(x)
        return self.kept

    def forward(self, x):
        return x * self.steps(x)
""",
            """\
    def __init__(self):
        super().__init__()
        self.kept = None

    def steps(self, x):
        if not torch.jit.is_tracing() and self.kept is not None and self.kept.size(0) == x.size(0):
            return self.kept
        self.kept = torch.arange(x.size(0)).unsqueeze(1).to(x)
        return self.kept

    def forward(self, x):
        return x * self.steps(x)
""",
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        if not file.mentions("self."):
            return
        for function in file.functions:
            cls = function.cls
            if cls is None or not cls.is_module or function.name == "__init__" or function.dependence.is_compiled:
                continue
            for block in function.of(ast.If):
                made = _making(function, block)
                if made is None:
                    continue
                makes, kept = made
                asks, imports = file.spell("torch.jit.is_tracing")
                kind, asked = (ast.Or, f"{asks}() or ") if makes else (ast.And, f"not {asks}() and ")
                test = file.source.segment(block.test)
                chained = isinstance(block.test, ast.BoolOp) and isinstance(block.test.op, kind)
                template = asked + (verbatim(test) if chained and "\n" not in test else "{test}")
                yield self.finding(
                    block,
                    f"a trace keeps what `{function.name}` made before, or takes for right; ask for "
                    f"`{asks}()` too, and it is made in the trace",
                    Replace(block.test, template, {"test": block.test}),
                    imports=imports,
                    presumed=not function.dependence.freezes(block.test),
                    caveat=_caveat(function, kept),
                    trap=True,
                )


def _caveat(function: Function, kept: _Kept) -> str | None:
    """Says of what is in the state_dict that a trace makes it anew."""
    assert function.cls is not None
    saved = [name for name in sorted(kept.names) if is_persistent(function.cls, name)]
    if not saved:
        return None
    return f"a trace makes `{saved[0]}` anew, in the model too: other values that a state_dict gave it are lost"


def _making(function: Function, block: ast.If) -> tuple[bool, _Kept] | None:
    """Whether the body makes what is kept for a size (True) or uses it (False); None where it is no such choice."""
    asked = {name for n in walk(block.test) if (name := function.self_attribute(n)) is not None}
    if not asked or untraced(function.file, block):
        return None
    dependence = function.dependence
    if not dependence.freezes(block.test, presume=True) or dependence.decides(block.test):
        return None
    rest = block.orelse or (_rest(function, block) if isinstance(block.body[-1], ast.Return) else [])
    for code, makes in ((block.body, True), (rest, False)):
        kept = _Kept.of(function, code)
        if kept is not None and kept.names & asked and (not makes or not block.orelse):
            if _changes_elsewhere(function, kept) or (not makes and _assigns_anew(function, block.body, kept.names)):
                return None
            return makes, kept
    return None


def _changes_elsewhere(function: Function, kept: _Kept) -> bool:
    """Whether other code of the class changes what is kept, but for moving it (`self.table = self.table.to(x)`)."""
    assert function.cls is not None
    cls = function.cls
    for method in (m for c in (cls, *cls.ancestors, *cls.subclasses) for m in c.methods.values()):
        if method.name != "__init__" and updates(method, kept.names, kept.code):
            return True
        for node in (n for name in kept.names for n in method.self_attributes.get(name, ()) if n not in kept.code):
            part: ast.AST = node
            while isinstance(method.file.parents[part], (ast.Attribute, ast.Subscript)):
                part = method.file.parents[part]
            if isinstance(part.ctx, ast.Load) or method.name == "__init__":  # type: ignore[attr-defined]
                continue
            statement = method.file.statement_of(node)
            own = [n for n in walk(statement) if method.self_attribute(n) == method.self_attribute(node)]
            if part is not node or not isinstance(statement, ast.Assign) or len(own) < 2:
                return True
    return False


def _assigns_anew(function: Function, code: Sequence[ast.stmt], names: set[str]) -> bool:
    """Whether the code that uses what is kept also sets an attribute, other than by converting what it holds."""
    stores = {name for n in _all(code) if (name := _stored(function, n)) is not None}
    return bool(stores - names)


def _rest(function: Function, block: ast.stmt) -> list[ast.stmt]:
    """What follows the statement in the function."""
    found: list[ast.stmt] = []
    node: ast.AST = block
    while node is not function.node:
        assert isinstance(node, ast.stmt)
        siblings = function.file.block_of(node)
        found += siblings[siblings.index(node) + 1 :]
        node = function.file.parents[node]
        if not isinstance(node, (ast.If, ast.FunctionDef)):
            return []
    return found


@dataclass
class _Kept:
    """The attributes to which some ``code``, that of methods which it calls among it, gives values made of nothing but
    sizes, devices and dtypes.
    """

    names: set[str]
    code: set[ast.AST]

    @staticmethod
    def of(function: Function, code: Sequence[ast.stmt], depth: int = 0) -> _Kept | None:
        names = {name for n in _all(code) if (name := _stored(function, n)) is not None}
        bound, inside = function.flow.writes(code), set(_all(code))
        for node in _all(code):
            if (
                isinstance(node, (ast.AugAssign, ast.Yield, ast.Global))
                or _draws(node)
                or makes_trained(function, node)
            ):
                return None
            if isinstance(node, ast.Name) and node.id not in bound and _takes_values(function, node):
                return None
            method = _called(function, node)
            if method is not None:
                more = _Kept.of(method, method.code, depth + 1) if depth < 2 else None
                if more is None:
                    return None
                names, inside = names | more.names, inside | more.code
        read = (n for n in _all(code) if function.self_attribute(n) not in names)
        if any(_reads_before(function, code, name) for name in names) or not all(
            reads_settled(function, n) for n in read
        ):
            return None
        return _Kept(names, inside)


def _all(code: Sequence[ast.stmt]) -> Iterator[ast.AST]:
    for statement in code:
        yield from walk(statement)


def _stored(function: Function, node: ast.AST) -> str | None:
    """The attribute of the instance that a node sets, by assignment or as a buffer."""
    if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
        return function.self_attribute(node)
    if isinstance(node, ast.Call) and function.self_attribute(node.func) == "register_buffer" and node.args:
        name = node.args[0]
        return name.value if isinstance(name, ast.Constant) and isinstance(name.value, str) else None
    return None


def _called(function: Function, node: ast.AST) -> Function | None:
    """The method of the class that a node calls."""
    name = function.self_attribute(node.func) if isinstance(node, ast.Call) else None
    return function.cls.method(name) if name is not None and function.cls is not None else None


def _draws(node: ast.AST) -> bool:
    name = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
    return any(part in name for part in _DRAWN)


def _takes_values(function: Function, node: ast.Name) -> bool:
    if function.dependence.may_be_sized(node) or function.type_of(node, presume=True) != TENSOR:
        return False
    return not _asks_only(function, node)


def _asks_only(function: Function, node: ast.Name) -> bool:
    """Whether a tensor is only asked for what a trace has of it anyway, or given to a method that is looked at."""
    parent = function.file.parents[node]
    if isinstance(parent, ast.Attribute):
        return parent.attr in ASKED or parent.attr in _LIKE
    if isinstance(parent, ast.keyword):
        parent = function.file.parents[parent]
    if not isinstance(parent, ast.Call):
        return False
    name = parent.func.attr if isinstance(parent.func, ast.Attribute) else getattr(parent.func, "id", "")
    return name in _LIKE or _called(function, parent) is not None


def _reads_before(function: Function, code: Sequence[ast.stmt], name: str) -> bool:
    """Whether the code reads an attribute before it sets it."""
    inside = set(_all(code))
    nodes = [n for n in function.self_attributes.get(name, ()) if n in inside]
    stores = [function.file.statement_of(n).lineno for n in nodes if isinstance(n.ctx, ast.Store)]
    return any(isinstance(n.ctx, ast.Load) and n.lineno <= min(stores, default=0) for n in nodes)
