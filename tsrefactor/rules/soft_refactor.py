"""soft-refactor."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field

from tsrefactor.facts.definitions import Function
from tsrefactor.facts.empty_blocks import guarded_from_nothing
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.freezing import Freezing
from tsrefactor.facts.layer_calls import layer_to_call_before
from tsrefactor.facts.moving import expression_name, free_name, moved, overriding
from tsrefactor.facts.names import fresh
from tsrefactor.facts.outline import Outline, outline, outline_use
from tsrefactor.facts.own_values import Unmovable
from tsrefactor.facts.placement import untraced
from tsrefactor.facts.selection import NotAlike, choose
from tsrefactor.facts.types import TENSOR
from tsrefactor.source.edits import Edit, InsertBefore, Replace
from tsrefactor.source.imports import Import
from tsrefactor.vocabulary import Placement, Target

from .base import Example, Finding, Rule, Settings, shortened

_KEPT: dict[type[ast.AST], str] = {
    ast.IfExp: "a trace keeps the side of this conditional expression that the example took",
    ast.If: "a trace keeps the side of this `if` that the example took",
    ast.While: "a trace keeps the example's number of turns of this `while`",
    ast.For: "a trace keeps the example's number of turns of this `for`",
}

_INNER, _MODULE = Settings(placement=Placement.INNER), Settings(placement=Placement.MODULE)
_ROWS = "[(torch.ones(3, 4),), (-torch.ones(3, 4),), (torch.arange(20.0).view(5, 4) - 9,)]"


def _baked(before: str, after: str, inputs: str, settings: Settings) -> Example:
    return Example(before, after, inputs, Target.TRACE, "baked", settings=settings)


class SoftRefactor(Rule):
    """Move a block whose course depends on a tensor into a `script_if_tracing` function.

    A trace records what its example did: the side of an `if` that it took, the number of turns of a `while` or `for`.
    A function under `torch.jit.script_if_tracing` runs as plain Python in eager, and is compiled, with its branches
    and loops, where a trace comes by. So the block becomes such a function, of the tensors that it reads, and returns
    the tensors that it assigns and that are used later. Sizes count like data: a condition on `x.shape`
    is frozen, too, and a `range` over it without even a warning.

    The function captures nothing. Parameters and buffers of the module are passed, and may be updated in it by index;
    one that only some instances have is passed as an Optional. So are numbers, tuples of them and flags that never
    change after construction. A size or a number taken from a tensor would be frozen as an argument: the assignment
    that computes it is repeated inside, or moves there when nothing else needs it. So do the few statements before the
    block that bind the tensor again whose size it was; where that does not help, the size is passed as a tensor. Where
    a result is no tensor (a list, a count), what uses it moves along; an early `return` takes the rest of the function
    with it.

    Where no block but a plain number is frozen (`int(n * 0.7)`, `t.item()`, `math.sqrt(n)`, `[x] * n`, a comprehension
    over rows, rows that are joined at once, a size as the groups of a convolution or as the one width of a pooling),
    the smallest tensor expression around it becomes such a function. A size that cannot be read inside is passed: in a
    trace it is a tensor, and `int(size)` is recorded in compiled code.

    `--placement inner`, the classic form, puts the function right before the block; it serves a trace only. `module`
    puts it above the class, which TorchScript can compile as well.

    A layer whose result meets the number is called before, in a variable. Elsewhere it becomes the function that it
    calls, with its weights: `F.linear(x, fc_weight, fc_bias)` for `self.fc(x)`. So do convolutions, embeddings, layer
    and group norms, dropout, cells, `nn.RNN` and `nn.GRU` that are given their state (presumed to be given a batch),
    and layers without weights or modes (`nn.L1Loss()`). Not a batch norm, which keeps statistics, nor `nn.LSTM`, whose
    function does not check the state, nor a layer whose class asks for `weight_norm`, `spectral_norm` or hooks: what
    these make when the layer is called, the function would miss. A Sequential of up to four such layers becomes their
    functions, one around the other.

    A method that such a block calls, and that only computes, becomes a function of the module, of its parameters and
    of what it reads of `self`; the method calls it in its turn. So does the `forward` of a layer whose class is in the
    file. A method that a class of the file overrides stays. Layers of a `ModuleList`, all of one class or made alike,
    are called in the same way (`self.cells[i]`, or the variable of a loop over them), where the block calls one of them
    only.

    Left alone, with the reason: blocks that call other submodules or methods, assign attributes, print, yield, hold
    `try`, `lambda` or nested functions, read or fill dictionaries, or need or give what is not known to be a tensor.
    Blocks that do nothing but raise or warn are no finding. Conditional expressions that `torch.where` can stand for
    are left to hard-refactor.

    Source: the TracerWarnings "Converting a tensor to a Python boolean …" and "Iterating over a tensor might cause the
    trace to be incorrect"; the documentation of `torch.jit.script_if_tracing`.
    """

    name = "soft-refactor"
    targets = frozenset({Target.TRACE})
    answers = frozenset({"trace-boolean", "trace-integer", "trace-float", "trace-number", "trace-iterate"})
    examples = [
        # An `if` on data, in the classic form: an inner function, right before its only use.
        _baked(
            """\
