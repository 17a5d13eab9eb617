"""container-by-name."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from tsrefactor.facts.computed_names import pattern
from tsrefactor.facts.definitions import Function
from tsrefactor.facts.dispatch import method_name
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.nodes import walk
from tsrefactor.facts.seen_children import seen_names
from tsrefactor.facts.types import TENSOR
from tsrefactor.source.edits import Edit, InsertAfter, Replace
from tsrefactor.source.excerpt import is_commented
from tsrefactor.source.imports import Import
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings

_TAKEN = frozenset({"self", "name"})
_HEAD = """\
import torch
from torch import nn


class Model(nn.Module):
    def __init__(self, stages=2):
        super().__init__()
        self.stages = stages
        for i in range(stages):
            setattr(self, f'block{i + 1}', nn.ModuleList([nn.Linear(4, 4) for _ in range(i + 1)]))

    def forward(self, x):
        for i in range(self.stages):
"""


@dataclass(frozen=True)
class _Site:
    """``held = getattr(self, key)``, and the loop over it, whose body is ``result = module(…)``."""

    held: ast.Assign
    key: ast.expr
    loop: ast.For
    result: str


class ContainerByName(Rule):
    """Run through a container of modules in a method of its own where its name is computed.

    `block = getattr(self, f"block{i + 1}")` names a ModuleList with a value; TorchScript takes only literals. Where the
    code then only loops over it, `for blk in block: x = blk(x, h, w)`, the loop goes to a method that for TorchScript
    compares the name with those that runs saw, each asked for by `hasattr`. Eager takes any name, as before, and
    state_dict keys stay.

    Left alone: containers used in another way, loops of more than one assignment, and names that no run saw.

    Source: "getattr's second argument must be a string literal", raised by torch/csrc/jit/frontend/ir_emitter.cpp.
    """

    name = "container-by-name"
    targets = frozenset({Target.SCRIPT})
    answers = frozenset({"getattr-name"})
    examples = [
        Example(
            before=_HEAD
            + """\
            block = getattr(self, f'block{i + 1}')
            for blk in block:
                x = torch.relu(blk(x))
        return x
""",
            after=_HEAD
            + """\
            x = self._run_block(f'block{i + 1}', x)
        return x

    def _run_block(self, name: str, x):
        if not torch.jit.is_scripting():
            for blk in getattr(self, name):
                x = torch.relu(blk(x))
            return x
        if hasattr(self, 'block1'):
            if name == 'block1':
                for blk in self.block1:
                    x = torch.relu(blk(x))
                return x
        if hasattr(self, 'block2'):
            if name == 'block2':
                for blk in self.block2:
                    x = torch.relu(blk(x))
                return x
        raise AttributeError(name)
