"""global-constant."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tsrefactor.facts.declaring import declare_in_class
from tsrefactor.facts.definitions import Function
from tsrefactor.facts.diagnosis import Diagnosis
from tsrefactor.facts.family import attributes_in_use, members
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.signatures import function_at
from tsrefactor.facts.types import Type
from tsrefactor.source.edits import Replace, verbatim
from tsrefactor.source.imports import Import
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings

# Python's types as TorchScript names them in its complaint → how a constant of that type is annotated.
_SCALARS = {"int": "int", "float": "float", "bool": "bool", "str": "str"}
_OBJECTS = {"device": "torch.device", "dtype": "torch.dtype"}
_DISPLAYS = (ast.List, ast.Tuple)


class GlobalConstant(Rule):
    """Let a method read a module-level constant as a `Final` attribute of its class.

    TorchScript does not see the variables of a module. A number, string, flag, device or dtype that a method reads
    there becomes a constant of the class, which reads the module's variable once: `EPS: Final[float] = EPS`, and
    `self.EPS` in its methods. A flag as a `Final[bool]` decides its branches when the model is scripted. In a function
    there is no class: a literal takes the name's place.

    Left alone: what the module binds twice or a function declares `global`, and dicts and other objects; lists and
    tuples but where they are only iterated, indexed or measured; a name that the class or one of its relatives uses
    for something else. A name that modules or bases of other files often use (`device`) is written in capitals. After
    the change a new value given to the module's variable has no effect: a caveat.

    Source: "python value of type … cannot be used as a value. Perhaps it is a closed over global variable?" of
    torch/csrc/jit/python/python_sugared_value.h; `Final` in
    https://docs.pytorch.org/docs/stable/jit_language_reference.html#use-of-python-values.
    """

    name = "global-constant"
    targets = frozenset({Target.SCRIPT})
    needs_diagnosis = True
    answers = frozenset({"python-value-as-value", "not-iterable", "not-subscriptable", "undefined-value"})
    examples = [
        Example(
            before="""\
import torch
from torch import nn

EPS = 1e-5
DOUBLE = False


class Model(nn.Module):
    def forward(self, x):
        x = x / (x.norm() + EPS)
        return x * 2 if DOUBLE else x
""",
            after="""\
from typing import Final

import torch
from torch import nn

EPS = 1e-5
DOUBLE = False


class Model(nn.Module):
    DOUBLE: Final[bool] = DOUBLE
    EPS: Final[float] = EPS

    def forward(self, x):
        x = x / (x.norm() + self.EPS)
        return x * 2 if self.DOUBLE else x
""",
            inputs="[(torch.randn(3, 4),)]",
            breaks=Target.SCRIPT,
            error="python value of type 'float' cannot be used as a value",
        ),
        # A function has no class: the value itself.
        Example(
            before="""\
import torch
from torch import nn

SLOPE = 0.1
SCALES = [1, 2, 4]


def pyramid(x):
    total = x
    for scale in SCALES:
        total = total + torch.where(x > 0, x, x * SLOPE) / scale
    return total


class Model(nn.Module):
    def forward(self, x):
        return pyramid(x)
""",
            after="""\
import torch
from torch import nn

SLOPE = 0.1
SCALES = [1, 2, 4]


def pyramid(x):
    total = x
    for scale in [1, 2, 4]:
        total = total + torch.where(x > 0, x, x * 0.1) / scale
    return total


class Model(nn.Module):
    def forward(self, x):
        return pyramid(x)