import torch


class Model(torch.nn.Module):
    def forward(self, x):
        # leave small signals alone
        if x.abs().max() > 1:
            x = x / x.abs().max()  # the peak becomes one
        return x + 1
""",
            """\
import torch


class Model(torch.nn.Module):
    def forward(self, x):
        # leave small signals alone
        @torch.jit.script_if_tracing
        def _update_x(x):
            if x.abs().max() > 1:
                x = x / x.abs().max()  # the peak becomes one
            return x

        x = _update_x(x)
        return x + 1
""",
            "[(torch.full((2, 3), 0.5),), (torch.tensor([[2.0, -4.0, 1.0]]),), (torch.full((4, 3), 3.0),)]",
            _INNER,
        ),
        # A `while`; a parameter and a number of the instance are passed. The module-level function serves script, too.
        _baked(
            """\
import torch
from torch import nn


class Model(nn.Module):
    def __init__(self, limit=0.5):
        super().__init__()
        self.limit = limit
        self.damping = nn.Parameter(torch.tensor([0.5]))

    def forward(self, x):
        steps = torch.zeros(())
        while x.abs().mean() > self.limit:
            x = x * self.damping
            steps = steps + 1
        return x, steps
""",
            """\
import torch
from torch import nn


@torch.jit.script_if_tracing
def _update_x_steps(x, damping, steps, limit: float):
    while x.abs().mean() > limit:
        x = x * damping
        steps = steps + 1
    return x, steps


class Model(nn.Module):
    def __init__(self, limit=0.5):
        super().__init__()
        self.limit = limit
        self.damping = nn.Parameter(torch.tensor([0.5]))

    def forward(self, x):
        steps = torch.zeros(())
        x, steps = _update_x_steps(x, self.damping, steps, self.limit)
        return x, steps
""",
            "[(torch.full((4,), 3.0),), (torch.full((6,), 0.3),), (torch.full((5,), 20.0),)]",
            _MODULE,
        ),
        # A plain number made of sizes: compiled code computes it, and what uses it.
        _baked(
            """\
import torch


class Model(torch.nn.Module):
    def __init__(self, keep=0.7):
        super().__init__()
        self.keep = keep

    def forward(self, x):
        kept = int(x.shape[1] * self.keep)
        return x.sort(dim=1)[0][:, :kept]  # the smallest
""",
            """\
import torch


class Model(torch.nn.Module):
    def __init__(self, keep=0.7):
        super().__init__()
        self.keep = keep

    def forward(self, x):
        @torch.jit.script_if_tracing
        def _slice_x(x, keep: float):
            kept = int(x.shape[1] * keep)
            return x.sort(dim=1)[0][:, :kept]

        return _slice_x(x, self.keep)  # the smallest
