"""create-attribute."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tsrefactor.facts.attributes import Attributes, Declaration
from tsrefactor.facts.declaring import declared
from tsrefactor.facts.definitions import Class, Function
from tsrefactor.facts.diagnosis import Diagnosis
from tsrefactor.facts.family import initialised_at
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.signatures import function_at
from tsrefactor.facts.types import BOOL, FLOAT, INT, NONE, STR, TENSOR, UNKNOWN, Type, join_all
from tsrefactor.source.edits import AddToClass, Edit, InsertAfter, Replace
from tsrefactor.source.imports import Import
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings

_PLACEHOLDERS = {INT: "0", FLOAT: "0.0", BOOL: "False", STR: "''"}
_BY_NAME = ("hasattr", "getattr", "setattr", "delattr")
_UNTYPED = ("[]", "{}", "None")
_REGISTERED = ("register_buffer", "register_parameter", "register_module", "add_module")
_WHY = "# set by {methods}; here for TorchScript, which knows only the attributes that __init__ makes"
_HEAD = """\
import torch
from torch import nn


"""
_INPUTS = "[(torch.rand(2, 4),), (torch.rand(3, 4),)]"


class CreateAttribute(Rule):
    """Create in `__init__` what forward alone sets.

    TorchScript knows the attributes that an instance has when it is scripted: a module that leaves its attention
    weights, or the size of its last input, in an attribute of which `__init__` knows nothing does not compile. So
    `__init__` gives it a placeholder of its type right after `super().__init__()`, an empty tensor or a zero, which the
    first call replaces; where the value alone tells no type, the class body does.

    An attribute that the file asks for by name (`hasattr(self, 'x')`, `getattr`), deletes or registers gets none, since
    it matters there whether it exists; nor does one whose type nothing tells. Where TorchScript only sets it, and never
    reads it, it is set in eager only.

    Left alone: modules that forward makes; classes whose `__init__` does not call that of the parent.

    Source: "Tried to set nonexistent attribute", raised by torch/csrc/jit/python/python_sugared_value.cpp.
    """

    name = "create-attribute"
    targets = frozenset({Target.SCRIPT})
    answers = frozenset({"new-attribute"})
    needs_diagnosis = True
    examples = [
        Example(
            before=_HEAD
            + """\
class Model(nn.Module):
    def __init__(self):
        super(Model, self).__init__()
        self.fc = nn.Linear(4, 4)  # project

    def forward(self, x):
        self.hidden = torch.relu(self.fc(x))
        self.batch_size = x.size(0)
        return self.hidden.sum(0) / self.batch_size
""",
            after=_HEAD
            + """\
class Model(nn.Module):
    def __init__(self):
        super(Model, self).__init__()
        # set by forward; here for TorchScript, which knows only the attributes that __init__ makes
        self.hidden = torch.empty(0)
        self.batch_size = 0
        self.fc = nn.Linear(4, 4)  # project

    def forward(self, x):
        self.hidden = torch.relu(self.fc(x))
        self.batch_size = x.size(0)
        return self.hidden.sum(0) / self.batch_size
""",
            inputs=_INPUTS,
            breaks=Target.SCRIPT,
            error="Tried to set nonexistent attribute: hidden",
        ),
        Example(
            before=_HEAD
            + """\
class Model(nn.Module):
    def forward(self, x):
        return self.normalize(x)

    def normalize(self, x):
        self.mean = x.mean(0)
        return x - self.mean
""",
            after=_HEAD
            + """\
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        # set by normalize; here for TorchScript, which knows only the attributes that __init__ makes
        self.mean = torch.empty(0)

    def forward(self, x):
        return self.normalize(x)

    def normalize(self, x):
        self.mean = x.mean(0)
        return x - self.mean
