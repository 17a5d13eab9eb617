"""module-isinstance."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tsrefactor.facts.attributes import Attributes, Declaration
from tsrefactor.facts.declaring import declared, hides_unseen
from tsrefactor.facts.definitions import Class, Function
from tsrefactor.facts.diagnosis import Diagnosis
from tsrefactor.facts.family import members
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.flags import last_store
from tsrefactor.facts.names import fresh, snake
from tsrefactor.facts.placement import only_eager
from tsrefactor.facts.types import BOOL
from tsrefactor.source.edits import AddToClass, Edit, InsertAfter, Replace
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings

_WHY = "TorchScript compares a module's class with that of one instance"
_DOC = "For `hasattr`: TorchScript's isinstance tells modules by one instance of their class."
_NO_MODULES = ("Parameter", "Buffer", "ParameterList", "ParameterDict")
_LONGEST = 40  # characters of a flag's name
_HEAD = """\
import torch
from torch import nn


"""
_INPUTS = "[(torch.rand(2, 4),), (torch.rand(3, 4),)]"


@dataclass(frozen=True, eq=False)
class _Site:
    """A question for a module's class. ``own``: the classes asked for, where the file has all and the value is one."""

    function: Function
    call: ast.Call
    attribute: str | None
    asked: tuple[str, ...]
    own: tuple[Class, ...]


