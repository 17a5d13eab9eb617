"""filled-list."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from tsrefactor.facts.definitions import Function
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.nodes import assigned_pairs, walk
from tsrefactor.source.edits import Replace
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings


def _example(before: str, after: str) -> Example:
    head = "import torch\nfrom torch import nn\n\n\n"
    inputs = "[(torch.rand(3, 2),), (torch.rand(1, 2),), (torch.rand(5, 2),)]"
    return Example(head + before, head + after, inputs, Target.SCRIPT, error="aten::_set_item")


class FilledList(Rule):
    """Append to a list that a loop fills place by place.

    `out = [None] * n` is a list of None to TorchScript, which takes no tensors. Where the loop that follows sets every
    place once, in order, the list starts empty and grows: `out.append(y)` for `out[i] = y`; `out.insert(0, y)` where
    the loop runs backwards.

    Left alone: loops that may leave out a place (`if`, `continue`, `break`), that read other places than the one just
    set, or whose length is not evidently that of the list; lists that are read before the loop; lists of numbers that
    are given numbers; annotated lists.

    Source: "Expected a value of type 't' for argument 'el'" of `aten::_set_item`, raised by
    torch/csrc/jit/frontend/schema_matching.cpp.
    """

    name = "filled-list"
    targets = frozenset({Target.SCRIPT})
    answers = frozenset({"argument-type", "argument-match", "arguments-not-valid"})
    examples = [
        _example(
            """\
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.cell = nn.GRUCell(2, 2)

    def forward(self, x):
        steps = x.size(0)
        h = x.new_zeros(2)
        out = [None] * steps  # one for each step
        for t in range(steps):
            h = self.cell(x[t], h)
            out[t] = h
        return torch.stack(out), h
""",
            """\
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.cell = nn.GRUCell(2, 2)

    def forward(self, x):
        steps = x.size(0)
        h = x.new_zeros(2)
        out = []  # one for each step
        for t in range(steps):
            h = self.cell(x[t], h)
            out.append(h)
        return torch.stack(out), h
""",
        ),
        _example(
            """\
class Model(nn.Module):
    def forward(self, x):
        rows = x.unbind(0)
        there, back = [None] * len(rows), [0 for _ in range(len(rows))]
        for i, row in enumerate(rows):
            there[i] = row * 2
            x = x + there[i]
        for i in range(len(rows) - 1, -1, -1):
            back[i] = there[i] + x.sum()  # last first
        return torch.cat(there), back
""",
            """\
class Model(nn.Module):
    def forward(self, x):
        rows = x.unbind(0)
        there, back = [], []
        for i, row in enumerate(rows):
            there.append(row * 2)
            x = x + there[i]
        for i in range(len(rows) - 1, -1, -1):
            back.insert(0, there[i] + x.sum())  # last first
        return torch.cat(there), back
