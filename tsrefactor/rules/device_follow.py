"""device-follow."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tsrefactor.facts.definitions import Function
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.moving import moved_expression
from tsrefactor.facts.own_values import Unmovable
from tsrefactor.facts.types import BOOL, FLOAT, INT, TENSOR, Type
from tsrefactor.facts.whole import is_fraction, is_whole
from tsrefactor.source.edits import Pieces, Replace
from tsrefactor.source.imports import Import
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings, kept_arguments, preview, shortened

_FILLED = {"torch.zeros": "new_zeros", "torch.ones": "new_ones", "torch.empty": "new_empty", "torch.full": "new_full"}
_MADE = frozenset(
    "torch." + n
    for n in (
        "arange", "linspace", "logspace", "eye", "tensor", "as_tensor", "rand", "randn", "randint", "randperm",
        "tril_indices", "triu_indices", "hann_window", "hamming_window", "bartlett_window", "blackman_window",
    )
)  # fmt: skip
_DTYPES: dict[Type, str] = {INT: "torch.int64", FLOAT: "torch.float32", BOOL: "torch.bool"}
_HEAD = "import torch\n\n\nclass Model(torch.nn.Module):\n"


def _example(before: str, after: str) -> Example:
    inputs = (
        "[(torch.rand(2, 5),), (torch.rand(4, 7).double(),)]"  # of another dtype, since another device is not at hand
    )
    return Example(_HEAD + before, _HEAD + after, inputs, Target.TRACE, "baked")


class DeviceFollow(Rule):
    """Make new tensors on the device of a tensor, also after a trace was moved.

    A trace records `x.device` as the device that the example was on. Traced on a CPU and moved to a GPU,
    `torch.zeros(n, device=x.device)` still makes its tensor on the CPU, without any warning; `x.dtype` is frozen in the
    same way. `x.new_zeros(n)` is recorded as what it says. It takes the dtype of `x`, so that the dtype is written
    where it is another; without any, `torch.zeros` gives floating tensors of the default dtype. For functions that no
    tensor has as a method (`torch.arange`, `torch.tensor`, `.to(x.device)`), the call moves into a
    `script_if_tracing` function, which reads the device when it runs.

    Left alone: devices that are not read off a tensor (`self.device`, `"cuda"`); files that set another default dtype.

    Source: the graph of a trace, which holds the device as a constant; https://github.com/pytorch/pytorch/issues/27173.
    """

    name = "device-follow"
    targets = frozenset({Target.TRACE})
    examples = [
        # The kind of tensor that a tensor makes by itself.
        _example(
            """\
    def forward(self, x):
        mask = torch.ones(x.size(1), x.size(1), dtype=torch.bool, device=x.device)
        start = torch.zeros((x.size(0), 1), device=x.device, dtype=x.dtype)
        return start, mask.triu(1)  # causal
""",
            """\
    def forward(self, x):
        mask = x.new_ones(x.size(1), x.size(1), dtype=torch.bool)
        start = x.new_zeros((x.size(0), 1))
        return start, mask.triu(1)  # causal
""",
        ),
        # Another kind moves into a function, which reads the device when it runs.
        _example(
            """\
    def forward(self, x):
        positions = torch.arange(x.size(1), device=x.device, dtype=x.dtype)
        return positions
""",
            """\
    def forward(self, x):
        @torch.jit.script_if_tracing
        def _compute_positions(x):
            return torch.arange(x.size(1), device=x.device, dtype=x.dtype)

        positions = _compute_positions(x)
        return positions
""",
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        if not file.mentions(".device"):
            return
        names: set[str] = set()
        for function in file.functions:
            if function.dependence.is_compiled:
                continue
            for call in function.of(ast.Call):
                owner = _device_owner(function, call)
                if owner is not None:
                    yield self._finding(function, call, owner, settings, names)

    def _finding(
        self, function: Function, call: ast.Call, owner: ast.expr, settings: Settings, names: set[str]
    ) -> Finding:
        message = f"a trace keeps the example's device in `{shortened(call)}`"
        presumed = function.type_of(owner) != TENSOR
        method = _method(function, call, owner)
        if method is not None:
            template, pieces, imports = method
            text = f"{message}; write `{preview(template, pieces)}`"
            return self.finding(
                call, text, Replace(call, template, pieces), imports=imports, presumed=presumed, trap=True
            )
        try:
            made = moved_expression(function, call, settings.placement, names)
        except (Unmovable, ValueError) as reason:
            return self.finding(call, f"{message}; it cannot move into a function: {reason}")
        return self.finding(
            call,
            f"{message}; make it in `{made.name}`, which a trace compiles",
            *made.edits,
            imports=made.imports,
            presumed=presumed or made.presumed,
            trap=True,
            caveat=made.caveat,
        )


def _device_owner(function: Function, call: ast.Call) -> ast.expr | None:
    """The tensor whose device the call asks for."""
    origin = function.file.origin(call.func)
    device: ast.expr | None = None
    if origin in _FILLED or origin in _MADE:
        device = next((k.value for k in call.keywords if k.arg == "device"), None)
    elif isinstance(call.func, ast.Attribute) and call.func.attr == "to":
        device = next((k.value for k in call.keywords if k.arg == "device"), call.args[0] if call.args else None)
    if not isinstance(device, ast.Attribute) or device.attr != "device":
        return None
    owner = device.value
    plain = isinstance(owner, ast.Name) or function.self_attribute(owner) is not None
    return owner if plain and function.type_of(owner, presume=True) == TENSOR else None


def _method(function: Function, call: ast.Call, owner: ast.expr) -> tuple[str, Pieces, frozenset[Import]] | None:
    """The call as a method of the tensor: template, pieces and imports; None where there is none that is equal."""
    file = function.file
    origin = file.origin(call.func)
    if origin not in _FILLED or any(isinstance(a, ast.Starred) for a in call.args):
        return None
    keywords = [k for k in call.keywords if k.arg != "device"]
    if any(k.arg not in ("dtype", "requires_grad", "size", "fill_value") for k in keywords):
        return None
    imports: frozenset[Import] = frozenset()
    given = next((k for k in keywords if k.arg == "dtype"), None)
    written = ""
    if given is not None and ast.unparse(given.value) == f"{ast.unparse(owner)}.dtype":
        keywords.remove(given)
    elif given is None:
        dtype = _default(function, call, origin)
        if dtype is None or file.mentions("set_default_dtype", "set_default_tensor_type"):
            return None
        spelled, imports = file.spell(dtype)
        written = f"dtype={spelled}"
    parts, pieces = kept_arguments(call.args, keywords)
    template = f"{{owner}}.{_FILLED[origin]}({', '.join([*parts, *filter(None, [written])])})"
    return template, {**pieces, "owner": owner}, imports


def _default(function: Function, call: ast.Call, origin: str) -> str | None:
    """The dtype that the call gives where none is asked for."""
    if origin != "torch.full":
        return "torch.float32"
    values = [*call.args[1:2], *(k.value for k in call.keywords if k.arg == "fill_value")]
    if not values or not _is_shown(function, values[0]):
        return None
    return _DTYPES.get(function.type_of(values[0]))


def _is_shown(function: Function, value: ast.expr) -> bool:
    """Whether no other instance can have a number of another type there."""
    type_ = function.type_of(value)
    return is_whole(function, value) if type_ == INT else type_ != FLOAT or is_fraction(function, value)
