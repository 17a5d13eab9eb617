"""number-or-tensor."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from tsrefactor.facts.definitions import Function
from tsrefactor.facts.diagnosis import Diagnosis
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.operations import is_operation, one_tensor_layer
from tsrefactor.facts.signatures import function_at
from tsrefactor.facts.sums import OPERATORS, is_number, numbers, out_of_place
from tsrefactor.facts.types import TENSOR, join
from tsrefactor.facts.variables import first_binding
from tsrefactor.source.edits import Edit, Replace
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings

_HANDED_ON = (ast.Return, ast.Tuple, ast.List, ast.Dict)
# Functions, methods and layers that give back their tensor or a view of it, always or for some arguments.
_MAY_ALIAS = frozenset(
    "view view_as reshape reshape_as permute transpose t swapaxes swapdims movedim moveaxis squeeze unsqueeze flatten"
    " unflatten ravel expand expand_as broadcast_to narrow select diagonal unfold as_strided chunk einsum contiguous"
    " detach alias positive real imag conj resolve_conj resolve_neg adjoint view_as_real view_as_complex atleast_1d"
    " atleast_2d atleast_3d sum_to_size to type type_as cuda cpu float half double bfloat16 long int short bool"
    " as_tensor asarray from_numpy dropout dropout1d dropout2d dropout3d alpha_dropout feature_alpha_dropout"
    " Dropout Dropout1d Dropout2d Dropout3d AlphaDropout FeatureAlphaDropout Flatten Unflatten Identity".split()
)


def _example(before: str, after: str, error: str, outcome: str = "compile-error", imports: str = "") -> Example:
    head = "import torch\nfrom torch import nn\n\n\nclass Model(nn.Module):\n"
    inputs = "[(torch.rand(3, 4),), (torch.rand(2, 5),)]"
    return Example(head + before, imports + head + after, inputs, Target.SCRIPT, outcome, error)


class NumberOrTensor(Rule):
    """Say what a variable is that holds a number in one place and a tensor in another.

    For TorchScript a variable has one type in all branches: what starts as `loss = 0` and becomes a tensor in a branch
    is refused, or turned into a number when it runs. What is computed with becomes a tensor from the start,
    `loss = torch.tensor(0.0)`, and `loss += x` becomes `loss = loss + x` (in place, the first sum would have to fit
    into that tensor). What is only handed on stays as it is and is annotated: `loss: Union[torch.Tensor, int] = 0`.
    In `x.mean() if self.weight > 0 else 0` the number becomes a tensor where the choice is added to one.

    Left alone: variables that are used for something else, such as an index, a test or the argument of a call; sums in
    loops, which [accumulator](accumulator.md) starts; `+=` where the variable may be another name for a tensor (after
    `loss = x`), which it then changes in place.

    Source: "Type mismatch: loss is set to type Tensor in the true branch and type int in the false branch", raised by
    torch/csrc/jit/frontend/ir_emitter.cpp.
    """

    name = "number-or-tensor"
    targets = frozenset({Target.SCRIPT})
    answers = frozenset({"branch-type", "reassign-type", "scalar-argument"})
    examples = [
        _example(
            """\
    def forward(self, x: torch.Tensor):
        y = x.relu()
        loss = 0  # of the large ones
        if x.size(0) > 2:
            loss = y.pow(2).mean()
        return y, loss
""",
            """\
    def forward(self, x: torch.Tensor):
        y = x.relu()
        loss: Union[torch.Tensor, int] = 0  # of the large ones
        if x.size(0) > 2:
            loss = y.pow(2).mean()
        return y, loss
""",
            "stands where a number is needed",
            "run-error",
            "from typing import Union\n\n",
        ),
        _example(
            """\
    def forward(self, x: torch.Tensor):
        if x.size(0) > 2:
            loss = x.mean()
        else:
            loss = 0.  # too few
        share = x.max() if x.size(1) > 4 else 1
        return x + loss * share
""",
            """\
    def forward(self, x: torch.Tensor):
        if x.size(0) > 2:
            loss = x.mean()
        else:
            loss = torch.tensor(0.)  # too few
        share = x.max() if x.size(1) > 4 else torch.tensor(1)
        return x + loss * share
""",
            "Type mismatch: loss is set to type Tensor|true branch has type Tensor but false branch has type int",
        ),
        _example(
            """\
    def forward(self, x: torch.Tensor):
        loss = 0
        if x.size(0) > 1:
            loss += x.mean() * 0.5
        if x.size(1) > 1:
            loss += x.relu().sum()
        return x * loss
""",
            """\
    def forward(self, x: torch.Tensor):
        loss = torch.tensor(0)
        if x.size(0) > 1:
            loss = loss + x.mean() * 0.5
        if x.size(1) > 1:
            loss = loss + x.relu().sum()
        return x * loss
