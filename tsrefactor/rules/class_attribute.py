"""class-attribute."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tsrefactor.facts.attributes import Declaration
from tsrefactor.facts.declaring import declared, hides_unseen, listed_as_constants
from tsrefactor.facts.definitions import Class, Function
from tsrefactor.facts.diagnosis import Diagnosis
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.signatures import function_at
from tsrefactor.facts.types import BOOL, FLOAT, INT, STR, UNKNOWN, Type, join_all, list_of
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings

_TYPES: dict[type, Type] = {bool: BOOL, int: INT, float: FLOAT, str: STR}
_HEAD = """\
import torch
from torch import nn


"""


def _example(before: str, after: str, error: str) -> Example:
    typing = "from typing import Final\n\n"
    return Example(_HEAD + before, typing + _HEAD + after, "[(torch.rand(3, 4),)]", Target.SCRIPT, error=error)


class ClassAttribute(Rule):
    """Declare a number, a string or a list of them, that the class body sets, as a constant.

    TorchScript takes the attributes that an instance holds, and not those of its class. What is annotated as `Final`
    it reads from either; then `self.eps` is a constant. Where a subclass or `__init__` sets another value, which Final
    would forbid, the name goes into `__constants__`.

    Left alone: values that are no literals, lists of unlike values, attributes that methods other than `__init__` or
    code outside the class set, and classes with decorators (a dataclass would take an annotation for a field).

    Source: `infer_concrete_type_builder` in torch/jit/_recursive.py.
    """

    name = "class-attribute"
    targets = frozenset({Target.SCRIPT})
    answers = frozenset({"missing-attribute"})
    needs_diagnosis = True
    examples = [
        _example(
            """\
class Model(nn.Module):
    eps = 1e-5  # against a division by zero

    def forward(self, x):
        return x / (x.sum() + self.eps)
""",
            """\
class Model(nn.Module):
    eps: Final[float] = 1e-5  # against a division by zero

    def forward(self, x):
        return x / (x.sum() + self.eps)
""",
            "has no attribute 'eps'",
        ),
        Example(
            _HEAD
            + """\
class Wide(nn.Module):
    expansion = 4

    def forward(self, x):
        return x.repeat(1, self.expansion)


class Model(Wide):
    expansion = 2
""",
            _HEAD
            + """\
class Wide(nn.Module):
    __constants__ = ["expansion"]

    expansion = 4

    def forward(self, x):
        return x.repeat(1, self.expansion)


class Model(Wide):
    expansion = 2
""",
            "[(torch.rand(3, 4),)]",
            Target.SCRIPT,
            error="has no attribute 'expansion'",
        ),
        Example(
            _HEAD
            + """\
class Model(nn.Module):
    scales = [1, 2]

    def forward(self, x):
        outs = []
        for scale in self.scales:
            outs.append(x * scale)
        return torch.cat(outs)
""",
            "from typing import Final, List\n\n"
            + _HEAD
            + """\
class Model(nn.Module):
    scales: Final[List[int]] = [1, 2]

    def forward(self, x):
        outs = []
        for scale in self.scales:
            outs.append(x * scale)
        return torch.cat(outs)
""",
            "[(torch.rand(3, 4),)]",
            Target.SCRIPT,
            error="has no attribute 'scales'",
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        for diagnosis in self.diagnoses(file):
            found = _read_at(file, diagnosis)
            if found is None:
                continue
            function, name = found
            assert function.cls is not None
            owner = next((c for c in (function.cls, *function.cls.ancestors) if name in c.body_values), None)
            if owner is None or not _is_plain(owner) or _is_set(function.cls, name) or _is_set_outside(file, name):
                continue
            value = owner.body_values[name].value
            type_ = _type(value)
            if not type_.known:
                continue
            edits, imports = declared(owner, [Declaration(owner, name, type_, True, value, "")])
            message = f"TorchScript does not see what a class body sets, unless it is Final: `{name}`"
            if _is_bound_again(owner, name):
                edits, imports = listed_as_constants(owner, [name]), frozenset()
                message = f"TorchScript does not see what a class body sets, unless `__constants__` names it: `{name}`"
            yield self.finding(value, message, *edits, imports=imports, answers=diagnosis)


def _read_at(file: FileFacts, diagnosis: Diagnosis) -> tuple[Function, str] | None:
    """The method and the attribute of `self` that it reads where the error lies."""
    name = diagnosis.names.get("attribute", "")
    place = diagnosis.place
    function = function_at(file, place.line) if place is not None else None
    if function is None or function.cls is None or name not in function.self_attributes:
        return None
    return function, name


def _is_set(cls: Class, name: str) -> bool:
    """Whether a method of the class or of its relatives sets the attribute, other than `__init__`."""
    family = (cls, *cls.ancestors, *cls.subclasses)
    return any(method.name != "__init__" for c in family for method, _ in c.assigned.get(name, ()))


def _is_plain(cls: Class) -> bool:
    """Whether an annotation in the class body changes nothing but what TorchScript reads: no fields are made of it."""
    if hides_unseen(cls) or any(c.node.decorator_list for c in (cls, *cls.subclasses)):
        return False
    return cls.is_module or all(base == "object" for base in cls.foreign_bases)


def _is_set_outside(file: FileFacts, name: str) -> bool:
    """Whether something is set under that name otherwise than by ``self.name = …``."""
    selves = {f.self_name for f in file.functions if not f.is_class_method}
    stores = (n.value for n in file.of(ast.Attribute) if n.attr == name and not isinstance(n.ctx, ast.Load))
    if any(not isinstance(of, ast.Name) or of.id not in selves for of in stores):
        return True
    calls = (c for c in file.of(ast.Call) if file.origin(c.func) == "setattr" and len(c.args) == 3)
    return any(isinstance(c.args[1], ast.Constant) and c.args[1].value == name for c in calls)


def _is_bound_again(owner: Class, name: str) -> bool:
    """Whether a class that derives from it has another value, or a constructor sets one."""
    family = (owner, *owner.ancestors, *owner.subclasses)
    return any(name in c.assigned for c in family) or any(name in c.body_values for c in owner.subclasses)


def _type(value: ast.expr) -> Type:
    """The type of a literal that TorchScript takes for a constant."""
    try:
        literal = ast.literal_eval(value)
    except ValueError:
        return UNKNOWN
    if isinstance(literal, (list, tuple)):
        if isinstance(literal, tuple):
            return Type("Tuple", tuple(_TYPES.get(type(v), UNKNOWN) for v in literal)) if literal else UNKNOWN
        types = {_TYPES.get(type(v), UNKNOWN) for v in literal}
        return list_of(join_all(types)) if len(types) == 1 else UNKNOWN
    return _TYPES.get(type(literal), UNKNOWN)
