"""fall-through."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from tsrefactor.facts.branches import ends_without, head_of, links, may_be_bound, surely_read
from tsrefactor.facts.definitions import Function
from tsrefactor.facts.diagnosis import Diagnosis
from tsrefactor.facts.exhaustive import exhaustive_end
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.fixed import FixedConditions
from tsrefactor.facts.flow import leaves
from tsrefactor.facts.nodes import walk
from tsrefactor.facts.placement import declines
from tsrefactor.facts.refining import NotRefinable, refinement
from tsrefactor.facts.returns import taken_apart
from tsrefactor.facts.signatures import Signatures, function_at, has_type_comment, obstacle
from tsrefactor.facts.types import NONE, TENSOR, TOP, UNKNOWN, Type, optional
from tsrefactor.source.edits import AddElse, AnnotateReturn, Edit, InsertAfter, InsertBefore, Replace
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings

_HEAD = """\
import torch
from torch import nn


class Model(nn.Module):
"""
_ASSERTS = 4  # more of them are no longer readable
_COMPOUND = (ast.If, ast.For, ast.While, ast.With)


def _example(
    before: str, after: str, error: str, inputs: str = "[(torch.rand(3, 4),), (torch.rand(2, 5),)]", head: str = ""
) -> Example:
    return Example(_HEAD + before, head + _HEAD + after, inputs, Target.SCRIPT, error=error, recorded=True)


class FallThrough(Rule):
    """Say what happens where no branch applies.

    TorchScript asks that every path binds a variable before it is read, and that every path returns.

    - Where the variable is read on every path after the `if`, eager fails on the path that leaves it unbound. That
      path gets an `else: raise ValueError(…)` (or a `raise` at the end of the branch that forgets the variable):
      eager fails there as before, at once and with a message.
    - Where the variable is read only on some paths, or a loop carries it on, it becomes an `Optional` that starts as
      `None`, and `assert y is not None` stands before the reads. Where eager would find the variable unbound, the
      assertion fails.
    - A function that returns a value and ends without `return` on some path returns None there. Where it is annotated
      and a recorded run did that, it says so: `Optional[…]`, `return None`. Where no run did that, the end raises under
      TorchScript only; eager returns None as before, and the migration is *partial*. Without an annotation this is done
      where callers compute with the result: to TorchScript, it is one that may be None.

    - Where each branch of an `if` that ends a method returns for values of an attribute, and `__init__` raises for all
      other values of it, an `else: raise ValueError(…)` says so.

    Left alone: other conditions that attributes set in `__init__` decide (annotate-types and final-attribute let
    TorchScript drop these branches), variables that are read in the arms of a conditional expression, in `and` and
    `or`, by nested functions or in a `try`.

    Source: "is not defined in the false branch" and "does not return along all paths", raised by
    torch/csrc/jit/frontend/ir_emitter.cpp.
    """

    name = "fall-through"
    targets = frozenset({Target.SCRIPT})
    answers = frozenset({"not-defined-in-branch", "missing-return", "undefined-value"})
    examples = [
        _example(
            """\
    def forward(self, x, mode: str = 'sum'):
        if mode == 'sum':
            y = x.sum(0)
        elif mode == 'mean':  # over the batch
            y = x.mean(0)
        return torch.relu(y)
""",
            """\
    def forward(self, x, mode: str = 'sum'):
        if mode == 'sum':
            y = x.sum(0)
        elif mode == 'mean':  # over the batch
            y = x.mean(0)
        else:
            raise ValueError(f'unsupported mode: {mode}')
        return torch.relu(y)
""",
            error="y is not defined in the false branch",
            inputs="[(torch.rand(3, 4),), (torch.rand(2, 5), 'mean')]",
        ),
        _example(
            """\
    def forward(self, x):
        if x.size(0) > 2:
            low = x.min(0)[0]
        x = x * 2
        if x.size(0) > 2:
            x = x - low
        return x
""",
            """\
    def forward(self, x):
        low: Optional[torch.Tensor] = None
        if x.size(0) > 2:
            low = x.min(0)[0]
        x = x * 2
        if x.size(0) > 2:
            assert low is not None
            x = x - low
        return x
""",
            error="low is not defined in the false branch",
            head="from typing import Optional\n\n",
        ),
        _example(
            """\
    def __init__(self):
        super().__init__()
        self.turns, self.conv = 3, nn.Linear(4, 4)

    def forward(self, x):
        for i in range(self.turns):
            if i == 0:
                y = self.conv(x)
            y = self.conv(x + y)
        return y
""",
            """\
    def __init__(self):
        super().__init__()
        self.turns, self.conv = 3, nn.Linear(4, 4)

    def forward(self, x):
        y: Optional[torch.Tensor] = None
        for i in range(self.turns):
            if i == 0:
                y = self.conv(x)
            assert y is not None
            y = self.conv(x + y)
        assert y is not None
        return y
