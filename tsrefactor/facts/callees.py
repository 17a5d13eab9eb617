"""What torch's own layers and functions take and return where that is not just tensors: torch 2.13's annotations."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING

from .types import TENSOR, UNKNOWN, Type, from_annotation, join, parse

if TYPE_CHECKING:
    from .definitions import Class, Function

_PAIR = "Tuple[Tensor, Tensor]"
_MASKS = "tgt_mask: Optional[Tensor], memory_mask: Optional[Tensor], tgt_key_padding_mask: Optional[Tensor]"
_DECODER = f"tgt: Tensor, memory: Tensor, {_MASKS}, memory_key_padding_mask: Optional[Tensor]"
# Layer → what its forward takes, in order.
LAYERS = {
    **dict.fromkeys(("RNN", "GRU"), "input: Tensor, hx: Optional[Tensor]"),
    "LSTM": f"input: Tensor, hx: Optional[{_PAIR}]",
    **dict.fromkeys(("RNNCell", "GRUCell"), "input: Tensor, hx: Optional[Tensor]"),
    "LSTMCell": f"input: Tensor, hx: Optional[{_PAIR}]",
    "MultiheadAttention": "query: Tensor, key: Tensor, value: Tensor, key_padding_mask: Optional[Tensor],"
    " need_weights: bool, attn_mask: Optional[Tensor], average_attn_weights: bool, is_causal: bool",
    "TransformerEncoderLayer":
        "src: Tensor, src_mask: Optional[Tensor], src_key_padding_mask: Optional[Tensor], is_causal: bool",
    "TransformerEncoder":
        "src: Tensor, mask: Optional[Tensor], src_key_padding_mask: Optional[Tensor], is_causal: Optional[bool]",
    "TransformerDecoderLayer": f"{_DECODER}, tgt_is_causal: bool, memory_is_causal: bool",
    "TransformerDecoder": f"{_DECODER}, tgt_is_causal: Optional[bool], memory_is_causal: bool",
    "EmbeddingBag": "input: Tensor, offsets: Optional[Tensor], per_sample_weights: Optional[Tensor]",
    **{f"ConvTranspose{d}d": "input: Tensor, output_size: Optional[List[int]]" for d in (1, 2, 3)},
    **{f"MaxUnpool{d}d": "input: Tensor, indices: Tensor, output_size: Optional[List[int]]" for d in (1, 2, 3)},
}  # fmt: skip
# Function of torch.nn.functional → parameters that take None or another type than a Tensor.
FUNCTIONS = {
    **dict.fromkeys(("softmax", "log_softmax", "softmin"), "input: Tensor, dim: Optional[int]"),
    "embedding": "input: Tensor, weight: Tensor, padding_idx: Optional[int], max_norm: Optional[float]",
    "pad": "input: Tensor, pad: List[int], mode: str, value: Optional[float]",
    "grid_sample": "input: Tensor, grid: Tensor, mode: str, padding_mode: str, align_corners: Optional[bool]",
    "affine_grid": "theta: Tensor, size: List[int], align_corners: Optional[bool]",
    "dropout": "input: Tensor, p: float, training: bool, inplace: bool",
}
# Layer → what it returns for a tensor; all others return one Tensor.
RETURNS = {
    **dict.fromkeys(("RNN", "GRU", "LSTMCell"), _PAIR),
    "LSTM": f"Tuple[Tensor, {_PAIR}]",
    "MultiheadAttention": "Tuple[Tensor, Optional[Tensor]]",
}


@cache
def parameters(text: str) -> dict[str, Type]:
    """The parameters that a line of a table lists: name → type."""
    [header] = ast.parse(f"def _({text}): ...").body
    assert isinstance(header, ast.FunctionDef)
    return {a.arg: from_annotation(a.annotation) for a in header.args.args if a.annotation is not None}


def layers_at(function: Function, attribute: str) -> set[str] | None:
    """The classes of torch.nn that ``self.attribute`` holds, by name; None where it holds anything else, or nothing."""
    cls = function.cls
    if cls is None:
        return None
    made = {_made(c, v) for c in (cls, *cls.ancestors) for _, v in c.assigned.get(attribute, ())}
    if not made or None in made:
        made = set(cls.observed.children.get(attribute, ())) if cls.observed is not None else set()
    names = {origin.rpartition(".")[2] for origin in made if origin is not None}
    return names if made and all(o and o.startswith("torch.nn.") for o in made) else None


def _made(cls: Class, value: ast.expr | None) -> str | None:
    origin = cls.file.origin(value.func) if isinstance(value, ast.Call) else ""
    return origin if origin.startswith("torch.nn.") and origin.rpartition(".")[2][:1].isupper() else None


def layer_returns(function: Function, attribute: str) -> Type:
    """What calling ``self.attribute`` on a tensor gives, where it holds layers that return more than one tensor."""
    names = layers_at(function, attribute) or set()
    found = {RETURNS.get(name) for name in names}
    text = found.pop() if len(found) == 1 else None
    return parse(text) if text is not None else UNKNOWN


def asked_by_torch(function: Function, call: ast.Call, argument: ast.expr) -> Type:
    """The type that a call of one of torch's layers or functions asks of one of its arguments."""
    attribute = function.self_attribute(call.func)
    if attribute is not None:
        texts = [LAYERS.get(name) for name in layers_at(function, attribute) or ()]
    else:
        head, _, name = function.file.origin(call.func).rpartition(".")
        texts = [FUNCTIONS.get(name) if head == "torch.nn.functional" else None]
    asked = {_at(parameters(text), call, argument) if text is not None else UNKNOWN for text in texts}
    return asked.pop() if len(asked) == 1 else UNKNOWN


def _at(taken: dict[str, Type], call: ast.Call, argument: ast.expr) -> Type:
    if argument in call.args:
        place = call.args.index(argument)
        starred = any(isinstance(a, ast.Starred) for a in call.args[:place])
        return UNKNOWN if starred or place >= len(taken) else list(taken.values())[place]
    return next((taken.get(k.arg or "", UNKNOWN) for k in call.keywords if k.value is argument), UNKNOWN)


def passed_on(function: Function, name: str) -> Iterator[tuple[ast.Call, ast.expr]]:
    """The calls that a function's name is an argument of, with the argument."""
    for call in function.of(ast.Call):
        for argument in (*call.args, *(k.value for k in call.keywords)):
            if isinstance(argument, ast.Name) and argument.id == name:
                yield call, argument


def asked_of(function: Function, name: str) -> Type:
    """What torch's layers and functions ask of a name that is passed on to them; `UNKNOWN` where they differ."""
    found = UNKNOWN
    for call, argument in passed_on(function, name):
        asked = asked_by_torch(function, call, argument)
        if asked not in (UNKNOWN, TENSOR):
            found = join(found, asked)
    return found if found.known else UNKNOWN
