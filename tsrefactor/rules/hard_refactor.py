"""hard-refactor."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from tsrefactor.facts.definitions import Function
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.names import fresh
from tsrefactor.facts.nodes import walk
from tsrefactor.facts.selection import Choice, NotAlike, choose
from tsrefactor.source.edits import Replace
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings, preview

Placed = dict[str, ast.expr | str]

_SIGNS = "[(torch.ones(3),), (-torch.ones(3),), (torch.tensor([3.0, -1.0, 0.5, 2.0]),)]"


def _example(before: str, after: str, inputs: str = _SIGNS) -> Example:
    head = """\
import torch
import torch.nn as nn
import torch.nn.functional as F


class Model(nn.Module):
"""
    return Example(head + before, head + after, inputs, Target.TRACE, "baked")


class HardRefactor(Rule):
    """Compute both sides of a choice on data and select with `torch.where`.

    A trace keeps the side of an `if` that its example took. `torch.where` is one operation that computes both sides and
    selects; it passes script, trace and `torch.export` alike, where a `script_if_tracing` function fails export. So it
    comes before soft-refactor where both fit.

    It stands for `if`/`elif`/`else` blocks of assignments, for conditional expressions, and for two returns, when the
    source proves that nothing else changes. The condition must be a single bool without dimensions: a comparison of
    full reductions, or `any()` and `all()` of comparisons. The sides must be elementwise arithmetic with numbers and
    smooth functions (`+ - *`, `/` by a constant, `relu`, `clamp`, `tanh`, …) of the same tensors, so that shape, dtype
    and the tensors that get a gradient are those of the side that Python takes. Where the dtypes agree for floating
    tensors only, the edit waits for a case to prove it. Sums and products are never reassociated.

    Left alone: a side with a division, logarithm, root, power, index or reduction, which could raise or put NaN into
    the gradient where it is not taken (`0 * inf`); sides of different tensors (a parameter used on one side only would
    get a gradient of zeros in place of none); tensors updated in place; random numbers; `max(a, b)` and `min(a, b)`,
    whose gradient at equal values and whose NaN differ from `torch.maximum`; blocks with comments inside, which have
    no place in one line. soft-refactor takes them.

    Source: the TracerWarning "Converting a tensor to a Python boolean might cause the trace to be incorrect", and the
    documentation of `torch.where`.
    """

    name = "hard-refactor"
    targets = frozenset({Target.TRACE})
    answers = frozenset({"trace-boolean"})
    examples = [
        _example(
            """\
    def forward(self, x):
        # one sign for all
        if x.sum() > 0:
            y = x
        else:
            y = -x
        return y + 1
""",
            """\
    def forward(self, x):
        # one sign for all
        y = torch.where(x.sum() > 0, x, -x)
        return y + 1
""",
        ),
        # Without an `else` the name keeps its value.
        _example(
            """\
    def forward(self, x):
        x = x - x.mean()
        large = (x.abs() > 1).any()
        if not large:
            x = F.leaky_relu(x, 0.1)
        return x
""",
            """\
    def forward(self, x):
        x = x - x.mean()
        large = (x.abs() > 1).any()
        x = torch.where(large, x, F.leaky_relu(x, 0.1))
        return x
""",
        ),
        _example(
            """\
    def __init__(self, limit=2.0):
        super().__init__()
        self.limit = limit
        self.gain = nn.Parameter(torch.ones(1))

    def forward(self, x):
        y = x * self.gain if x.norm() > self.limit else (x + self.gain).tanh()
        return y
""",
            """\
    def __init__(self, limit=2.0):
        super().__init__()
        self.limit = limit
        self.gain = nn.Parameter(torch.ones(1))

    def forward(self, x):
        y = torch.where(x.norm() > self.limit, x * self.gain, (x + self.gain).tanh())
        return y
""",
            "[(torch.full((3,), 0.1),), (torch.full((3,), 2.0),), (torch.full((5,), 0.2),)]",
        ),
        # A chain selects from the end.
        _example(
            """\
    def forward(self, x):
        mean = x.mean()
        if mean > 1:
            y = x * 0.5
        elif mean < -1:
            y = x.relu() * 2.0
        else:
            y = x + 1.0
        return y
""",
            """\
    def forward(self, x):
        mean = x.mean()
        y = torch.where(mean > 1, x * 0.5, torch.where(mean < -1, x.relu() * 2.0, x + 1.0))
        return y
