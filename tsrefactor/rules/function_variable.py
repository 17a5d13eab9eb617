"""function-variable."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tsrefactor.facts.attributes import Attributes
from tsrefactor.facts.definitions import Function
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.flow import leaves, root_name
from tsrefactor.facts.nodes import walk
from tsrefactor.source.edits import Edit, InsertAfter, Piece, Pieces, Replace
from tsrefactor.source.excerpt import comments_above
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings

_HEAD = """\
from functools import partial

import torch
import torch.nn.functional as F
from torch import nn


"""
_SIMPLE = (ast.Assign, ast.Return, ast.AugAssign, ast.AnnAssign, ast.Expr)


def _example(before: str, after: str, model: str, error: str) -> Example:
    inputs = "[(torch.rand(2, 4) - 0.5,), (torch.rand(3, 4) - 0.5,)]"
    return Example(_HEAD + before, _HEAD + after, inputs, Target.SCRIPT, error=error, model=model)


class FunctionVariable(Rule):
    """Call the functions themselves where a variable holds one of several.

    TorchScript has no values that are functions. `f = F.relu if c else F.elu` and then `f(x)` becomes
    `F.relu(x) if c else F.elu(x)`; where the arms of an `if` choose the function and the next statement calls it, the
    statement moves into the arms. A `functools.partial` is written out with its arguments.

    Refused: a variable that is passed on or bound elsewhere; arms that hold values that are computed; a condition that
    does more than compute, or that reads what changes before the call.

    Source: "function cannot be used as a value" and "undefined value", raised by torch/csrc/jit/frontend/ir_emitter.cpp
    and sugared_value.h; a variable that an `if` sets to functions is dropped after it.
    """

    name = "function-variable"
    targets = frozenset({Target.SCRIPT})
    answers = frozenset(
        {
            "not-a-value",
            "undefined-value",
            "not-callable",
            "missing-attribute",
            "python-value-as-value",
            "reassign-module",
        }
        | {"unsupported-syntax", "not-defined-in-branch", "no-attribute-on-type", "python-type-as-value"}
    )
    examples = [
        _example(
            """\
class Model(nn.Module):
    def __init__(self, smooth: bool):
        super().__init__()
        self.smooth = smooth

    def forward(self, x):
        act = F.elu if self.smooth else F.relu
        x = act(x - 1)  # the first
        return act(x)
""",
            """\
class Model(nn.Module):
    def __init__(self, smooth: bool):
        super().__init__()
        self.smooth = smooth

    def forward(self, x):
        x = F.elu(x - 1) if self.smooth else F.relu(x - 1)  # the first
        return F.elu(x) if self.smooth else F.relu(x)
""",
            "Model(True)",
            "function cannot be used as a value",
        ),
        _example(
            """\
def squared(x, weight: float):
    return weight * x.square()


class Model(nn.Module):
    def __init__(self, kind="l2"):
        super().__init__()
        self.kind = kind

    def forward(self, x):
        if self.kind == "l1":
            loss = partial(F.l1_loss, reduction="none")
        elif self.kind == "huge":
            x = x * 100
            loss = F.huber_loss
        else:
            x = x - 1
            loss = F.mse_loss
        # one number for each element, or one for all
        result = loss(x, torch.zeros_like(x))
        return squared(result, 0.5)
""",
            """\
def squared(x, weight: float):
    return weight * x.square()


class Model(nn.Module):
    def __init__(self, kind="l2"):
        super().__init__()
        self.kind = kind

    def forward(self, x):
        if self.kind == "l1":
            # one number for each element, or one for all
            result = F.l1_loss(x, torch.zeros_like(x), reduction="none")
        elif self.kind == "huge":
            x = x * 100
            result = F.huber_loss(x, torch.zeros_like(x))
        else:
            x = x - 1
            result = F.mse_loss(x, torch.zeros_like(x))
        return squared(result, 0.5)
""",
            "Model()",
            "function cannot be used as a value",
        ),
        _example(
            """\
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.wide, self.deep = nn.Linear(4, 4), nn.Sequential(nn.Linear(4, 4), nn.ReLU())

    def forward(self, x, deep: bool = True):
        body = self.deep if deep else self.wide
        limit = partial(torch.clamp, min=-0.5, max=0.5)
        return limit(body(x))
""",
            """\
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.wide, self.deep = nn.Linear(4, 4), nn.Sequential(nn.Linear(4, 4), nn.ReLU())

    def forward(self, x, deep: bool = True):
        return torch.clamp(self.deep(x) if deep else self.wide(x), min=-0.5, max=0.5)