""",
            "stands where a number is needed",
            "run-error",
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        if not file.mentions_torch:
            return
        complained: set[tuple[Function, str]] = set()
        for diagnosis in self.diagnoses(file):
            assert diagnosis.place is not None
            function = function_at(file, diagnosis.place.line)
            if function is None:
                continue
            choice = file.node_at(diagnosis, ast.IfExp) if "variable" not in diagnosis.names else None
            if isinstance(choice, ast.IfExp) and diagnosis.kind == "branch-type":
                yield from self._chosen(function, choice, diagnosis)
                continue
            for name in _variables(function, diagnosis):
                complained.add((function, name))
                yield from self._bound(function, name, diagnosis)
        for function in file.functions:
            for statement in function.of(ast.Assign):
                for name, _ in numbers(statement):
                    if (function, name) not in complained and _changed_in_branch(function, statement, name):
                        complained.add((function, name))
                        yield from self._bound(function, name, None)

    def _chosen(self, function: Function, choice: ast.IfExp, diagnosis: Diagnosis) -> Iterator[Finding]:
        """A conditional expression that is a tensor or a number."""
        for number, other in ((choice.body, choice.orelse), (choice.orelse, choice.body)):
            parent = function.file.parents[choice]
            if isinstance(parent, ast.Assign) and isinstance(parent.targets[0], ast.Name):
                loads = _loads(function, parent.targets[0].id, [])
                computed = all(_computed(function, n) for n in loads) and len(parent.targets) == 1
            else:
                computed = _computed(function, choice)
            if is_number(number) and function.type_of(other) == TENSOR and computed:
                tensor, imports = function.file.spell("torch.tensor")
                edit = Replace(number, f"{tensor}({{number}})", {"number": number})
                message = f"the other choice is a tensor; write `{tensor}({ast.unparse(number)})`"
                caveat = _of_dtype([number])
                yield self.finding(number, message, edit, imports=imports, caveat=caveat, answers=diagnosis)

    def _bound(self, function: Function, name: str, diagnosis: Diagnosis | None) -> Iterator[Finding]:
        """A variable that is a number or a tensor."""
        bindings = [s for s in function.of(ast.Assign, ast.AugAssign) if name in function.flow.writes([s])]
        starts = [(s, v) for s in bindings if isinstance(s, ast.Assign) for n, v in numbers(s) if n == name]
        others = [s for s in bindings if not any(s is start for start, _ in starts)]
        given = any(p.name == name for p in function.parameters) or name in function.flow.captured
        if given or not starts or not others or not all(_gives_tensor(function, s, name) for s in others):
            return
        loads = _loads(function, name, others)
        handed_on = [n for n in loads if isinstance(function.file.parents[n], _HANDED_ON)]
        sums = [s for s in others if name in function.flow.reads(s) or isinstance(s, ast.AugAssign)]
        message = f"'{name}' is a number in one place and a tensor in another"
        if len(handed_on) == len(loads) and not sums:
            yield from self._annotated(function, name, starts, message, diagnosis)
        elif all(n in handed_on or _computed(function, n) for n in loads):
            if any(isinstance(s, ast.AugAssign) for s in others) and not _is_its_own(function, others, handed_on):
                return
            tensor, imports = function.file.spell("torch.tensor")
            edits: list[Edit] = [Replace(v, f"{tensor}({{number}})", {"number": v}) for _, v in starts]
            edits += [out_of_place(function, s, name) for s in sums if isinstance(s, ast.AugAssign)]
            message += f"; start with `{tensor}({ast.unparse(starts[0][1])})`"
            kept = f"where nothing else is bound to it, '{name}' is a tensor and no longer a number"
            caveats = [c for c in (kept if handed_on else None, _of_dtype([v for _, v in starts])) if c]
            yield self.finding(
                starts[0][0], message, *edits, imports=imports, caveat="; ".join(caveats) or None, answers=diagnosis
            )

    def _annotated(
        self,
        function: Function,
        name: str,
        starts: list[tuple[ast.Assign, ast.expr]],
        message: str,
        diagnosis: Diagnosis | None,
    ) -> Iterator[Finding]:
        binding: ast.Assign | None = starts[0][0]
        if diagnosis is not None and diagnosis.place is not None and diagnosis.kind == "branch-type":
            binding = first_binding(function, name, diagnosis.place.line, in_branch=True)
        if binding is None or len(binding.targets) != 1 or not isinstance(binding.targets[0], ast.Name):
            return
        type_ = TENSOR
        for _, number in starts:
            type_ = join(type_, function.type_of(number))
        text, imports = function.file.spell_type(type_)
        edit = Replace([binding], f"{name}: {text} = {{value}}", {"value": binding.value})
        message += f"; write `{name}: {text} = …`"
        yield self.finding(binding, message, edit, imports=imports, answers=diagnosis)


def _of_dtype(values: Iterable[ast.expr]) -> str | None:
    """What a float that becomes a tensor changes: unlike a number, it has a dtype that counts."""
    if not any(isinstance(n, ast.Constant) and isinstance(n.value, float) for n in values):
        return None
    return "with a float16 or bfloat16 tensor of no dimensions (`x.mean()`), the float32 tensor gives float32"


def _variables(function: Function, diagnosis: Diagnosis) -> list[str]:
    """The variables that the diagnosis is about: named, or bound by the statement that it points at."""
    assert diagnosis.place is not None
    if "variable" in diagnosis.names:
        return [diagnosis.names["variable"]]
    if diagnosis.kind != "scalar-argument":
        return []
    line = diagnosis.place.line
    there = [s for s in function.of(ast.Assign, ast.AugAssign) if s.lineno <= line <= (s.end_lineno or 0)]
    return [name for s in there for name in sorted(function.flow.writes([s]))]


def _changed_in_branch(function: Function, start: ast.Assign, name: str) -> bool:
    """Whether the next statement of the block that binds a name is a branch; loops are left to the accumulator."""
    block = function.file.block_of(start)
    for later in block[block.index(start) + 1 :]:
        if name in function.flow.writes([later]):
            return isinstance(later, ast.If)
    return False


def _loads(function: Function, name: str, apart: list[ast.Assign | ast.AugAssign]) -> list[ast.Name]:
    """The reads of a variable but for those by which it is computed from itself."""
    loads = [n for n in function.of(ast.Name) if n.id == name and isinstance(n.ctx, ast.Load)]
    return [n for n in loads if function.file.statement_of(n) not in apart]


def _gives_tensor(function: Function, statement: ast.Assign | ast.AugAssign, name: str) -> bool:
    """Whether a statement binds the variable to a tensor, also one that it computes from a number there."""
    if isinstance(statement, ast.AugAssign):
        return type(statement.op) in OPERATORS and function.type_of(statement.value) == TENSOR
    value = statement.value
    if len(statement.targets) != 1 or not isinstance(statement.targets[0], ast.Name):
        return False
    if isinstance(value, ast.BinOp) and type(value.op) in OPERATORS:
        terms = [t for t in (value.left, value.right) if not (isinstance(t, ast.Name) and t.id == name)]
        if len(terms) == 1:
            return function.type_of(terms[0]) == TENSOR
    return name not in function.flow.reads(value) and function.type_of(value) == TENSOR


def _is_its_own(function: Function, bindings: list[ast.Assign | ast.AugAssign], handed_on: list[ast.Name]) -> bool:
    """Whether nothing else holds a variable's tensor while the function runs, so that `+=` changes it alone."""
    values = [s.value for s in bindings if isinstance(s, ast.Assign)]
    returned = all(isinstance(function.file.statement_of(n), ast.Return) for n in handed_on)
    return returned and all(_is_new(function, value) for value in values)


