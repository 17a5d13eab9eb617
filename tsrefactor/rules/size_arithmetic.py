"""size-arithmetic."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tsrefactor.facts.definitions import Function
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.whole_sizes import all_sizes, exact_form, multiplied, presumed_form, window_count
from tsrefactor.source.edits import Pieces, Replace
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings, preview

_CONVERSIONS = ("int", "float", "math.floor", "math.ceil")
_ROUNDED = "equal unless it comes out below zero, where `int` rounds up"
_GIVEN = "equal for whole numbers, which all calls in this file pass"


def _example(before: str, after: str, imports: str = "", inputs: str = "") -> Example:
    head = f"{imports}import torch\n\n\nclass Model(torch.nn.Module):\n"
    inputs = inputs or "[(torch.rand(2, 6),), (torch.rand(3, 9),), (torch.rand(1, 11),)]"
    return Example(head + before, head + after, inputs, Target.TRACE, "baked", recorded=True)


class SizeArithmetic(Rule):
    """Compute with sizes in whole numbers, which a trace records.

    While a trace is made, a size is a small tensor: `+`, `-`, `*`, `//` and `%` on it are recorded, and follow the
    input. `int(…)`, `math.floor(…)` and `math.ceil(…)` take a plain number out of it, the example's for ever. So
    `int(n / 2)` becomes `n // 2`, `int(n * 1.5)` becomes `n * 3 // 2`, `math.ceil(n / k)` becomes `-(-n // k)`, and
    `int(n)` of a whole number is that number. `float(n)` in a division goes away, too. `x.shape[1:].numel()` is a plain
    number as well; `math.prod` multiplies the sizes as such.

    The results are equal for every size. What a size is divided by must be whole for every instance: a literal, a size,
    annotated as an int, or used as one (`range(k)`, `nn.AvgPool1d(k)`); a default or a recorded run does not show that.
    What all calls of the file give a function is presumed to be all that it is given. `int((n - k) / s + 1)`, how many
    windows of a convolution fit, is presumed not to be negative, and becomes `(n - k) // s + 1`.

    Left alone, for soft-refactor: factors that are no fraction of a power of two, such as `0.7`; `int` of any other
    quotient that may be negative, which `int` rounds up and `//` down; divisors that may be floats; `round`, roots and
    logarithms.

    Source: the TracerWarnings "Converting a tensor to a Python integer …" and "… to a Python float …".
    """

    name = "size-arithmetic"
    targets = frozenset({Target.TRACE})
    answers = frozenset({"trace-integer", "trace-float"})
    examples = [
        _example(
            """\
    def forward(self, x):
        half = int(x.shape[1] / 2)  # the first half
        return x[:, :half] - x[:, -half:]
""",
            """\
    def forward(self, x):
        half = x.shape[1] // 2  # the first half
        return x[:, :half] - x[:, -half:]
""",
        ),
        # Padding as TensorFlow does it.
        _example(
            """\
    def __init__(self, stride: int = 4):
        super().__init__()
        self.stride = stride

    def forward(self, x):
        width = x.size(1)
        steps = math.ceil(float(width) / float(self.stride))
        missing = steps * self.stride - width
        left = math.floor(missing / 2)
        return torch.nn.functional.pad(x, (left, missing - left))
""",
            """\
    def __init__(self, stride: int = 4):
        super().__init__()
        self.stride = stride

    def forward(self, x):
        width = x.size(1)
        steps = -(-width // self.stride)
        missing = steps * self.stride - width
        left = missing // 2
        return torch.nn.functional.pad(x, (left, missing - left))
""",
            "import math\n\n",
        ),
        _example(
            """\
    def forward(self, x):
        size = (int(x.size(2) * 1.5), int(x.size(3)))
        return torch.nn.functional.interpolate(x, size=size)
""",
            """\
    def forward(self, x):
        size = (x.size(2) * 3 // 2, x.size(3))
        return torch.nn.functional.interpolate(x, size=size)
""",
            inputs="[(torch.rand(1, 2, 4, 6),), (torch.rand(2, 2, 5, 9),)]",
        ),
        _example(
            """\
    def forward(self, x):
        area = x.shape[-2:].numel()  # of one image
        return x.view(x.size(0), area)
""",
            """\
    def forward(self, x):
        area = math.prod(x.shape[-2:])  # of one image
        return x.view(x.size(0), area)
""",
            "import math\n\n",
            inputs="[(torch.rand(1, 2, 3),), (torch.rand(2, 4, 5),)]",
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        if not file.mentions("shape", "size", "len"):
            return
        for function in file.functions:
            if function.dependence.is_compiled:
                continue
            inside: set[ast.AST] = set()
            for call in function.calls(*_CONVERSIONS):
                if call in inside:
                    continue
                exact, caveat = exact_form(function, call), None
                if exact is None:
                    exact, caveat = window_count(function, call), _ROUNDED
                if exact is None:
                    exact, caveat = presumed_form(function, call), _GIVEN
                if exact is not None:
                    inside |= set(ast.walk(call))
                    template, pieces = exact
                    yield self.finding(
                        call,
                        f"a trace keeps the example's `{ast.unparse(call)}`; compute `{preview(template, pieces)}`",
                        _edit(file, call, template, pieces),
                        trap=True,
                        presumed=caveat is not None,
                        caveat=caveat,
                    )
            if file.mentions("numel"):
                yield from self._products(function)

    def _products(self, function: Function) -> Iterator[Finding]:
        """``x.shape[1:].numel()``."""
        for call in function.of(ast.Call):
            sizes = multiplied(function, call)
            if sizes is None or not function.dependence.may_be_sized(sizes):
                continue
            product, imports = function.file.spell("math.prod")
            edit = Replace(call, f"{product}({{sizes}})", {"sizes": sizes})
            if (tensor := all_sizes(sizes)) is not None:
                edit, imports = Replace(call, "{tensor}.numel()", {"tensor": tensor}), frozenset()
            message = (
                f"a trace keeps the example's `{ast.unparse(call)}`; compute `{preview(edit.template, edit.pieces)}`"
            )
            yield self.finding(call, message, edit, imports=imports, trap=True)


def _edit(file: FileFacts, call: ast.Call, template: str, pieces: Pieces) -> Replace:
    """The call in its new form; ``n = int(n)`` goes."""
    statement = file.statement_of(call)
    written = f"{ast.unparse(call.args[0])} = {ast.unparse(call)}"
    if template == "{size}" and ast.unparse(statement) == written and len(file.block_of(statement)) > 1:
        return Replace([statement], "")
    return Replace(call, template, pieces)