class ModuleIsinstance(Rule):
    """Ask for a module's class in a way that TorchScript answers for every instance.

    For TorchScript each module has a type of its own, by its class and what it holds. `isinstance(layer, Gated)` asks
    for the type of one instance, the first that was compiled: it is False for other instances and for those of
    subclasses, without a word, and an unknown type name where none was compiled yet. A class of the same file gets a
    method that only says what it is, and the condition asks for that with `hasattr`, which TorchScript decides for each
    module when it compiles. For a class of torch.nn, or of another file, `__init__` keeps the answer in a `Final[bool]`
    next to the attribute, and the condition asks for that.

    Left alone: assertions; classes from elsewhere that are asked for in a loop over modules; attributes that anything
    but `__init__` sets.

    Source: `isinstance` takes the classes' types from the first module that was compiled of each, `try_ann_to_type` in
    torch/jit/annotations.py and `emitIsInstance` in torch/csrc/jit/frontend/ir_emitter.cpp.
    """

    name = "module-isinstance"
    targets = frozenset({Target.SCRIPT})
    answers = frozenset({"unknown-type-name", "argument-missing", "argument-count", "argument-unknown"})
    examples = [
        Example(
            before=_HEAD
            + """\
class Gated(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.fc = nn.Linear(width, 4)

    def forward(self, x, gate):
        return self.fc(x) * gate


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(4, 6), Gated(6), Gated(4)])

    def forward(self, x):
        gate = torch.sigmoid(x)
        for layer in self.layers:
            if isinstance(layer, Gated):  # the others take one argument
                x = layer(x, gate)
            else:
                x = layer(x)
        return x
""",
            after=_HEAD
            + """\
class Gated(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.fc = nn.Linear(width, 4)

    def forward(self, x, gate):
        return self.fc(x) * gate

    def is_gated(self) -> bool:
        \"\"\"For `hasattr`: TorchScript's isinstance tells modules by one instance of their class.\"\"\"
        return True


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(4, 6), Gated(6), Gated(4)])

    def forward(self, x):
        gate = torch.sigmoid(x)
        for layer in self.layers:
            if hasattr(layer, 'is_gated'):  # the others take one argument
                x = layer(x, gate)
            else:
                x = layer(x)
        return x
""",
            inputs=_INPUTS,
            breaks=Target.SCRIPT,
            error="Argument gate not provided",
        ),
        Example(
            before=_HEAD
            + """\
class Model(nn.Module):
    def __init__(self, pool=None):
        super().__init__()
        self.pool = pool or nn.MaxPool1d(2, return_indices=True)
        self.fc = nn.Linear(2, 2)

    def forward(self, x):
        if isinstance(self.pool, (nn.MaxPool1d, nn.MaxPool2d)):
            x, _ = self.pool(x)
        else:
            x = self.pool(x)
        return self.fc(x)
""",
            after="from typing import Final\n\n"
            + _HEAD
            + """\
class Model(nn.Module):
    pool_is_max_pool1d_or_max_pool2d: Final[bool]

    def __init__(self, pool=None):
        super().__init__()
        self.pool = pool or nn.MaxPool1d(2, return_indices=True)
        self.pool_is_max_pool1d_or_max_pool2d = isinstance(self.pool, (nn.MaxPool1d, nn.MaxPool2d))
        self.fc = nn.Linear(2, 2)

    def forward(self, x):
        if self.pool_is_max_pool1d_or_max_pool2d:
            x, _ = self.pool(x)
        else:
            x = self.pool(x)
        return self.fc(x)
""",
            inputs=_INPUTS,
            breaks=Target.SCRIPT,
            error="Unknown type name 'nn.MaxPool",
            model="nn.Sequential(Model(), Model(nn.AvgPool1d(1)))",
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        if not file.mentions("isinstance"):
            return
        marked: list[_Site] = []
        flagged: dict[tuple[str, str], list[_Site]] = {}
        for function in file.functions:
            for call in function.calls("isinstance"):
                site = _site(function, call)
                if site is None:
                    continue
                if site.own:
                    marked.append(site)
                elif site.attribute is not None and function.cls is not None:
                    flagged.setdefault((function.cls.qualname, ast.unparse(call)), []).append(site)
                else:
                    message = f"{_WHY}, and a class from elsewhere can be given no mark"
                    yield self.finding(call, message, answers=self._at(file, call))
        if marked:
            yield self._marked(file, marked)
        for sites in flagged.values():
            yield self._flagged(file, sites)

    def _at(self, file: FileFacts, call: ast.Call) -> Diagnosis | None:
        """The diagnosis on the call, or in what it decides."""
        statement = file.statement_of(call)
        lines = range(statement.lineno, (statement.end_lineno or statement.lineno) + 1)
        return next((d for d in self.diagnoses(file) if d.place is not None and d.place.line in lines), None)

    def _marked(self, file: FileFacts, sites: Sequence[_Site]) -> Finding:
        """A method that says what a class is, for each class of the file that is asked for."""
        taken = {name for c in file.classes for name in members(c)}
        marks: dict[Class, str] = {}
        edits: list[Edit] = []
        for cls in dict.fromkeys(c for site in sites for c in site.own):
            wanted = f"is_{snake(cls.name)}"
            marks[cls] = wanted if _is_mark(cls.methods.get(wanted)) else fresh(taken, wanted)
            if marks[cls] != wanted or wanted not in cls.methods:
                taken.add(marks[cls])
                edits.append(_mark(cls, marks[cls]))
        for site in sites:
            asked = [f"hasattr({{value}}, '{marks[c]}')" for c in site.own]
            edits.append(Replace(site.call, " or ".join(asked), {"value": ast.unparse(site.call.args[0])}))
        first = sites[0]
        names = " and ".join(f"`{name}`" for name in marks.values())
        answered = next((d for s in sites if (d := self._at(file, s.call))), None)
        message = f"{_WHY}; ask with `hasattr` for {names}"
        return self.finding(first.call, message, *edits, trap=True, answers=answered)

    def _flagged(self, file: FileFacts, sites: Sequence[_Site]) -> Finding:
        """A Final bool next to the attribute, for all that ask the same of it."""
        first = sites[0]
        attribute = first.attribute or ""
        answered = next((d for s in sites if (d := self._at(file, s.call))), None)
        owner = _owner(first.function, attribute)
        init = owner.methods["__init__"] if owner is not None else None
        anchor = last_store(init, [attribute]) if init is not None else None
        if owner is None or init is None or anchor is None or init.self_name != first.function.self_name:
            message = f"{_WHY}, and `__init__` alone does not set `{attribute}`"
            return self.finding(first.call, message, answers=answered)
        value, self_name = ast.unparse(first.call), init.self_name
        short = f"{attribute.strip('_')}_is_{'_or_'.join(snake(a.rpartition('.')[2]) for a in first.asked)}"
        name = fresh(members(owner), short if len(short) <= _LONGEST else f"{attribute.strip('_')}_is_special")
        declarations, imports = declared(owner, [Declaration(owner, name, BOOL, True, first.call, "")])
        if not declarations:
            message = f"{_WHY}, and the class can declare no attribute that TorchScript would read"
            return self.finding(first.call, message, answers=answered)
        derived = InsertAfter(anchor, f"{self_name}.{name} = {{value}}", {"value": value})
        asked = [Replace(s.call, f"{self_name}.{name}") for s in sites]
        message = f"{_WHY}; let `__init__` keep the answer in `{name}`"
        edits = [*declarations, derived, *asked]
        presumed = hides_unseen(owner)
        return self.finding(
            first.call, message, *edits, imports=imports, presumed=presumed, trap=True, answers=answered
        )


def _asked(file: FileFacts, call: ast.Call) -> tuple[str, ...]:
    """The origins of the module classes that a call asks for; none where it asks for anything else, too."""
    if len(call.args) != 2 or call.keywords:
        return ()
    names = call.args[1].elts if isinstance(call.args[1], ast.Tuple) else [call.args[1]]
    origins = tuple(file.origin(n) for n in names)
    return origins if all(_is_module_class(file, o) for o in origins) else ()


def _is_module_class(file: FileFacts, origin: str) -> bool:
    cls = file.class_named(origin)
    if cls is not None:
        return cls.is_module
    name = origin.rpartition(".")[2]
    known = origin.startswith("torch.nn.modules.") or origin == f"torch.nn.{name}"
    return known and name[:1].isupper() and name not in _NO_MODULES


def _site(function: Function, call: ast.Call) -> _Site | None:
    """What a call asks, when it asks a module for its class."""
    file, asked = function.file, _asked(function.file, call)
    if not asked or only_eager(file, call) or isinstance(file.statement_of(call), ast.Assert):
        return None
    attribute, own = function.self_attribute(call.args[0]), [c for c in map(file.class_named, asked) if c is not None]
    if attribute is None and ("torch.nn.Module" in asked or not _is_loop_variable(function, call.args[0])):
        return None
    sure = attribute is None or not _may_be_none(function, attribute)
    return _Site(function, call, attribute, asked, tuple(own) if sure and len(own) == len(asked) else ())


def _is_loop_variable(function: Function, node: ast.expr) -> bool:
    """Whether it is a name that only loops bind: it holds what the loop goes over, modules by what is asked of it."""
    if not isinstance(node, ast.Name) or any(p.name == node.id for p in function.parameters):
        return False
    file = function.file
    bound = [n for n in function.of(ast.Name) if n.id == node.id and isinstance(n.ctx, ast.Store)]
    parents = [file.parents[n] for n in bound]
    loops = [file.parents[p] if isinstance(p, ast.Tuple) else p for p in parents]
    return bool(loops) and all(isinstance(n, (ast.For, ast.comprehension)) for n in loops)


def _may_be_none(function: Function, attribute: str) -> bool:
    """Whether some instance may hold None there, for which `hasattr` does not compile."""
    assert function.cls is not None
    for cls in (function.cls, *function.cls.ancestors, *function.cls.subclasses):
        values = [v for _, v in cls.assigned.get(attribute, ()) if v is not None]
        if any(isinstance(n, ast.Constant) and n.value is None for v in values for n in _results(v)):
            return True
        if cls.observed is not None and "None" in cls.observed.children.get(attribute, ()):
            return True
    return False


def _results(value: ast.expr) -> list[ast.expr]:
    """What an expression may come to: the arms of conditional ones."""
    return [*_results(value.body), *_results(value.orelse)] if isinstance(value, ast.IfExp) else [value]


def _owner(function: Function, attribute: str) -> Class | None:
    """The one class, of the method's or above it, whose `__init__` alone sets the attribute."""
    cls, attributes = function.cls, Attributes(function.file)
    assert cls is not None
    setting = [c for c in attributes.family(cls) if attribute in c.assigned]
    alone = len(setting) == 1 and setting[0] in (cls, *cls.ancestors) and attributes.set_by_init(cls, attribute)
    return setting[0] if alone else None


def _is_mark(method: Function | None) -> bool:
    """Whether a method only says that the class is what it is called."""
    return method is not None and ast.unparse(method.node.body[-1]) == "return True" and len(method.node.body) <= 2


def _mark(cls: Class, name: str) -> Edit:
    method = f'def {name}(self) -> bool:\n    """{_DOC}"""\n    return True'
    if not cls.methods:
        last_statement = cls.node.body[-1]
        if isinstance(last_statement, ast.Pass):
            return Replace([last_statement], "{method}", {"method": method})
        return AddToClass(cls.node, method)
    last = max(cls.methods.values(), key=lambda m: m.node.lineno)
    return InsertAfter(last.node, "{method}", {"method": f"\n{method}"})