""",
            _ROWS,
            _INNER,
        ),
        # An early return takes the rest of the function with it.
        _baked(
            """\
import torch


class Model(torch.nn.Module):
    def forward(self, x, gain):
        if (x < 0).any():
            return torch.zeros_like(x)
        x = x * gain

        # soft knee
        if x.max() > 1:
            x = torch.tanh(x)
        return x
""",
            """\
import torch


class Model(torch.nn.Module):
    def forward(self, x, gain):
        @torch.jit.script_if_tracing
        def _forward_result(x, gain):
            if (x < 0).any():
                return torch.zeros_like(x)
            x = x * gain

            # soft knee
            if x.max() > 1:
                x = torch.tanh(x)
            return x

        return _forward_result(x, gain)
""",
            "[(torch.full((3,), 0.4), torch.tensor(2.0)), (torch.full((4,), 0.9), torch.tensor(2.0))]",
            _INNER,
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        taken: set[str] = set()
        for function in file.functions:
            if isinstance(function.node, ast.AsyncFunctionDef) or function.dependence.is_compiled:
                continue
            moves = _Moves(function, Freezing(function), settings.placement, taken)
            self._blocks(moves)
            if file.mentions(*_NUMBERS):
                self._numbers(moves)
            yield from moves.found.values()

    def _blocks(self, moves: _Moves) -> None:
        """Where a trace keeps one way through a block: the block moves."""
        function = moves.function
        for statement in function.of(*_KEEPING):
            assert isinstance(statement, ast.stmt)
            node = None if statement in moves.nodes else _frozen(function, statement)
            if node is None or _only_checks(function, statement):
                continue
            if isinstance(node, ast.If) and guarded_from_nothing(function, node) is not None:
                continue  # empty-guard leaves it where it is
            message = _KEPT[type(node)]
            if _is_selection(function, node):
                moves.found[node] = self.finding(node, f"{message}; hard-refactor selects with `torch.where`")
                continue
            try:
                found = outline(function, statement, moves.freezing.names)
                name, edits, imports = moves.move(found)
            except (Unmovable, ValueError) as reason:
                moves.found[node] = self.finding(node, f"{message}; it cannot move into a function: {reason}")
                continue
            presumed = found.presumed or _frozen(function, statement, presume=False) is None
            message += f"; move it into `{name}`, which a trace compiles"
            moves.found[statement] = self.finding(
                statement, message, *edits, imports=imports, presumed=presumed, trap=True, caveat=overriding(found)
            )

    def _numbers(self, moves: _Moves) -> None:
        """Where a plain number that a trace keeps meets a tensor: compiled code computes the number and uses it."""
        function, freezing = moves.function, moves.freezing
        done: set[ast.AST] = set()
        for use, root in freezing.uses():
            around = freezing.tensor_around(use)
            place = around if around is not None else function.file.statement_of(use)
            if use in moves.nodes or any(n in done for n in (use, place)):
                continue
            done |= set(ast.walk(place))
            message = f"a trace keeps the example's `{shortened(root)}`"
            try:
                if around is None:
                    found = outline(function, function.file.statement_of(use))
                else:
                    found = outline_use(function, around, freezing.names, moves.placement is Placement.INNER)
                    if found.layers and layer_to_call_before(function, around, use) is not None:
                        raise Unmovable("it calls a layer")
                name, edits, imports = moves.move(found)
            except (Unmovable, ValueError) as reason:
                layer = None if around is None else layer_to_call_before(function, around, use)
                if layer is not None:
                    moves.found[use] = self._apart(function, layer, message)
                    continue
                message += "; what uses it cannot move into a function"
                moves.found[use] = self.finding(use, f"{message}: {reason}")
                continue
            presumed = found.presumed or (around is not None and function.type_of(around) != TENSOR)
            message += f"; compute it in `{name}`, which a trace compiles"
            moves.found[place] = self.finding(
                place, message, *edits, imports=imports, presumed=presumed, trap=True, caveat=overriding(found)
            )

    def _apart(self, function: Function, layer: ast.Call, message: str) -> Finding:
        """Calls a layer before the statement with the number, so that the rest of that can move."""
        named = next(n.attr for n in ast.walk(layer.func) if isinstance(n, ast.Attribute))
        name = fresh(function.flow.local_names | function.file.module_names, named, f"{named}_output")
        before = InsertBefore(function.file.statement_of(layer), f"{name} = {{layer}}", {"layer": layer})
        return self.finding(layer, f"{message}; call `{named}` before", before, Replace(layer, name))


@dataclass
class _Moves:
    """What of one function moves: ``found`` are the findings by their nodes, ``nodes`` all that moves in statements."""

    function: Function
    freezing: Freezing
    placement: Placement
    taken: set[str]
    found: dict[ast.AST, Finding] = field(default_factory=dict)
    nodes: set[ast.AST] = field(default_factory=set)
    _names: dict[ast.AST, str] = field(default_factory=dict)

    def move(self, found: Outline) -> tuple[str, list[Edit], frozenset[Import]]:
        """The name of the helper, the edits and the imports; smaller pieces in it do not move by themselves any more.

        Raises ValueError where the text cannot be moved.
        """
        roots = found.statements if found.expression is None else []
        inside = {n for s in roots for n in ast.walk(s)}
        for node in [n for n in self.found if n in inside]:
            del self.found[node]
            self.taken.discard(self._names.pop(node, ""))
        naming = _name if found.expression is None else expression_name
        name = naming(self.function, found, self.taken)
        edits, imports = moved(self.function, found, self.placement, name)
        self.taken.add(name)
        self._names[found.expression or found.statements[0]] = name
        self.nodes |= inside
        return name, edits, imports


_NUMBERS = ("size", "shape", "item", "tolist", "len", "int", "float", "unbind", "split")
_SIMPLE = (ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Return)
_KEEPING = (ast.If, ast.While, ast.For, *_SIMPLE)
"""Statements of which a trace may keep one way only."""


def _frozen(function: Function, statement: ast.stmt, presume: bool = True) -> ast.AST | None:
    """The statement, or the conditional expression in it, of which a trace keeps the way that the example took."""
    dependence = function.dependence
    if function.file.mentions("is_tracing") and untraced(function.file, statement):
        return None
    if isinstance(statement, (ast.If, ast.While)):
        return statement if dependence.freezes(statement.test, presume) else None
    if isinstance(statement, ast.For):
        return statement if dependence.freezes_loop(statement, presume) else None
    if function.of(ast.IfExp, ast.Lambda) and isinstance(statement, _SIMPLE):
        choices = (n for n in ast.walk(statement) if isinstance(n, ast.IfExp))
        return next((n for n in choices if dependence.freezes(n.test, presume)), None)
    return None


def _is_selection(function: Function, node: ast.AST) -> bool:
    """Whether a conditional expression is better selected by `torch.where`: see hard-refactor."""
    try:
        return isinstance(node, ast.IfExp) and not choose(function, node.test, node.body, node.orelse).presumed
    except NotAlike:
        return False


def _only_checks(function: Function, statement: ast.stmt) -> bool:
    """Whether a block has no effect but to raise or to warn, so that the trace's results do not depend on it."""
    flow = function.flow
    leaving = any(isinstance(n, (ast.Return, ast.Break, ast.Continue)) for n in ast.walk(statement))
    return not (leaving or flow.writes(statement) or flow.mutates(statement))


def _name(function: Function, found: Outline, taken: set[str]) -> str:
    """A free name that tells what the helper gives: ``_update_x``, ``_compute_boxes_scores``, ``_forward_result``."""
    if found.returns:
        wanted = f"_{function.name.strip('_')}_result"
    else:
        verb = "update" if found.results[0] in {a.name for a in found.arguments} else "compute"
        wanted = "_".join(["", verb, *found.results[:2]])
    return free_name(function, taken, wanted)
