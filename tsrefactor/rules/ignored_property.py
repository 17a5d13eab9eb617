"""ignored-property."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tsrefactor.facts.definitions import Class, Function
from tsrefactor.facts.diagnosis import Diagnosis
from tsrefactor.facts.family import bound_in_body
from tsrefactor.facts.file import FileFacts
from tsrefactor.source.edits import AddDecorator, AddToClass, Edit, Replace
from tsrefactor.source.imports import Import
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings

_IGNORED = "__jit_ignored_attributes__"
_WHY = "  # torch.jit.script looks for ignored properties in the class itself"


def _example(before: str, after: str) -> Example:
    head = "import torch\nfrom torch import nn\n\n\n"
    return Example(head + before, head + after, "[(torch.rand(2, 4),)]", Target.SCRIPT, error="StopIteration")


class IgnoredProperty(Rule):
    """Keep TorchScript from reading a property that raises.

    `torch.jit.script` reads all attributes of a module to find the methods that it is to compile, and stops where a
    property raises: one that asks the first parameter of a module without parameters for its device, one that is not
    set yet, one that only heirs define. `__jit_ignored_attributes__` names the attributes that it must not read, and
    `@torch.jit.unused` keeps the property from being compiled. Properties are only passed over in the very class of
    the module, so that an heir names the inherited one again. Eager has it as before.

    Left alone: a property that compiled code of the file reads; one that an heir defines in another way.

    Source: `infer_methods_to_compile` and `jit_ignored_properties` in torch/jit/_recursive.py.
    """

    name = "ignored-property"
    targets = frozenset({Target.SCRIPT})
    needs_diagnosis = True
    answers = frozenset({"property-raised"})
    examples = [
        _example(
            """\
class Model(nn.Module):
    @property
    def device(self):
        return next(self.parameters()).device  # of all of them

    def forward(self, x):
        return x * 2
""",
            """\
class Model(nn.Module):
    __jit_ignored_attributes__ = ["device"]

    @torch.jit.unused
    @property
    def device(self):
        return next(self.parameters()).device  # of all of them

    def forward(self, x):
        return x * 2
""",
        ),
        _example(
            """\
class Base(nn.Module):
    @property
    def device(self):
        return next(self.parameters()).device


class Model(Base):
    def forward(self, x):
        return x * 2
""",
            """\
class Base(nn.Module):
    __jit_ignored_attributes__ = ["device"]

    @torch.jit.unused
    @property
    def device(self):
        return next(self.parameters()).device


class Model(Base):
    device = Base.device  # torch.jit.script looks for ignored properties in the class itself

    def forward(self, x):
        return x * 2
""",
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        for diagnosis in self.diagnoses(file):
            cls, name = _failing(file, diagnosis), diagnosis.names.get("property", "")
            getter = cls.method(name) if cls is not None else None
            if cls is None or getter is None or getter.cls is None or "property" not in getter.decorators:
                continue
            message = f"torch.jit.script reads all attributes of a module, and the property `{name}` raises"
            if _is_read(file, name) or any(_is_another(c, getter) for c in getter.cls.subclasses):
                yield self.finding(getter.node, f"{message}, which others read or define", answers=diagnosis)
                continue
            ignored = _ignore(getter.cls, name)
            if ignored is None:
                continue
            edits, imports = ignored, frozenset[Import]()
            if not getter.skipped:
                unused, imports = file.spell("torch.jit.unused")
                edits.append(AddDecorator(getter.node, unused))
            if cls is not getter.cls:
                edits.append(AddToClass(cls.node, f"{name} = {getter.cls.qualname}.{name}{_WHY}"))
            yield self.finding(
                getter.node, f"{message}; name it in `{_IGNORED}`", *edits, imports=imports, answers=diagnosis
            )


def _failing(file: FileFacts, diagnosis: Diagnosis) -> Class | None:
    """The class of the module that was inspected."""
    name = f".{diagnosis.module_type or ''}"
    return next((c for c in file.classes if name.endswith(f".{c.qualname}")), None)


def _is_read(file: FileFacts, name: str) -> bool:
    """Whether code that TorchScript may compile reads it off a module itself."""
    return any(name in f.self_attributes for f in file.functions if f.name != name)


def _is_another(cls: Class, getter: Function) -> bool:
    """Whether a class has the name for something else than the property itself."""
    own = cls.body_values.get(getter.name)
    if own is not None and getter.cls is not None and ast.unparse(own.value) == f"{getter.cls.qualname}.{getter.name}":
        return False
    return getter.name in cls.methods or getter.name in bound_in_body(cls) or getter.name in cls.assigned


def _ignore(cls: Class, name: str) -> list[Edit] | None:
    """The edits by which a class names one more attribute that torch.jit.script does not read."""
    holder = next((c for c in (cls, *cls.ancestors) if _IGNORED in c.body_values), None)
    listed = holder.body_values[_IGNORED].value if holder is not None else None
    if any(_IGNORED in bound_in_body(c) for c in cls.subclasses) or (holder is not None and holder is not cls):
        return None
    if listed is None:
        return [AddToClass(cls.node, f'{_IGNORED} = ["{name}"]')]
    if not isinstance(listed, ast.List) or not listed.elts:
        return None
    if any(isinstance(e, ast.Constant) and e.value == name for e in listed.elts):
        return []
    kept = {f"e{i}": element for i, element in enumerate(listed.elts)}
    places = "".join(f"{{{key}}}, " for key in kept)
    return [Replace(listed, f'[{places}"{name}"]', kept)]
