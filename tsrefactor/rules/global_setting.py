"""global-setting."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from tsrefactor.facts.definitions import Class, Function
from tsrefactor.facts.diagnosis import Diagnosis
from tsrefactor.facts.family import attributes_in_use, initialised_at, parent_calls
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.flow import root_name
from tsrefactor.facts.kept import is_stored_once
from tsrefactor.facts.names import fresh
from tsrefactor.facts.signatures import function_at
from tsrefactor.source.edits import Edit, InsertAfter, Replace, verbatim
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings

_UPDATES = ("update", "setdefault", "pop", "popitem", "clear", "__setitem__", "__setattr__")
_LIBRARIES = frozenset({"torch", "math", "numpy", "torchvision"})


class GlobalSetting(Rule):
    """Let `__init__` read a setting of a module-level object, where forward reads it at every call.

    TorchScript does not see the variables of a module: no `cfg.WIDTH` of a configuration object, no
    `DEFAULTS["width"]`, no number of a class that only holds settings. The constructor reads what its methods need into
    attributes of that name, and the methods read these. Where `__init__` stores the setting already, they read that.

    Left alone: settings that code in the file changes; fields that are called; functions outside of classes, and
    classes without an `__init__` that calls its parent's, or where it means another by the name; lines that no recorded
    run reached. Number, string, flag or list: an attribute that TorchScript cannot take makes no progress, and is taken
    back. After the change a setting that is changed after a module was made has no effect on it: a caveat.

    Source: "attribute lookup is not defined on python value of type …" of
    torch/csrc/jit/frontend/sugared_value.h; "python value of type … cannot be used as a value" of
    torch/csrc/jit/python/python_sugared_value.h.
    """

    name = "global-setting"
    targets = frozenset({Target.SCRIPT})
    needs_diagnosis = True
    answers = frozenset({"attribute-on-python-value", "python-value-as-value", "not-subscriptable"})
    examples = [
        Example(
            before="""\
from types import SimpleNamespace

import torch
from torch import nn

cfg = SimpleNamespace(width=4, norm=SimpleNamespace(eps=1e-5, on=True))


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(cfg.width, cfg.width)

    def forward(self, x):
        x = self.fc(x.view(-1, cfg.width))
        if cfg.norm.on:
            x = x / (x.norm() + cfg.norm.eps)  # no division by zero
        return x
""",
            after="""\
from types import SimpleNamespace

import torch
from torch import nn

cfg = SimpleNamespace(width=4, norm=SimpleNamespace(eps=1e-5, on=True))


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.width = cfg.width
        self.norm_on = cfg.norm.on
        self.norm_eps = cfg.norm.eps
        self.fc = nn.Linear(cfg.width, cfg.width)

    def forward(self, x):
        x = self.fc(x.view(-1, self.width))
        if self.norm_on:
            x = x / (x.norm() + self.norm_eps)  # no division by zero
        return x
""",
            inputs="[(torch.rand(3, 4),), (torch.rand(2, 2, 4),)]",
            breaks=Target.SCRIPT,
            error="Python object",
            recorded=True,
        ),
        Example(
            before="""\
import torch
from torch import nn

DEFAULTS = {"scale": 2.0, "shift": 1}


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.shift = DEFAULTS["shift"]

    def forward(self, x):
        x = x * DEFAULTS["scale"] - DEFAULTS["shift"]
        return torch.where(x > 0, x, 0.1 * x)
""",
            after="""\
import torch
from torch import nn

DEFAULTS = {"scale": 2.0, "shift": 1}


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = DEFAULTS["scale"]
        self.shift = DEFAULTS["shift"]

    def forward(self, x):
        x = x * self.scale - self.shift
        return torch.where(x > 0, x, 0.1 * x)
