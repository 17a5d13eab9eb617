"""annotate-empty-container."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tsrefactor.facts.definitions import Function
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.signatures import Signatures, found_type, function_at, obstacle
from tsrefactor.facts.types import NONE, STR, TENSOR, UNKNOWN, Type, dict_of, join_all, list_of
from tsrefactor.source.edits import Replace
from tsrefactor.vocabulary import ContainerStyle, Target

from .base import Example, Finding, Rule, Settings, preview

_DEFAULTS = {"List": list_of(TENSOR), "Dict": dict_of(STR, TENSOR)}


class AnnotateEmptyContainer(Rule):
    """Give an empty list or dict its element type.

    TorchScript takes `[]` for a `List[Tensor]` and `{}` for a `Dict[str, Tensor]`. Where something else is put in,
    `torch.jit.annotate(List[int], [])` says so (with `--container-style annotation`: `sizes: List[int] = []`). The type
    is that of a recorded run, else of what is appended, inserted, extended, set by key, or returned elsewhere, else
    what the compiler finds.

    Left alone: containers of tensors, for which the default is right; variables that the author annotated; lists and
    dicts whose contents nothing tells; an empty list inside a comprehension, where TorchScript compiles a typed one
    to a constant and loses what is appended; empty tuples and sets. An attribute that starts empty in `__init__` is
    the business of annotate-types.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.jit.annotate.html, and the compiler's own "Empty lists
    default to List[Tensor]".
    """

    name = "annotate-empty-container"
    targets = frozenset({Target.SCRIPT})
    answers = frozenset(
        "argument-match arguments-not-valid argument-type reassign-type branch-type mixed-return attribute-type"
        " list-element dict-element empty-container".split()
    )
    examples = [
        Example(
            before="""\
import torch


class Model(torch.nn.Module):
    def forward(self, x: torch.Tensor):
        d = {}
        d["name"] = 20
        return x + d["name"]
""",
            after="""\
from typing import Dict

import torch


class Model(torch.nn.Module):
    def forward(self, x: torch.Tensor):
        d = torch.jit.annotate(Dict[str, int], {})
        d["name"] = 20
        return x + d["name"]
""",
            inputs="[(torch.rand(3),), (torch.rand(5),)]",
            breaks=Target.SCRIPT,
            error="Dict\\[str, Tensor\\]",
        ),
        Example(
            before="""\
from typing import List

import torch


class Model(torch.nn.Module):
    def forward(self, x):
        shape = []  # all but the last, then one
        for i in range(x.dim() - 1):
            shape.append(x.size(i))
        shape.append(-1)
        rows = list()
        rows.append(x)
        return torch.cat(rows).view(shape)
""",
            after="""\
from typing import List

import torch


class Model(torch.nn.Module):
    def forward(self, x):
        shape: List[int] = []  # all but the last, then one
        for i in range(x.dim() - 1):
            shape.append(x.size(i))
        shape.append(-1)
        rows = list()
        rows.append(x)
        return torch.cat(rows).view(shape)
""",
            inputs="[(torch.rand(3, 2),), (torch.rand(2, 4),)]",
            breaks=Target.SCRIPT,
            error="Could not match type int",
            settings=Settings(container_style=ContainerStyle.ANNOTATION),
        ),
        Example(
            before="""\
import torch
from torch import nn


class Model(nn.Module):
    def pairs(self, x):
        found, names = [], list()
        for i, row in enumerate(x.unbind(0)):
            found.append((i, row))
            names += [str(i)]
        return found, names

    def forward(self, x):
        found, names = self.pairs(x)
        total = torch.zeros_like(x[0])
        for i, row in found:
            total = total + i * row
        return total, names
""",
            after="""\
from typing import List, Tuple

import torch
from torch import nn


class Model(nn.Module):
    def pairs(self, x):
        found, names = torch.jit.annotate(List[Tuple[int, torch.Tensor]], []), torch.jit.annotate(List[str], list())
        for i, row in enumerate(x.unbind(0)):
            found.append((i, row))
            names += [str(i)]
        return found, names

    def forward(self, x):
        found, names = self.pairs(x)
        total = torch.zeros_like(x[0])
        for i, row in found:
            total = total + i * row
        return total, names
