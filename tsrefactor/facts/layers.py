"""torch's layers without parameters, as the function that each of them calls."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from .types import FLOAT, INT
from .whole import is_whole

if TYPE_CHECKING:
    from .definitions import Function

# Layer → function(what forward takes; what the constructor takes, in its order; what the function takes besides).
# A name alone is a function of torch.nn.functional. ``*name`` must be passed by name, ``name:float`` is a float there,
# ``name=1`` is written also where the constructor leaves it out: the function's default is another.
_LOSS = "(input, target; size_average, reduce, reduction)"
_WEIGHTED_LOSS = "(input, target; weight, size_average, reduce, reduction)"
_CLASS_LOSS = "(input, target; weight, size_average, ignore_index, reduce, reduction"
_PAIR_LOSS = "(input1, input2, target; margin:float, size_average, reduce, reduction)"
_MAX_POOL = "(input; kernel_size, stride, padding, dilation, *return_indices, *ceil_mode)"
_AVG_POOL = "(input; kernel_size, stride, padding, ceil_mode, count_include_pad"
_FORMS = {
    **{name: f"{function}(input; *inplace)" for name, function in (
        ("ReLU", "relu"), ("ReLU6", "relu6"), ("SELU", "selu"), ("SiLU", "silu"), ("Mish", "mish"),
        ("Hardswish", "hardswish"), ("Hardsigmoid", "hardsigmoid"))},
    **{name: f"{function}(input;)" for name, function in (
        ("Sigmoid", "torch.sigmoid"), ("Tanh", "torch.tanh"), ("LogSigmoid", "logsigmoid"), ("Softsign", "softsign"),
        ("Tanhshrink", "tanhshrink"))},
    **{name: f"{function}(input; *dim)" for name, function in (
        ("Softmax", "softmax"), ("LogSoftmax", "log_softmax"), ("Softmin", "softmin"), ("GLU", "glu"))},
    "LeakyReLU": "leaky_relu(input; negative_slope:float, *inplace)",
    "ELU": "elu(input; alpha:float, *inplace)",
    "CELU": "celu(input; alpha:float, *inplace)",
    "GELU": "gelu(input; *approximate)",
    "Hardtanh": "hardtanh(input; min_val:float, max_val:float, *inplace)",
    "Threshold": "threshold(input; threshold:float, value:float, *inplace)",
    "Hardshrink": "hardshrink(input; lambd)",
    "Softshrink": "softshrink(input; lambd)",
    "Softplus": "softplus(input; beta, threshold)",
    "RReLU": "rrelu(input; lower:float, upper:float, *inplace; training=True)",
    # A layer made in forward is in training mode, whatever the model is in; the dropouts train by default.
    **{f"Dropout{d}": f"dropout{d}(input; p:float, *inplace)" for d in ("", "1d", "2d", "3d")},
    "AlphaDropout": "alpha_dropout(input; p:float, *inplace; training=True)",
    "FeatureAlphaDropout": "feature_alpha_dropout(input; p:float, *inplace; training=True)",
    **{f"MaxPool{d}d": f"max_pool{d}d{_MAX_POOL}" for d in (1, 2, 3)},
    "AvgPool1d": f"avg_pool1d{_AVG_POOL})",
    **{f"AvgPool{d}d": f"avg_pool{d}d{_AVG_POOL}, divisor_override)" for d in (2, 3)},
    **{f"AdaptiveAvgPool{d}d": f"adaptive_avg_pool{d}d(input; output_size)" for d in (1, 2, 3)},
    **{f"AdaptiveMaxPool{d}d": f"adaptive_max_pool{d}d(input; output_size, *return_indices)" for d in (1, 2, 3)},
    **{f"{kind}Pad{d}d": f"pad(input; padding:{2 * d}{rest}" for d in (1, 2, 3) for kind, rest in (
        ("Zero", ")"), ("Constant", ", *value:float)"), ("Reflection", "; mode='reflect')"),
        ("Replication", "; mode='replicate')"))},
    "Upsample":
        "interpolate(input; *size, *scale_factor:float, *mode, *align_corners, *recompute_scale_factor)",
    "UpsamplingNearest2d": "interpolate(input; *size, *scale_factor:float)",
    "UpsamplingBilinear2d": "interpolate(input; *size, *scale_factor:float; mode='bilinear', align_corners=True)",
    "PixelShuffle": "pixel_shuffle(input; upscale_factor)",
    "PixelUnshuffle": "pixel_unshuffle(input; downscale_factor)",
    "ChannelShuffle": "channel_shuffle(input; groups)",
    "Flatten": "torch.flatten(input; start_dim=1, end_dim)",
    "Unfold": "unfold(input; kernel_size, dilation, padding, stride)",
    "Fold": "fold(input; output_size, kernel_size, dilation, padding, stride)",
    "LocalResponseNorm": "local_response_norm(input; size, alpha:float, beta:float, k:float)",
    "CosineSimilarity": "cosine_similarity(x1, x2; *dim, *eps:float)",
    "PairwiseDistance": "pairwise_distance(x1, x2; *p:float, *eps:float, *keepdim)",
    "L1Loss": f"l1_loss{_LOSS}",
    "MSELoss": f"mse_loss{_LOSS}",
    "SmoothL1Loss": "smooth_l1_loss(input, target; size_average, reduce, reduction, beta:float)",
    "HuberLoss": "huber_loss(input, target; reduction, delta:float)",
    "SoftMarginLoss": f"soft_margin_loss{_LOSS}",
    "MultiLabelMarginLoss": f"multilabel_margin_loss{_LOSS}",
    "MultiLabelSoftMarginLoss": f"multilabel_soft_margin_loss{_WEIGHTED_LOSS}",
    "KLDivLoss": "kl_div(input, target; size_average, reduce, reduction, log_target)",
    "CrossEntropyLoss": f"cross_entropy{_CLASS_LOSS}, label_smoothing:float)",
    "NLLLoss": f"nll_loss{_CLASS_LOSS})",
    "BCELoss": f"binary_cross_entropy{_WEIGHTED_LOSS}",
    "BCEWithLogitsLoss":
        "binary_cross_entropy_with_logits(input, target; weight, size_average, reduce, reduction, pos_weight)",
    "CTCLoss":
        "ctc_loss(log_probs, targets, input_lengths, target_lengths; blank, reduction, zero_infinity)",
    "MarginRankingLoss": f"margin_ranking_loss{_PAIR_LOSS}",
    "CosineEmbeddingLoss": f"cosine_embedding_loss{_PAIR_LOSS}",
    "HingeEmbeddingLoss": "hinge_embedding_loss(input, target; margin:float, size_average, reduce, reduction)",
    "MultiMarginLoss": "multi_margin_loss(input, target; p, margin:float, weight, size_average, reduce, reduction)",
    "TripletMarginLoss":
        "triplet_margin_loss(anchor, positive, negative;"
        " margin:float, p:float, eps:float, swap, size_average, reduce, reduction)",
}  # fmt: skip
LAYERS = tuple(f"torch.nn.{name}" for name in _FORMS)


@dataclass(frozen=True)
class _Parameter:
    """A constructor's parameter. ``kind``: ``float``, a number of paddings, or empty."""

    name: str
    by_name: bool
    kind: str
    default: str | None


