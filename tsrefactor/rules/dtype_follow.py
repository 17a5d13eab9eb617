"""dtype-follow."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tsrefactor.facts.definitions import Function
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.moving import moved_expression
from tsrefactor.facts.own_values import Unmovable
from tsrefactor.facts.types import TENSOR
from tsrefactor.source.edits import Replace
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings, preview, shortened

_HEAD = "import torch\n\n\nclass Model(torch.nn.Module):\n"


def _example(before: str, after: str) -> Example:
    inputs = "[(torch.rand(2, 5),), (torch.rand(4, 7).double(),)]"
    return Example(_HEAD + before, _HEAD + after, inputs, Target.TRACE, "baked")


class DtypeFollow(Rule):
    """Convert to a tensor's dtype, and make tensors of it, also when a trace gets another one.

    A trace records `x.dtype` as the dtype that the example had. Traced in float32 and run in half precision,
    `mask.to(x.dtype)` still gives float32. `mask.type_as(x)` is recorded as what it says. For functions that make a
    tensor of that dtype, the call moves into a `script_if_tracing` function, which reads the dtype when it runs; where
    they name the tensor's device, too, device-follow writes them.

    Left alone: conversions of a parameter or buffer of the module to its own dtype; dtypes that are compared or kept.

    Source: the graph of a trace, which holds the dtype as a number; `type_as` in
    https://docs.pytorch.org/docs/stable/generated/torch.Tensor.type_as.html.
    """

    name = "dtype-follow"
    targets = frozenset({Target.TRACE})
    examples = [
        # A mask, as attention layers have it.
        _example(
            """\
    def forward(self, x):
        mask = (x > 0.5).to(dtype=x.dtype)
        return mask.mean(-1)
""",
            """\
    def forward(self, x):
        mask = (x > 0.5).type_as(x)
        return mask.mean(-1)
""",
        ),
        # What makes a tensor reads the dtype when it runs.
        _example(
            """\
    def forward(self, x):
        steps = torch.arange(x.size(1), dtype=x.dtype)
        return steps
""",
            """\
    def forward(self, x):
        @torch.jit.script_if_tracing
        def _compute_steps(x):
            return torch.arange(x.size(1), dtype=x.dtype)

        steps = _compute_steps(x)
        return steps
""",
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        if not file.mentions(".dtype"):
            return
        names: set[str] = set()
        for function in file.functions:
            if function.dependence.is_compiled:
                continue
            for call in function.of(ast.Call):
                owner = _dtype_owner(function, call)
                if owner is not None:
                    yield self._finding(function, call, owner, settings, names)

    def _finding(
        self, function: Function, call: ast.Call, owner: ast.expr, settings: Settings, names: set[str]
    ) -> Finding:
        message = f"a trace keeps the example's dtype in `{shortened(call)}`"
        presumed = function.type_of(owner) != TENSOR
        if isinstance(call.func, ast.Attribute) and call.func.attr in ("to", "type"):
            template, pieces = "{value}.type_as({owner})", {"value": call.func.value, "owner": owner}
            return self.finding(
                call,
                f"{message}; write `{preview(template, pieces)}`",
                Replace(call, template, pieces),
                presumed=presumed or function.type_of(call.func.value) != TENSOR,
                caveat=f"`type_as` also moves to the device of `{shortened(owner)}`",
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
            caveat=made.caveat,
        )


def _dtype_owner(function: Function, call: ast.Call) -> ast.expr | None:
    """The tensor whose dtype is all that the call asks for."""
    keywords = {k.arg: k.value for k in call.keywords}
    given = keywords.pop("dtype", None)
    if isinstance(call.func, ast.Attribute) and call.func.attr in ("to", "type"):
        values = [*call.args, *filter(None, [given])]
        if len(values) != 1 or keywords or function.type_of(call.func.value, presume=True) != TENSOR:
            return None
        given = values[0]
    else:  # what makes a tensor: not `torch.autocast(…)`, which no function can give back
        makes = function.file.origin(call.func).startswith("torch.") and function.type_of(call) == TENSOR
        if not makes or "device" in keywords:
            return None
    if not isinstance(given, ast.Attribute) or given.attr != "dtype":
        return None
    owner = given.value
    plain = isinstance(owner, ast.Name) or function.self_attribute(owner) is not None
    return owner if plain and function.type_of(owner, presume=True) == TENSOR else None
