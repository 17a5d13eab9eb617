"""annotate-types."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from tsrefactor.facts.attributes import Attributes, Declaration
from tsrefactor.facts.declaring import declared, hides_unseen
from tsrefactor.facts.definitions import Class, Function
from tsrefactor.facts.diagnosis import Diagnosis
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.fixed import FixedConditions
from tsrefactor.facts.returns import complained_return, displayed_return, rejected_return, taken_apart
from tsrefactor.facts.signatures import (
    Signatures,
    Wanted,
    found_type,
    function_at,
    has_type_comment,
    number_union,
    obstacle,
)
from tsrefactor.facts.types import TENSOR, UNKNOWN, join
from tsrefactor.facts.variables import first_binding, late_values
from tsrefactor.source.edits import AddToClass, AnnotateParameter, AnnotateReturn, Replace
from tsrefactor.source.imports import Import
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings, preview

_HEAD = "import torch\nfrom torch import nn\n"


def _example(before: str, after: str, inputs: str, error: str, typing: str = "", **more) -> Example:
    """An example whose rewrite imports these names from typing."""
    imported = f"from typing import {typing}\n\n" if typing else ""
    return Example(_HEAD + before, imported + _HEAD + after, inputs, Target.SCRIPT, error=error, **more)


class AnnotateTypes(Rule):
    """Annotate what TorchScript would type wrongly: parameters, returns, variables, attributes.

    TorchScript takes an unannotated parameter for a Tensor, a variable for what it was first given, an attribute for
    what the instance holds when it is scripted. So it needs to be told of

    - parameters that are no tensors: `n=3` becomes `n: int = 3`; the type is that of the default and of all recorded
      calls (without a recording: of the calls in the file), numbers of both kinds are `Union[int, float]`, a tensor
      and a list that `isinstance` tells apart `Union[Tensor, List[Tensor]]`;
    - parameters with the default `None`: `Optional[…]`, of a Tensor where nothing else is known (then the finding
      counts as presumed). Without the annotation the `None` becomes an undefined tensor, silently: `m is None` is
      False and the wrong branch runs;
    - variables that start as `None` and get their value inside a branch or loop;
    - attributes that are empty or `None` when the model is scripted: a class-body annotation (one inside `__init__`
      does not count). It would hide the annotations of the base classes, so these are repeated, and subclasses with
      annotations of their own get it too;
    - bool attributes that decide a branch which cannot compile for some instances: `flag: Final[bool]` lets
      TorchScript drop the branch. Only a real bool that nothing but `__init__` sets;
    - returns, where two of them differ: `Union[int, float]`, `Union[Tensor, Tuple[Tensor, Tensor]]`. Where other code
      of the file computes with such a value, it would have to tell the types apart first: then it is left alone.

    Under `from __future__ import annotations` a class-body annotation is a string, which TorchScript does not read;
    there the class gets `__constants__` and `__annotations__` instead.

    A parameter that is only ever None gets the type that the layer or function takes to which it is passed on.

    What the author annotated stays, unless TorchScript rejects it: then the nearest type that it takes is written
    (`List[Tensor]` for `Sequence[Tensor]` and `Tuple[Tensor, ...]`, `Tensor` for `Variable`), as runs show it; or where
    runs pass what it does not allow.
    Not annotated: what holds modules, or values of several types that TorchScript cannot compute with; keyword-only
    parameters with defaults, `*args` and `**kwargs`, which it refuses as such; functions with type comments.

    Source: https://docs.pytorch.org/docs/stable/jit_language_reference.html#default-types and
    `torch/jit/_recursive.py` (`get_annotations`, `infer_type`).
    """

    name = "annotate-types"
    targets = frozenset({Target.SCRIPT})
    answers = frozenset(
        "default-type argument-type argument-match arguments-not-valid undefined-tensor unconvertible-attribute"
        " attribute-type reassign-type branch-type mixed-return return-type unknown-type-name annotation-form"
        " annotated-type missing-attribute not-defined-in-branch optional-refinement no-attribute-on-type none-to-bool"
        " none-compare not-callable undefined-value python-value-as-value size-of-list unpack-value range-argument"
        " mutable-default attribute-inference constant-value".split()
    )
    examples = [
        # Defaults that are no tensors, of a method, a helper and a keyword.
        _example(
            before='''

def crop(x, size=2):
    return x[:, :size]


class Model(nn.Module):
    def forward(self, x, scale=0.5, flip=False, mode="sum"):
        if flip:
            x = x.flip(0)
        x = crop(x) * scale
        return x.sum() if mode == "sum" else x.mean()
''',
            after='''

def crop(x, size: int = 2):
    return x[:, :size]


class Model(nn.Module):
    def forward(self, x, scale: float = 0.5, flip: bool = False, mode: str = "sum"):
        if flip:
            x = x.flip(0)
        x = crop(x) * scale
        return x.sum() if mode == "sum" else x.mean()
''',
            inputs="[(torch.rand(3, 4),), (torch.rand(2, 5), 2.0, True, 'mean')]",
            error="Expected a default value of type Tensor",
        ),
        # None is an undefined tensor where nothing says Optional: no error before the wrong branch runs.
        _example(
            before='''

class Model(nn.Module):
    def forward(self, x, mask=None, limit=None):
        if mask is not None:
            x = x.masked_fill(mask, 0.0)
        if limit is None:
            limit = 2
        return x[:limit]
''',
            after='''

class Model(nn.Module):
    def forward(self, x, mask: Optional[torch.Tensor] = None, limit: Optional[int] = None):
        if mask is not None:
            x = x.masked_fill(mask, 0.0)
        if limit is None:
            limit = 2
        return x[:limit]
''',
            typing="Optional",
            inputs="[(torch.rand(3, 4),), (torch.rand(3, 4), torch.ones(3, 4) > 0, 1)]",
            outcome="run-error",
            error="undefined Tensor",
            recorded=True,
        ),
        # A variable that is None until a loop gives it a tensor.
        _example(
            before='''

class Model(nn.Module):
    def forward(self, x):
        best = last = None
        for row in x.unbind(0):
            last = row
            if best is None:
                best = row
            else:
                best = torch.maximum(best, row)
        return best, last
''',
            after='''

class Model(nn.Module):
    def forward(self, x):
        best: Optional[torch.Tensor] = None
        last: Optional[torch.Tensor] = None
        for row in x.unbind(0):
            last = row
            if best is None:
                best = row
            else:
                best = torch.maximum(best, row)
        return best, last
''',
            typing="Optional",
            inputs="[(torch.rand(3, 4),), (torch.rand(5, 2),)]",
            error="previously had type NoneType",
        ),
        # Attributes that are empty or None when the model is scripted.
        _example(
            before='''

class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.sizes = []
        self.last = None

    def forward(self, x):
        self.sizes.append(x.size(0))
        self.last = x
        return x * len(self.sizes)
''',
            after='''

class Model(nn.Module):
    sizes: List[int]
    last: Optional[torch.Tensor]

    def __init__(self):
        super().__init__()
        self.sizes = []
        self.last = None

    def forward(self, x):
        self.sizes.append(x.size(0))
        self.last = x
        return x * len(self.sizes)
''',
            typing="List, Optional",
            inputs="[(torch.rand(3, 2),), (torch.rand(2, 2),)]",
            error="failed to convert Python type",
            recorded=True,
        ),
        # A bool that decides whether a submodule exists.
        _example(
            before='''

class Model(nn.Module):
    def __init__(self, project=False):
        super().__init__()
        self.project = project
        if project:
            self.projection = nn.Linear(4, 4)

    def forward(self, x):
        if self.project:
            x = self.projection(x)
        return torch.relu(x)
''',
            after='''

class Model(nn.Module):
    project: Final[bool]

    def __init__(self, project=False):
        super().__init__()
        self.project = project
        if project:
            self.projection = nn.Linear(4, 4)

    def forward(self, x):
        if self.project:
            x = self.projection(x)
        return torch.relu(x)
''',
            typing="Final",
            inputs="[(torch.rand(3, 4),), (torch.rand(2, 4),)]",
            error="has no attribute 'projection'",
        ),
    ]  # fmt: skip

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        signatures = Signatures(file)
        for function in signatures.functions:
            if not has_type_comment(file, function.node):
                yield from self._parameters(file, signatures, function)
                yield from self._returns(file, function)
            yield from self._variables(file, function)
        declarations = list(Attributes(file).needed())
        yield from self._attributes(file, declarations)
        conditions = FixedConditions(file)
        for diagnosis in self.diagnoses(file):
            assert diagnosis.place is not None
            inside = function_at(file, diagnosis.place.line)
            if inside is None:
                continue
            if diagnosis.kind in ("mixed-return", "return-type"):
                tests = [d.node for d in declarations if d.final and isinstance(d.node, ast.expr)]
                if not any(function_at(file, t.lineno) is inside and conditions.open(inside, t) for t in tests):
                    yield from self._mixed(signatures, inside, diagnosis)
            elif diagnosis.kind in ("reassign-type", "branch-type"):
                yield from self._reassigned(file, inside, diagnosis)
            elif diagnosis.kind == "annotation-form":
                yield from self._displayed(file, inside, diagnosis)

    # -- parameters ------------------------------------------------------------------------------------------------

    def _parameters(self, file: FileFacts, signatures: Signatures, function: Function) -> Iterator[Finding]:
        for parameter in function.parameters:
            wanted = signatures.wanted(function, parameter)
            if wanted is None:
                continue
            if wanted.type is None:
                message = f"'{parameter.name}' of {function.name} is not annotated: {wanted.why}"
                yield self.finding(parameter.node, message)
                continue
            text, imports = file.spell_type(wanted.type)
            yield self.finding(
                parameter.node,
                self._parameter_message(parameter.name, text, wanted),
                AnnotateParameter(function.node, parameter.name, text),
                imports=imports,
                presumed=wanted.presumed,
            )

    def _parameter_message(self, name: str, text: str, wanted: Wanted) -> str:
        if wanted.replaces is not None:
            return f"'{name}' is annotated {ast.unparse(wanted.replaces)}, but must be {text}: {wanted.why}"
        if wanted.presumed:
            return (
                f"TorchScript makes the None of '{name}' an undefined tensor; presumably it is to be `{name}: {text}`"
            )
        return f"TorchScript takes '{name}' for a Tensor, but {wanted.why}; write `{name}: {text}`"

    # -- variables -------------------------------------------------------------------------------------------------

    def _variables(self, file: FileFacts, function: Function) -> Iterator[Finding]:
        """Variables that are None until a branch or a loop gives them a value."""
        for late in late_values(function):
            types = [late.types.get(n) for n in late.names]
            if any(t is not None and obstacle(file, t, function.node.lineno) for t in types):
                continue
            lines: list[str] = []
            imports: set[Import] = set()
            for name, type_ in zip(late.names, types, strict=True):
                text, needed = file.spell_type(type_) if type_ is not None else ("", frozenset())
                lines.append(f"{name}: {text} = None" if text else f"{name} = None")
                imports |= needed
            names = ", ".join(f"'{n}'" for n in late.types)
            message = f"TorchScript keeps {names} None: a branch or loop cannot give it another type"
            yield self.finding(
                late.statement,
                f"{message}; write `{'; '.join(lines)}`",
                Replace([late.statement], "\n".join(lines)),
                imports=imports,
                presumed=late.presumed,
            )

    def _reassigned(self, file: FileFacts, function: Function, diagnosis: Diagnosis) -> Iterator[Finding]:
        """The first binding of a variable whose type changes later, where one type holds both values."""
        name = diagnosis.names.get("variable")
        roles = ("expected", "found") if diagnosis.kind == "reassign-type" else ("true_type", "false_type")
        assert diagnosis.place is not None
        in_branch = diagnosis.kind == "branch-type"
        binding = first_binding(function, name, diagnosis.place.line, in_branch) if name else None
        type_ = join(*(found_type(diagnosis.names[r]) for r in roles))
        if binding is None or name is None or not (type_.optional or number_union(type_)):
            return
        if number_union(type_) and diagnosis.kind == "reassign-type" and name in _computed_from_itself(function):
            yield self.finding(
                binding,
                f"'{name}' starts as {diagnosis.names['expected']} and becomes {diagnosis.names['found']};"
                " start it with a number of that type (this changes what it is before)",
                answers=diagnosis,
            )
        elif obstacle(file, type_, function.node.lineno) is None:
            text, imports = file.spell_type(type_)
            assert isinstance(binding, ast.Assign)
            edit = Replace([binding], f"{name}: {text} = {{value}}", {"value": binding.value})
            message = f"{diagnosis.message}; write `{name}: {text} = …`"
            yield self.finding(binding, message, edit, imports=imports, answers=diagnosis)

    # -- returns ---------------------------------------------------------------------------------------------------

    def _returns(self, file: FileFacts, function: Function) -> Iterator[Finding]:
        """A return annotation that TorchScript rejects."""
        type_ = rejected_return(function)
        if type_ == UNKNOWN or obstacle(file, type_, function.node.lineno) is not None:
            return
        assert function.node.returns is not None
        text, imports = file.spell_type(type_)
        written = ast.unparse(function.node.returns)
        message = f"TorchScript rejects `-> {written}`; write `-> {text}`"
        yield self.finding(function.node, message, AnnotateReturn(function.node, text), imports=imports)

    def _mixed(self, signatures: Signatures, function: Function, diagnosis: Diagnosis) -> Iterator[Finding]:
        """Returns that differ from one another, or from what is annotated."""
        file, type_ = signatures.file, complained_return(function, diagnosis)
        empty = any(_is_empty(n.value) for n in function.of(ast.Return))
        if (empty and diagnosis.kind == "mixed-return") or has_type_comment(file, function.node):
            return
        if obstacle(file, type_, function.node.lineno, tested=True) is not None:
            return
        if type_ == TENSOR == found_type(diagnosis.names["expected"]):
            return
        if type_.name == "Union" and not number_union(type_) and taken_apart(signatures, function):
            return
        text, imports = file.spell_type(type_)
        edit = AnnotateReturn(function.node, text)
        message = f"{diagnosis.message}; write `-> {text}`"
        yield self.finding(function.node, message, edit, imports=imports, answers=diagnosis)

    def _displayed(self, file: FileFacts, function: Function, diagnosis: Diagnosis) -> Iterator[Finding]:
        """A function that returns a list or dict display, and is annotated to return something else."""
        display = file.node_at(diagnosis, ast.List, ast.Dict)
        type_ = displayed_return(function, display) if isinstance(display, (ast.List, ast.Dict)) else UNKNOWN
        if type_ != UNKNOWN and obstacle(file, type_, function.node.lineno) is None:
            text, imports = file.spell_type(type_)
            edit = AnnotateReturn(function.node, text)
            yield self.finding(
                function.node, f"it returns {type_}; write `-> {text}`", edit, imports=imports, answers=diagnosis
            )

    # -- attributes ------------------------------------------------------------------------------------------------

    def _attributes(self, file: FileFacts, declarations: Sequence[Declaration]) -> Iterator[Finding]:
        """One finding for each class: its new declarations stand together."""
        by_class: dict[Class, list[Declaration]] = {}
        for declaration in declarations:
            against = obstacle(file, declaration.type, declaration.cls.node.lineno)
            if against is not None:
                yield self.finding(declaration.node, f"'{declaration.name}' is not annotated: {against}")
            else:
                by_class.setdefault(declaration.cls, []).append(declaration)
        for cls, declarations in by_class.items():
            message = "; ".join(f"'{d.name}' must be declared in the class: {d.why}" for d in declarations)
            edits, imports = declared(cls, declarations)
            presumed = any(d.presumed for d in declarations) or hides_unseen(cls)
            added = [e.template for e in edits if isinstance(e, AddToClass) and e.cls is cls.node]
            if added:
                code = "\n".join(line for line in added[0].splitlines() if not line.startswith("#"))
                message += f"; write `{preview(code, {})}` there"
            if not edits:
                message += "; annotations are strings here, which TorchScript does not read"
            yield self.finding(declarations[0].node, message, *edits, imports=imports, presumed=presumed)


def _is_empty(value: ast.expr | None) -> bool:
    return (isinstance(value, ast.List) and not value.elts) or (isinstance(value, ast.Dict) and not value.keys)


def _computed_from_itself(function: Function) -> set[str]:
    """Variables that an assignment computes from their own value."""
    found = {n.target.id for n in function.of(ast.AugAssign) if isinstance(n.target, ast.Name)}
    for node in function.of(ast.Assign):
        own = {t.id for t in node.targets if isinstance(t, ast.Name)}
        found |= own & function.flow.reads(node.value)
    return found
