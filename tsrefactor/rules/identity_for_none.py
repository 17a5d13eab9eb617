"""identity-for-none."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from tsrefactor.facts.definitions import Class, Function
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.filling import Made, elements_in, elements_made, is_none, values_of
from tsrefactor.facts.module_uses import Elsewhere, none_tests
from tsrefactor.facts.placement import is_elif
from tsrefactor.facts.registering import sees_children
from tsrefactor.source.edits import Edit, Replace
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings

_WHY = "TorchScript drops the None entries of a ModuleList, and so numbers the others anew"
_LIST = "torch.nn.ModuleList"
_HEAD = """\
import torch
from torch import nn


class Model(nn.Module):
"""


def _example(before: str, after: str, error: str, outcome: str = "compile-error") -> Example:
    inputs = "[([torch.rand(2, 4), torch.rand(2, 4), torch.rand(2, 4)],)]"
    return Example(_HEAD + before, _HEAD + after, inputs, Target.SCRIPT, outcome, error)


class IdentityForNone(Rule):
    """Hold an `nn.Identity` where a ModuleList holds None.

    A ModuleList may have None entries, for places that need no layer; `len` and indices count them. TorchScript drops
    them, so that another module stands at each later index, or none. An `nn.Identity` keeps the place: it has neither
    parameters nor buffers, so state_dict keys stay. A question whether the entry is None becomes one for
    `nn.Identity`; where a branch only does what the identity does anyway, the call stands alone.

    Left alone: lists whose entries go elsewhere than into calls, loops and such questions; classes that go over their
    submodules; questions where entries may be None, or an `nn.Identity`, in another way than by a literal.

    Source: "Modules can be None. We don't have direct support for optional Modules", `infer_concrete_type_builder` in
    torch/jit/_recursive.py.
    """

    name = "identity-for-none"
    targets = frozenset({Target.SCRIPT})
    examples = [
        _example(
            """\
    def __init__(self, width=4):
        super().__init__()
        layers = []
        for i in range(3):
            if i == 1:
                layers.append(None)  # the second goes through as it is
            else:
                layers.append(nn.Linear(width, width))
        self.layers = nn.ModuleList(layers)

    def forward(self, xs: list[torch.Tensor]):
        total = self.layers[0](xs[0])
        for i, layer in enumerate(self.layers):
            if i == 1:
                total = total + xs[i]
            else:
                total = total - layer(xs[i])
        return total + self.layers[2](xs[2])
""",
            """\
    def __init__(self, width=4):
        super().__init__()
        layers = []
        for i in range(3):
            if i == 1:
                layers.append(nn.Identity())  # the second goes through as it is
            else:
                layers.append(nn.Linear(width, width))
        self.layers = nn.ModuleList(layers)

    def forward(self, xs: list[torch.Tensor]):
        total = self.layers[0](xs[0])
        for i, layer in enumerate(self.layers):
            if i == 1:
                total = total + xs[i]
            else:
                total = total - layer(xs[i])
        return total + self.layers[2](xs[2])
""",
            "Index 2 out of range",
        ),
        _example(
            """\
    def __init__(self, widths=(4, 5, 4)):
        super().__init__()
        self.layers = self._make_layers(widths)

    def _make_layers(self, widths):
        layers = []
        for width in widths:
            layers.append(nn.Linear(4, width) if width != 4 else None)
        return nn.ModuleList(layers)

    def forward(self, xs: list[torch.Tensor]):
        outs = []
        for i, layer in enumerate(self.layers):
            if layer is not None:
                outs.append(layer(xs[i]))
            else:
                outs.append(xs[i])
        for layer in self.layers:
            if layer is None:
                outs.append(outs[0])
            else:
                outs.append(layer(xs[0]))
        return outs