""",
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        for function in file.functions:
            for node in function.of(ast.BinOp, ast.ListComp):
                filler = _filler(file, node)
                found = _bound(function, node) if filler is not None else None
                if filler is None or found is None:
                    continue
                start, name = found
                filled = _filled(function, start, name, filler[1])
                if filled is None or not _differs(function, filler[0], filled[0].value):
                    continue
                store, backwards = filled
                template = f"{name}.insert(0, {{value}})" if backwards else f"{name}.append({{value}})"
                yield self.finding(
                    node,
                    f"TorchScript takes no tensors for a list of other values; start `{name}` empty and let it grow",
                    Replace(node, "[]"),
                    Replace([store], template, {"value": store.value}),
                )


def _filler(file: FileFacts, node: ast.BinOp | ast.ListComp) -> tuple[ast.Constant, ast.expr] | None:
    """The constant and the length of ``[None] * n`` or ``[None for _ in range(n)]``."""
    match node:
        case ast.BinOp(ast.List(elts=[ast.Constant() as value]), ast.Mult(), size):
            return value, size
        case ast.BinOp(size, ast.Mult(), ast.List(elts=[ast.Constant() as value])):
            return value, size
        case ast.ListComp(ast.Constant() as value, [ast.comprehension(ifs=[], iter=iter_)]):
            count = _only_argument(file, iter_, "range")
            return (value, count) if count is not None else None
    return None


def _bound(function: Function, node: ast.expr) -> tuple[ast.Assign, str] | None:
    """The assignment that gives the list to a local name."""
    statement = function.file.statement_of(node)
    if not isinstance(statement, ast.Assign) or len(statement.targets) != 1:
        return None
    for target, value in assigned_pairs(statement.targets[0], statement.value):
        if value is node and isinstance(target, ast.Name) and target.id not in function.flow.captured:
            return statement, target.id
    return None


def _filled(function: Function, start: ast.Assign, name: str, size: ast.expr) -> tuple[ast.Assign, bool] | None:
    """The statement by which the next loop sets every place of the list once, in order, and whether backwards."""
    file, flow = function.file, function.flow
    block = file.block_of(start)
    rest = block[block.index(start) + 1 :]
    place = next((i for i, s in enumerate(rest) if _mentions(s, name)), None)
    loop = rest[place] if place is not None else None
    if not isinstance(loop, ast.For) or _may_be_resumed(file, loop):
        return None
    counted = _counted(file, loop, size)
    between = [start, *rest[:place]]
    if counted is None or not flow.is_pure(size) or flow.reads(size) & (flow.writes(between) | flow.mutates(between)):
        return None
    index, backwards = counted
    store = next((s for s in loop.body if _sets(s, name, index)), None)
    if not isinstance(store, ast.Assign) or index in flow.writes(loop.body) or _jumps(loop.body):
        return None
    set_already = False
    for statement in loop.body:
        if statement is store:
            set_already = not backwards
            if _mentions(store.value, name):
                return None
        elif not all(set_already and _reads_place(file, n, index) for n in _mentions(statement, name)):
            return None
    return None if any(_mentions(s, name) for s in loop.orelse) else (store, backwards)


def _counted(file: FileFacts, loop: ast.For, size: ast.expr) -> tuple[str, bool] | None:
    """The name that a loop counts up from 0 below ``size``, or, backwards, down to 0."""
    written, target = ast.unparse(size), loop.target
    if isinstance(target, ast.Name):
        texts = {f"range({written})": False, f"range(0, {written})": False}
        texts |= {f"range({written} - 1, -1, -1)": True, f"reversed(range({written}))": True}
        backwards = texts.get(ast.unparse(loop.iter))
        return (target.id, backwards) if backwards is not None else None
    listed = _only_argument(file, loop.iter, "enumerate")
    measured = _only_argument(file, size, "len")
    if listed is None or measured is None or ast.unparse(listed) != ast.unparse(measured):
        return None
    index = target.elts[0] if isinstance(target, ast.Tuple) else None
    return (index.id, False) if isinstance(index, ast.Name) else None


def _only_argument(file: FileFacts, node: ast.expr, name: str) -> ast.expr | None:
    call = isinstance(node, ast.Call) and len(node.args) == 1 and not node.keywords
    return node.args[0] if call and isinstance(node, ast.Call) and file.origin(node.func) == name else None


def _mentions(node: ast.AST, name: str) -> list[ast.Name]:
    return [n for n in walk(node) if isinstance(n, ast.Name) and n.id == name]


def _sets(statement: ast.stmt, name: str, index: str) -> bool:
    return isinstance(statement, ast.Assign) and [ast.unparse(t) for t in statement.targets] == [f"{name}[{index}]"]


def _reads_place(file: FileFacts, node: ast.Name, index: str) -> bool:
    """Whether a mention of the list reads the place just set."""
    parent = file.parents[node]
    read = isinstance(parent, ast.Subscript) and parent.value is node and isinstance(parent.ctx, ast.Load)
    return read and isinstance(parent, ast.Subscript) and ast.unparse(parent.slice) == index


def _jumps(body: Sequence[ast.stmt]) -> bool:
    """Whether a jump may leave out a place; those of inner loops count, too."""
    return any(isinstance(n, (ast.Break, ast.Continue)) for s in body for n in walk(s))


def _may_be_resumed(file: FileFacts, node: ast.AST) -> bool:
    """Whether code around may go on with a list that an exception left half filled."""
    while not isinstance(node, (ast.FunctionDef, ast.Module)):
        if isinstance(node, ast.Try):
            return True
        node = file.parents[node]
    return False


def _differs(function: Function, filler: ast.Constant, value: ast.expr) -> bool:
    """Whether TorchScript would refuse the value for a list of the filler's type."""
    type_ = function.type_of(value)
    return filler.value is None or (type_.known and type_ != function.type_of(filler))
