"""Where a function makes distributions of torch, and how it uses them."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field

from .definitions import Function
from .distributions import ATTRIBUTES, METHODS, PARAMETERS
from .nodes import walk
from .placement import only_eager
from .types import FLOAT, INT, TENSOR, UNKNOWN

_ORIGINS = {f"torch.distributions.{inner}{name}": name for name in ATTRIBUTES for inner in ("", f"{name.lower()}.")}
_DIVERGENCE = ("torch.distributions.kl_divergence", "torch.distributions.kl.kl_divergence")


@dataclass(eq=False)
class Sites:
    """Where one function makes distributions and uses them."""

    variables: dict[ast.Assign, Made] = field(default_factory=dict)
    inline: dict[ast.Call, Made] = field(default_factory=dict)
    divergences: list[ast.Call] = field(default_factory=list)
    used: dict[str, set[str]] = field(default_factory=dict)  # class → its members


@dataclass(frozen=True, eq=False)
class Made:
    """A call that makes a distribution: the class that stands for it, and its parameters."""

    call: ast.Call
    cls: str
    distribution: str
    arguments: dict[str, ast.expr]


def is_number(function: Function, value: ast.expr) -> bool:
    return function.type_of(value) in (INT, FLOAT)


def sites_of(function: Function) -> Sites | None:
    """The distributions of a function, where it uses all of them in ways that the classes have."""
    file, sites = function.file, Sites()
    calls = {call: made for call in function.calls(*_ORIGINS) if (made := _parsed(function, call)) is not None}
    names: dict[str, Made] = {}
    for call, made in calls.items():
        parent, is_done = file.parents[call], only_eager(file, call)
        if isinstance(parent, ast.IfExp) and is_done:
            parent = file.parents[parent]
        match parent:
            case ast.Assign(targets=[ast.Name(id=name)]):
                if names.setdefault(name, made).cls != made.cls:
                    return None
                sites.variables |= {} if is_done else {parent: made}
            case ast.Attribute():
                sites.inline |= {} if is_done else {call: made}
                if not _use(function, parent, made, sites):
                    return None
            case ast.Call() if file.origin(parent.func) in _DIVERGENCE:
                sites.inline |= {} if is_done else {call: made}
            case _:
                return None
    if not calls or not _are_variables(function, set(names), calls):
        return None
    for node in walk(function.node):
        if isinstance(node, ast.Name) and node.id in names and isinstance(node.ctx, ast.Load):
            parent = file.parents[node]
            divides = isinstance(parent, ast.Call) and file.origin(parent.func) in _DIVERGENCE
            if not divides and not _use(function, parent, names[node.id], sites):
                return None
    return sites if _divergences(function, calls, names, sites) else None


def _parsed(function: Function, call: ast.Call) -> Made | None:
    """The distribution that a call makes, where its parameters are tensors, or numbers beside one."""
    file = function.file
    distribution = _ORIGINS[file.origin(call.func)]
    given = {k.arg or "**": k.value for k in call.keywords if k.arg != "validate_args"}
    if len(call.args) > 2 or any(isinstance(a, ast.Starred) for a in call.args):
        return None
    if distribution == "Normal":
        given |= dict(zip(("loc", "scale"), call.args, strict=False))
        cls = "ScriptNormal"
    else:
        given |= dict(zip(("probs", "logits"), call.args, strict=False))
        cls = f"Script{distribution}{next(iter(given), '').title()}"
    if tuple(sorted(given)) != PARAMETERS.get(cls):
        return None
    arguments = {name: given[name] for name in PARAMETERS[cls]}
    types = {function.type_of(a, presume=True) for a in arguments.values()}
    numbers = [a for a in arguments.values() if is_number(function, a)]
    others = [a for a in arguments.values() if a not in numbers]
    simple = all(isinstance(a, (ast.Name, ast.Attribute)) for a in others)
    if not others or (numbers and not simple) or not types <= {TENSOR, UNKNOWN, INT, FLOAT}:
        return None
    return Made(call, cls, distribution, arguments)


def _use(function: Function, node: ast.AST, made: Made, sites: Sites) -> bool:
    """Whether it reads an attribute or calls a method that the class has, noting it."""
    if not isinstance(node, ast.Attribute) or not isinstance(node.ctx, ast.Load):
        return False
    members = sites.used.setdefault(made.cls, set())
    members.add(node.attr)
    call = function.file.parents[node]
    is_called = isinstance(call, ast.Call) and call.func is node
    if node.attr in ATTRIBUTES[made.distribution]:
        return not is_called
    method = METHODS[made.distribution].get(node.attr)
    if method is None or not isinstance(call, ast.Call) or call.func is not node or call.keywords:
        return False
    return len(call.args) == len(method[0]) and not any(isinstance(a, ast.Starred) for a in call.args)


def _are_variables(function: Function, names: set[str], calls: dict[ast.Call, Made]) -> bool:
    """Whether the names are bound to the distributions alone, and to what stands for them since an earlier edit."""
    parents = function.file.parents
    named = [n for n in walk(function.node) if isinstance(n, ast.Name) and n.id in names]
    values = [
        p.value if isinstance(p := parents[n], ast.Assign) else None for n in named if isinstance(n.ctx, ast.Store)
    ]
    made = [v for v in values if v in calls or re.sub(r"_\d+$", "", _called(function, v)) in PARAMETERS]
    return len(made) == len(values) and not names & {p.name for p in function.parameters}


def _called(function: Function, value: ast.expr | None) -> str:
    return function.file.origin(value.func) if isinstance(value, ast.Call) else ""


def _divergences(function: Function, calls: dict[ast.Call, Made], names: dict[str, Made], sites: Sites) -> bool:
    """Whether each divergence in which they take part is one of two normals, noting it."""
    for call in function.calls(*_DIVERGENCE):
        made = [
            calls.get(a) if isinstance(a, ast.Call) else names.get(a.id) if isinstance(a, ast.Name) else None
            for a in call.args
        ]
        if not any(made):
            continue
        if len(made) != 2 or call.keywords or any(m is None or m.distribution != "Normal" for m in made):
            return False
        if not only_eager(function.file, call):
            sites.divergences.append(call)
        sites.used.setdefault("ScriptNormal", set()).add("kl_divergence")
    return True