""",
            inputs="[(torch.randn(3, 4),)]",
            breaks=Target.SCRIPT,
            error="python value of type 'list'",
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        for diagnosis in self.diagnoses(file):
            place = diagnosis.place
            function = function_at(file, place.line) if place is not None else None
            for name in _named(file, function, diagnosis) if function is not None else ():
                value = _constant(file, name)
                if function is None or (value is None and not _imported(file, name)):
                    continue
                found = self._as_attribute(function, name, value, diagnosis)
                if found is None:
                    found = self._as_literal(function, name, value, diagnosis)
                if found is not None:
                    yield found

    def _as_attribute(
        self, function: Function, name: str, value: ast.expr | None, diagnosis: Diagnosis
    ) -> Finding | None:
        """The constant as a Final attribute of the class, read in all its methods that TorchScript sees."""
        file, cls = function.file, function.cls
        if cls is None or function.self_name is None or name in members(cls) or name in cls.annotations:
            return None
        if file.imports.origin("annotations") == "__future__.annotations":
            return None  # TorchScript does not read annotations that are strings
        spelled = self._spelled(file, function, diagnosis, value)
        taken = attributes_in_use(cls)
        own = next((n for n in (name, name.upper()) if n not in taken), None)
        if spelled is None or own is None:
            return None
        text, imports = spelled
        final, needed = file.spell("typing.Final")
        edits = declare_in_class(cls, {own: f"{final}[{text}]"}, {own: name})
        methods = [m for m in file.functions if m.cls is cls and m.self_name is not None]
        for method in methods:
            if name not in method.flow.local_names:
                edits += [Replace(n, f"{method.self_name}.{own}") for n in _reads(method, name)]
        return self.finding(
            function.node,
            f"TorchScript does not see the module's `{name}`; make it a constant of the class",
            *edits,
            imports=imports | needed,
            caveat=f"`{cls.name}` reads `{name}` once: a value that is given to it later has no effect",
            answers=diagnosis,
        )

    def _spelled(
        self, file: FileFacts, function: Function, diagnosis: Diagnosis, value: ast.expr | None
    ) -> tuple[str, frozenset[Import]] | None:
        """How the constant is annotated, with the imports; None for what cannot be one."""
        kind = diagnosis.names.get("type", "").removeprefix("python value of type ").strip("'")
        if value is not None and _is_scalar(value):
            kind = type(ast.literal_eval(value)).__name__
        if kind in _SCALARS:
            return _SCALARS[kind], frozenset()
        if kind in _OBJECTS:
            return file.spell(_OBJECTS[kind])
        type_: Type | None = function.type_of(value) if isinstance(value, _DISPLAYS) else None
        return file.spell_type(type_) if type_ is not None and type_.known else None

    def _as_literal(
        self, function: Function, name: str, value: ast.expr | None, diagnosis: Diagnosis
    ) -> Finding | None:
        reads = _reads(function, name)
        if value is None or not reads or not _literal(value) or name in function.flow.local_names:
            return None
        if isinstance(value, _DISPLAYS) and not all(_only_looked_at(function, n) for n in reads):
            return None
        text = verbatim(function.file.source.segment(value))
        return self.finding(
            reads[0],
            f"TorchScript does not see the module's `{name}`; write its value",
            *(Replace(n, text) for n in reads),
            caveat=f"`{function.name}` no longer reads `{name}`: a value that is given to it later has no effect",
            answers=diagnosis,
        )


def _named(file: FileFacts, function: Function, diagnosis: Diagnosis) -> list[str]:
    """The variable of the module that the diagnosis is about, and the other numbers and strings on its line, of which
    TorchScript would complain next, in the same words."""
    place = diagnosis.place
    assert place is not None
    if diagnosis.kind in ("not-iterable", "not-subscriptable") and "python value" not in diagnosis.names.get(
        "type", ""
    ):
        return []
    on_line = [
        n for n in function.nodes
        if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load) and n.lineno == place.line
        and n.id not in function.flow.local_names
    ]  # fmt: skip
    values = {n.id: _constant(file, n.id) for n in on_line}
    exact = [n.id for n in on_line if n.col_offset == place.column]
    known = exact or [name for name, value in values.items() if value is not None]
    others = [name for name, value in values.items() if value is not None and _is_scalar(value)]
    return list(dict.fromkeys([*known[:1], *others]))


def _constant(file: FileFacts, name: str) -> ast.expr | None:
    """What the module gives a name, where it does so once and at its top level; None where it may change."""
    if name in _declared_global(file):
        return None
    assigned = [s for s in file.tree.body if isinstance(s, (ast.Assign, ast.AnnAssign)) and s.value is not None]
    values = [s.value for s in assigned if name in {t.id for t in _targets(s)}]
    stores = [n for n in _module_level(file) if isinstance(n, ast.Name) and not isinstance(n.ctx, ast.Load)]
    return values[0] if len(values) == 1 == [n.id for n in stores].count(name) else None


def _targets(statement: ast.Assign | ast.AnnAssign) -> list[ast.Name]:
    targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
    return [t for t in targets if isinstance(t, ast.Name)]


def _module_level(file: FileFacts) -> Iterator[ast.AST]:
    """Every node that the module itself executes, outside classes and functions."""
    stack: list[ast.AST] = list(file.tree.body)
    while stack:
        node = stack.pop()
        yield node
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)):
            stack += ast.iter_child_nodes(node)


def _declared_global(file: FileFacts) -> set[str]:
    return {name for f in file.all_functions for n in f.of(ast.Global) for name in n.names}


def _imported(file: FileFacts, name: str) -> bool:
    return name in file.imports.origins and name not in _declared_global(file)


def _reads(function: Function, name: str) -> list[ast.expr]:
    return [n for n in function.of(ast.Name) if n.id == name and isinstance(n.ctx, ast.Load)]


def _literal(value: ast.expr) -> bool:
    if isinstance(value, _DISPLAYS):
        return bool(value.elts) and all(map(_literal, value.elts))
    return _is_scalar(value) or (isinstance(value, ast.Constant) and value.value is None)


def _is_scalar(value: ast.expr) -> bool:
    """Whether it is a number, a bool or a string, written out."""
    if isinstance(value, ast.UnaryOp) and isinstance(value.op, ast.USub):
        value = value.operand
    return isinstance(value, ast.Constant) and isinstance(value.value, (int, float, str))


def _only_looked_at(function: Function, node: ast.expr) -> bool:
    """Whether a list is only iterated, indexed, measured or searched, so that nobody can change it or keep it."""
    parent = function.file.parents[node]
    match parent:
        case ast.For() | ast.comprehension():
            return parent.iter is node
        case ast.Subscript():
            return parent.value is node and isinstance(parent.ctx, ast.Load)
        case ast.Call():
            return function.file.origin(parent.func) in ("len", "enumerate", "zip", "sum", "max", "min")
        case ast.Compare():
            return all(isinstance(o, (ast.In, ast.NotIn)) for o in parent.ops)
    return False