@dataclass(frozen=True)
class _Form:
    function: str
    inputs: tuple[str, ...]
    parameters: tuple[_Parameter, ...]
    besides: tuple[str, ...]


@dataclass(frozen=True)
class FunctionCall:
    """What a call of a layer that is made for it is without the layer: ``function`` with ``parts`` (of a template).

    ``unsure``: arguments that are taken for one number because runs had one there.
    """

    function: str
    parts: list[str]
    pieces: dict[str, ast.expr]
    unsure: list[str]


@cache
def _form(name: str) -> _Form:
    function, text = _FORMS[name].removesuffix(")").split("(")
    inputs, parameters, *besides = (part.split(",") for part in text.split(";"))
    found = []
    for written in filter(None, (p.strip() for p in parameters)):
        match = re.fullmatch(r"(\*?)(\w+)(?::(\w+))?(?:=(\w+))?", written)
        assert match is not None
        found.append(_Parameter(match[2], bool(match[1]), match[3] or "", match[4]))
    origin = function if "." in function else f"torch.nn.functional.{function}"
    names = tuple(i.strip() for i in inputs)
    return _Form(origin, names, tuple(found), tuple(b.strip() for part in besides for b in part))


def function_call(function: Function, made: ast.Call, call: ast.Call) -> FunctionCall | str:
    """A call of the layer that ``made`` makes as a call of a function, or why it cannot be one."""
    form = _form(function.file.origin(made.func).rpartition(".")[2])
    if any(isinstance(a, ast.Starred) for c in (made, call) for a in c.args):
        return "its arguments are unpacked with `*`"
    if any(k.arg is None for c in (made, call) for k in c.keywords):
        return "its arguments are unpacked with `**`"
    if len(call.args) + len(call.keywords) != len(form.inputs) or len(made.args) > len(form.parameters):
        return "it is called with other arguments than its forward takes"
    named = {p.name: p for p in form.parameters}
    if any(k.arg not in named for k in made.keywords) or any(k.arg not in form.inputs for k in call.keywords):
        return "it takes an argument that the function does not"
    given = dict(zip((p.name for p in form.parameters), made.args, strict=False))
    given |= {k.arg: k.value for k in made.keywords if k.arg is not None}
    pieces: dict[str, ast.expr] = {f"i{i}": a for i, a in enumerate(call.args)}
    parts = [f"{{i{i}}}" for i in range(len(call.args))]
    for keyword in call.keywords:
        assert keyword.arg is not None
        pieces[keyword.arg] = keyword.value
        parts.append(f"{keyword.arg}={{{keyword.arg}}}")
    positional, unsure = not call.keywords, list[str]()
    for at, parameter in enumerate(form.parameters):
        value = given.get(parameter.name)
        if value is None:
            text = parameter.default
        else:
            text = _converted(function, parameter, value)
            pieces["of_" + parameter.name] = value
            if text is not None and text != "{of_" + parameter.name + "}" and not _surely_number(function, value):
                unsure.append(ast.unparse(value))
        if text is None and value is not None:
            return f"whether `{ast.unparse(value)}` is one number or several cannot be told"
        positional &= text is not None and not parameter.by_name and (at < len(made.args) or value is None)
        if text is not None:
            parts.append(text if positional else f"{_keyword(form, parameter)}={text}")
    return FunctionCall(form.function, [*parts, *form.besides], pieces, unsure)


