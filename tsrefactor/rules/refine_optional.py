"""refine-optional."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tsrefactor.facts.attribute_locals import as_local, local_name, path_of, reads
from tsrefactor.facts.definitions import Function
from tsrefactor.facts.diagnosis import Diagnosis
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.placement import is_elif, lazy_place
from tsrefactor.facts.signatures import function_at
from tsrefactor.facts.types import UNKNOWN
from tsrefactor.source.edits import Edit, InsertBefore, Replace
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings

_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


class RefineOptional(Rule):
    """Let TorchScript see that a value is not None where it is used.

    TorchScript takes an `Optional[…]` for its content only below a test that it can follow, `if m is not None`, and
    only where `m` is a local name: an attribute may have changed since it was tested. So an attribute is read into a
    local first, from its test (or its assignment) to the end of that block, and what the block stores goes to both.
    Where something else decides, a flag or a method that fills the attribute, `assert m is not None` says it. Eager
    would raise there on None as well, another error than the AssertionError.

    The same for an attribute of a layer, `self.conv.bias`, whose class says that it is optional.

    Left alone: what is not always evaluated (an arm of a conditional expression, a comprehension), and calls of the
    user's own functions, which may take None: annotate-types annotates these. An attribute that is set in another way
    than by a plain assignment is only asserted.

    Source: https://docs.pytorch.org/docs/stable/jit_language_reference.html#optional-type-refinement.
    """

    name = "refine-optional"
    targets = frozenset({Target.SCRIPT})
    needs_diagnosis = True
    answers = frozenset(
        "optional-refinement not-subscriptable unpack-value range-argument argument-type arguments-not-valid"
        " not-iterable".split()
    )
    examples = [
        # An attribute that is filled at the first call.
        Example(
            before="""\
from typing import Optional
import torch
from torch import nn


class Model(nn.Module):
    grid: Optional[torch.Tensor]

    def __init__(self):
        super().__init__()
        self.grid = None

    def forward(self, x):
        if self.grid is None or self.grid.size(0) != x.size(1):
            self.grid = torch.arange(x.size(1))  # kept for the next call
        return x + self.grid
""",
            after="""\
from typing import Optional
import torch
from torch import nn


class Model(nn.Module):
    grid: Optional[torch.Tensor]

    def __init__(self):
        super().__init__()
        self.grid = None

    def forward(self, x):
        grid = self.grid
        if grid is None or grid.size(0) != x.size(1):
            grid = torch.arange(x.size(1))  # kept for the next call
            self.grid = grid
        return x + grid
""",
            inputs="[(torch.rand(3, 4),), (torch.rand(2, 5),)]",
            breaks=Target.SCRIPT,
            error=r"Optional\[Tensor\]",
        ),
        # A flag that tells whether an argument is there.
        Example(
            before="""\
from typing import Optional
import torch
from torch import nn


class Model(nn.Module):
    def forward(self, x, mask: Optional[torch.Tensor] = None):
        masked = mask is not None
        x = x.relu()
        if masked:
            x = x.masked_fill(mask, 0.0)
        return x
""",
            after="""\
from typing import Optional
import torch
from torch import nn


class Model(nn.Module):
    def forward(self, x, mask: Optional[torch.Tensor] = None):
        masked = mask is not None
        x = x.relu()
        if masked:
            assert mask is not None
            x = x.masked_fill(mask, 0.0)
        return x
""",
            inputs="[(torch.randn(3, 4),), (torch.randn(3, 4), torch.ones(3, 4) > 0)]",
            breaks=Target.SCRIPT,
            error=r"but instead found type 'Optional\[Tensor\]'",
        ),
        # An attribute that a method fills.
        Example(
            before="""\
from typing import Optional
import torch
from torch import nn


class Model(nn.Module):
    table: Optional[torch.Tensor]

    def __init__(self):
        super().__init__()
        self.table = None

    def extend(self, x):
        self.table = torch.arange(2 * x.size(1))

    def forward(self, x):
        self.extend(x)
        return x + self.table[: x.size(1)]
""",
            after="""\
from typing import Optional
import torch
from torch import nn


class Model(nn.Module):
    table: Optional[torch.Tensor]

    def __init__(self):
        super().__init__()
        self.table = None

    def extend(self, x):
        self.table = torch.arange(2 * x.size(1))

    def forward(self, x):
        self.extend(x)
        table = self.table
        assert table is not None
        return x + table[: x.size(1)]
