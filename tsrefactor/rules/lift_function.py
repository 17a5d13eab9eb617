"""lift-function."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field

from tsrefactor.facts.definitions import Function
from tsrefactor.facts.diagnosis import Diagnosis
from tsrefactor.facts.family import members
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.names import fresh
from tsrefactor.facts.nodes import walk
from tsrefactor.facts.types import TENSOR, Type
from tsrefactor.source.edits import Edit, InsertAfter, InsertBefore, Piece, Pieces, Replace
from tsrefactor.source.excerpt import comments_above
from tsrefactor.source.imports import Import
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings

_HEAD = """\
import torch
from torch import nn


"""
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


def _example(before: str, after: str) -> Example:
    inputs = "[(torch.rand(2, 4),), (torch.rand(3, 4),)]"
    error = "function definitions aren't supported"
    return Example(_HEAD + before, _HEAD + after, inputs, Target.SCRIPT, error=error, recorded=True)


class LiftFunction(Rule):
    """Move a function that is defined inside another out of it.

    TorchScript takes no function definitions inside a function. One that uses `self` becomes a method of the class,
    any other a function of the module, in front of the class. What it reads from the function around it becomes
    parameters: each call passes the values of that moment, as a closure would read them. Numbers, lists and optional
    values are annotated, as far as a recorded run or the source tells their types.

    Refused: functions that are passed on as values though they read more than `self` from around them, that take
    modules, `*args` or `**kwargs`, that call themselves, yield, bind names of the function around them (`nonlocal`),
    or whose name or names from around are bound again.

    Source: "function definitions aren't supported", raised by torch/jit/frontend.py.
    """

    name = "lift-function"
    targets = frozenset({Target.SCRIPT})
    answers = frozenset({"function-definition"})
    needs_diagnosis = True
    examples = [
        _example(
            """\
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.heads = 2

    def forward(self, x):
        rows = x.size(0)

        # split the heads
        def split(t):
            return t.view(rows, self.heads, -1)  # a view

        def norm(t, eps=1e-6):
            return t / (t.norm() + eps)

        return norm(split(x), 1e-3) + split(x * 2)
""",
            """\
def _norm(t, eps: float = 1e-6):
    return t / (t.norm() + eps)


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.heads = 2

    def forward(self, x):
        rows = x.size(0)

        return _norm(self._split(x, rows), 1e-3) + self._split(x * 2, rows)

    # split the heads
    def _split(self, t, rows: int):
        return t.view(rows, self.heads, -1)  # a view