""",
            error="y is not defined in the false branch",
            inputs="[(torch.rand(3, 4),), (torch.rand(2, 4),)]",
            head="from typing import Optional\n\n",
        ),
        _example(
            """\
    def forward(self, x) -> torch.Tensor:
        if x.dim() == 2:
            return x.sum(1)
        elif x.dim() == 3:
            return x.sum(2)
""",
            """\
    def forward(self, x) -> torch.Tensor:
        if x.dim() == 2:
            return x.sum(1)
        elif x.dim() == 3:
            return x.sum(2)
        if torch.jit.is_scripting():
            raise RuntimeError('forward returns None here')
""",
            error="does not return along all paths",
        ),
        Example(
            before="""\
import torch
from torch import nn


def reduced(loss, reduction: str):
    if reduction == 'mean':
        return loss.mean()
    elif reduction == 'sum':
        return loss.sum()


class Model(nn.Module):
    def forward(self, x):
        return 2 * reduced(x.abs(), 'mean')
""",
            after="""\
import torch
from torch import nn


def reduced(loss, reduction: str):
    if reduction == 'mean':
        return loss.mean()
    elif reduction == 'sum':
        return loss.sum()
    if torch.jit.is_scripting():
        raise RuntimeError('reduced returns None here')


class Model(nn.Module):
    def forward(self, x):
        return 2 * reduced(x.abs(), 'mean')
