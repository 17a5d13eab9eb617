"""Uses that nothing but an int allows: ``range(n)``, ``x[:n]``, ``x.view(n, -1)``, ``nn.Linear(n, n)``."""

from __future__ import annotations

import ast
from collections.abc import Iterable

from .definitions import Function

_METHODS = frozenset("view reshape expand repeat new_zeros new_ones new_empty chunk narrow".split())
_FILLED = frozenset(f"torch.{name}" for name in ("zeros", "ones", "empty", "rand", "randn"))
_WINDOWS = ("in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation", "groups")
_RECURRENT = ("input_size", "hidden_size", "num_layers")
_POOLED = ("kernel_size", "stride", "padding")
_LAYERS = {
    **{f"Conv{d}d": _WINDOWS for d in (1, 2, 3)},
    **{f"ConvTranspose{d}d": _WINDOWS[:5] for d in (1, 2, 3)},
    **{f"{kind}Pool{d}d": _POOLED for kind in ("Max", "Avg") for d in (1, 2, 3)},
    **{f"BatchNorm{d}d": ("num_features",) for d in (1, 2, 3)},
    **{f"InstanceNorm{d}d": ("num_features",) for d in (1, 2, 3)},
    **dict.fromkeys(("RNN", "LSTM", "GRU"), _RECURRENT),
    **dict.fromkeys(("RNNCell", "LSTMCell", "GRUCell"), _RECURRENT[:2]),
    "Linear": ("in_features", "out_features"),
    "Embedding": ("num_embeddings", "embedding_dim"),
    "LayerNorm": ("normalized_shape",),
    "GroupNorm": ("num_groups", "num_channels"),
    "MultiheadAttention": ("embed_dim", "num_heads"),
    "PixelShuffle": ("upscale_factor",),
    "PixelUnshuffle": ("downscale_factor",),
    "Unfold": ("kernel_size", "dilation", "padding", "stride"),
}
"""Layer → its first parameters, which take whole numbers alone."""
_ARITHMETIC = (ast.Add, ast.Sub, ast.Mult, ast.FloorDiv, ast.Mod)
_DECIDING = (ast.If, ast.IfExp, ast.BoolOp, ast.Try, ast.While, ast.Lambda)


def uses_ask_for_whole(function: Function, uses: Iterable[ast.expr]) -> bool:
    """Whether one of the uses raises for anything but an int, whatever branches are taken."""
    return any(
        isinstance(getattr(use, "ctx", None), ast.Load) and _asks(function, use) and not _is_conditional(function, use)
        for use in uses
    )


def _asks(function: Function, node: ast.expr) -> bool:
    parents, file = function.file.parents, function.file
    parent = parents[node]
    while isinstance(parent, (ast.UnaryOp, ast.Tuple, ast.List)) or (
        isinstance(parent, ast.BinOp) and isinstance(parent.op, _ARITHMETIC)
    ):  # of a float and anything comes another float
        if isinstance(parent, ast.BinOp) and isinstance(parent.left, ast.List):
            return isinstance(parent.op, ast.Mult)
        node, parent = parent, parents[parent]
    if isinstance(parent, ast.Slice):
        return True
    named = parent.arg if isinstance(parent, ast.keyword) else None
    call = parents[parent] if isinstance(parent, ast.keyword) else parent
    if not isinstance(call, ast.Call) or node is call.func:
        return False
    origin = file.origin(call.func)
    if function.types.bindings.shadows(origin):
        return False
    if origin == "range" or (origin in _FILLED and named in (None, "size")):
        return True
    head, _, name = origin.rpartition(".")
    if head == "torch.nn" and name in _LAYERS:
        return named in _LAYERS[name] if named else node in call.args[: len(_LAYERS[name])]
    return isinstance(call.func, ast.Attribute) and call.func.attr in _METHODS and named is None


def _is_conditional(function: Function, node: ast.AST) -> bool:
    """Whether another instance or call may leave the place out."""
    parents = function.file.parents
    while node is not function.node:
        parent = parents[node]
        if isinstance(parent, _DECIDING) and node is not getattr(parent, "test", None):
            return True
        node = parent
    return False