""",
            "[(torch.full((3,), 2.0),), (torch.tensor([-9.0, 1.0, 2.0, 0.5]),), (torch.full((5,), 0.2),)]",
        ),
        # Several names share one condition, computed before any of them changes.
        _example(
            """\
    def forward(self, x, h):
        if x.sum() > h.sum():
            x = x - 1.0
            h = h * 0.5
        else:
            x = x + 1.0
            h = h * 2.0
        return x, h
""",
            """\
    def forward(self, x, h):
        condition = x.sum() > h.sum()
        x = torch.where(condition, x - 1.0, x + 1.0)
        h = torch.where(condition, h * 0.5, h * 2.0)
        return x, h
""",
            "[(torch.ones(3), torch.zeros(2)), (torch.zeros(3), torch.ones(2)), (-torch.ones(4), torch.ones(5))]",
        ),
        # Two returns.
        _example(
            """\
    def forward(self, x, h):
        if (x < 0).all():
            return x * h
        return x - h
""",
            """\
    def forward(self, x, h):
        return torch.where((x < 0).all(), x * h, x - h)
""",
            "[(torch.ones(3), torch.ones(3)), (-torch.ones(3), torch.ones(3)), (-torch.ones(4), torch.ones(4))]",
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        for function in file.functions:
            inside: set[ast.AST] = set()
            for node in function.of(ast.If, ast.IfExp):
                if node in inside:
                    continue
                place = _place(function, node) if function.dependence.decides(node.test, presume=True) else []
                if place and not function.dependence.is_compiled:
                    inside |= {n for p in place for n in walk(p)}
                    yield self._finding(function, node, place)

    def _finding(self, function: Function, node: ast.If | ast.IfExp, place: Sequence[ast.AST]) -> Finding:
        kind = "`if`" if isinstance(node, ast.If) else "conditional expression"
        message = f"a trace keeps the side of this {kind} that the example took"
        try:
            if _has_comment(function, place):
                raise NotAlike("a comment inside would be lost")
            if isinstance(node, ast.IfExp):
                choice = _of_expression(function, node)
                _check_updates(function, [choice], set())
                edit, choices = Replace(node, *_where(function, choice)), [choice]
            else:
                edit, choices = _statement(function, node, place)  # type: ignore[arg-type]
        except NotAlike as reason:
            return self.finding(node, f"{message}; `torch.where` cannot stand for it: {reason}")
        imports = function.file.spell("torch.where")[1]
        presumed = any(c.presumed for c in choices)
        message = f"{message}; write `{preview(edit.template, edit.pieces)}`"
        return self.finding(node, message, edit, imports=imports, presumed=presumed, trap=True)


def _place(function: Function, node: ast.If | ast.IfExp) -> Sequence[ast.AST]:
    """The nodes that the choice takes up, when it looks like one: assignments to the same names, or two returns."""
    if isinstance(node, ast.IfExp):
        return [node]
    block = function.file.block_of(node)
    after = block[block.index(node) + 1 : block.index(node) + 2]
    if function.file.source.text.startswith("elif", function.file.source.span(node)[0]):
        return []
    if _returned(node.body) is not None:
        if _returned(node.orelse) is not None:
            return [node]
        return [node, *after] if not node.orelse and _returned(after) is not None else []
    return [node] if _assigned(node.body) and _arm(node.orelse, set(_assigned(node.body))) else []


def _arm(block: Sequence[ast.stmt], names: set[str]) -> bool:
    """Whether the other arm is empty, assigns the same names, or is an ``elif`` that does."""
    if len(block) == 1 and isinstance(block[0], ast.If):
        return set(_assigned(block[0].body)) == names and _arm(block[0].orelse, names)
    return not block or set(_assigned(block)) == names


def _assigned(block: Sequence[ast.stmt]) -> dict[str, ast.expr]:
    """name → value of a block of plain assignments to different names; empty for any other."""
    found = {}
    for statement in block:
        if (
            not isinstance(statement, ast.Assign)
            or len(statement.targets) != 1
            or not isinstance(statement.targets[0], ast.Name)
        ):
            return {}
        found[statement.targets[0].id] = statement.value
    return found if len(found) == len(block) else {}


def _returned(block: Sequence[ast.stmt]) -> ast.expr | None:
    return block[0].value if len(block) == 1 and isinstance(block[0], ast.Return) else None


def _of_expression(function: Function, node: ast.IfExp) -> Choice:
    other = node.orelse
    return choose(
        function, node.test, node.body, _of_expression(function, other) if isinstance(other, ast.IfExp) else other
    )


def _statement(function: Function, node: ast.If, place: Sequence[ast.stmt]) -> tuple[Replace, list[Choice]]:
    taken = _returned(node.body)
    if taken is not None:
        otherwise = _returned(node.orelse or place[1:])
        assert otherwise is not None
        choice = choose(function, node.test, taken, otherwise)
        _check_updates(function, [choice], set())
        template, pieces = _where(function, choice)
        return Replace(place, "return " + template, pieces), [choice]
    names = list(_assigned(node.body))
    if not node.orelse and set(names) - function.flow.bound_before(node):
        raise NotAlike(f"{names[0]} may be unbound before it")
    choices = [_of_name(function, node, name) for name in names]
    _check_updates(function, choices, set(names))
    if len(names) == 1:
        template, pieces = _where(function, choices[0])
        return Replace(place, f"{names[0]} = {template}", pieces), choices
    return _several(function, node, names, choices), choices


def _of_name(function: Function, node: ast.If, name: str) -> Choice:
    """The choice that an ``if`` makes for one of the names that it assigns."""
    value = _assigned(node.body)[name]
    otherwise: ast.expr | Choice
    if not node.orelse:
        otherwise = ast.Name(name, ast.Load())
    elif isinstance(node.orelse[0], ast.If):
        otherwise = _of_name(function, node.orelse[0], name)
    else:
        otherwise = _assigned(node.orelse)[name]
    return choose(function, node.test, value, otherwise)


def _several(function: Function, node: ast.If, names: list[str], choices: list[Choice]) -> Replace:
    """One `torch.where` for each name, over a condition that is computed once."""
    flow = function.flow
    if any(isinstance(c.otherwise, Choice) for c in choices):
        raise NotAlike("an `elif` chain that assigns several names is hard to read as `torch.where`")
    for name, choice in zip(names, choices, strict=True):
        if any(flow.reads(side) & (set(names) - {name}) for side in choice.sides()):
            raise NotAlike("what it assigns depends on the other names that it assigns")
    condition = fresh(flow.local_names, "condition")
    pieces: Placed = {"condition": condition, "test": choices[0].test}
    lines = ["{condition} = {test}"]
    for i, (name, choice) in enumerate(zip(names, choices, strict=True)):
        template, more = _where(function, choice, condition, f"_{i}")
        lines.append(f"{name} = {template}")
        pieces |= more
    return Replace([node], "\n".join(lines), pieces)


def _check_updates(function: Function, choices: Sequence[Choice], names: set[str]) -> None:
    """A side that is a tensor itself, not a new one, must not be updated in place afterwards."""
    read = {n for c in choices for s in c.sides() for n in function.flow.reads(s)}
    updated = function.flow.mutates(function.node.body) & (read | names)
    if updated:
        raise NotAlike(f"{min(updated)} is updated in place, and `torch.where` makes a new tensor")


def _where(function: Function, choice: Choice, condition: str = "", suffix: str = "") -> tuple[str, Placed]:
    """Template and pieces of the call. ``condition`` is a name for the test; ``suffix`` keeps piece names apart."""
    spelled = function.file.spell("torch.where")[0]
    pieces: Placed = {}

    def text(part: ast.expr | Choice) -> str:
        if isinstance(part, Choice):
            sides = [text(part.taken), text(part.otherwise)]
            test = condition or text(part.test)
            return f"{spelled}({test}, {', '.join(reversed(sides) if part.negated else sides)})"
        if not hasattr(part, "lineno"):
            return ast.unparse(part)  # the name itself, where an `else` is missing
        name = f"piece{len(pieces)}{suffix}"
        pieces[name] = part
        return f"{{{name}}}"

    return text(choice), pieces


def _has_comment(function: Function, place: Sequence[ast.AST]) -> bool:
    """Whether a comment stands inside: after the first statement's start and before the last line's end."""
    source, first, last = function.file.source, place[0], place[-1]
    assert isinstance(first, (ast.stmt, ast.expr)) and isinstance(last, (ast.stmt, ast.expr))
    start, end = source.span(first)[0], source.span(last)[1]
    if isinstance(last, ast.stmt):
        end = source.offset(last.end_lineno or last.lineno, 0) + len(source.lines[(last.end_lineno or last.lineno) - 1])
    return "#" in source.text[start:end]
