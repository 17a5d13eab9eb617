"""coerce-float."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from tsrefactor.facts.definitions import Class, Function
from tsrefactor.facts.diagnosis import Diagnosis
from tsrefactor.facts.family import parent_calls
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.types import FLOAT, INT, UNKNOWN, join
from tsrefactor.source.edits import Replace
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings, preview

_EPS_MOMENTUM = (("eps", 1), ("momentum", 2))
# Parameters of torch.nn's classes that stay what they are given, and reach an operator that takes a float.
LAYERS: dict[str, tuple[tuple[str, int], ...]] = {
    **dict.fromkeys(("Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "AlphaDropout", "FeatureAlphaDropout"),
                    (("p", 0),)),
    **{f"{kind}Norm{n}d": _EPS_MOMENTUM for kind in ("Batch", "Instance") for n in (1, 2, 3)},
    **{f"ConstantPad{n}d": (("value", 1),) for n in (1, 2, 3)},
    "CELU": (("alpha", 0),), "ELU": (("alpha", 0),), "LeakyReLU": (("negative_slope", 0),),
    "Hardtanh": (("min_val", 0), ("max_val", 1)), "RReLU": (("lower", 0), ("upper", 1)),
    "Threshold": (("threshold", 0), ("value", 1)),
    "GroupNorm": (("eps", 2),), "LayerNorm": (("eps", 1),), "RMSNorm": (("eps", 1),),
    "LocalResponseNorm": (("alpha", 1), ("beta", 2), ("k", 3)),
    "CosineSimilarity": (("eps", 1),), "PairwiseDistance": (("p", 0), ("eps", 1)),
    "Embedding": (("max_norm", 3), ("norm_type", 4)), "EmbeddingBag": (("max_norm", 2), ("norm_type", 3)),
    "MultiheadAttention": (("dropout", 2),),
    "Transformer": (("dropout", 5), ("layer_norm_eps", 9)),
    "TransformerDecoderLayer": (("dropout", 3), ("layer_norm_eps", 5)),
    "TransformerEncoderLayer": (("dropout", 3), ("layer_norm_eps", 5)),
    "CosineEmbeddingLoss": (("margin", 0),), "HingeEmbeddingLoss": (("margin", 0),),
    "MarginRankingLoss": (("margin", 0),), "MultiMarginLoss": (("margin", 1),),
    "TripletMarginLoss": (("margin", 0), ("p", 1), ("eps", 2)),
    "CrossEntropyLoss": (("label_smoothing", 5),), "HuberLoss": (("delta", 1),), "PoissonNLLLoss": (("eps", 3),),
    "SmoothL1Loss": (("beta", 3),),
}  # fmt: skip
FUNCTIONS: dict[str, tuple[tuple[str, int], ...]] = {
    **dict.fromkeys(("alpha_dropout", "dropout", "dropout1d", "dropout2d", "dropout3d", "feature_alpha_dropout"),
                    (("p", 1),)),
    "batch_norm": (("momentum", 6), ("eps", 7)), "instance_norm": (("momentum", 6), ("eps", 7)),
    "group_norm": (("eps", 4),), "layer_norm": (("eps", 4),), "rms_norm": (("eps", 3),),
    "celu": (("alpha", 1),), "elu": (("alpha", 1),), "leaky_relu": (("negative_slope", 1),),
    "hardtanh": (("min_val", 1), ("max_val", 2)), "rrelu": (("lower", 1), ("upper", 2)),
    "threshold": (("threshold", 1), ("value", 2)), "gumbel_softmax": (("tau", 1), ("eps", 3)),
    "normalize": (("p", 1), ("eps", 3)), "pad": (("value", 3),), "interpolate": (("scale_factor", 2),),
    **dict.fromkeys(("upsample", "upsample_bilinear", "upsample_nearest"), (("scale_factor", 2),)),
    "lp_pool1d": (("norm_type", 1),), "lp_pool2d": (("norm_type", 1),),
    "local_response_norm": (("alpha", 2), ("beta", 3), ("k", 4)),
    "cosine_similarity": (("eps", 3),), "pairwise_distance": (("p", 2), ("eps", 3)), "pdist": (("p", 1),),
    "cosine_embedding_loss": (("margin", 3),), "hinge_embedding_loss": (("margin", 2),),
    "margin_ranking_loss": (("margin", 3),), "multi_margin_loss": (("margin", 3),),
    "triplet_margin_loss": (("margin", 3), ("p", 4), ("eps", 5)),
    "cross_entropy": (("label_smoothing", 7),), "huber_loss": (("delta", 3),), "poisson_nll_loss": (("eps", 5),),
    "smooth_l1_loss": (("beta", 5),),
}  # fmt: skip
OPERATORS = {"torch.normal": (("mean", 0), ("std", 1)), "torch.cdist": (("p", 2),), "torch.pdist": (("p", 1),)}
METHODS = {"normal_": (("mean", 0), ("std", 1)), "uniform_": (("from", 0), ("to", 1))}
_MAY_BE_NONE = frozenset({"momentum", "max_norm", "value", "scale_factor"})
_WHOLE = frozenset({INT, join(INT, FLOAT)})


@dataclass(frozen=True)
class _Given:
    """An argument that reaches a float: ``parameter`` is its name; ``function`` the one that it is written in."""

    function: Function
    parameter: str
    value: ast.expr


class CoerceFloat(Rule):
    """Pass a float where torch takes a float and is given a whole number.

    Python takes an int for a float, TorchScript does not. `nn.Dropout(0)`, `nn.LeakyReLU(1)`, `F.normalize(x, 2)`,
    `x.normal_(0, 1)` become `nn.Dropout(0.0)` and so on; what is no literal is converted: `float(self.p)`. A layer
    keeps the number that it was given, so the error shows in torch's own source and the mend is in the call that makes
    the layer: those with a whole number, or, where the compiler complains of the layer, with a value that is not surely
    a float. The conversion is exact as far as torch's operators see it: they take an int for a double in eager, too.

    Where torch takes None, too, a value that is None in some instances is converted in the others:
    `float(self.scale) if self.scale is not None else None`.

    Left alone: a value of unknown type where torch takes None (the momentum of a norm); operators
    that take any number, such as `torch.clamp`, whose result may depend on the kind; a call with `*args`.

    Source: "Expected a value of type 'float' for argument … but instead found type 'int'"; the annotations in
    `torch/nn/functional.py`.
    """

    name = "coerce-float"
    targets = frozenset({Target.SCRIPT})
    answers = frozenset({"argument-type", "arguments-not-valid"})
    examples = [
        # A layer keeps what it was given.
        Example(
            before="""\