""",
            inputs="[(torch.rand(3, 2),), (torch.rand(2, 4),)]",
            breaks=Target.SCRIPT,
            error="Could not match type Tuple",
            recorded=True,
        ),
        Example(
            before="""\
import torch
from torch import nn


def offsets(x):
    if x.dim() < 2:
        return []
    return [x.size(0), x.size(1)]


class Model(nn.Module):
    def forward(self, x):
        extra = [1] if x.size(0) > 2 else []
        return x.sum() + len(extra), offsets(x)
""",
            after="""\
from typing import List

import torch
from torch import nn


def offsets(x):
    if x.dim() < 2:
        return torch.jit.annotate(List[int], [])
    return [x.size(0), x.size(1)]


class Model(nn.Module):
    def forward(self, x):
        extra = [1] if x.size(0) > 2 else torch.jit.annotate(List[int], [])
        return x.sum() + len(extra), offsets(x)
""",
            inputs="[(torch.rand(3, 2),), (torch.rand(2, 4),)]",
            breaks=Target.SCRIPT,
            error="if-expression's true branch|Previous return statement",
        ),
        Example(
            before="""\
import torch
from torch import nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.sizes = [0]

    def forward(self, x):
        self.sizes = []
        groups = {}
        groups[0] = []
        groups[0].append(x.size(0))
        self.sizes.append(x.size(1))
        return x * len(self.sizes), groups
""",
            after="""\
from typing import Dict, List

import torch
from torch import nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.sizes = [0]

    def forward(self, x):
        self.sizes = torch.jit.annotate(List[int], [])
        groups = torch.jit.annotate(Dict[int, List[int]], {})
        groups[0] = torch.jit.annotate(List[int], [])
        groups[0].append(x.size(0))
        self.sizes.append(x.size(1))
        return x * len(self.sizes), groups
