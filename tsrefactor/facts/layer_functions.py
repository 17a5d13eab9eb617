"""Calls of layers as calls of functions: compiled code that has no ``self`` can make these."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .kept import is_stored_once
from .layers import LAYERS, FunctionCall, function_call
from .listed_layers import ListedLayer, is_left_alone, listed_layer
from .weighted_layers import OwnValue, weighted_function

if TYPE_CHECKING:
    from .definitions import Class, Function


_LONGEST = 4  # layers of a Sequential that one expression may call


@dataclass(frozen=True)
class LayerFunction:
    """The function that a layer calls, and what follows the call's arguments: what the constructor was given, or has
    made (weights). ``cell``: one that takes a batch only. ``listed``: it stands in a list. ``chain``: the functions of
    the layers of a Sequential, the first and those that take what the one before gives.
    """

    origin: str
    settings: tuple[str | OwnValue, ...]
    listed: ListedLayer | None = None
    chain: tuple[LayerFunction, ...] = ()

    @property
    def cell(self) -> bool:
        alone = self.origin.endswith("_cell") or self.origin in ("torch.gru", "torch.rnn_tanh")
        return alone or any(one.cell for one in self.chain)


def layer_function(function: Function, call: ast.Call) -> LayerFunction | None:
    """What ``self.layer(…)`` calls, where the class makes the layer once, and nothing else in the file sets it.

    Without weights it is made of literals, and has no mode.
    """
    cls, name = function.cls, function.self_attribute(call.func)
    if cls is None:
        return None
    if name is None:
        return _of_list(function, cls, call)
    made = [pair for c in (cls, *cls.ancestors, *cls.subclasses) for pair in c.assigned.get(name, ())]
    init, layer = made[0] if len(made) == 1 else (None, None)
    if init is None or not isinstance(layer, ast.Call) or not is_stored_once(cls, name):
        return None
    if function.file.origin(layer.func) == "torch.nn.Sequential":
        return _of_sequential(function, init, layer, call) if is_left_alone(cls, name) else None
    return _of_layer(function, init, layer, call)


def _of_layer(
    function: Function, init: Function, layer: ast.Call, call: ast.Call, fresh: bool = False
) -> LayerFunction | None:
    """The same for the call that makes the layer. ``fresh``: what it is given was just made, and may be changed."""
    assert init.cls is not None
    weighted = weighted_function(init, init.cls, layer, call)
    if weighted is not None:
        return LayerFunction(weighted[0], tuple(weighted[1]))
    if function.file.origin(layer.func) not in LAYERS or not all(
        _is_literal(v) for v in (*layer.args, *(k.value for k in layer.keywords))
    ):
        return None
    form = function_call(function, layer, call)
    if not isinstance(form, FunctionCall) or "dropout" in form.function:
        return None
    texts = {name: ast.unparse(value) for name, value in form.pieces.items()}
    settings = tuple(part.format(**texts) for part in form.parts[len(call.args) + len(call.keywords) :])
    changes = any(s.startswith("training" if fresh else ("training", "inplace")) for s in settings)
    return None if changes else LayerFunction(form.function, settings)


def _of_sequential(function: Function, init: Function, made: ast.Call, call: ast.Call) -> LayerFunction | None:
    """What the few layers of a Sequential call, one after the other."""
    if made.keywords or not 1 < len(made.args) <= _LONGEST or len(call.args) != 1 or call.keywords:
        return None
    chain: list[LayerFunction] = []
    for layer in made.args:
        one = _of_layer(function, init, layer, call, bool(chain)) if isinstance(layer, ast.Call) else None
        if one is None:
            return None
        chain.append(one)
    return LayerFunction(chain[0].origin, (), chain=tuple(chain))


def _of_list(function: Function, cls: Class, call: ast.Call) -> LayerFunction | None:
    """What a layer with weights calls that stands in a list of such layers, all made alike."""
    listed = listed_layer(function, call.func)
    if listed is None:
        return None
    forms = [weighted_function(init, cls, made, call) for init, made in listed.made]
    if forms[0] is None or any(form != forms[0] for form in forms):
        return None
    return LayerFunction(forms[0][0], tuple(forms[0][1]), listed)


def _is_literal(node: ast.expr) -> bool:
    value = node.operand if isinstance(node, ast.UnaryOp) else node
    if isinstance(value, (ast.Tuple, ast.List)):
        return all(map(_is_literal, value.elts))
    return isinstance(value, ast.Constant)