""",
            inputs="[(torch.rand(3, 4),), (torch.rand(2, 5),)]",
            breaks=Target.SCRIPT,
            error=r"Optional\[Tensor\]",
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        for diagnosis in self.diagnoses(file):
            names, place = diagnosis.names, diagnosis.place
            if "Optional[" not in names.get("found", "") + names.get("type", "") or place is None:
                continue
            function = function_at(file, place.line)
            node = _pointed_at(function, diagnosis) if function is not None else None
            if function is None or node is None or _takes_none(function, node, diagnosis):
                continue
            if isinstance(node, ast.Attribute) and node.attr == names.get("attribute"):
                node = node.value  # `m.view`: what has no such method is m
            used = _optional(function, node)
            if used is not None:
                yield from self._refine(function, used, diagnosis)

    def _refine(self, function: Function, used: ast.expr, diagnosis: Diagnosis) -> Iterator[Finding]:
        file, text = function.file, ast.unparse(used)
        statement = file.statement_of(used)
        attribute = path_of(function, used)
        edits: list[Edit] | None = None
        if attribute is not None:
            local = local_name(function, attribute)
            edits = as_local(function, statement, attribute, local) if local is not None else None
        if edits is None:
            if is_elif(file, statement) or isinstance(statement, ast.While) or _left_out(file, used, statement):
                yield self.finding(used, f"`{text}` may be None in a place that is not always evaluated")
                return
            if attribute is None:
                edits = [InsertBefore(statement, f"assert {text} is not None")]
            elif local is not None:
                copy = f"{local} = {text}\nassert {local} is not None"
                edits = [InsertBefore(statement, copy)]
                edits += [Replace(n, local) for n in reads(function, _header(statement), attribute)]
            else:
                return
        yield self.finding(used, f"TorchScript takes `{text}` for one that may be None here", *edits, answers=diagnosis)


# -- what the diagnosis is about --------------------------------------------------------------------------------------


def _pointed_at(function: Function, diagnosis: Diagnosis) -> ast.AST | None:
    """The node whose span the diagnosis gives, else the outermost that begins there."""
    place = diagnosis.place
    assert place is not None
    here = [
        n for n in function.nodes
        if isinstance(n, (ast.expr, ast.stmt)) and (n.lineno, n.col_offset) == (place.line, place.column)
    ]  # fmt: skip
    exact = [n for n in here if n.end_lineno == n.lineno and n.end_col_offset == place.end_column]
    node: ast.AST | None = next(iter(exact or here), None)
    call = function.file.parents.get(node) if node is not None else None
    of_call = isinstance(call, ast.Call) and call.func is node and diagnosis.kind != "optional-refinement"
    return call if of_call else node


def _takes_none(function: Function, node: ast.AST, diagnosis: Diagnosis) -> bool:
    """Whether it is a call of a function or module of the user's own, to which None may be given on purpose."""
    if diagnosis.kind != "argument-type" or not isinstance(node, ast.Call):
        return False
    file, origin = function.file, function.file.origin(node.func)
    if origin.startswith("torch."):
        return False
    owner = diagnosis.names.get("signature", "").partition("(")[2].partition(" ")[0]
    return not owner.startswith(("torch.nn.", "__torch__.torch.nn.")) and not file.class_named(origin)


def _optional(function: Function, node: ast.AST) -> ast.expr | None:
    """The operand that is Optional: a name or an attribute of self."""
    found = [
        n for n in _operands(node)
        if isinstance(n, (ast.Name, ast.Attribute)) and isinstance(n.ctx, ast.Load)
        and (isinstance(n, ast.Name) or path_of(function, n) is not None)
    ]  # fmt: skip
    typed = [n for n in found if function.type_of(n).optional or _is_declared_optional(function, n)]
    typed = [n for n in typed if not _is_asserted(function, n)] or typed
    unknown = [n for n in found if function.type_of(n) == UNKNOWN and function.file.origin(n) == ast.unparse(n)]
    near = [n for n in unknown if "." not in (path_of(function, n) or "")] or unknown
    return typed[0] if typed else near[0] if len(near) == 1 else None


def _is_asserted(function: Function, node: ast.expr) -> bool:
    """Whether an assertion above it in its block says that it is not None."""
    statement = function.file.statement_of(node)
    block, said = function.file.block_of(statement), f"{ast.unparse(node)} is not None"
    return any(isinstance(s, ast.Assert) and ast.unparse(s.test) == said for s in block[: block.index(statement)])


def _is_declared_optional(function: Function, node: ast.expr) -> bool:
    """Whether it is a parameter that its annotation lets be None, or a name for an attribute that one does, whatever
    the runs saw."""
    if not isinstance(node, ast.Name):
        return False
    declared = [p.annotation for p in function.parameters if p.name == node.id and p.annotation is not None]
    for value in function.bindings.values.get(node.id, ()):
        attribute = function.self_attribute(value) if isinstance(value, ast.Attribute) else None
        family = (function.cls, *function.cls.ancestors) if function.cls is not None else ()
        declared += [c.annotations[attribute] for c in family if attribute in c.annotations]
    return any(function.file.annotated(annotation).optional for annotation in declared)


def _operands(node: ast.AST) -> list[ast.expr]:
    """What an operation works on directly."""
    match node:
        case ast.Call():
            subject = [node.func.value] if isinstance(node.func, ast.Attribute) else []
            return [e for a in (*subject, *node.args, *(k.value for k in node.keywords)) for e in _listed(a)]
        case ast.BinOp():
            return [node.left, node.right]
        case ast.Compare():
            return [node.left, *node.comparators]
        case ast.Subscript():
            return [node.value, *_listed(node.slice)]
        case ast.UnaryOp():
            return [node.operand]
        case ast.Attribute():
            return [node, node.value]
        case ast.Name():
            return [node]
        case ast.For():
            return [node.iter]
        case ast.AugAssign():
            return [node.value]
        case ast.Assign():
            return [node.value]
    return []


def _listed(node: ast.expr) -> list[ast.expr]:
    if isinstance(node, (ast.List, ast.Tuple)):
        return [e for element in node.elts for e in _listed(element)]
    return _listed(node.value) if isinstance(node, ast.Starred) else [node]


def _left_out(file: FileFacts, used: ast.expr, statement: ast.stmt) -> bool:
    node: ast.AST = used
    while node is not statement:
        outer = file.parents[node]
        if isinstance(outer, _COMPREHENSIONS) and node is not outer.generators[0]:
            return True
        node = outer
    return lazy_place(file, used, statement) is not None


def _header(statement: ast.stmt) -> list[ast.AST]:
    """What a statement evaluates itself, without the blocks below it."""
    if isinstance(statement, ast.If):
        return [statement.test]
    if isinstance(statement, ast.For):
        return [statement.iter]
    return [i.context_expr for i in statement.items] if isinstance(statement, ast.With) else [statement]
