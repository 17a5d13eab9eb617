"""gradient-call."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator

from tsrefactor.facts.definitions import Function
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.names import fresh
from tsrefactor.facts.nodes import walk
from tsrefactor.facts.placement import is_elif, lazy_place
from tsrefactor.facts.types import TENSOR, list_of, optional
from tsrefactor.source.edits import Edit, InsertAfter, InsertBefore, Piece, Pieces, Replace, verbatim
from tsrefactor.source.imports import Import
from tsrefactor.vocabulary import ContainerStyle, Target

from .base import Example, Finding, Rule, Settings, shortened

_LISTS = ("outputs", "inputs", "grad_outputs")
_PARAMETERS = (*_LISTS, "retain_graph", "create_graph")  # TorchScript takes the others in another order
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_BODY = """\
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 1))

    def forward(self, x):
        x.requires_grad_(True)
        y = self.net(x)
"""


def _example(before: str, after: str, typing: str = "") -> Example:
    head = f"import torch\nfrom torch import nn\n\n\n{_BODY}"
    return Example(
        head + before,
        typing + head + after,
        "[(torch.rand(3, 4),), (torch.rand(2, 4),)]",
        Target.SCRIPT,
        error="but instead found type .Tensor",
    )


class NotListed(Exception):
    """Why a call stays, as the end of "…, and its inputs are not known"."""


class GradientCall(Rule):
    """Give `torch.autograd.grad` lists, and tell TorchScript that a gradient is not None.

    In Python, `grad` takes one tensor or a sequence of them; in TorchScript it takes lists only, and each gradient that
    it returns may be None, as those that `allow_unused=True` permits are. Without it, Python raises before it would
    return None, so that `assert grad is not None` says no more than what always holds. `only_inputs=True` is what
    `grad` does anyway, and TorchScript does not know the word.

    Left alone: `only_inputs=False`, `is_grads_batched`, `materialize_grads`; generators, such as the parameters of a
    module.

    Source: the schema of `aten::grad` in torch/csrc/jit/runtime/register_special_ops.cpp, and "Expected a value of type
    'List[Tensor]' for argument 'outputs' but instead found type 'Tensor'".
    """

    name = "gradient-call"
    targets = frozenset({Target.SCRIPT})
    answers = frozenset({"argument-type", "argument-unknown"})
    examples = [
        _example(
            """\
        slope = torch.autograd.grad(y, x, grad_outputs=torch.ones_like(y), create_graph=True,
                                    retain_graph=True, only_inputs=True)[0]  # of every row
        return ((slope.norm(2, dim=1) - 1) ** 2).mean()
""",
            """\
        grad_outputs = torch.jit.annotate(List[Optional[torch.Tensor]], [torch.ones_like(y)])
        slope = torch.autograd.grad([y], [x], grad_outputs=grad_outputs, create_graph=True,
                                    retain_graph=True)[0]  # of every row
        assert slope is not None
        return ((slope.norm(2, dim=1) - 1) ** 2).mean()
""",
            "from typing import List, Optional\n\n",
        ),
        _example(
            """\
        force = -torch.autograd.grad(y.sum(), x, create_graph=self.training)[0]
        return y, force
""",
            """\
        grad = torch.autograd.grad([y.sum()], [x], create_graph=self.training)[0]
        assert grad is not None
        force = -grad
        return y, force
""",
        ),
        _example(
            """\
        z = x * 2
        down, = torch.autograd.grad(outputs=(y.sum(), z.sum()), inputs=x)
        return down
""",
            """\
        z = x * 2
        down, = torch.autograd.grad(outputs=[y.sum(), z.sum()], inputs=[x])
        assert down is not None
        return down