""",
            inputs="[(torch.rand(2, 4),), (torch.rand(3, 4),)]",
            breaks=Target.SCRIPT,
            error="getattr's second argument must be a string literal",
            recorded=True,
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        if not file.mentions("getattr"):
            return
        for function in file.functions:
            if function.cls is None or function.self_name is None:
                continue
            given: set[str] = set()
            for site in _sites(function):
                wanted = pattern(function, site.key)
                names = seen_names(function.cls, wanted) if wanted != ".+" else []
                if names:
                    yield self._finding(function, site, names, given)

    def _finding(self, function: Function, site: _Site, names: list[str], given: set[str]) -> Finding:
        assert function.cls is not None
        message = "TorchScript finds modules only by literal names; "
        try:
            parameters, imports = _parameters(function, site)
        except ValueError:
            return self.finding(site.held, f"{message}a value has a type that no annotation says")
        word = names[0].rstrip("0123456789").strip("_").lower() or "modules"
        name = method_name(function.cls, given, f"_run_{word}")
        scripting, needed = function.file.spell("torch.jit.is_scripting")
        method = _method(function, site, names, name, parameters, scripting)
        edits: list[Edit] = [
            InsertAfter(function.node, "{method}", {"method": method}),
            Replace([site.held], ""),
            Replace(
                [site.loop],
                f"{site.result} = {function.self_name}.{name}({{key}}, {', '.join(p for p, _ in parameters)})",
                {"key": site.key},
            ),
        ]
        return self.finding(
            site.held,
            f"{message}loop over the container in a method `{name}`",
            *edits,
            imports=imports | needed,
            caveat=f"under TorchScript names after `{names[-1]}` raise AttributeError",
        )


def _sites(function: Function) -> Iterator[_Site]:
    file, flow = function.file, function.flow
    for call in function.of(ast.Call):
        if file.origin(call.func) != "getattr" or len(call.args) != 2:
            continue
        own, key = call.args
        held = file.parents[call]
        if not isinstance(own, ast.Name) or own.id != function.self_name or isinstance(key, ast.Constant):
            continue
        if not isinstance(held, ast.Assign) or held.value is not call or not isinstance(held.targets[0], ast.Name):
            continue
        names = [n for n in function.of(ast.Name) if n.id == held.targets[0].id and n is not held.targets[0]]
        loop = file.parents[names[0]] if len(names) == 1 and len(held.targets) == 1 else None
        if not isinstance(loop, ast.For) or loop.iter is not names[0] or loop not in file.block_of(held):
            continue
        result = _result(function, loop)
        between = file.block_of(held)[file.block_of(held).index(held) + 1 : file.block_of(held).index(loop)]
        if result is None or is_commented(file.source, held) or is_commented(file.source, loop):
            continue
        if flow.is_pure(key) and not flow.reads(key) & (flow.writes(between) | flow.mutates(between)):
            yield _Site(held, key, loop, result)


def _result(function: Function, loop: ast.For) -> str | None:
    """The name that a loop assigns at each turn, from what it was before: ``x = module(x)``."""
    target, [statement, *more] = loop.target, loop.body
    if more or loop.orelse or not isinstance(target, ast.Name) or not isinstance(statement, ast.Assign):
        return None
    result = statement.targets[0]
    if len(statement.targets) > 1 or not isinstance(result, ast.Name) or result.id == target.id:
        return None
    read = [n for n in walk(statement.value) if isinstance(n, ast.Name)]
    calls = [
        p for n in read if n.id == target.id and isinstance(p := function.file.parents[n], ast.Call) and p.func is n
    ]
    if len(calls) != 1 or sum(n.id == target.id for n in read) > 1 or target.id in function.flow.live_after(loop):
        return None
    plain = not any(isinstance(n, (ast.Lambda, ast.ListComp, ast.GeneratorExp)) for n in walk(statement.value))
    return result.id if plain and result.id in {n.id for n in read} else None


def _parameters(function: Function, site: _Site) -> tuple[list[tuple[str, str]], frozenset[Import]]:
    """The names that the loop reads, as parameters with their annotations, the result first; ValueError where a type
    cannot be said."""
    [statement] = site.loop.body
    assert isinstance(statement, ast.Assign) and isinstance(site.loop.target, ast.Name)
    reads = [n for n in walk(statement.value) if isinstance(n, ast.Name) and n.id in function.flow.local_names]
    imports: set[Import] = set()
    found: dict[str, str] = {}
    for read in sorted(reads, key=lambda n: n.id != site.result):
        if read.id in (site.loop.target.id, function.self_name) or read.id in found:
            continue
        if read.id in _TAKEN:
            raise ValueError
        type_ = function.type_of(read)
        annotation = ""
        if type_.known and type_ != TENSOR:
            annotation, needed = function.file.spell_type(type_)
            imports |= needed
        found[read.id] = annotation
    return list(found.items()), frozenset(imports)


def _method(
    function: Function, site: _Site, names: list[str], name: str, parameters: list[tuple[str, str]], scripting: str
) -> str:
    """The method that loops over the container of the name."""
    source, own, [statement] = function.file.source, function.self_name, site.loop.body
    header = [f"{p}: {a}" if a else p for p, a in parameters]
    target, body = ast.unparse(site.loop.target), source.segment(statement)
    text = f"\ndef {name}({', '.join([own or 'self', 'name: str', *header])}):\n    if not {scripting}():\n"
    text += f"        for {target} in getattr({own}, name):\n            {body}\n        return {site.result}\n"
    for one in names:
        text += f"    if hasattr({own}, {one!r}):\n        if name == {one!r}:\n"
        text += f"            for {target} in {own}.{one}:\n"
        text += f"                {body}\n            return {site.result}\n"
    return text + "    raise AttributeError(name)"
