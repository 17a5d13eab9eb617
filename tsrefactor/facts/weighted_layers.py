"""Torch's layers with weights, as the functions that they call with these."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .nodes import walk
from .types import BOOL, FLOAT, INT, TENSOR, Type, list_of, optional, tuple_of

if TYPE_CHECKING:
    from .definitions import Class, Function
    from .file import FileFacts

_AFFINE = ("weight", "bias")
_CELL = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


@dataclass(frozen=True)
class OwnValue:
    """What a layer gives its function: an attribute of it. ``keyword``: it is passed by name."""

    attribute: str
    type: Type
    keyword: str = ""


@dataclass(frozen=True)
class _Form:
    """``parameters`` of the constructor in their order; the function is given ``tensors`` and those ``settings`` that
    the constructor is given. ``without``: with one of these the layer is another function; ``first``: an attribute
    that the function takes before the tensors.
    """

    function: str
    parameters: tuple[str, ...]
    tensors: tuple[str, ...]
    settings: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    first: tuple[str, Type] | None = None
    inputs: int = 1


def _conv(dims: int) -> _Form:
    shape = ("stride", "padding", "dilation", "groups")
    given = ("in_channels", "out_channels", "kernel_size", *shape, "bias", "padding_mode")
    return _Form(f"torch.nn.functional.conv{dims}d", given, _AFFINE, shape, ("padding_mode",))


def _cell(function: str, *without: str) -> _Form:
    return _Form(function, ("input_size", "hidden_size", "bias", *without), _CELL, without=without, inputs=2)


_EMBEDDING = ("max_norm", "norm_type", "scale_grad_by_freq", "sparse")
_FORMS = {
    "Linear": _Form("torch.nn.functional.linear", ("in_features", "out_features", "bias"), _AFFINE),
    **{f"Conv{d}d": _conv(d) for d in (1, 2, 3)},
    "Embedding": _Form(
        "torch.nn.functional.embedding",
        ("num_embeddings", "embedding_dim", "padding_idx", *_EMBEDDING),
        ("weight",),
        ("padding_idx",),
        _EMBEDDING,
    ),
    "LayerNorm": _Form(
        "torch.nn.functional.layer_norm",
        ("normalized_shape", "eps", "elementwise_affine", "bias"),
        _AFFINE,
        ("eps",),
        ("elementwise_affine",),
        ("normalized_shape", list_of(INT)),
    ),
    "GroupNorm": _Form(
        "torch.nn.functional.group_norm",
        ("num_groups", "num_channels", "eps", "affine"),
        _AFFINE,
        ("eps",),
        ("affine",),
        ("num_groups", INT),
    ),
    "GRUCell": _cell("torch.gru_cell"),
    "LSTMCell": _cell("torch.lstm_cell"),
    "RNNCell": _cell("torch.rnn_tanh_cell", "nonlinearity"),
}
# `torch.lstm` ends the process where the layer raises, for states of another batch.
_RECURRENT = {"torch.nn.GRU": ("torch.gru", ()), "torch.nn.RNN": ("torch.rnn_tanh", ("nonlinearity",))}
_RECURRENT_SETTINGS = {
    "bias": ("True", BOOL), "num_layers": ("1", INT), "dropout": ("0.0", FLOAT), "training": ("", BOOL),
    "bidirectional": ("False", BOOL), "batch_first": ("False", BOOL),
}  # fmt: skip
"""What the functions of recurrent layers are given after the weights: the constructor's defaults, and types."""
_DROPOUT = "torch.nn.Dropout"
_CHANGED_BY = ("norm", "hook", "parametriz")
_UTILS = "torch.nn.utils."
_HOOKING = ("forward_hook(", "forward_pre_hook(", "backward_hook(", "backward_pre_hook(", "quantization")
_CHANGING = ("weight_norm", "spectral_norm", "parametriz", "prune")


def weighted_function(
    init: Function, cls: Class, made: ast.Call, call: ast.Call
) -> tuple[str, list[str | OwnValue]] | None:
    """The function that a layer with weights calls, and what it is given besides the call's own arguments.

    ``made`` is the call in a method ``init`` of the class that makes the layer.
    """
    origin = init.file.origin(made.func)
    form = _FORMS.get(origin.rpartition(".")[2]) if origin.startswith("torch.nn.") else None
    unpacked = any(isinstance(a, ast.Starred) for c in (made, call) for a in c.args)
    if unpacked or call.keywords or any(k.arg is None for k in made.keywords):
        return None
    if origin == _DROPOUT:
        return _dropout(made, call)
    if origin in _RECURRENT:
        return None if _is_changed(cls) else _recurrent(origin, made, call)
    if form is None or len(call.args) != form.inputs or len(made.args) > len(form.parameters) or _is_changed(cls):
        return None
    given = dict(zip(form.parameters, made.args, strict=False)) | {k.arg: k.value for k in made.keywords if k.arg}
    if any(name in given for name in form.without) or not set(given) <= {*form.parameters, "device", "dtype"}:
        return None
    parts: list[str | OwnValue] = [OwnValue(*form.first)] if form.first is not None else []
    for tensor in form.tensors:
        bias = given.get("bias") if tensor.startswith("bias") else None
        if isinstance(bias, ast.Constant) and not bias.value:
            continue
        fixed = bias is None or isinstance(bias, ast.Constant)
        parts.append(OwnValue(tensor, TENSOR if fixed else optional(TENSOR)))
    for name in form.settings:
        if name in given:
            part = _setting(init, origin, name, given[name])
            if part is None:
                return None
            parts.append(part)
    return form.function, parts


