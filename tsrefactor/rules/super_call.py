"""super-call."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from tsrefactor.facts.definitions import Function
from tsrefactor.facts.diagnosis import Diagnosis
from tsrefactor.facts.family import OutOfSight, ParentCall, delegate, members, method_of_parent, parent_calls
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.names import fresh
from tsrefactor.facts.sequential_loop import loop_in_place
from tsrefactor.facts.signatures import has_type_comment
from tsrefactor.source.edits import InsertAfter, RenameFunction, Replace
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings, kept_arguments, preview


def _example(
    before: str, after: str, inputs: str, model: str = "Model()", error: str = "has no attribute or method 'forward'"
) -> Example:
    head = "import torch\nfrom torch import nn\n\n\n"
    return Example(head + before, head + after, inputs, Target.SCRIPT, model=model, error=error)


class SuperCall(Rule):
    """Call the parent's forward by a method of its own name.

    TorchScript compiles a class with its methods flattened into one: it knows no `super()`, and a parent's method that
    the child overrides does not exist there. For a parent of torch.nn, the call becomes what that class's `forward`
    does: `self._conv_forward(x, self.weight, self.bias)`, `F.linear(x, self.weight, self.bias)`, a loop over `self` for
    a Sequential. For a parent in the same file, its `forward` moves to `_forward_impl`, which both call, as torchvision
    does it; other children of that parent keep working.

    Left alone, with a reason: parents in other files, more than one base class, classes of torch.nn whose `forward` is
    more than a call (LSTM, MultiheadAttention), and parents with `*args` or decorators.

    Source: the TorchScript language reference lists `super` as supported only for `nn.Module`'s `__init__`.
    """

    name = "super-call"
    targets = frozenset({Target.SCRIPT})
    answers = frozenset({"no-attribute-on-type", "python-type-as-value", "python-value-as-value"})
    examples = [
        _example(
            """\
class Model(nn.Linear):
    def forward(self, x):
        x = super(Model, self).forward(x)  # project
        return torch.relu(x)
""",
            """\
class Model(nn.Linear):
    def forward(self, x):
        x = nn.functional.linear(x, self.weight, self.bias)  # project
        return torch.relu(x)
""",
            inputs="[(torch.rand(2, 4),), (torch.rand(3, 4),)]",
            model="Model(4, 5)",
            error="Python type cannot be used as a value",
        ),
        _example(
            """\
class GraphConv(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, x, adj):
        # mix the features, then the nodes
        x = self.fc(x)
        return torch.matmul(adj, x)


class Model(GraphConv):
    def forward(self, x, adj):
        return x + super().forward(x, adj)
""",
            """\