""",
        ),
    ]  # fmt: skip

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        if not file.mentions("autograd"):
            return
        for function in file.functions:
            names: dict[ast.stmt, set[str]] = defaultdict(set)
            for call in function.calls("torch.autograd.grad"):
                message = "TorchScript takes lists here, and its gradients may be None"
                try:
                    given = _Gradient(function, call, settings.container_style, names[file.statement_of(call)])
                    edits = given.edits()
                except NotListed as reason:
                    yield self.finding(call, f"{message}, and {reason}")
                    continue
                if edits:
                    wanted = "write it so" if given.unchecked else "say so with `assert … is not None`"
                    yield self.finding(
                        call, f"{message}; {wanted}", *edits, imports=given.imports, presumed=given.presumed
                    )


class _Gradient:
    """A call of `torch.autograd.grad`; ``names`` are those that others of its statement make."""

    def __init__(self, function: Function, call: ast.Call, style: ContainerStyle, names: set[str]):
        self.function, self.file, self.call, self.style = function, function.file, call, style
        self.names = names
        self.imports: frozenset[Import] = frozenset()
        self.presumed = False
        words = {k.arg: k.value for k in call.keywords}
        if len(call.args) > len(_PARAMETERS) or None in words or any(isinstance(a, ast.Starred) for a in call.args):
            raise NotListed("what it is given is not written there")
        if unknown := {*words} - {*_PARAMETERS, "only_inputs", "allow_unused"}:
            raise NotListed(f"it does not know `{min(filter(None, unknown))}`")
        if not _is(words.get("only_inputs"), True):
            raise NotListed("it does not know `only_inputs`")
        self.unchecked = not _is(words.get("allow_unused"), False)
        self.given: dict[str, ast.expr] = dict(zip(_PARAMETERS, call.args, strict=False))
        self.given |= {name: value for name, value in words.items() if name is not None}

    def edits(self) -> list[Edit]:
        """What makes TorchScript take the call; nothing where it takes it already."""
        changed = self._listed()
        first = self._outputs_before(changed)
        if not changed and "only_inputs" not in self.given:
            return []
        template, pieces = self._call(changed)
        return [*first, *self._checked(template, pieces)]

    # -- the arguments -------------------------------------------------------------------------------------------------

    def _listed(self) -> dict[ast.expr, tuple[str, Pieces]]:
        """Argument → the list that it is to be, for those that are none yet."""
        found: dict[ast.expr, tuple[str, Pieces]] = {}
        for name in _LISTS:
            value = self.given.get(name)
            if value is None or _is_none(value):
                continue
            template, pieces = self._list(value)
            if template != "{value}":
                found[value] = template, pieces
        return found

    def _outputs_before(self, changed: dict[ast.expr, tuple[str, Pieces]]) -> list[Edit]:
        """A variable for `grad_outputs`, whose elements may be None for TorchScript: no literal says that."""
        value = self.given.get("grad_outputs")
        if value is None or _is_none(value) or self.function.type_of(value) == list_of(optional(TENSOR)):
            return []
        statement = self.file.statement_of(self.call)
        if not self._is_evaluated_once(statement) or not self.function.flow.is_pure(value):
            raise NotListed("`grad_outputs` has no place before it")
        template, pieces = changed.get(value, ("{value}", {"value": value}))
        name = self._fresh("grad_outputs")
        changed[value] = name, {}
        type_, imports = self.file.spell_type(list_of(optional(TENSOR)))
        self.imports |= imports
        if self.style is ContainerStyle.ANNOTATION:
            return [InsertBefore(statement, f"{name}: {type_} = {template}", pieces)]
        annotate, imports = self.file.spell("torch.jit.annotate")
        self.imports |= imports
        return [InsertBefore(statement, f"{name} = {annotate}({type_}, {template})", pieces)]

    def _fresh(self, wanted: str) -> str:
        flow = self.function.flow
        name = fresh(flow.local_names | flow.reads(self.function.node.body) | self.names, wanted)
        self.names.add(name)
        return name

    def _list(self, value: ast.expr) -> tuple[str, Pieces]:
        if isinstance(value, ast.Tuple) and not any(isinstance(e, ast.Starred) for e in value.elts):
            pieces = {f"e{i}": element for i, element in enumerate(value.elts)}
            return f"[{', '.join(f'{{{name}}}' for name in pieces)}]", pieces
        type_ = self.function.type_of(value)
        if isinstance(value, (ast.List, ast.ListComp)) or type_.name == "List":
            return "{value}", {"value": value}
        if type_ != TENSOR:
            if type_.known or isinstance(value, (ast.GeneratorExp, ast.Starred)) or _is_of_parameters(value):
                raise NotListed(f"`{shortened(value)}` is no tensor and no list of tensors")
            self.presumed = True
        return "[{value}]", {"value": value}

    def _call(self, changed: dict[ast.expr, tuple[str, Pieces]]) -> tuple[str, Pieces]:
        """The call as its author formatted it, with the lists, and without `only_inputs`."""
        source, pieces = self.file.source, {"called": self.call.func}
        arguments: list[tuple[ast.expr | ast.keyword, ast.expr]] = [(a, a) for a in self.call.args]
        arguments += [(k, k.value) for k in self.call.keywords]
        text, template = source.text, "{called}"
        _, done = source.span(self.call.func)
        for place, (argument, value) in enumerate(arguments):
            start, end = source.span(argument)
            if isinstance(argument, ast.keyword) and argument.arg == "only_inputs":
                start, end = _with_comma(text, done, start, end, is_first=place == 0)
                template += verbatim(text[done:start])
                done = end
                continue
            between = text[done:start]
            if isinstance(argument, ast.keyword):
                between += text[start : source.span(value)[0]]
            inner, parts = changed.get(value, ("{value}", {"value": value}))
            names = {name: f"a{place}_{name}" for name in parts}
            template += verbatim(between) + inner.format(**{name: f"{{{new}}}" for name, new in names.items()})
            pieces |= {names[name]: part for name, part in parts.items()}  # type: ignore[misc]
            done = end
        template += verbatim(text[done : source.span(self.call)[1]])
        return template.replace("\n" + " " * self.file.statement_of(self.call).col_offset, "\n"), pieces

    # -- the result ----------------------------------------------------------------------------------------------------

    def _checked(self, template: str, pieces: Pieces) -> list[Edit]:
        """The call, and the assertions that what is taken of its result is not None."""
        parents, plain = self.file.parents, Replace(self.call, template, pieces)
        if self.unchecked:
            return [plain]
        statement, taken = self.file.statement_of(self.call), parents[self.call]
        target = statement.targets[0] if isinstance(statement, ast.Assign) and len(statement.targets) == 1 else None
        if taken is statement and isinstance(target, (ast.Tuple, ast.List)):
            if not all(map(self._is_its_only_value, target.elts)):
                raise NotListed("its gradients go where they cannot be asserted")
            tests = "\n".join(f"assert {ast.unparse(name)} is not None" for name in target.elts)
            return [plain, InsertAfter(statement, tests)]
        if not (isinstance(taken, ast.Subscript) and taken.value is self.call and _is_number(taken.slice)):
            return [plain]
        if parents[taken] is statement and target is not None and self._is_its_only_value(target):
            return [plain, InsertAfter(statement, f"assert {ast.unparse(target)} is not None")]
        if not self._can_go_before(statement):
            raise NotListed("its gradient goes where it cannot be asserted")
        name = self._fresh("grad")
        first = f"{name} = {template}[{{index}}]\nassert {name} is not None"
        return [InsertBefore(statement, first, {**pieces, "index": Piece(taken.slice)}), Replace(taken, name)]

    def _is_its_only_value(self, target: ast.expr) -> bool:
        """Whether it is a local name that holds nothing but the gradient."""
        if not isinstance(target, ast.Name) or any(p.name == target.id for p in self.function.parameters):
            return False
        return len([n for n in self.function.of(ast.Name) if n.id == target.id and isinstance(n.ctx, ast.Store)]) == 1

    def _is_evaluated_once(self, statement: ast.stmt) -> bool:
        """Whether its statement evaluates the call always and once, and has room before it."""
        if isinstance(statement, (ast.While, ast.Assert)) or is_elif(self.file, statement):
            return False
        if any(isinstance(n, _COMPREHENSIONS) and self.call in walk(n) for n in walk(statement)):
            return False
        return lazy_place(self.file, self.call, statement) is None

    def _can_go_before(self, statement: ast.stmt) -> bool:
        """Whether the call may come before all else in its statement."""
        if not isinstance(statement, (ast.Assign, ast.AnnAssign, ast.Return, ast.Expr)):
            return False
        if not self._is_evaluated_once(statement):
            return False
        outer: ast.AST = self.call
        while outer is not statement:
            inside, outer = outer, self.file.parents[outer]
            match outer:
                case ast.BinOp(left=left) if inside is not left and not isinstance(left, (ast.Name, ast.Constant)):
                    return False
                case ast.BinOp() | ast.UnaryOp() | ast.Subscript() | ast.Attribute() | ast.stmt():
                    continue
                case ast.Call(func=func) if inside is func:
                    continue
                case ast.Tuple(elts=elements) | ast.Call(args=elements):
                    before = elements[: elements.index(inside)] if inside in elements else [self.call]
                    if not all(isinstance(e, (ast.Name, ast.Constant)) for e in before):
                        return False
                case _:
                    return False
        return True


def _with_comma(text: str, before: int, start: int, end: int, *, is_first: bool) -> tuple[int, int]:
    """What to drop with the argument from ``start`` to ``end``, where the one before it ends at ``before``: its line
    with its comment where it has one of its own, else the comma on one side."""
    between, comma = text[before:start], re.match(r"\s*,[ \t]*", text[end:])
    if comma is not None and ("\n" in between or is_first):
        after = end + comma.end()
        own_line = re.match(r"(#[^\n]*)?(?=\n)", text[after:])
        if own_line is not None and "\n" in between:
            return before + between.rindex("\n"), after + own_line.end()
        return start, after
    return (start, end) if "#" in between or is_first else (before, end)


def _is(value: ast.expr | None, wanted: bool) -> bool:
    """Whether an argument is left out, or the literal."""
    return value is None or (isinstance(value, ast.Constant) and value.value is wanted)


def _is_none(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and value.value is None


def _is_number(index: ast.expr) -> bool:
    if isinstance(index, ast.UnaryOp) and isinstance(index.op, ast.USub):
        index = index.operand
    return isinstance(index, ast.Constant) and isinstance(index.value, int)


def _is_of_parameters(value: ast.expr) -> bool:
    return isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute) and value.func.attr == "parameters"
