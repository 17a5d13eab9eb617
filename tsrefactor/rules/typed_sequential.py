"""typed-sequential."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tsrefactor.facts.definitions import Function
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.helpers import Helper, before
from tsrefactor.facts.module_loops import container_kind
from tsrefactor.facts.sequential_loop import SEQUENTIAL, makers
from tsrefactor.facts.types import Type
from tsrefactor.source.edits import Edit, Replace
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings

_CLASS = """\
class TupleSequential({parent}):
    def forward(self, input: {annotation}):
        for module in self:
            input = module(input)
        return input


"""
_HEAD = """\
from typing import Tuple

import torch
from torch import nn


class Gate(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, pair: Tuple[torch.Tensor, torch.Tensor]):
        x, mask = pair
        return self.fc(x) * mask, mask


"""
_MODEL = """\
class Model(nn.Module):
    def __init__(self, depth=2):
        super().__init__()
        self.blocks = {made}(*[Gate() for _ in range(depth)])  # in order

    def forward(self, x: torch.Tensor, mask: torch.Tensor):
        y, _ = self.blocks((x.relu(), mask))
        return y
"""


class TypedSequential(Rule):
    """Derive a class of `nn.Sequential` that takes a tuple.

    TorchScript compiles the forward of `nn.Sequential` for a tensor, whether it is called or not. That fails where its
    modules pass on a tuple such as `(x, mask)`. A class that derives from it, with the same forward, says what it
    takes; eager, state_dict keys and hooks stay.

    Left alone: a Sequential that is made in another file, or by a method; tuples of which a type is not known; files
    that compare a class with `nn.Sequential` itself.

    Source: torch/nn/modules/container.py, whose `forward(self, input)` has no annotation.
    """

    name = "typed-sequential"
    targets = frozenset({Target.SCRIPT})
    answers = frozenset({"argument-type"})
    examples = [
        Example(
            before=_HEAD + _MODEL.format(made="nn.Sequential"),
            after=_HEAD
            + _CLASS.format(parent="nn.Sequential", annotation="Tuple[torch.Tensor, torch.Tensor]")
            + _MODEL.format(made="TupleSequential"),
            inputs="[(torch.randn(2, 4), torch.ones(2, 1)), (torch.randn(3, 4), torch.zeros(3, 4))]",
            breaks=Target.SCRIPT,
            error="expects Tuple|type 'Tuple",
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        if not file.mentions("Sequential") or _compares_class(file):
            return
        for function in file.functions:
            for call in function.of(ast.Call) if function.cls is not None else ():
                if len(call.args) != 1 or call.keywords or container_kind(function, call.func) != SEQUENTIAL:
                    continue
                given = function.type_of(call.args[0])
                found = self._derived(function, call, given) if given.name == "Tuple" else None
                if found is not None:
                    yield found
                    return  # the next one in the next round, which may be of the same class

    def _derived(self, function: Function, call: ast.Call, given: Type) -> Finding | None:
        """A class of its own for the Sequential."""
        file, made_by = function.file, makers(function, call.func)
        if made_by is None or any(method.file is not file for method, _ in made_by):
            return None
        try:
            annotation, needed = file.spell_type(given)
        except ValueError:
            return None
        parent, imports = file.spell(SEQUENTIAL)
        helper = Helper(file, _CLASS.format(parent=parent, annotation=annotation))
        edits: list[Edit] = [Replace(made.func, helper.name) for _, made in made_by]
        edits += before(min((method for method, _ in made_by), key=lambda m: m.node.lineno), [helper])
        message = (
            f"TorchScript's Sequential takes a tensor, and is given a tuple; make a `{helper.name}`, which takes one"
        )
        return self.finding(call, message, *edits, imports=needed | imports)


def _compares_class(file: FileFacts) -> bool:
    """Whether the file asks for the very class (`type(m) == nn.Sequential`), which a derived one is not."""
    return any(file.origin(side) == SEQUENTIAL for n in file.of(ast.Compare) for side in (n.left, *n.comparators))