""",
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        for diagnosis in self.diagnoses(file):
            function = _around(file, diagnosis)
            if function is None:
                continue
            taken: set[str] = set()
            for node in function.nodes:
                if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                    yield self._lifted(_Nested(function, node), taken, diagnosis)

    def _lifted(self, nested: _Nested, taken: set[str], diagnosis: Diagnosis) -> Finding:
        message = f"TorchScript takes no function inside a function (`{nested.node.name}`)"
        try:
            edits, imports = nested.lifted(taken)
        except NotLiftable as reason:
            return self.finding(nested.node, f"{message}, and {reason}", answers=diagnosis)
        where = "make it a method" if nested.is_method else "move it to the module"
        return self.finding(nested.node, f"{message}; {where}", *edits, imports=imports, answers=diagnosis)


def _around(file: FileFacts, diagnosis: Diagnosis) -> Function | None:
    """The function in which the definition stands that the diagnosis points at."""
    place = diagnosis.place
    assert place is not None
    for function in (f for f in file.all_functions if "<locals>" not in f.qualname):
        definitions = (n for n in function.nodes if isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef)))
        if any(_first_line(n) <= place.line <= (n.end_lineno or place.line) for n in definitions):
            return function
    return None


def _first_line(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return min([node.lineno, *(d.lineno for d in node.decorator_list)])


class NotLiftable(Exception):
    """Why a function stays where it is, as the end of "…, and it calls itself"."""


@dataclass
class _Nested:
    """A function defined in another."""

    function: Function
    node: ast.FunctionDef | ast.AsyncFunctionDef
    imports: set[Import] = field(default_factory=set)

    @property
    def captured(self) -> list[str]:
        """What it reads from the function around it, without `self`, in the order of the text."""
        flow, names = self.function.flow, self.function.flow.reads([self.node])
        found = [n.id for n in walk(self.node) if isinstance(n, ast.Name)]
        names = names & flow.local_names - {self.function.self_name or "", self.node.name}
        return [n for n in dict.fromkeys(found) if n in names]

    @property
    def is_method(self) -> bool:
        name = self.function.self_name
        return name is not None and name in self.function.flow.reads([self.node])

    def lifted(self, taken: set[str]) -> tuple[list[Edit], set[Import]]:
        """The edits that move it out, and the imports that they need. Raises NotLiftable."""
        self._check()
        uses = self._uses()
        function, file = self.function, self.function.file
        parameters = self._parameters()
        cls = function.cls
        if self.is_method and cls is not None:
            unfree = members(cls) | taken
        else:
            unfree = file.module_names | (function.flow.local_names - {self.node.name}) | taken
        bare = self.node.name.lstrip("_")
        name = fresh(unfree, f"_{bare}")
        taken.add(name)
        called = f"{function.self_name}.{name}" if self.is_method else name
        edits: list[Edit] = [self._call(use, called) for use in uses]
        header = "".join(f"@{ast.unparse(d)}\n" for d in self.node.decorator_list) + comments_above(
            file.source, self.node
        )
        own = [function.self_name or ""] if self.is_method else []
        returns = f" -> {ast.unparse(self.node.returns)}" if self.node.returns is not None else ""
        template = f"{{header}}def {name}({{parameters}}){{returns}}:\n    {{body}}"
        pieces: Pieces = {"header": header, "parameters": ", ".join([*own, *parameters]), "returns": returns,
                  "body": Piece(self.node.body)}  # fmt: skip
        if self.is_method:
            edits.append(InsertAfter(function.node, "\n" + template, pieces))
        else:
            edits.append(InsertBefore(file.top_level_of(function.node), template, pieces))
        return [*edits, Replace([self.node], "")], self.imports

    # -- may it move? ------------------------------------------------------------------------------------------------

    def _check(self) -> None:
        node, flow, name = self.node, self.function.flow, self.node.name
        inside = list(walk(node))
        if isinstance(node, ast.AsyncFunctionDef) or any(isinstance(n, (ast.Yield, ast.YieldFrom)) for n in inside):
            raise NotLiftable("it yields")
        if any(isinstance(n, ast.Nonlocal) for n in inside):
            raise NotLiftable("it binds names of the function around it")
        if node.args.vararg or node.args.kwarg or node.args.kwonlyargs or node.args.posonlyargs:
            raise NotLiftable("it takes `*args`, `**kwargs` or parameters by keyword only")
        if any(isinstance(n, ast.Name) and n.id == name for s in node.body for n in walk(s)):
            raise NotLiftable("it calls itself")
        outer = [n for n in self.function.nodes if n is not node]
        if any(
            (isinstance(n, ast.Name) and n.id == name and not isinstance(n.ctx, ast.Load))
            or (isinstance(n, (ast.FunctionDef, ast.ClassDef)) and n.name == name)
            for n in outer
        ):
            raise NotLiftable("its name is bound again")
        functions = {n.name for n in outer if isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef))}
        if both := functions & set(self.captured):
            raise NotLiftable(f"it uses `{min(both)}`, which must move first")
        once = [*node.decorator_list, *node.args.defaults]
        if any(flow.reads([ast.Expr(e)]) & flow.local_names for e in once):
            raise NotLiftable("a default or decorator depends on values of the function around it")
        if self.function.self_name in {a.arg for a in node.args.args}:
            raise NotLiftable(f"it has a `{self.function.self_name}` of its own")

    def _uses(self) -> list[ast.Name]:
        """All uses of its name."""
        file, flow, captured = self.function.file, self.function.flow, set(self.captured)
        inside = set(walk(self.node))
        uses = [
            n for n in walk(self.function.node)
            if isinstance(n, ast.Name) and n.id == self.node.name and n not in inside
        ]  # fmt: skip
        block = file.block_of(self.node)
        for use in uses:
            call = file.parents[use]
            is_call = isinstance(call, ast.Call) and call.func is use
            if not is_call and captured:
                raise NotLiftable(f"it is passed on as a value, with {', '.join(self.captured)}")
            if isinstance(call, ast.Call) and is_call and captured:
                plain = not any(isinstance(a, ast.Starred) for a in call.args) and all(k.arg for k in call.keywords)
                if not plain:
                    raise NotLiftable("it is called with `*` or `**`")
            statement: ast.AST = file.statement_of(use)
            unbound = captured - flow.bound_before(self._outermost(use))
            if unbound:
                raise NotLiftable(f"{min(unbound)} may not be bound where it is called")
            while file.parents[statement] is not file.parents[self.node]:
                statement = file.parents[statement]
                if isinstance(statement, ast.Module):
                    raise NotLiftable("it is called outside the block that defines it")
            if statement not in block:
                raise NotLiftable("it is called outside the block that defines it")
            for scope in self._scopes(use):
                if self._bound_in(scope) & (captured | {self.node.name}):
                    raise NotLiftable("a name that it reads means something else where it is called")
        return uses

    def _scopes(self, node: ast.AST) -> Iterator[ast.AST]:
        """The functions and comprehensions of the function around a node, inside out."""
        parents = self.function.file.parents
        while (node := parents[node]) is not self.function.node:
            if isinstance(node, _SCOPES):
                yield node

    def _outermost(self, node: ast.AST) -> ast.stmt:
        """The statement of the function itself that holds a node, which may lie in another nested function."""
        statement = self.function.file.statement_of(node)
        for scope in self._scopes(node):
            if isinstance(scope, (ast.FunctionDef, ast.AsyncFunctionDef)):
                statement = scope
        return statement

    def _bound_in(self, scope: ast.AST) -> set[str]:
        names = {n.arg for n in walk(scope) if isinstance(n, ast.arg)}
        return names | {n.id for n in walk(scope) if isinstance(n, ast.Name) and not isinstance(n.ctx, ast.Load)}

    # -- its new form ------------------------------------------------------------------------------------------------

    def _parameters(self) -> list[str]:
        """Its parameters with annotations; what it reads from around goes before those with defaults."""
        own = next(f for f in self.function.file.all_functions if f.node is self.node)
        seen = own.observed.arguments if own.observed is not None else {}
        required, optional = [], []
        for parameter in own.parameters:
            type_ = seen.get(parameter.name, TENSOR) if parameter.annotation is None else TENSOR
            text = self._typed(parameter.name, type_)
            if parameter.annotation is not None:
                text = f"{parameter.name}: {ast.unparse(parameter.annotation)}"
            if parameter.default is None:
                required.append(text)
            else:
                equals = " = " if ":" in text else "="
                optional.append(f"{text}{equals}{self.function.file.source.segment(parameter.default)}")
        required += [self._typed(n, self.function.types.of_name(n)) for n in self.captured]
        return required + optional

    def _typed(self, name: str, type_: Type) -> str:
        if "Module" in type_.names():
            raise NotLiftable(f"{name} is a module, which TorchScript passes to no function")
        if not type_.known or type_ == TENSOR:
            return name
        try:
            text, imports = self.function.file.spell_type(type_)
        except ValueError as error:
            raise NotLiftable(f"the type of {name} cannot be written here") from error
        self.imports |= imports
        return f"{name}: {text}"

    def _call(self, use: ast.Name, called: str) -> Edit:
        """A use of its new name; a call also passes what it reads from around."""
        call = self.function.file.parents[use]
        if not self.captured or not isinstance(call, ast.Call):
            return Replace(use, called)
        required = len(self.node.args.args) - len(self.node.args.defaults)
        names = [a.arg for a in self.node.args.args]
        pieces: dict[str, ast.expr] = {f"a{i}": a for i, a in enumerate(call.args)}
        parts = [f"{{a{i}}}" for i in range(len(call.args[:required]))]
        by_position = len(call.args) >= required
        parts += self.captured if by_position else []
        parts += [f"{names[i]}={{a{i}}}" for i in range(required, len(call.args))]
        for i, keyword in enumerate(call.keywords):
            pieces[f"k{i}"] = keyword.value
            parts.append(f"{keyword.arg}={{k{i}}}")
        parts += [] if by_position else [f"{n}={n}" for n in self.captured]
        return Replace(call, f"{called}({', '.join(parts)})", pieces)