def _is_new(function: Function, value: ast.expr) -> bool:
    """Whether an expression makes a tensor, and gives no part or view of another."""
    if isinstance(value, ast.IfExp):
        return _is_new(function, value.body) and _is_new(function, value.orelse)
    if isinstance(value, (ast.BinOp, ast.UnaryOp)):
        return not isinstance(value, ast.UnaryOp) or isinstance(value.op, ast.USub)
    if not isinstance(value, ast.Call) or function.flow.mutates(value):
        return False
    attribute, cls = function.self_attribute(value.func), function.cls
    if attribute is not None and cls is not None:
        owner = next((c for c in (cls, *cls.ancestors) if attribute in c.assigned), cls)
        made = [v for _, v in owner.assigned.get(attribute, ())]
        return bool(made) and all(isinstance(v, ast.Call) and _is_layer(owner.file.origin(v.func)) for v in made)
    origin = function.file.origin(value.func)
    if is_operation(origin):
        return origin.rpartition(".")[2] not in _MAY_ALIAS
    method = value.func if isinstance(value.func, ast.Attribute) else None
    return method is not None and function.type_of(method.value) == TENSOR and method.attr not in _MAY_ALIAS


def _is_layer(origin: str) -> bool:
    """Whether a class is one of torch's layers that make a tensor."""
    return one_tensor_layer(origin, 0, frozenset()) and origin.rpartition(".")[2] not in _MAY_ALIAS


def _computed(function: Function, node: ast.expr) -> bool:
    """Whether a value is one side of arithmetic with a tensor."""
    parent = function.file.parents[node]
    if isinstance(parent, ast.BinOp):
        other = parent.left if parent.right is node else parent.right
        return function.type_of(other) == TENSOR or _computed(function, parent)
    if isinstance(parent, ast.AugAssign):
        return parent.value is node and function.type_of(parent.target) == TENSOR
    return False