import torch
from torch import nn


class Model(nn.Module):
    def __init__(self, slope=1):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(4, 4),
            nn.LeakyReLU(slope, inplace=True),
            nn.Dropout(p=0),  # off
        )

    def forward(self, x):
        return self.layers(x)
""",
            after="""\
import torch
from torch import nn


class Model(nn.Module):
    def __init__(self, slope=1):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(4, 4),
            nn.LeakyReLU(float(slope), inplace=True),
            nn.Dropout(p=0.0),  # off
        )

    def forward(self, x):
        return self.layers(x)
""",
            inputs="[(torch.randn(3, 4),)]",
            breaks=Target.SCRIPT,
            error="Expected a value of type 'float' for argument 'negative_slope'|for argument 'p'",
        ),
        # A functional call, with a number that the module holds.
        Example(
            before="""\
import torch
import torch.nn.functional as F


class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.eps = 1

    def forward(self, x):
        x = F.layer_norm(F.pad(x, (1, 1), value=-1), [6], eps=self.eps)
        return F.normalize(x, 2, dim=1)
""",
            after="""\
import torch
import torch.nn.functional as F


class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.eps = 1

    def forward(self, x):
        x = F.layer_norm(F.pad(x, (1, 1), value=-1.0), [6], eps=float(self.eps))
        return F.normalize(x, 2.0, dim=1)
""",
            inputs="[(torch.randn(3, 4),), (torch.randn(2, 4),)]",
            breaks=Target.SCRIPT,
            error="for argument 'value' but instead found type 'int'",
        ),
        # A function of one's own.
        Example(
            before="""\
import torch
from torch import nn


def drop_path(x, drop_prob: float = 0.0, training: bool = False):
    if drop_prob == 0.0 or not training:
        return x
    return x / (1 - drop_prob) * torch.bernoulli(torch.full_like(x, 1 - drop_prob))


class Model(nn.Module):
    def __init__(self, drop_prob=0):
        super().__init__()
        self.drop_prob = drop_prob

    def forward(self, x):
        return drop_path(x, self.drop_prob, self.training)
""",
            after="""\
import torch
from torch import nn


def drop_path(x, drop_prob: float = 0.0, training: bool = False):
    if drop_prob == 0.0 or not training:
        return x
    return x / (1 - drop_prob) * torch.bernoulli(torch.full_like(x, 1 - drop_prob))