class GraphConv(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def _forward_impl(self, x, adj):
        # mix the features, then the nodes
        x = self.fc(x)
        return torch.matmul(adj, x)

    def forward(self, x, adj):
        return self._forward_impl(x, adj)


class Model(GraphConv):
    def forward(self, x, adj):
        return x + self._forward_impl(x, adj)
""",
            inputs="[(torch.rand(3, 4), torch.rand(3, 3)), (torch.rand(5, 4), torch.rand(5, 5))]",
        ),
        _example(
            """\
class Model(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU())

    def forward(self, x):
        new = super().forward(x)
        return torch.cat([x, new], 1)
""",
            """\
class Model(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU())

    def forward(self, x):
        new = x
        for module in self:
            new = module(new)
        return torch.cat([x, new], 1)
""",
            inputs="[(torch.rand(2, 3, 4, 4),), (torch.rand(1, 3, 5, 4),)]",
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        for function in file.functions:
            if function.cls is None or function.self_name is None:
                continue
            for call in parent_calls(function):
                answered = next((d for d in self.diagnoses(file) if d.place and d.place.line == call.node.lineno), None)
                if answered is not None or call.method == "forward" or function.name == "forward":
                    yield self._answer(function, call, answered)

    def _answer(self, function: Function, call: ParentCall, answered: Diagnosis | None) -> Finding:
        """The finding for one call of a parent's method, with edits where one of the two ways is open."""
        assert function.cls is not None
        try:
            found = method_of_parent(function.cls, call)
        except OutOfSight as reason:
            return self._advice(call, str(reason), answered)
        if isinstance(found, Function):
            return self._own_parent(function, call, found, answered)
        if call.method == "forward":
            return self._torch_parent(function, call, found, answered)
        return self._advice(call, f"torch.nn.{found}.{call.method} has no form that TorchScript can call", answered)

    def _advice(self, call: ParentCall, reason: str, answered: Diagnosis | None) -> Finding:
        message = f"TorchScript cannot call the parent's `{call.method}`, and {reason}"
        return self.finding(call.node, message, answers=answered)

    # -- the author's own parent -----------------------------------------------------------------------------------

    def _own_parent(
        self, function: Function, call: ParentCall, parent: Function, answered: Diagnosis | None
    ) -> Finding:
        assert parent.cls is not None and function.cls is not None
        owner = f"{parent.cls.name}.{parent.name}"
        shared = delegate(parent)
        if shared is not None and parent.cls.method(shared) is function.cls.method(shared) is not None:
            if not _takes(parent, call):
                return self._advice(call, f"it passes more than `{parent.cls.name}.{shared}` takes", answered)
            edits = [_call_to(function, call, shared)]
            return self.finding(call.node, f"TorchScript knows no super(); call `{shared}`", *edits, answers=answered)
        if parent.node.decorator_list:
            return self._advice(call, f"`{owner}` is decorated", answered)
        if any(p.kind in ("args", "kwargs") for p in parent.parameters):
            return self._advice(call, f"`{owner}` takes *args or **kwargs", answered)
        if has_type_comment(function.file, parent.node):
            return self._advice(call, f"`{owner}` is typed by a comment", answered)
        if parent.self_name is None or isinstance(parent.node, ast.AsyncFunctionDef):
            return self._advice(call, f"`{owner}` is no plain method", answered)
        shared = _shared_name(parent)
        message = f"TorchScript knows no super(); `{owner}` and this call are to share its body: move it to `{shared}`"
        return self.finding(
            call.node, message, *_move_body(parent, shared), _call_to(function, call, shared), answers=answered
        )

    # -- a parent of torch.nn --------------------------------------------------------------------------------------

    def _torch_parent(self, function: Function, call: ParentCall, parent: str, answered: Diagnosis | None) -> Finding:
        file, self_name = function.file, function.self_name
        assert function.cls is not None
        keywords = call.node.keywords
        if any(k.arg not in ("input", "x") for k in keywords) or any(
            isinstance(a, ast.Starred) for a in call.arguments
        ):
            return self._advice(call, "its arguments are not plain", answered)
        arguments = [*call.arguments, *(k.value for k in keywords)]
        message = f"TorchScript knows no super(); do what torch.nn.{parent}.forward does: "
        if parent == "Sequential" and len(arguments) == 1:
            assert self_name is not None
            edits = loop_in_place(function, call.node, arguments[0], self_name, "module")
            if not edits:
                return self._advice(call, "the call stands where no loop can be put before it", answered)
            return self.finding(call.node, f"{message}loop over `{self_name}`", *edits, answers=answered)
        if parent in BATCH_NORMS and len(arguments) == 1:
            name = fresh(members(function.cls), "_batch_norm")
            spelling, imports = file.spell("torch.nn.functional.batch_norm")
            method = _BATCH_NORM_METHOD.format(name=name, batch_norm=spelling)
            inserted = InsertAfter(function.node, "{method}", {"method": method})
            edit = Replace(call.node, f"{self_name}.{name}({{x}})", {"x": arguments[0]})
            message += f"call it in a method `{name}`"
            return self.finding(call.node, message, edit, inserted, imports=imports, answers=answered)
        if parent not in FORWARDS:
            return self._advice(call, f"no one call does what torch.nn.{parent}.forward does", answered)
        form, imports = FORWARDS[parent], frozenset()
        wanted = len(set(re.findall(r"\{(\d)\}", form)))
        if len(arguments) != wanted:
            return self._advice(call, f"only the call with {wanted} argument(s) has a known form", answered)
        if match := re.match(r"(F|torch)\.(\w+)", form):
            spelling, imports = file.spell(f"torch.nn.functional.{match[2]}" if match[1] == "F" else match[0])
            form = spelling + form[match.end() :]
        template = re.sub(r"\{(\d)\}", r"{a\1}", form.replace("self.", f"{self_name}."))
        edit = Replace(call.node, template, {f"a{i}": argument for i, argument in enumerate(arguments)})
        message += f"write `{preview(edit.template, edit.pieces)}`"
        return self.finding(call.node, message, edit, imports=imports, answers=answered)


def _shared_name(parent: Function) -> str:
    """A name for the moved body that no class above or below the parent has."""
    assert parent.cls is not None
    # A class between two calls of super(): its parent's body must not be found under the name of its own.
    passed_on = any(_calls_super(c.methods.get(parent.name)) and c.subclasses for c in parent.cls.subclasses)
    of_class = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", parent.cls.name).lower().strip("_")
    method = parent.name.strip("_")
    wanted = [f"_{method}_impl", f"_{of_class}_{method}"]
    return fresh(members(parent.cls), *(reversed(wanted) if passed_on else wanted))


def _calls_super(method: Function | None) -> bool:
    return method is not None and any(c.method == method.name for c in parent_calls(method))


def _takes(parent: Function, call: ParentCall) -> bool:
    """Whether a call passes nothing in the parent's ``*args`` and ``**kwargs``, as far as it has them."""
    if all(p.kind not in ("args", "kwargs") for p in parent.parameters):
        return True
    names = {p.name for p in parent.parameters if p.kind in ("positional", "keyword")}
    positional = [p for p in parent.parameters if p.kind == "positional"]
    plain = not any(isinstance(a, ast.Starred) for a in call.arguments)
    return plain and len(call.arguments) <= len(positional) and all(k.arg in names for k in call.node.keywords)


def _call_to(function: Function, call: ParentCall, shared: str) -> Replace:
    """The call under the shared name; its arguments stay as they are written."""
    parts, pieces = kept_arguments(call.arguments, call.node.keywords)
    return Replace(call.node, f"{function.self_name}.{shared}({', '.join(parts)})", pieces)


def _move_body(parent: Function, shared: str) -> tuple[RenameFunction, InsertAfter]:
    """The parent's method gets the shared name, and a short one under the old name calls it."""
    arguments = ", ".join(f"{p.name}={p.name}" if p.kind == "keyword" else p.name for p in parent.parameters)
    returns = f" -> {ast.unparse(parent.node.returns)}" if parent.node.returns else ""
    signature = f"{parent.node.name}({ast.unparse(parent.node.args)}){returns}"
    template = f"\ndef {{signature}}:\n    return {parent.self_name}.{shared}({arguments})\n"
    return RenameFunction(parent.node, shared), InsertAfter(parent.node, template, {"signature": signature})


_DROPOUT = "({0}, self.p, self.training"
_POOL = "({0}, self.kernel_size, self.stride, self.padding"
_MAX_POOL = _POOL + ", self.dilation, ceil_mode=self.ceil_mode, return_indices=self.return_indices)"
_AVG_POOL = _POOL + ", self.ceil_mode, self.count_include_pad"
_TRANSPOSE = "self.stride, self.padding, self.output_padding, self.groups, self.dilation"
_EMBEDDING = "self.weight, self.padding_idx, self.max_norm, self.norm_type, self.scale_grad_by_freq, self.sparse"
_INTERPOLATE = (
    "F.interpolate({0}, self.size, self.scale_factor, self.mode, self.align_corners, "
    "recompute_scale_factor=self.recompute_scale_factor)"
)
_LOSS = "({0}, {1}, reduction=self.reduction"
_WEIGHTED = "({0}, {1}, weight=self.weight, ignore_index=self.ignore_index, reduction=self.reduction"

# Class of torch.nn → what its `forward` does, as one expression of the arguments `{0}`, … (read in torch 2.13).
FORWARDS: dict[str, str] = {
    **{f"Conv{n}d": "self._conv_forward({0}, self.weight, self.bias)" for n in (1, 2, 3)},
    **{f"ConvTranspose{n}d": f"F.conv_transpose{n}d({{0}}, self.weight, self.bias, {_TRANSPOSE})" for n in (1, 2, 3)},
    **{f"MaxPool{n}d": f"F.max_pool{n}d{_MAX_POOL}" for n in (1, 2, 3)},
    "AvgPool1d": f"F.avg_pool1d{_AVG_POOL})",
    **{f"AvgPool{n}d": f"F.avg_pool{n}d{_AVG_POOL}, self.divisor_override)" for n in (2, 3)},
    **{f"AdaptiveAvgPool{n}d": f"F.adaptive_avg_pool{n}d({{0}}, self.output_size)" for n in (1, 2, 3)},
    **{f"AdaptiveMaxPool{n}d": f"F.adaptive_max_pool{n}d({{0}}, self.output_size, self.return_indices)"
       for n in (1, 2, 3)},
    **{f"Dropout{n}": f"F.dropout{n}{_DROPOUT}, self.inplace)" for n in ("", "1d", "2d", "3d")},
    "AlphaDropout": f"F.alpha_dropout{_DROPOUT})",
    **{f"{kind}Pad{n}d": "F.pad({0}, self.padding, 'constant', self.value)"
       for n in (1, 2, 3) for kind in ("Constant", "Zero")},
    **{f"ReflectionPad{n}d": "F.pad({0}, self.padding, 'reflect')" for n in (1, 2, 3)},
    **{f"ReplicationPad{n}d": "F.pad({0}, self.padding, 'replicate')" for n in (1, 2, 3)},
    "Linear": "F.linear({0}, self.weight, self.bias)",
    "Bilinear": "F.bilinear({0}, {1}, self.weight, self.bias)",
    "Embedding": f"F.embedding({{0}}, {_EMBEDDING})",
    "GroupNorm": "F.group_norm({0}, self.num_groups, self.weight, self.bias, self.eps)",
    "LayerNorm": "F.layer_norm({0}, self.normalized_shape, self.weight, self.bias, self.eps)",
    "RMSNorm": "F.rms_norm({0}, self.normalized_shape, self.weight, self.eps)",
    **{name: f"F.{name.lower()}({{0}}, self.inplace)" for name in ("Hardsigmoid", "Hardswish", "SELU")},
    **{name: f"F.{name.lower()}({{0}}, inplace=self.inplace)" for name in ("Mish", "ReLU", "SiLU")},
    **{name: f"F.{name.lower()}({{0}}, self.alpha, self.inplace)" for name in ("CELU", "ELU")},
    **dict.fromkeys(("Hardtanh", "ReLU6"), "F.hardtanh({0}, self.min_val, self.max_val, self.inplace)"),
    "LeakyReLU": "F.leaky_relu({0}, self.negative_slope, self.inplace)",
    "PReLU": "F.prelu({0}, self.weight)", "GELU": "F.gelu({0}, approximate=self.approximate)",
    "GLU": "F.glu({0}, self.dim)", "Softplus": "F.softplus({0}, self.beta, self.threshold)",
    "Softmax": "F.softmax({0}, self.dim)", "LogSoftmax": "F.log_softmax({0}, self.dim)",
    "Sigmoid": "torch.sigmoid({0})", "Tanh": "torch.tanh({0})",
    "Identity": "{0}", "Flatten": "{0}.flatten(self.start_dim, self.end_dim)",
    "PixelShuffle": "F.pixel_shuffle({0}, self.upscale_factor)",
    **dict.fromkeys(("Upsample", "UpsamplingNearest2d", "UpsamplingBilinear2d"), _INTERPOLATE),
    "Unfold": "F.unfold({0}, self.kernel_size, self.dilation, self.padding, self.stride)",
    "Fold": "F.fold({0}, self.output_size, self.kernel_size, self.dilation, self.padding, self.stride)",
    "CosineSimilarity": "F.cosine_similarity({0}, {1}, self.dim, self.eps)",
    "PairwiseDistance": "F.pairwise_distance({0}, {1}, self.norm, self.eps, self.keepdim)",
    "L1Loss": f"F.l1_loss{_LOSS})", "MSELoss": f"F.mse_loss{_LOSS})",
    "SmoothL1Loss": f"F.smooth_l1_loss{_LOSS}, beta=self.beta)", "HuberLoss": f"F.huber_loss{_LOSS}, delta=self.delta)",
    "KLDivLoss": f"F.kl_div{_LOSS}, log_target=self.log_target)",
    "NLLLoss": f"F.nll_loss{_WEIGHTED})",
    "CrossEntropyLoss": f"F.cross_entropy{_WEIGHTED}, label_smoothing=self.label_smoothing)",
    "BCELoss": "F.binary_cross_entropy({0}, {1}, weight=self.weight, reduction=self.reduction)",
    "BCEWithLogitsLoss":
        "F.binary_cross_entropy_with_logits({0}, {1}, self.weight, pos_weight=self.pos_weight, "
        "reduction=self.reduction)",
    "CosineEmbeddingLoss": "F.cosine_embedding_loss({0}, {1}, {2}, margin=self.margin, reduction=self.reduction)",
    "MarginRankingLoss": "F.margin_ranking_loss({0}, {1}, {2}, margin=self.margin, reduction=self.reduction)",
    "TripletMarginLoss":
        "F.triplet_margin_loss({0}, {1}, {2}, margin=self.margin, p=self.p, eps=self.eps, swap=self.swap, "
        "reduction=self.reduction)",
}  # fmt: skip

BATCH_NORMS = {f"BatchNorm{n}d" for n in (1, 2, 3)}
# What `_BatchNorm.forward` of torch does, with its buffers and in both modes.
_BATCH_NORM_METHOD = """\

def {name}(self, input):
    # torch's own forward: TorchScript cannot reach it by super()
    self._check_input_dim(input)
    average_factor = 0.0 if self.momentum is None else self.momentum
    if self.training and self.track_running_stats:
        if self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
            if self.momentum is None:
                average_factor = 1.0 / float(self.num_batches_tracked)
    keep_stats = not self.training or self.track_running_stats
    return {batch_norm}(
        input,
        self.running_mean if keep_stats else None,
        self.running_var if keep_stats else None,
        self.weight,
        self.bias,
        self.training or (self.running_mean is None and self.running_var is None),
        average_factor,
        self.eps,
    )
"""
