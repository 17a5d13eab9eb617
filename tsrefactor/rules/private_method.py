"""private-method."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tsrefactor.facts.definitions import Class, Function
from tsrefactor.facts.family import members
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.names import fresh
from tsrefactor.facts.nodes import walk
from tsrefactor.source.edits import Edit, RenameFunction, Replace
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings

# What torch.nn's classes name themselves with one underscore, and a method may well be called.
_OF_TORCH = frozenset(
    "_apply _call_impl _slow_forward _get_name _save_to_state_dict _load_from_state_dict _named_members _parameters"
    " _buffers _modules _version _compiled_call_impl _replicate_for_data_parallel _register_state_dict_hook"
    " _conv_forward _check_input_dim _output_padding _reset_parameters _max_norm _flat_weights _init_flat_weights"
    " _infer_parameters _get_abs_string_index _fill_padding_idx_with_zero".split()
)


class PrivateMethod(Rule):
    """Give a method that starts with two underscores one underscore.

    Python stores `__attend` of the class `Block` as `_Block__attend`. TorchScript compiles the text as it is written
    and finds no `__attend`; nor can the stored name be written out, for TorchScript compiles a method under the name
    in its `def` line. So the method is renamed to `_attend`, where it is defined and where the class calls it.

    Refused: a method whose stored name is written somewhere in the file, which is used as a plain name in the class
    body, or for which every name like it is taken.

    Source: "Module has no attribute '__…'" and "Can't redefine method", raised by
    torch/csrc/jit/python/python_sugared_value.cpp and torch/csrc/jit/api/compilation_unit.h.
    """

    name = "private-method"
    targets = frozenset({Target.SCRIPT})
    answers = frozenset({"missing-attribute"})
    examples = [
        Example(
            before="""\
import torch
from torch import nn


class Model(nn.Module):
    def forward(self, x):
        return self.__scale(x) + self.__scale(x, 3.0)  # twice

    def __scale(self, x, by: float = 2.0):
        return x * by
""",
            after="""\
import torch
from torch import nn


class Model(nn.Module):
    def forward(self, x):
        return self._scale(x) + self._scale(x, 3.0)  # twice

    def _scale(self, x, by: float = 2.0):
        return x * by
""",
            inputs="[(torch.rand(2, 3),), (torch.rand(4, 3),)]",
            breaks=Target.SCRIPT,
            error="has no attribute '__scale'",
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        if "self.__" not in file.source.text:
            return
        given: set[Function] = set()
        for function in file.functions:
            for name in function.self_attributes:
                private = name.startswith("__") and not name.endswith("__")
                method = function.cls.methods.get(name) if private and function.cls is not None else None
                if method is not None and method not in given:
                    given.add(method)
                    yield self._renamed(method)

    def _renamed(self, method: Function) -> Finding:
        cls, name = method.cls, method.name
        assert cls is not None
        message = f"TorchScript does not find `{name}`, which Python stores as `{_stored(cls, name)}`"
        uses = [n for n in walk(cls.node) if isinstance(n, ast.Attribute) and n.attr == name]
        plain = any(isinstance(n, ast.Name) and n.id == name for n in walk(cls.node))
        again = sum(isinstance(s, ast.FunctionDef) and s.name == name for s in cls.node.body) > 1
        if plain or again or _stored(cls, name) in cls.file.source.text:
            return self.finding(method.node, f"{message}; it is used by other means than `self.{name}`")
        bare = name.lstrip("_")
        new = fresh(members(cls) | _OF_TORCH, f"_{bare}", f"_{bare}_impl")
        edits: list[Edit] = [Replace(n, f"{{value}}.{new}", {"value": n.value}) for n in uses]
        edits.append(RenameFunction(method.node, new))
        return self.finding(method.node, f"{message}; name it `{new}`", *edits)


def _stored(cls: Class, name: str) -> str:
    return f"_{cls.name.lstrip('_')}{name}"