""",
            """\
    def __init__(self, widths=(4, 5, 4)):
        super().__init__()
        self.layers = self._make_layers(widths)

    def _make_layers(self, widths):
        layers = []
        for width in widths:
            layers.append(nn.Linear(4, width) if width != 4 else nn.Identity())
        return nn.ModuleList(layers)

    def forward(self, xs: list[torch.Tensor]):
        outs = []
        for i, layer in enumerate(self.layers):
            outs.append(layer(xs[i]))
        for layer in self.layers:
            outs.append(outs[0] if isinstance(layer, nn.Identity) else layer(xs[0]))
        return outs
""",
            "",
            "mismatch",
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        if not file.mentions("ModuleList"):
            return
        for group in _groups(file):
            if any(_is_compiled(held) for held in group):
                yield self._lists(file, group)

    def _lists(self, file: FileFacts, group: list[_Held]) -> Finding:
        """One finding for the lists that share a None, by the method that makes them."""
        elements = dict.fromkeys(e for held in group for e in held.elements)
        nones = [e for _, e in elements if is_none(e)]
        identity, imports = file.spell("torch.nn.Identity")
        try:
            tests = dict.fromkeys(t for held in group for t in none_tests(held.cls, held.attribute))
        except Elsewhere:
            return self.finding(nones[0], f"{_WHY}, and entries go elsewhere than into calls and loops")
        if any(_makes_others(file, method, group) for method, e in elements if is_none(e)):
            return self.finding(nones[0], f"{_WHY}, and the method makes others, too")
        if any(sees_children(held.cls) for held in group):
            return self.finding(nones[0], f"{_WHY}, and the class goes over its submodules")
        shown = all(is_none(e) or _is_another(m, e) for m, e in elements) and all(_is_shown(held) for held in group)
        if tests and not shown:
            return self.finding(nones[0], f"{_WHY}, and not all the others are sure to be none and no `{identity}`")
        edits: list[Edit] = [Replace(e, f"{identity}()") for e in nones]
        edits += [_asked(function, test, identity) for function, test in tests]
        return self.finding(nones[0], f"{_WHY}; hold an `{identity}()` there", *edits, imports=imports)


@dataclass(frozen=True, eq=False)
class _Held:
    """An attribute that holds a list with None in it, and what the list is made of."""

    cls: Class
    attribute: str
    elements: list[Made]


def _groups(file: FileFacts) -> Iterator[list[_Held]]:
    """The attributes that hold such lists, those together that hold the same None."""
    groups: list[list[_Held]] = []
    for cls in (c for c in file.classes if c.is_module):
        for attribute in cls.assigned:
            if not any(_is_list(m, v) for m, v in values_of(cls, attribute)):
                continue
            held = _Held(cls, attribute, list(_elements(cls, attribute)))
            nones = {e for _, e in held.elements if is_none(e)}
            if not nones:
                continue
            same = [g for g in groups if any(e in nones for other in g for _, e in other.elements)]
            groups = [g for g in groups if g not in same] + [[h for g in same for h in g] + [held]]
    yield from groups


def _makes_others(file: FileFacts, method: Function, group: list[_Held]) -> bool:
    """Whether what a method returns goes elsewhere than into the attributes, too."""
    if any(m is method for held in group for m, _ in held.cls.assigned[held.attribute]):
        return False
    named = [n for c in file.classes for m in c.methods.values() for n in m.self_attributes.get(method.name, ())]
    values = [v for held in group for _, v in held.cls.assigned[held.attribute]]
    return not all(any(isinstance(v, ast.Call) and v.func is n for v in values) for n in named)


def _is_list(function: Function, value: ast.expr | None) -> bool:
    return isinstance(value, ast.Call) and function.file.origin(value.func) == _LIST


def _elements(cls: Class, attribute: str) -> Iterator[Made]:
    """What the list holds, of lists in it too."""
    todo = elements_made(cls, attribute)
    for method, element in todo:
        if _is_list(method, element):
            todo += elements_in(method, element)
        elif isinstance(element, ast.IfExp):
            todo += [(method, element.body), (method, element.orelse)]
        else:
            yield method, element


def _is_compiled(held: _Held) -> bool:
    """Whether a method that TorchScript compiles reads the list."""
    methods = (f for c in (held.cls, *held.cls.subclasses) for f in c.file.methods_of(c))
    return any(f.name != "__init__" and held.attribute in f.self_attributes for f in methods)


def _is_another(function: Function, element: ast.expr) -> bool:
    """Whether an entry is sure to be a module, and no identity."""
    origin = function.file.origin(element.func) if isinstance(element, ast.Call) else ""
    cls = function.file.class_named(origin)
    if cls is not None:
        return cls.is_module and "torch.nn.Identity" not in cls.foreign_bases
    return origin.startswith("torch.nn.") and origin.count(".") == 2 and origin != "torch.nn.Identity"


def _is_shown(held: _Held) -> bool:
    """Whether the class is the only one of its family that sets the attribute, and shows all that it puts into it."""
    family = (*held.cls.ancestors, *held.cls.subclasses)
    values = values_of(held.cls, held.attribute)
    return not any(held.attribute in c.assigned for c in family) and all(_shows_all(m, v) for m, v in values)


def _shows_all(method: Function, value: ast.expr | None) -> bool:
    """Whether a value is None, or a list whose elements `_elements` finds."""
    if value is None or not isinstance(value, ast.Call):
        return value is not None and is_none(value)
    empty = not value.args and not value.keywords
    return _is_list(method, value) and (empty or bool(elements_in(method, value)))


def _asked(function: Function, test: ast.Compare, identity: str) -> Edit:
    """The question for an identity; one call for both sides of an `if` that does nothing else."""
    absent = isinstance(test.ops[0], ast.Is)
    branch = function.file.parents[test]
    if isinstance(branch, ast.If) and branch.test is test and _is_bare(function, branch):
        taken, other = branch.body[0], branch.orelse[0]
        given = (_handed_over(other), _handed_over(taken)) if absent else (_handed_over(taken), _handed_over(other))
        if given[0] is not None and given[1] is not None and ast.unparse(given[0][0]) == ast.unparse(given[1][0]):
            [(method, module), (_, plain)] = given[0], given[1]
            if _is_call_of(module, test.left, plain):
                return Replace([branch], "{method}({module})", {"method": method, "module": module})
            return Replace(
                [branch],
                f"{{method}}({{plain}} if isinstance({{layer}}, {identity}) else {{module}})",
                {"method": method, "plain": plain, "layer": test.left, "module": module},
            )
    return Replace(test, f"{'' if absent else 'not '}isinstance({{layer}}, {identity})", {"layer": test.left})


def _is_bare(function: Function, branch: ast.If) -> bool:
    """Whether it is a statement of its own with one statement on each side, and no comment in it."""
    lines, end = function.file.source.lines, branch.end_lineno or branch.lineno
    commented = any("#" in line for line in lines[branch.lineno - 1 : end])
    commented |= end < len(lines) and lines[end].strip().startswith("#")
    return len(branch.body) == 1 == len(branch.orelse) and not commented and not is_elif(function.file, branch)


def _handed_over(statement: ast.stmt) -> tuple[ast.expr, ast.expr] | None:
    """``outs.append`` and ``x`` of the statement ``outs.append(x)``."""
    call = statement.value if isinstance(statement, ast.Expr) else None
    if (
        not isinstance(call, ast.Call)
        or len(call.args) != 1
        or call.keywords
        or not isinstance(call.func, ast.Attribute)
    ):
        return None
    appends = call.func.attr == "append" and isinstance(call.func.value, ast.Name)
    return (call.func, call.args[0]) if appends and not isinstance(call.args[0], ast.Starred) else None


def _is_call_of(node: ast.expr, layer: ast.expr, argument: ast.expr) -> bool:
    """Whether a node is ``layer(argument)``."""
    called = isinstance(node, ast.Call) and not node.keywords and ast.unparse(node.func) == ast.unparse(layer)
    return called and [ast.unparse(a) for a in node.args] == [ast.unparse(argument)]  # type: ignore[attr-defined]