class Model(nn.Module):
    def __init__(self, drop_prob=0):
        super().__init__()
        self.drop_prob = drop_prob

    def forward(self, x):
        return drop_path(x, float(self.drop_prob), self.training)
""",
            inputs="[(torch.randn(3, 4),)]",
            breaks=Target.SCRIPT,
            error="for argument 'drop_prob' but instead found type 'int'",
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        if not file.mentions_torch:
            return
        found: dict[ast.expr, Finding] = {}
        for diagnosis in self.diagnoses(file):
            if _of_float(diagnosis):
                for given in _complained(file, diagnosis):
                    found |= self._mend(given, diagnosis)
        for given in _whole_numbers(file):
            if given.value not in found:
                found |= self._mend(given, None)
        yield from found.values()

    def _mend(self, given: _Given, diagnosis: Diagnosis | None) -> dict[ast.expr, Finding]:
        value, literal = given.value, _as_float(given.value)
        type_ = UNKNOWN if literal is not None else given.function.type_of(value)
        complained = diagnosis is not None and type_ == UNKNOWN
        complained = complained or _is_called_float(given.function, value, diagnosis is not None)
        may_be_none = type_.optional and type_.element in _WHOLE and _is_read(value)
        converts = type_ in _WHOLE or may_be_none or (complained and given.parameter not in _MAY_BE_NONE)
        if literal is None and not converts:
            return {}
        template = "float({value}) if {value} is not None else None" if may_be_none else "float({value})"
        edit = Replace(value, literal) if literal is not None else Replace(value, template, {"value": value})
        message = f"TorchScript takes no int for the float '{given.parameter}'; "
        message += f"write `{preview(edit.template, edit.pieces)}`"
        return {value: self.finding(value, message, edit, answers=diagnosis)}


def _of_float(diagnosis: Diagnosis) -> bool:
    names = diagnosis.names
    wanted = re.search(r"\bfloat\b", names.get("expected", "")) is not None
    return wanted and re.fullmatch(r"(List\[|Tuple\[)?(int(, )?)+\]?", names.get("found", "")) is not None


def _as_float(node: ast.expr) -> str | None:
    """The source of a literal with its whole numbers as floats; None for what is no such literal, or has none."""
    if isinstance(node, ast.Constant):
        return f"{node.value}.0" if type(node.value) is int else None
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) and isinstance(node.operand, ast.Constant):
        inner = _as_float(node.operand)
        return f"-{inner}" if inner else None
    if isinstance(node, (ast.Tuple, ast.List)) and node.elts:
        parts = [_as_float(e) or (ast.unparse(e) if _is_float(e) else None) for e in node.elts]
        if None in parts or all(map(_is_float, node.elts)):
            return None
        text = ", ".join(p for p in parts if p)
        return f"[{text}]" if isinstance(node, ast.List) else f"({text}{',' if len(parts) == 1 else ''})"
    return None


def _is_called_float(function: Function, value: ast.expr, complained: bool) -> bool:
    """Whether it is a parameter annotated as a float that is given an int: by its default, or as the compiler finds."""
    name = value.id if isinstance(value, ast.Name) else None
    for parameter in function.parameters:
        if (
            parameter.name == name
            and parameter.annotation is not None
            and name not in function.flow.writes(function.node.body)
        ):
            whole = isinstance(parameter.default, ast.Constant) and type(parameter.default.value) is int
            return function.file.annotated(parameter.annotation) == FLOAT and (whole or complained)
    return False


def _is_read(node: ast.expr) -> bool:
    """Whether reading it once more changes nothing: a name, or an attribute of one."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return isinstance(node, ast.Name)


def _is_float(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, float)


# -- where whole numbers are given without a diagnosis ----------------------------------------------------------------


def _whole_numbers(file: FileFacts) -> Iterator[_Given]:
    """The arguments of torch's layers and functions that take a float."""
    for function in file.functions:
        for node in function.of(ast.Call):
            yield from _arguments(function, node, node.args, _of_function(function, node))
    for function in _builders(file):
        for call, arguments, name in _layers(function):
            for parameter in LAYERS[name]:
                yield from _arguments(function, call, arguments, (parameter,))


def _of_function(function: Function, call: ast.Call) -> tuple[tuple[str, int], ...]:
    origin = function.file.origin(call.func)
    if origin.startswith("torch.nn.functional."):
        return FUNCTIONS.get(origin.rpartition(".")[2], ())
    if origin in OPERATORS:
        return OPERATORS[origin]
    known = METHODS.get(call.func.attr, ()) if isinstance(call.func, ast.Attribute) else ()
    return () if origin.startswith("torch.") else known