""",
            inputs=_INPUTS,
            breaks=Target.SCRIPT,
            error="Tried to set nonexistent attribute: mean",
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        for diagnosis in self.diagnoses(file):
            assert diagnosis.place is not None
            function = function_at(file, diagnosis.place.line)
            if function is not None and function.cls is not None:
                yield self._answer(function.cls, diagnosis)

    def _answer(self, cls: Class, diagnosis: Diagnosis) -> Finding:
        wanted = diagnosis.names["attribute"]
        message = f"TorchScript knows no attribute `{wanted}`, which `__init__` does not create"
        stores = _new(cls, wanted)
        node = stores[wanted][0][1] if wanted in stores else cls.node
        types = {name: _type(cls, name, found) for name, found in stores.items()}
        reasons = {name: _refusal(cls, name, types[name][0]) for name in stores}
        reason = reasons.get(wanted, "it is set in an odd way")
        made = None
        if reason is None:
            created = {n: types[n][0] for n in stores if reasons[n] is None and (n == wanted or not types[n][1])}
            made = _created(cls, created, stores)
            reason = "the class has no `__init__` of its own where it could be" if made is None else None
        if made is None:
            kept = [n for n in stores if n == wanted or reasons[n] is not None]
            guards = [edit for n in kept for edit in _eager_only(cls, n, stores[n])]
            if not _eager_only(cls, wanted, stores.get(wanted, [])):
                return self.finding(node, f"{message}, and {reason}", answers=diagnosis)
            _, imports = cls.file.spell("torch.jit.is_scripting")
            caveat = f"scripted, nothing is left in `{wanted}`"
            message += "; set it outside of TorchScript only"
            return self.finding(node, message, *guards, imports=imports, caveat=caveat, answers=diagnosis)
        edits, imports = made
        message += "; create it with a placeholder"
        return self.finding(node, message, *edits, imports=imports, presumed=types[wanted][1], answers=diagnosis)


def _new(cls: Class, wanted: str) -> dict[str, list[tuple[Function, ast.Attribute]]]:
    """The attributes that only methods which TorchScript sees set, and ``wanted``, with the places that set them."""
    seen = [m for c in (cls, *cls.ancestors) for m in cls.file.methods_of(c)]
    setup = {name for c in (cls, *cls.ancestors) for m in c.methods.values() if m not in seen for name in _stored(m)}
    known = {name for c in (cls, *cls.ancestors) for name in (*c.methods, *c.annotations)}
    found: dict[str, list[tuple[Function, ast.Attribute]]] = {}
    for method in sorted(cls.file.methods_of(cls), key=lambda m: m.node.lineno):
        for name, nodes in _stored(method).items():
            if name == wanted or name not in setup | known:
                found.setdefault(name, []).extend((method, n) for n in nodes)
    return found


def _stored(method: Function) -> dict[str, list[ast.Attribute]]:
    stores = {
        name: [n for n in nodes if isinstance(n.ctx, ast.Store)] for name, nodes in method.self_attributes.items()
    }
    return {name: nodes for name, nodes in stores.items() if nodes}


def _type(cls: Class, name: str, stores: list[tuple[Function, ast.Attribute]]) -> tuple[Type, bool]:
    """The type of what is put there, recorded or read; and whether that rests on presumption."""
    recorded = Attributes(cls.file).recorded(cls, name)
    values = [(function, _value(function.file, node)) for function, node in stores]
    for presume in (False, True):
        types = [f.type_of(v, presume) if v is not None else UNKNOWN for f, v in values]
        if all(t.known for t in types):
            return join_all(types), presume
        told = join_all([recorded, *(t for t in types if t.known)])  # what a run left there, and what it may have been
        if recorded.known and recorded != NONE and told.known:
            return told, presume
    return UNKNOWN, False


def _value(file: FileFacts, node: ast.Attribute) -> ast.expr | None:
    parent = file.parents[node]
    return parent.value if isinstance(parent, (ast.Assign, ast.AnnAssign)) else None


def _refusal(cls: Class, name: str, type_: Type) -> str | None:
    """Why no placeholder may stand there."""
    if not type_.known or type_ == NONE:
        return "its type is not known"
    if type_.name == "Module":
        return "it holds a module"
    for call in cls.file.of(ast.Call):
        called = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        if called in (*_BY_NAME, *_REGISTERED) and any(
            isinstance(a, ast.Constant) and a.value == name for a in call.args
        ):
            return f"the file asks for it by name, in `{called}`"
    if any(n.attr == name and isinstance(n.ctx, ast.Del) for n in cls.file.of(ast.Attribute)):
        return "the file deletes it"
    return None


def _created(
    cls: Class, types: dict[str, Type], stores: dict[str, list[tuple[Function, ast.Attribute]]]
) -> tuple[list[Edit], frozenset[Import]] | None:
    """The placeholders, and the declarations of those that tell no type; None where no `__init__` can have them."""
    anchor, declarations = initialised_at(cls), []
    own = cls.methods["__init__"].self_name if anchor is not None else "self"
    lines, imports = [], frozenset[Import]()
    for name, type_ in types.items():
        value, needed = _placeholder(cls.file, type_)
        lines.append(f"{own}.{name} = {value}")
        imports |= needed
        if value in _UNTYPED:
            declarations.append(Declaration(cls, name, type_, False, stores[name][0][1], ""))
    methods = dict.fromkeys(m.name for name in types for m, _ in stores[name])
    lines.insert(0, _WHY.format(methods=" and ".join(methods)))
    if anchor is not None:
        edits, needed = declared(cls, declarations) if declarations else ([], frozenset())
        made = InsertAfter(anchor, "{lines}", {"lines": "\n".join(lines)})
        return ([*edits, made], imports | needed) if edits or not declarations else None
    if declarations or any(base != "torch.nn.Module" for base in cls.bases) or "__init__" in cls.methods:
        return None
    method = "\n    ".join(["def __init__(self):", "super().__init__()", *lines])
    return [AddToClass(cls.node, method)], imports


def _eager_only(cls: Class, name: str, stores: list[tuple[Function, ast.Attribute]]) -> list[Edit]:
    """The statements that set an attribute behind a guard; none where TorchScript reads it, or misses an effect."""
    file, edits = cls.file, list[Edit]()
    seen = [m for c in (cls, *cls.ancestors, *cls.subclasses) for m in file.methods_of(c)]
    if any(isinstance(n.ctx, ast.Load) for m in seen for n in m.self_attributes.get(name, ())):
        return []
    is_scripting, _ = file.spell("torch.jit.is_scripting")
    for function, node in stores:
        statement = file.parents[node]
        if not isinstance(statement, ast.Assign) or len(statement.targets) != 1 or statement.targets[0] is not node:
            return []
        if not function.flow.is_pure(statement.value):
            return []
        template = f"if not {is_scripting}():\n    {{statement}}"
        edits.append(Replace([statement], template, {"statement": [statement]}))
    return edits


def _placeholder(file: FileFacts, type_: Type) -> tuple[str, frozenset[Import]]:
    """A value of the type that holds nothing."""
    if type_ == TENSOR:
        name, imports = file.spell("torch.empty")
        return f"{name}(0)", imports
    if type_.name == "Tuple":
        parts = [_placeholder(file, t) for t in type_.args]
        values = ", ".join(p for p, _ in parts)
        return f"({values}{',' if len(parts) == 1 else ''})", frozenset(i for _, needed in parts for i in needed)
    if type_.name in ("List", "Dict"):
        return "[]" if type_.name == "List" else "{}", frozenset()
    return _PLACEHOLDERS.get(type_, "None"), frozenset()