""",
            inputs="[(torch.rand(3, 2),), (torch.rand(2, 4),)]",
            breaks=Target.SCRIPT,
            error="Wrong type for attribute assignment",
            recorded=True,
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        complained = self._complained(file)
        for function in Signatures(file).functions:
            for node in function.of(ast.List, ast.Dict, ast.Call):
                if kind := _empty(file, node):
                    yield from self._container(function, node, kind, complained, settings)

    def _container(
        self,
        function: Function,
        node: ast.expr,
        kind: str,
        complained: dict[tuple[Function, str], Type],
        settings: Settings,
    ) -> Iterator[Finding]:
        file = function.file
        if _in_comprehension(file, node) or _typed(function, node):
            return
        parent = file.parents[node]
        target = parent.targets[0] if isinstance(parent, ast.Assign) and len(parent.targets) == 1 else None
        type_ = expected(function, node)
        if NONE in type_.args:  # of other cases it may hold tensors
            type_ = UNKNOWN
        if isinstance(target, ast.Name) and not type_.known:
            type_ = complained.get((function, target.id), type_)
        if type_.optional:
            type_ = type_.element
        if type_.name != kind or not type_.known or type_ == _DEFAULTS[kind]:
            return
        against = obstacle(file, Type("Tuple", type_.args), function.node.lineno)
        if against is not None:
            yield self.finding(node, f"not annotated as {type_}: {against}")
            return
        text, imports = file.spell_type(type_)
        if settings.container_style is ContainerStyle.ANNOTATION and isinstance(target, ast.Name):
            edit = Replace([file.statement_of(node)], f"{target.id}: {text} = {{value}}", {"value": node})
        else:
            annotate, needed = file.spell("torch.jit.annotate")
            imports |= needed
            edit = Replace(node, f"{annotate}({text}, {{value}})", {"value": node})
        message = f"TorchScript takes this for a {_DEFAULTS[kind]}, but it is a {type_}"
        yield self.finding(node, f"{message}; write `{preview(edit.template, edit.pieces)}`", edit, imports=imports)

    def _complained(self, file: FileFacts) -> dict[tuple[Function, str], Type]:
        """What the compiler finds to be put into a list that it took for a list of tensors."""
        found: dict[tuple[Function, str], Type] = {}
        for diagnosis in self.diagnoses(file):
            call = file.node_at(diagnosis, ast.Call)
            if (
                diagnosis.kind not in ("argument-match", "argument-type")
                or not isinstance(call, ast.Call)
                or diagnosis.place is None
            ):
                continue
            function = function_at(file, diagnosis.place.line)
            if function is not None and isinstance(call.func, ast.Attribute) and isinstance(call.func.value, ast.Name):
                given = found_type(diagnosis.names["found"])
                found[function, call.func.value.id] = given if call.func.attr == "extend" else list_of(given)
        return found


def expected(function: Function, node: ast.expr) -> Type:
    """The type that the place of an expression asks for: its target, the function's return, its container's element."""
    parent = function.file.parents[node]
    if isinstance(parent, (ast.Assign, ast.Return, ast.keyword)):
        if isinstance(parent, ast.Assign):
            return join_all(_target_type(function, t) for t in parent.targets)
        return _returned(function) if isinstance(parent, ast.Return) else UNKNOWN
    if isinstance(parent, ast.IfExp) and node is not parent.test:
        other = function.type_of(parent.orelse if node is parent.body else parent.body)
        return other if other.known else expected(function, parent)
    if isinstance(parent, (ast.List, ast.Tuple)):
        return _element(function, parent, parent.elts.index(node))
    if isinstance(parent, ast.Dict) and node in parent.values:
        outer = expected(function, parent)
        return outer.args[1] if outer.name == "Dict" else UNKNOWN
    if isinstance(parent, ast.Call) and isinstance(parent.func, ast.Attribute):
        receiver = function.type_of(parent.func.value)
        return receiver.args[0] if receiver.name == "List" and parent.func.attr in ("append", "insert") else UNKNOWN
    return UNKNOWN


def _element(function: Function, parent: ast.List | ast.Tuple, index: int) -> Type:
    above = function.file.parents[parent]
    targets = above.targets if isinstance(above, ast.Assign) else []
    if isinstance(parent, ast.Tuple) and len(targets) == 1 and isinstance(targets[0], (ast.Tuple, ast.List)):
        return _target_type(function, targets[0].elts[index]) if len(targets[0].elts) == len(parent.elts) else UNKNOWN
    outer = expected(function, parent)
    if outer.name == "List":
        return outer.args[0]
    return outer.args[index] if outer.name == "Tuple" and len(outer.args) == len(parent.elts) else UNKNOWN


def _target_type(function: Function, target: ast.expr) -> Type:
    if isinstance(target, ast.Subscript):
        container = function.type_of(target.value)
        return container.args[-1] if container.name in ("List", "Dict") else UNKNOWN
    return function.type_of(target)


def _returned(function: Function) -> Type:
    """What the function returns, by a recorded run or by its other returns; unknown where the author annotates it."""
    if function.node.returns is not None:
        return UNKNOWN  # TorchScript takes the type from there
    if function.observed is not None and function.observed.returns.known:
        return function.observed.returns
    values = [n.value for n in function.of(ast.Return) if n.value is not None]
    types = [function.type_of(v) for v in values if not _empty(function.file, v)]
    return UNKNOWN if any(not t.known for t in types) else join_all(types)


def _empty(file: FileFacts, node: ast.expr) -> str | None:
    """``List`` or ``Dict`` for an empty one, written either way."""
    if isinstance(node, ast.List) and isinstance(node.ctx, ast.Load) and not node.elts:
        return "List"
    if isinstance(node, ast.Dict) and not node.keys:
        return "Dict"
    if isinstance(node, ast.Call) and not node.args and not node.keywords:
        return {"list": "List", "dict": "Dict"}.get(file.origin(node.func))
    return None


def _in_comprehension(file: FileFacts, node: ast.AST) -> bool:
    while not isinstance(node, ast.stmt):
        node = file.parents[node]
        if isinstance(node, (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)):
            return True
    return False


def _typed(function: Function, node: ast.expr) -> bool:
    """Whether the author gives the type: by an annotation of the variable anywhere, or by a type comment."""
    file = function.file
    parent = file.parents[node]
    if isinstance(parent, ast.AnnAssign) or "# type:" in file.source.lines[node.lineno - 1]:
        return True
    names = {t.id for t in parent.targets if isinstance(t, ast.Name)} if isinstance(parent, ast.Assign) else set()
    annotated = {n.target.id for n in function.of(ast.AnnAssign) if isinstance(n.target, ast.Name)}
    return bool(names & annotated)
