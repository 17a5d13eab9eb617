"""detach-data."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tsrefactor.facts.definitions import Function
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.nodes import walk
from tsrefactor.facts.types import TENSOR
from tsrefactor.facts.updating import may_be_updated
from tsrefactor.source.edits import Replace
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings, shortened

_SIZES = frozenset("shape size numel nelement new_zeros new_ones new_empty new_full new_tensor".split())
_FIXED = frozenset("dim ndim ndimension dtype device is_cuda type new layout requires_grad".split())
"""What a trace keeps anyway: it is the same for every input of a trace, or frozen without `.data`, too."""
_KINDS = ("isinstance", "hasattr", "type", "torch.is_tensor")
_PACKED = frozenset({"batch_sizes", "sorted_indices", "unsorted_indices"})
_ALIKE = frozenset("type_as view_as expand_as reshape_as".split())
_HEAD = "import torch\n\n\nclass Model(torch.nn.Module):\n"


def _example(before: str, after: str) -> Example:
    inputs = "[(torch.rand(2, 4, 3),), (torch.rand(5, 4, 2),)]"
    return Example(_HEAD + before, _HEAD + after, inputs, Target.TRACE, "baked")


class DetachData(Rule):
    """Read a tensor's values and sizes so that a trace records it.

    `x.data` is a tensor that the tracer knows nothing about: the example's values stand in the graph as a constant, and
    so do sizes that are read from it (`x.data.size(0)`). `x.detach()` is the same values without gradient, and is
    recorded; for sizes, `x` itself will do.

    Left alone: `x.data` that is updated in place, there, by a name for it, or by what it is given to, where autograd
    would notice a detached tensor; that of what may be a packed sequence or another object (`isinstance(x, …)`); what
    is the same for all inputs of a trace (`x.data.dim()`, `isinstance(x.data, …)`).

    Source: the graph of a trace, which holds the tensor as a `prim::Constant`; "What about .data?" in PyTorch 0.4's
    migration guide, https://pytorch.org/blog/pytorch-0_4_0-migration-guide/.
    """

    name = "detach-data"
    targets = frozenset({Target.TRACE})
    examples = [
        # Sizes, as in the channel shuffle that many files have.
        _example(
            """\
    def forward(self, x):
        batch, channels, width = x.data.size()
        x = x.view(batch, 2, channels // 2, width)  # in two groups
        return x.transpose(1, 2).contiguous().view(batch, -1, width)
""",
            """\
    def forward(self, x):
        batch, channels, width = x.size()
        x = x.view(batch, 2, channels // 2, width)  # in two groups
        return x.transpose(1, 2).contiguous().view(batch, -1, width)
""",
        ),
        # Values.
        _example(
            """\
    def forward(self, x):
        peak = x.data.abs().max()  # no gradient through it
        mask = torch.ones_like(x.data)
        return x / peak * mask
""",
            """\
    def forward(self, x):
        peak = x.detach().abs().max()  # no gradient through it
        mask = torch.ones_like(x)
        return x / peak * mask
""",
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        if not file.mentions(".data"):
            return
        for function in file.functions:
            for node in function.of(ast.Attribute):
                if node.attr != "data" or not isinstance(node.ctx, ast.Load) or function.dependence.is_compiled:
                    continue
                user = file.parents[node]
                if isinstance(user, ast.Attribute) and user.attr in _FIXED:
                    continue
                if isinstance(user, ast.Call) and file.origin(user.func) in ("isinstance", "type"):
                    continue
                owner = node.value
                if function.type_of(owner, presume=True) != TENSOR or may_be_updated(function, node):
                    continue
                if _is_of_another_kind(function, node):
                    continue
                template = "{tensor}" if _asks_for_sizes(file, node) else "{tensor}.detach()"
                written = template.format(tensor=shortened(owner))
                yield self.finding(
                    node,
                    f"a trace keeps the example's `{shortened(node)}`; write `{written}`",
                    Replace(node, template, {"tensor": owner}),
                    presumed=function.type_of(owner) != TENSOR,
                    trap=True,
                )


def _asks_for_sizes(file: FileFacts, node: ast.Attribute) -> bool:
    """Whether sizes, dtype and device are all that is taken from it."""
    user = file.parents[node]
    if isinstance(user, ast.Attribute):
        return user.attr in _SIZES
    if not isinstance(user, ast.Call) or user.args[:1] != [node]:
        return False
    method = user.func.attr if isinstance(user.func, ast.Attribute) else ""
    return method in _ALIKE or (file.origin(user.func).startswith("torch.") and method.endswith("_like"))


def _is_of_another_kind(function: Function, node: ast.Attribute) -> bool:
    """Whether the owner of ``data`` may be no tensor there: one that is asked for its kind, or a packed sequence."""
    file, owner = function.file, ast.unparse(node.value)
    block = file.block_of(file.statement_of(node))
    packed = (a for a in function.of(ast.Attribute) if a.attr in _PACKED and ast.unparse(a.value) == owner)
    if any(file.block_of(file.statement_of(a)) is block for a in packed):
        return True
    asked = [c for c in function.calls(*_KINDS) if c.args and ast.unparse(c.args[0]) == owner]
    if asked and function.reached(file.statement_of(node)) is False:
        return True
    above: ast.AST = node
    while asked and above is not function.node:
        above = file.parents[above]
        if isinstance(above, (ast.If, ast.IfExp)) and any(n in asked for n in walk(above.test)):
            return True
    return False