def _builders(file: FileFacts) -> list[Function]:
    """The functions that may make layers: of what was recorded only the classes and functions that took part."""
    if file.observations is None:
        return [f for f in file.all_functions if f.cls is None or f.cls.is_module]
    return [f for f in file.all_functions if f.observed is not None or (f.cls is not None and f.cls.observed)]


def _layers(function: Function) -> Iterator[tuple[ast.Call, list[ast.expr], str]]:
    """The calls that make a layer of the table, with their arguments by position and the layer's name in torch."""
    for node in function.of(ast.Call):
        arguments, made = list(node.args), node.func
        if arguments and function.file.origin(made) in ("functools.partial", "partial"):
            made, arguments = arguments[0], arguments[1:]
        name = _layer(function.file, made)
        if name is not None:
            yield node, arguments, name
    for call in parent_calls(function):
        if call.method == "__init__" and function.cls is not None:
            name = _torch_layer(function.cls)
            if name is not None:
                yield call.node, call.arguments, name


def _layer(file: FileFacts, made: ast.expr) -> str | None:
    """The layer of the table that a call of this makes: torch's own, or a class of the file that only renames it."""
    origin = file.origin(made)
    if origin.startswith("torch.nn."):
        name = origin.rpartition(".")[2]
        return name if name in LAYERS else None
    cls = file.class_named(origin)
    return _torch_layer(cls) if cls is not None and cls.method("__init__") is None else None


def _torch_layer(cls: Class) -> str | None:
    bases = [b.rpartition(".")[2] for b in cls.foreign_bases if b.startswith("torch.nn.")]
    return bases[0] if len(bases) == 1 and bases[0] in LAYERS else None


def _arguments(
    function: Function, call: ast.Call, positional: list[ast.expr], parameters: tuple[tuple[str, int], ...]
) -> Iterator[_Given]:
    starred = next((i for i, a in enumerate(positional) if isinstance(a, ast.Starred)), len(positional))
    for name, index in parameters:
        value = next((k.value for k in call.keywords if k.arg == name), None)
        if value is None and index < starred:
            value = positional[index]
        if value is not None:
            for arm in _arms(value):
                yield _Given(function, name, arm)


def _arms(value: ast.expr) -> list[ast.expr]:
    """The expressions that a conditional expression chooses from."""
    return [*_arms(value.body), *_arms(value.orelse)] if isinstance(value, ast.IfExp) else [value]


# -- what the compiler complains of ------------------------------------------------------------------------------------


def _complained(file: FileFacts, diagnosis: Diagnosis) -> Iterator[_Given]:
    """The arguments that a complaint may be about: of the layer that does not compile, or of the call it points at."""
    module = (diagnosis.module_type or "").rpartition(".")[2]
    argument = diagnosis.names["argument"]
    layer = file.class_named(module)
    wanted = _torch_layer(layer) if layer is not None else module
    for function in _builders(file):
        for call, arguments, name in _layers(function):
            if name == wanted:
                named = [p for p in LAYERS[name] if p[0] == argument]
                yield from _arguments(function, call, arguments, tuple(named) or LAYERS[name])
    node = file.node_at(diagnosis, ast.Call)
    inside = next((f for f in file.functions if node in f.nodes), None)
    if isinstance(node, ast.Call) and inside is not None:
        yield from _arguments(inside, node, node.args, ((argument, _position(diagnosis, node)),))


def _position(diagnosis: Diagnosis, call: ast.Call) -> int:
    """Where the complained argument stands in the call; beyond all where that is not known."""
    beyond = len(call.args)
    callee, _, parameters = diagnosis.names.get("signature", "").rpartition(") ->")[0].partition("(")
    called = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    name = callee.removeprefix("aten::").partition(".")[0] if "::" in callee else callee.rpartition(".")[2]
    if called != name and name not in ("forward", "__call__"):
        return beyond
    names = [re.sub(r"=.*", "", p).split()[-1] for p in _split(parameters) if p.strip()]
    if names[:1] == ["self"]:
        names = names[1:]
    argument = diagnosis.names["argument"]
    return names.index(argument) if argument in names else beyond


def _split(parameters: str) -> list[str]:
    """The parameters of a schema: commas inside brackets and quotes divide none."""
    return re.split(r",\s*(?![^\[(\"]*[\])\"])", parameters)
