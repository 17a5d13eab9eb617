"""wrapper-drop."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass

from tsrefactor.facts.definitions import Function
from tsrefactor.facts.family import members
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.names import fresh
from tsrefactor.facts.nodes import walk
from tsrefactor.facts.signatures import written_header
from tsrefactor.source.edits import InsertAfter, RemoveDecorator, RenameFunction
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings

_PLAIN = (ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Return, ast.If, ast.Expr, ast.Raise, ast.Assert)


class Refused(Exception):
    """Why a wrapper's work cannot be written out."""


class WrapperDrop(Rule):
    """Write out what a decorator made with `functools.wraps` does around a function.

    TorchScript reads a function's source through `__wrapped__`, which `functools.wraps` sets: it compiles the decorated
    function and silently drops the wrapper around it. The function gets a name of its own, and a function under the old
    name does what the wrapper does, so that eager and TorchScript run the same code. A wrapper of functions may have
    parameters of its own and pass on the rest by `**kwargs`.

    Left alone: decorators of other files, decorators with arguments, and wrappers that do more than plain statements on
    tensors. Those of them that this file shows are reported.

    Source: `get_source_lines_and_file` in torch/_sources.py calls `inspect.getsourcelines`, which unwraps.
    """

    name = "wrapper-drop"
    targets = frozenset({Target.SCRIPT})
    examples = [
        Example(
            before="""\
import functools

import torch
from torch import nn


def scaled(fn):
    @functools.wraps(fn)
    def wrapper(module, x, *args, **kwargs):
        x = x / 255
        return fn(module, x, *args, **kwargs) * 2

    return wrapper


class Model(nn.Module):
    @scaled
    def forward(self, image, shift: float = 0.5):
        # brighter
        return torch.relu(image - shift)
""",
            after="""\
import functools

import torch
from torch import nn


def scaled(fn):
    @functools.wraps(fn)
    def wrapper(module, x, *args, **kwargs):
        x = x / 255
        return fn(module, x, *args, **kwargs) * 2

    return wrapper


class Model(nn.Module):
    def _forward_impl(self, image, shift: float = 0.5):
        # brighter
        return torch.relu(image - shift)

    def forward(self, image, shift: float = 0.5):
        # what `scaled` does: TorchScript drops wrappers
        image = image / 255
        return self._forward_impl(image, shift) * 2
""",
            inputs="[(255 * torch.rand(2, 4),), (255 * torch.rand(3, 4),)]",
            breaks=Target.SCRIPT,
            outcome="mismatch",
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        if "wraps" not in file.source.text:
            return
        for function in file.functions:
            if len(function.node.decorator_list) != 1 or not isinstance(function.node.decorator_list[0], ast.Name):
                continue
            decorator = function.node.decorator_list[0]
            maker = file.function_named(decorator.id)
            wrapper = _wrapper(maker) if maker is not None else None
            if wrapper is None:
                continue
            message = f"TorchScript compiles `{function.name}` without what `{decorator.id}` wraps around it"
            try:
                taken = members(function.cls) if function.cls is not None else file.module_names
                name = fresh(taken, f"_{function.name.strip('_')}_impl")
                header, text = _written_out(wrapper, function, name)
            except Refused as reason:
                yield self.finding(function.node, f"{message}, and {reason}")
                continue
            gap = "\n" if function.cls is not None else "\n\n"
            comment = f"    # what `{decorator.id}` does: TorchScript drops wrappers"
            new = f"{gap}{header}\n{comment}\n{text}\n"
            yield self.finding(
                function.node,
                f"{message}; write out what it does, around `{name}`",
                RenameFunction(function.node, name),
                RemoveDecorator(decorator),
                InsertAfter(function.node, "{new}", {"new": new}),
                trap=True,
            )


@dataclass(frozen=True)
class _Wrapper:
    """``def wrapper(…): … fn(…) …``, the function that a decorator returns."""

    file: FileFacts
    node: ast.FunctionDef
    wrapped: str  # what it calls the function that it wraps


def _wrapper(maker: Function) -> _Wrapper | None:
    """The wrapper that a decorator makes with `functools.wraps`; None for other functions."""
    node, file = maker.node, maker.file
    body = node.body[1:] if ast.get_docstring(node, clean=False) is not None else node.body
    if len(body) != 2 or not isinstance(body[0], ast.FunctionDef) or len(maker.parameters) != 1:
        return None
    inner, wrapped = body[0], maker.parameters[0].name
    returned = (
        isinstance(body[1], ast.Return) and isinstance(body[1].value, ast.Name) and body[1].value.id == inner.name
    )
    wraps = [
        d for d in inner.decorator_list
        if isinstance(d, ast.Call) and file.origin(d.func) == "functools.wraps"
        and [ast.unparse(a) for a in d.args] == [wrapped] and not d.keywords
    ]  # fmt: skip
    return _Wrapper(file, inner, wrapped) if returned and len(wraps) == len(inner.decorator_list) == 1 else None


def _written_out(wrapper: _Wrapper, function: Function, name: str) -> tuple[str, str]:
    """The function's new header, and the wrapper's body below it, which calls the wrapped one by its new name. Raises
    `Refused`."""
    arguments = wrapper.node.args
    if arguments.kwarg and not arguments.vararg and function.cls is None:
        return _extended(wrapper, function, name)
    fixed = [a.arg for a in arguments.args]
    own = [p for p in function.parameters if p.kind == "positional"]
    names = ([function.self_name] if function.self_name else []) + [p.name for p in own]
    if arguments.posonlyargs or arguments.kwonlyargs or arguments.defaults or len(fixed) > len(names):
        raise Refused("its wrapper takes other parameters")
    if function.self_name and not fixed:
        raise Refused("its wrapper gives the module no name")
    if any(p.kind in ("args", "kwargs") for p in function.parameters):
        raise Refused("it takes *args or **kwargs itself")
    rest = bool(arguments.vararg) and bool(arguments.kwarg)
    if not rest and (len(fixed) != len(names) or any(p.kind == "keyword" for p in function.parameters)):
        raise Refused("its wrapper takes other parameters")
    body = copy.deepcopy(wrapper.node.body)
    if ast.get_docstring(wrapper.node, clean=False) is not None:
        body = body[1:]
    taken = {p.name for p in function.parameters} - set(fixed)
    _check(wrapper, body, taken, fixed[0] if function.self_name else None, len(fixed))
    renamed = dict(zip(fixed, names, strict=False))
    given = [p.name for p in own[len(fixed) - bool(function.self_name) :]]
    given += [f"{p.name}={p.name}" for p in function.parameters if p.kind == "keyword"]
    change = _Change(wrapper, renamed, f"{function.self_name}.{name}" if function.self_name else name, given)
    return written_header(function), _text(change, body)


def _extended(wrapper: _Wrapper, function: Function, name: str) -> tuple[str, str]:
    """The same for a wrapper that has parameters of its own, and passes on the others by ``**kwargs``."""
    arguments, parameters = wrapper.node.args, function.parameters
    calls = [n for n in walk(wrapper.node) if isinstance(n, ast.Call) and ast.unparse(n.func) == wrapper.wrapped]
    passed = sum(not isinstance(a, ast.Starred) for a in calls[0].args) if calls else 0
    others = parameters[passed:]
    if arguments.posonlyargs or arguments.kwonlyargs or any(p.kind != "positional" for p in parameters):
        raise Refused("its parameters are not all by position")
    if arguments.defaults and any(p.default is None for p in others):
        raise Refused("its wrapper takes other parameters")
    own = {a.arg for a in arguments.args}
    if len(parameters) < passed or own & {p.name for p in others}:
        raise Refused("its wrapper has parameters of the same names")
    body = copy.deepcopy(wrapper.node.body)
    if ast.get_docstring(wrapper.node, clean=False) is not None:
        body = body[1:]
    _check(wrapper, body, {p.name for p in others}, None, passed)
    merged = copy.deepcopy(arguments)
    merged.kwarg = None
    merged.args += [p.node for p in others]
    merged.defaults += [p.default for p in others if p.default is not None]
    returns = f" -> {ast.unparse(function.node.returns)}" if function.node.returns is not None else ""
    header = f"def {function.name}({ast.unparse(merged)}){returns}:"
    return header, _text(_Change(wrapper, {}, name, [f"{p.name}={p.name}" for p in others]), body)


def _text(change: _Change, body: list[ast.stmt]) -> str:
    lines = [line for s in body for line in ast.unparse(ast.fix_missing_locations(change.visit(s))).splitlines()]
    return "\n".join(f"    {line}" for line in lines)


def _check(wrapper: _Wrapper, body: list[ast.stmt], taken: set[str], module: str | None, passed: int) -> None:
    """Raises `Refused` where the body is no plain code around one call of the wrapped function, which gets so many
    arguments by position, and the rest."""
    file, arguments = wrapper.file, wrapper.node.args
    nodes = [n for s in body for n in walk(s)]
    calls = [n for n in nodes if isinstance(n, ast.Call) and ast.unparse(n.func) == wrapper.wrapped]
    rest = {a.arg for a in (arguments.vararg, arguments.kwarg) if a is not None}
    inside = {id(n) for c in calls for a in [*c.args, *(k.value for k in c.keywords)] for n in walk(a)}
    for node in nodes:
        if isinstance(node, ast.stmt) and not isinstance(node, _PLAIN):
            raise Refused("its wrapper is more than plain statements")
        if isinstance(node, (ast.Lambda, ast.Yield, ast.YieldFrom, ast.Await, ast.ListComp, ast.GeneratorExp)):
            raise Refused("its wrapper is more than plain statements")
        if isinstance(node, ast.Name) and node.id == wrapper.wrapped and all(node is not c.func for c in calls):
            raise Refused("its wrapper uses the function in another way")
        if isinstance(node, ast.Name) and node.id in rest and id(node) not in inside:
            raise Refused("its wrapper reads all its arguments")
        if isinstance(node, ast.Name) and node.id in taken and id(node) not in inside:
            raise Refused(f"its wrapper means something else by `{node.id}`")
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id == module:
            raise Refused("its wrapper exchanges the module")
        if isinstance(node, ast.Call) and node not in calls and not _of_tensors(file, node.func):
            raise Refused(f"its wrapper calls `{ast.unparse(node.func)}`")
    for call in calls:
        stars = [ast.unparse(a.value) for a in call.args if isinstance(a, ast.Starred)]
        twice = [ast.unparse(k.value) for k in call.keywords if k.arg is None]
        plain = [a for a in call.args if not isinstance(a, ast.Starred)]
        wanted = ([arguments.vararg.arg] if arguments.vararg else [], [arguments.kwarg.arg] if arguments.kwarg else [])
        if (stars, twice) != wanted or len(plain) != passed or any(k.arg for k in call.keywords):
            raise Refused("its wrapper passes on other arguments than it gets")
        if module is not None and ast.unparse(plain[0]) != module:
            raise Refused("its wrapper exchanges the module")
    if not calls:
        raise Refused("its wrapper does not call it")


def _of_tensors(file: FileFacts, called: ast.expr) -> bool:
    """Whether a call is one that TorchScript may know: of torch, of a function of this file, or a method."""
    if isinstance(called, ast.Name) and file.function_named(called.id) is not None:
        return True
    origin = file.origin(called)
    if origin.startswith("torch."):
        return True
    return isinstance(called, ast.Attribute) and origin.partition(".")[0] not in file.imports.origins.values()


class _Change(ast.NodeTransformer):
    """Names the parameters as the function does, and calls the wrapped function by its new name."""

    def __init__(self, wrapper: _Wrapper, renamed: dict[str, str], called: str, given: list[str]):
        self.wrapper, self.renamed, self.called, self.given = wrapper, renamed, called, given

    def visit_Name(self, node: ast.Name) -> ast.Name:
        return ast.Name(self.renamed.get(node.id, node.id), node.ctx)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        if ast.unparse(node.func) != self.wrapper.wrapped:
            return self.generic_visit(node)
        plain = [self.visit(a) for a in node.args if not isinstance(a, ast.Starred)]
        first = 1 if "." in self.called else 0  # the module is what the method is called on
        parts = [ast.unparse(a) for a in plain[first:]] + self.given
        return ast.parse(f"{self.called}({', '.join(parts)})", mode="eval").body