def _keyword(form: _Form, parameter: _Parameter) -> str:
    return "pad" if form.function.endswith(".pad") and parameter.name == "padding" else parameter.name


def _converted(function: Function, parameter: _Parameter, value: ast.expr) -> str | None:
    """The template of an argument as the function takes it: a layer's constructor turns ints into floats or tuples."""
    piece = f"{{of_{parameter.name}}}"
    if not parameter.kind:
        return piece
    constant = ast.literal_eval(value) if _is_number(value) else None
    type_ = function.type_of(value)
    if parameter.kind == "float":
        if isinstance(constant, int):
            return str(float(constant))
        if type_ == INT:
            return f"float({piece})"
        several = parameter.name == "scale_factor" and type_ != FLOAT and not _is_none(value)
        return None if several else piece
    if isinstance(value, (ast.Tuple, ast.List)) or type_.name in ("Tuple", "List"):
        return piece
    if constant is not None:
        return f"({', '.join([str(constant)] * int(parameter.kind))})"
    return f"[{piece}] * {parameter.kind}" if type_ == INT else None


def _surely_number(function: Function, node: ast.expr) -> bool:
    return _is_number(node) or is_whole(function, node)


def _is_number(node: ast.expr) -> bool:
    plain = node.operand if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) else node
    return isinstance(plain, ast.Constant) and type(plain.value) in (int, float)


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None