def _dropout(made: ast.Call, call: ast.Call) -> tuple[str, list[str | OwnValue]] | None:
    """Dropout as a function: the layer's own mode decides."""
    if len(call.args) != 1 or len(made.args) > 1 or any(k.arg != "p" for k in made.keywords):
        return None
    return "torch.nn.functional.dropout", [OwnValue("p", FLOAT), OwnValue("training", BOOL)]


def _recurrent(origin: str, made: ast.Call, call: ast.Call) -> tuple[str, list[str | OwnValue]] | None:
    """A recurrent layer that is given its state: the function of all its weights."""
    function, without = _RECURRENT[origin]
    rest = ("bias", "batch_first", "dropout", "bidirectional")
    parameters = ("input_size", "hidden_size", "num_layers", *without, *rest)
    given = dict(zip(parameters, made.args, strict=False)) | {k.arg: k.value for k in made.keywords if k.arg}
    unknown = set(given) - {*parameters, "device", "dtype"} | set(given) & set(without)
    if unknown or len(made.args) > len(parameters) or len(call.args) != 2:
        return None
    parts: list[str | OwnValue] = [OwnValue("_flat_weights", list_of(TENSOR))]
    for name, (default, type_) in _RECURRENT_SETTINGS.items():
        value = given.get(name)
        if isinstance(value, ast.Constant) and isinstance(value.value, (int, float)):
            parts.append(repr(float(value.value) if type_ == FLOAT else value.value))
        else:
            parts.append(default if default and value is None else OwnValue(name, type_))
    return function, parts


def _setting(init: Function, origin: str, name: str, value: ast.expr) -> str | OwnValue | None:
    """A literal as it stands; else the layer's attribute, which for a convolution is a tuple of known length.

    None for what may be text (``padding='same'``).
    """
    if all(isinstance(n, (ast.Constant, ast.UnaryOp, ast.USub, ast.Tuple)) for n in walk(value)):
        return f"{name}={ast.unparse(value)}"
    if ".Conv" in origin and name != "groups":
        text = name == "padding" and not _is_number(init, value)
        return None if text else OwnValue(name, tuple_of([INT] * int(origin[-2])), name)
    if name == "padding_idx":
        return OwnValue(name, optional(INT), name)
    return OwnValue(name, INT if name == "groups" else FLOAT, name)


def _is_number(init: Function, value: ast.expr) -> bool:
    """Whether it is a number or a tuple of them, itself or what the constructors give the attribute, and no text."""
    attribute, cls = init.self_attribute(value), init.cls
    given = [v for c in (cls, *cls.ancestors) for _, v in c.assigned.get(attribute or "", ())] if cls else []
    return init.type_of(value) == INT or all(isinstance(v, (ast.BinOp, ast.Tuple)) for v in given or [value])


def _is_changed(cls: Class) -> bool:
    """Whether the file uses what has torch make a layer's weights when it is called, or gives it hooks, on whatever
    layer; or quantizes, or the class or one related to it has a function of such a name."""
    if cls.file.mentions(*_HOOKING) or _changes_weights(cls.file):
        return True
    for c in (cls, *cls.ancestors, *cls.subclasses):
        for method in c.methods.values():
            for call in method.of(ast.Call):
                name = call.func.attr if isinstance(call.func, ast.Attribute) else ""
                name = call.func.id if isinstance(call.func, ast.Name) else name
                if any(name.startswith(("weight_", "spectral_", "register_")) and part in name for part in _CHANGED_BY):
                    return True
    return False


def _changes_weights(file: FileFacts) -> bool:
    """Whether the file imports or names such a function of torch.nn.utils, or a module of them."""
    if not file.mentions(*_CHANGING):
        return False
    origins = [file.origin(n) for n in file.of(ast.Attribute)]
    origins += [f"{i.module}.{a.name}" for i in file.of(ast.ImportFrom) for a in i.names]
    origins += [a.name for i in file.of(ast.Import) for a in i.names]
    return any(o.startswith(_UTILS) and any(word in o for word in _CHANGING) for o in origins)