""",
            inputs="[(torch.rand(3, 4),), (torch.rand(2, 2, 4),)]",
            breaks=Target.SCRIPT,
            error="Python object",
            recorded=True,
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        seen: set[Class] = set()
        for diagnosis in self.diagnoses(file):
            assert diagnosis.place is not None
            function = function_at(file, diagnosis.place.line)
            if function is None or function.cls is None or function.self_name is None or function.name == "__init__":
                continue
            family = {function.cls, *function.cls.ancestors, *function.cls.subclasses}
            if family & seen:  # the names of new attributes must show first
                continue
            here = [n for n in _settings(function) if n.lineno <= diagnosis.place.line <= (n.end_lineno or n.lineno)]
            roots = {root_name(n) for n in here}
            reads = [n for n in _settings(function) if root_name(n) in roots]
            if reads and all(not _is_changed(file, n) for n in reads):
                seen.add(function.cls)
                yield self._kept(function, function.cls, reads, diagnosis)

    def _kept(self, function: Function, cls: Class, reads: list[ast.expr], diagnosis: Diagnosis) -> Finding:
        anchor, init, file = initialised_at(cls), cls.methods.get("__init__"), cls.file
        what = ", ".join(f"`{t}`" for t in dict.fromkeys(map(ast.unparse, reads)))
        message = f"TorchScript does not see {what}; let `__init__` read it"
        own = init.flow.local_names if init is not None else set()
        if (
            anchor is None
            or init is None
            or not all(map(_runs_parents, cls.subclasses))
            or own & set(map(root_name, reads))
        ):
            return self.finding(reads[0], message, answers=diagnosis)
        names, lines = _stored(init, cls), []
        taken = attributes_in_use(cls)
        edits: list[Edit] = []
        for read in reads:
            text = ast.unparse(read)
            if text not in names:
                names[text] = fresh(taken, *_wanted(text))
                taken.add(names[text])
                written = verbatim(file.source.segment(read))
                lines.append(f"{init.self_name}.{names[text]} = {written}")
            edits.append(Replace(read, f"{function.self_name}.{names[text]}"))
        if lines:
            edits.insert(0, InsertAfter(anchor, "\n".join(lines)))
        caveat = f"`{cls.name}` reads {what} once, in `__init__`: a later change has no effect"
        return self.finding(reads[0], message, *edits, caveat=caveat, answers=diagnosis)


def _settings(function: Function) -> list[ast.expr]:
    """The longest expressions that read a field of a variable of the file, in the order of the source."""
    file, found = function.file, []
    for node in function.of(ast.Attribute, ast.Subscript):
        parent = file.parents[node]
        inner = isinstance(parent, (ast.Attribute, ast.Subscript)) and parent.value is node and _is_step(parent)
        called = isinstance(parent, ast.Call) and parent.func is node
        if not inner and not called and _is_step(node) and _is_setting(function, node):
            found.append(node)
    return sorted(found, key=lambda n: (n.lineno, n.col_offset))


def _is_step(node: ast.Attribute | ast.Subscript) -> bool:
    if not isinstance(node.ctx, ast.Load):
        return False
    return isinstance(node, ast.Attribute) or (
        isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, str)
    )


def _is_setting(function: Function, node: ast.Attribute | ast.Subscript) -> bool:
    """Whether it reads, step by step, from a variable of the file, or from what the file imports from the project."""
    file, inner = function.file, node.value
    while isinstance(inner, (ast.Attribute, ast.Subscript)) and _is_step(inner):
        inner = inner.value
    if not isinstance(inner, ast.Name) or inner.id in function.flow.local_names | function.flow.captured:
        return False
    imported = file.imports.origins.get(inner.id, "").split(".")[0]
    plain = file.class_named(inner.id)
    known = inner.id in file.assigned or imported or (plain is not None and not plain.is_module)
    return bool(known) and imported not in _LIBRARIES and function.reached(file.statement_of(node)) is not False


def _is_changed(file: FileFacts, read: ast.expr) -> bool:
    """Whether a function of the file sets the field, what it belongs to, or one that it does not name."""
    text, root = ast.unparse(read), root_name(read)
    for function in file.all_functions:
        if any(root in n.names for n in function.of(ast.Global)):
            return True
        if root not in function.flow.local_names and any(_updates(n, text) for n in function.of(ast.Call)):
            return True
        for node in function.of(ast.Attribute, ast.Subscript):
            if isinstance(node.ctx, ast.Load) or root_name(node) != root or root in function.flow.local_names:
                continue
            named = isinstance(node, ast.Attribute) or isinstance(node.slice, ast.Constant)
            if text.startswith(ast.unparse(node if named else node.value)):
                return True
    return False


def _updates(call: ast.Call, text: str) -> bool:
    """Whether a call sets fields of what the setting belongs to: `DEFAULTS.update(…)`, `setattr(cfg, …)`."""
    updated = call.func.value if isinstance(call.func, ast.Attribute) and call.func.attr in _UPDATES else None
    if isinstance(call.func, ast.Name) and call.func.id in ("setattr", "delattr") and call.args:
        updated = call.args[0]
    return updated is not None and text.startswith(ast.unparse(updated))


def _runs_parents(cls: Class) -> bool:
    init = cls.methods.get("__init__")
    return init is None or any(c.method == "__init__" for c in parent_calls(init))


def _stored(init: Function, cls: Class) -> dict[str, str]:
    """The settings that `__init__` stores already, whatever happens: as it is written → attribute."""
    found = {}
    for statement in init.node.body:
        if isinstance(statement, ast.Assign) and isinstance(statement.value, (ast.Attribute, ast.Subscript)):
            name = init.self_attribute(statement.targets[0])
            if name is not None and len(statement.targets) == 1 and is_stored_once(cls, name):
                found[ast.unparse(statement.value)] = name
    return found


def _wanted(text: str) -> list[str]:
    """Names for the attribute, the best first: without the variable, then with it."""
    words = re.findall(r"\w+", text)
    return ["_".join(w.lower() for w in words[1:]), "_".join(w.lower() for w in words)]