""",
            "Model()",
            "cannot be used as a value|__call__|partial",
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        for function in file.functions:
            for name in _held(function):
                variable = _Variable(function, name)
                if not variable.is_choice:
                    continue
                message = f"TorchScript has no variables that hold functions (`{name}`)"
                try:
                    edits = variable.mended()
                except NotWritable as reason:
                    yield self.finding(variable.stores[0], f"{message}, and {reason}")
                    continue
                shown = variable.shown()
                yield self.finding(variable.stores[0], f"{message}; call `{shown}`", *edits)


class NotWritable(Exception):
    """Why a variable stays, as the end of "…, and it is passed on as a value"."""


def _held(function: Function) -> list[str]:
    """Local names that the function calls and assigns."""
    called = {c.func.id for c in function.of(ast.Call) if isinstance(c.func, ast.Name)}
    if not called:
        return []
    names = (t.id for s in function.of(ast.Assign) for t in s.targets if isinstance(t, ast.Name) and t.id in called)
    return list(dict.fromkeys(names))


class _Variable:
    """A local name that holds functions."""

    def __init__(self, function: Function, name: str):
        self.function, self.file, self.name = function, function.file, name
        self.stores = [
            s for s in function.of(ast.Assign) if any(isinstance(t, ast.Name) and t.id == name for t in s.targets)
        ]

    @property
    def is_choice(self) -> bool:
        """Whether every assignment gives it functions, and TorchScript cannot follow them."""
        values = [s.value for s in self.stores]
        if not all(map(self._is_callable, values)):
            return False
        if len(values) > 1 or self._leaves_arm():
            return not self._is_pruned()
        return isinstance(values[0], ast.IfExp) or self._is_partial(values[0])

    def _is_pruned(self) -> bool:
        """Whether Final flags decide all that chooses it: TorchScript then sees but one assignment."""
        cls, attributes = self.function.cls, Attributes(self.file)
        for store in self.stores:
            around: ast.AST = self.file.parents[store]
            while isinstance(around, ast.If):
                flag = self.function.self_attribute(around.test)
                if cls is None or flag is None or not attributes.is_final(cls, flag):
                    return False
                around = self.file.parents[around]
        return True

    def _leaves_arm(self) -> bool:
        """Whether the only assignment stands in an arm of an `if`, and a call outside of it."""
        arm = self.file.block_of(self.stores[0])
        inside = {n for s in arm for n in walk(s)}
        calls = (c for c in self.function.of(ast.Call) if isinstance(c.func, ast.Name) and c.func.id == self.name)
        return isinstance(self.file.parents[self.stores[0]], ast.If) and any(c not in inside for c in calls)

    def _is_partial(self, node: ast.expr) -> bool:
        return isinstance(node, ast.Call) and self.file.origin(node.func) == "functools.partial" and bool(node.args)

    def _is_callable(self, node: ast.expr) -> bool:
        """Whether it is a function or module by name, a partial or lambda, or a choice of these."""
        if isinstance(node, ast.IfExp):
            return self._is_callable(node.body) and self._is_callable(node.orelse)
        if self._is_partial(node) and isinstance(node, ast.Call):
            return self._is_callable(node.args[0])
        if isinstance(node, ast.Lambda):
            return True
        makes = self.file.origin(node).rpartition(".")[2][:1].isupper()  # a class: what it makes is for other rules
        return _is_dotted(node) and self._is_steady(node) and not makes

    def _is_steady(self, node: ast.expr) -> bool:
        """Whether a (dotted) name means the same wherever the function calls it."""
        root = root_name(node)
        return root == self.function.self_name or root not in self.function.flow.local_names

    # -- the edits -----------------------------------------------------------------------------------------------------

    def mended(self) -> list[Edit]:
        """The edits that call the functions themselves. Raises NotWritable."""
        calls = self._calls()
        chain = self._chain() if len(self.stores) > 1 or self._leaves_arm() else None
        value = self.stores[0].value if chain is None else _two_arms(chain, self.stores)
        if value is None or (chain is not None and self._follows(chain, calls)):
            assert chain is not None
            return self._pushed(chain, calls)
        self._check_steady(value)
        edits: list[Edit] = [Replace(call, "{call}", {"call": self._text(value, call)}) for call in calls]
        return [*edits, Replace([chain or self.stores[0]], "")]

    def shown(self) -> str:
        """What is called instead, for a message."""
        values = [self._text(s.value, None) for s in self.stores]
        return values[0] if len(values) == 1 else " or ".join(dict.fromkeys(values))

    def _calls(self) -> list[ast.Call]:
        """All uses of the name."""
        function, own = self.function, set(self.function.nodes)
        names = [n for n in walk(function.node) if isinstance(n, ast.Name) and n.id == self.name]
        stores = [n for n in names if not isinstance(n.ctx, ast.Load)]
        if len(stores) != len(self.stores) or self.name in {p.name for p in function.parameters}:
            raise NotWritable("it is bound in other ways, too")
        if any(len(s.targets) != 1 for s in self.stores):
            raise NotWritable("it is bound in other ways, too")
        calls = []
        for name in names:
            if isinstance(name.ctx, ast.Load):
                call = self.file.parents[name]
                if not isinstance(call, ast.Call) or call.func is not name or call not in own:
                    raise NotWritable("it is passed on as a value")
                if any(isinstance(a, ast.Starred) for a in call.args) or not all(k.arg for k in call.keywords):
                    raise NotWritable("it is called with `*` or `**`")
                if any(n in names for a in (*call.args, *call.keywords) for n in walk(a)):
                    raise NotWritable("it is called with its own result")
                calls.append(call)
        return calls

    def _check_steady(self, value: ast.expr) -> None:
        """What decides and what is bound must be the same at the calls as where the variable is set."""
        flow, store = self.function.flow, self.stores[-1]
        if not all(flow.is_pure(n.test) for n in walk(value) if isinstance(n, ast.IfExp)):
            raise NotWritable("what decides does more than compute")
        later = [s for s in self.function.statements if s.lineno > (store.end_lineno or 0)]
        read = flow.reads(ast.Expr(value)) - {self.function.self_name or ""}
        if changed := read & (flow.writes(later) | flow.mutates(later)):
            raise NotWritable(f"`{min(changed)}` changes before it is called")
        attributes = {self.function.self_attribute(n) for n in walk(value)} - {None}
        for name in attributes:
            if any(not isinstance(n.ctx, ast.Load) for n in self.function.self_attributes.get(name or "", ())):
                raise NotWritable(f"`{name}` changes in the function")

    # -- in the arms of an `if` ----------------------------------------------------------------------------------------

    def _chain(self) -> ast.If:
        """The innermost `if` that holds all assignments."""
        around: ast.AST = self.stores[0]
        while around is not self.function.node:
            around = self.file.parents[around]
            if isinstance(around, ast.If) and all(any(n is s for n in walk(around)) for s in self.stores):
                return around
        raise NotWritable("no single `if` chooses it")

    def _follows(self, chain: ast.If, calls: list[ast.Call]) -> bool:
        """Whether one statement right after the chain holds the only call."""
        block = self.file.block_of(chain)
        after = block[block.index(chain) + 1 : block.index(chain) + 2]
        return bool(after) and len(calls) == 1 and any(n is calls[0] for n in walk(after[0]))

    def _pushed(self, chain: ast.If, calls: list[ast.Call]) -> list[Edit]:
        """The statement that calls, moved into the arms of the chain."""
        block = self.file.block_of(chain)
        after = block[block.index(chain) + 1 : block.index(chain) + 2]
        if not self._follows(chain, calls) or not isinstance(after[0], _SIMPLE):
            raise NotWritable("the statement after the `if` does not call it once")
        edits: list[Edit] = []
        for arm in _arms([chain]):
            stores = [s for s in arm if s in self.stores]
            if len(stores) != 1:
                raise NotWritable("an arm does not set it once")
            [store] = stores
            assert isinstance(store, ast.Assign)
            if isinstance(store.value, ast.IfExp):
                raise NotWritable("an arm chooses once more")
            call = Piece(after, {calls[0]: self._text(store.value, calls[0])})
            pieces: Pieces = {"call": call, "comment": "" if edits else comments_above(self.file.source, after[0])}
            if arm[-1] is store:
                edits.append(Replace([store], "{comment}{call}", pieces))
            else:
                edits += [Replace([store], ""), InsertAfter(arm[-1], "{comment}{call}", pieces)]
        if len(edits) < len(self.stores):
            raise NotWritable("an arm does not set it at its end")
        return [*edits, Replace(after, "")]

    # -- the new calls -------------------------------------------------------------------------------------------------

    def _text(self, value: ast.expr, call: ast.Call | None) -> str:
        """The source of a call of such a value with the arguments of a call; without one, of the value alone."""
        segment = self.file.source.segment
        if isinstance(value, ast.IfExp):
            arms = self._text(value.body, call), self._text(value.orelse, call)
            return f"{arms[0]} if {segment(value.test)} else {arms[1]}"
        if isinstance(value, ast.Lambda):
            raise NotWritable("an arm is a lambda")
        named: dict[str, str] = {}
        given: list[str] = []
        called: ast.expr = value
        if isinstance(value, ast.Call):
            called, *bound = value.args
            if any(isinstance(a, ast.Starred) for a in bound) or not all(k.arg for k in value.keywords):
                raise NotWritable("a partial is made with `*` or `**`")
            given = [segment(a) for a in bound]
            named = {k.arg or "": segment(k.value) for k in value.keywords}
        if call is None:
            return segment(called)
        given += [segment(a) for a in call.args]
        named |= {k.arg or "": segment(k.value) for k in call.keywords}
        return f"{segment(called)}({', '.join([*given, *(f'{k}={v}' for k, v in named.items())])})"


def _is_dotted(node: ast.expr) -> bool:
    while isinstance(node, ast.Attribute):
        node = node.value
    return isinstance(node, ast.Name)


def _two_arms(chain: ast.If, stores: list[ast.Assign]) -> ast.IfExp | None:
    """An `if` of two arms that do nothing but set the variable, as the expression that it is."""
    if [chain.body, chain.orelse] != [[s] for s in stores]:
        return None
    return ast.IfExp(chain.test, stores[0].value, stores[1].value)


def _arms(block: list[ast.stmt]) -> Iterator[list[ast.stmt]]:
    """The ends of the branches that an `if` at the end of a block leads to, but for those that leave."""
    last = block[-1] if block else None
    if isinstance(last, ast.If):
        yield from _arms(last.body)
        yield from _arms(last.orelse)
    elif not leaves(block):
        yield block