""",
            inputs="[(torch.rand(3, 4),), (torch.rand(2, 5),)]",
            breaks=Target.SCRIPT,
            error=r"Optional\[Tensor\]",
            recorded=True,
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        conditions = FixedConditions(file)
        for diagnosis in self.diagnoses(file):
            assert diagnosis.place is not None
            function = function_at(file, diagnosis.place.line)
            if function is None:
                continue
            if diagnosis.kind == "missing-return":
                yield from self._return(function, conditions, diagnosis)
            elif diagnosis.kind == "not-defined-in-branch":
                node = file.node_at(diagnosis, ast.If)
                if isinstance(node, ast.If):
                    yield from self._branch(function, node, conditions, diagnosis)
            else:
                yield from self._declared(function, diagnosis.names.get("name", ""), diagnosis)
        for function in _implicitly_none(file):
            yield from self._return(function, conditions, None)
        for function in file.functions:
            if (chain := exhaustive_end(function, conditions.attributes)) is not None:
                message = f"TorchScript takes '{function.name}' to return None where no branch applies; raise there"
                yield self.finding(chain, message, _raise_at(function, chain, function.name))

    # -- variables ---------------------------------------------------------------------------------------------------

    def _branch(
        self, function: Function, node: ast.If, conditions: FixedConditions, diagnosis: Diagnosis
    ) -> Iterator[Finding]:
        name, head = diagnosis.names["variable"], head_of(function.file, node)
        ends = list(ends_without(function, [head], name))
        if ends and not may_be_bound(function, head, name) and all(surely_read(function, _last(e), name) for e in ends):
            message = f"'{name}' is read though a branch leaves it unbound; raise there"
            edits = [_raise_at(function, end, name) for end in ends]
            yield self.finding(head, message, *edits, answers=diagnosis)
        elif not any(conditions.open(function, link.test) for link in links(function.file, head)):
            yield from self._declared(function, name, diagnosis)

    def _declared(self, function: Function, name: str, diagnosis: Diagnosis) -> Iterator[Finding]:
        """The variable as an Optional that starts as None."""
        stores = [s for s in function.statements if name in function.flow.writes([s]) and not isinstance(s, _COMPOUND)]
        if (
            not stores
            or any(isinstance(s, ast.AnnAssign) for s in stores)
            or function.flow.bound_before(stores[0]) & {name}
        ):
            return
        type_, presumed = _type(function, name)
        reason = obstacle(function.file, type_, function.node.lineno)
        if reason is None and type_.optional:
            reason = f"'{name}' may be None as it is"
        if reason is None:
            try:
                found = refinement(function, name)
            except NotRefinable as error:
                reason = str(error)
            else:
                reason = "it would take too many assertions" if len(found.asserts) > _ASSERTS else None
        message = f"TorchScript asks that every path binds '{name}'"
        if reason is not None:
            yield self.finding(stores[0], f"{message}: {reason}", answers=diagnosis)
            return
        text, imports = function.file.spell_type(optional(type_))
        edits: list[Edit] = [InsertBefore(found.anchor, f"{name}: {text} = None")]
        edits += [InsertBefore(s, f"assert {name} is not None") for s in found.asserts]
        message += "; start it as None and assert that it is bound where it is read"
        yield self.finding(found.anchor, message, *edits, imports=imports, presumed=presumed, answers=diagnosis)

    # -- returns -----------------------------------------------------------------------------------------------------

    def _return(
        self, function: Function, conditions: FixedConditions, diagnosis: Diagnosis | None
    ) -> Iterator[Finding]:
        node = function.node
        returned = [n for n in function.nodes if isinstance(n, ast.Return)]
        ends = leaves(node.body) or declines(function.file, node.body[-1])
        if ends or not any(r.value is not None for r in returned):
            return
        if exhaustive_end(function, conditions.attributes) is not None:
            return  # no instance comes to the end
        tests = [n.test for n in function.nodes if isinstance(n, ast.If) and any(r in returned for r in walk(n))]
        if any(conditions.open(function, t) for t in tests):
            return
        recorded = function.observed.returns if function.observed is not None else UNKNOWN
        message = f"'{function.name}' returns None where no branch returns"
        if (
            recorded.optional
            and not has_type_comment(function.file, node)
            and obstacle(function.file, recorded, node.lineno) is None
        ):
            text, imports = function.file.spell_type(recorded)
            edits: list[Edit] = [AnnotateReturn(node, text), InsertAfter(node.body[-1], "return None")]
            yield self.finding(node, f"{message}; say so", *edits, imports=imports, answers=diagnosis)
            return
        scripting, imports = function.file.spell("torch.jit.is_scripting")
        template = f"if {scripting}():\n    raise RuntimeError('{function.name} returns None here')"
        yield self.finding(
            node.body[-1],
            f"{message}; raise there under TorchScript",
            InsertAfter(node.body[-1], template),
            imports=imports,
            caveat=f"'{function.name}' raises under script where it returns None in eager",
            partial=True,
            answers=diagnosis,
        )


def _implicitly_none(file: FileFacts) -> Iterator[Function]:
    """Functions without annotation that callers compute with, and that never returned None in the runs."""
    signatures = Signatures(file)
    for function in signatures.functions if file.observations is not None else ():
        recorded = function.observed.returns if function.observed is not None else UNKNOWN
        annotated = function.node.returns is not None or has_type_comment(file, function.node)
        something = recorded.known and not recorded.optional and recorded != NONE
        if something and not annotated and taken_apart(signatures, function):
            yield function


def _last(end: ast.stmt | Sequence[ast.stmt]) -> ast.stmt:
    return end if isinstance(end, ast.stmt) else end[-1]


def _raise_at(function: Function, end: ast.stmt | Sequence[ast.stmt], name: str) -> Edit:
    """A raise for the path that ends there: in a new `else`, in place of a `pass`, or at the end of the block."""
    if isinstance(end, ast.If):
        return AddElse(end, f"raise ValueError({_complaint(function, end, name)})")
    last, text = _last(end), f"raise ValueError({_complaint(function, None, name)})"
    return Replace([last], text) if isinstance(last, ast.Pass) else InsertAfter(last, text)


def _complaint(function: Function, head: ast.If | None, name: str) -> str:
    """The message: the value that no branch is for, where all of them ask for one."""
    subjects = {_subject(link.test) for link in links(function.file, head)} if head is not None else set()
    subject = subjects.pop() if len(subjects) == 1 else None
    if subject is None or any(c in subject for c in "'\"{}\n"):
        return f"'no value for {name}'"
    return f"f'unsupported {subject.removeprefix('self.')}: {{{{{subject}}}}}'"


def _subject(test: ast.expr) -> str | None:
    """What a condition asks the value of: ``mode`` of ``mode == 'sum'`` and of ``mode in ('a', 'b')``."""
    if not isinstance(test, ast.Compare) or len(test.ops) != 1:
        return None
    left, right = test.left, test.comparators[0]
    if isinstance(test.ops[0], ast.Eq) and isinstance(left, ast.Constant):
        left, right = right, left
    if not isinstance(test.ops[0], (ast.Eq, ast.In)) or not isinstance(right, (ast.Constant, ast.List, ast.Tuple)):
        return None
    return ast.unparse(left) if isinstance(left, (ast.Name, ast.Attribute, ast.Call)) else None


def _type(function: Function, name: str) -> tuple[Type, bool]:
    """The variable's type, and whether it is only presumed to be a tensor."""
    recorded = function.observed.locals.get(name, UNKNOWN) if function.observed is not None else UNKNOWN
    if recorded == TOP:  # a list, say, that the next line stacks
        return TENSOR, True
    if recorded not in (UNKNOWN, NONE):
        return recorded, False
    found = function.types.assigned(name)
    return (found, False) if found.known and found != NONE else (TENSOR, True)
