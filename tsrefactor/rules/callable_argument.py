"""callable-argument."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from tsrefactor.facts.definitions import Class, Function
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.layer_helpers import called_parameters
from tsrefactor.facts.nodes import walk
from tsrefactor.facts.writing_out import NotWrittenOut, WrittenOut
from tsrefactor.source.edits import AddDecorator, Edit, InsertBefore, Replace, verbatim
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings, shortened

_HEAD = """\
import torch
from torch import nn


class Residual(nn.Module):
    def __init__(self, size, dropout=0.1):
        super().__init__()
        self.norm = nn.LayerNorm(size)
        self.dropout = nn.Dropout(dropout)

{unused}    def forward(self, x, sublayer):
        \"\"\"Around any function of one tensor.\"\"\"
        return x + self.dropout(sublayer(self.norm(x)))


class Model(nn.Module):
    def __init__(self):
        super().__init__()
"""


def _example(before: str, after: str) -> Example:
    inputs = "[(torch.rand(2, 4), torch.rand(4)), (torch.rand(3, 4), torch.rand(4))]"
    heads = _HEAD.format(unused=""), _HEAD.format(unused="    @torch.jit.unused\n")
    return Example(heads[0] + before, heads[1] + after, inputs, Target.SCRIPT, error="Lambda|not call", recorded=True)


@dataclass(frozen=True)
class _Call:
    function: Function
    node: ast.Call
    layer: ast.expr


class CallableArgument(Rule):
    """Write out a submodule's forward where it is handed a function, a lambda or a layer.

    TorchScript passes no functions. In the idiom of the Annotated Transformer a layer that holds the norm and the
    dropout is given what it is put around: `self.sublayer(x, lambda x: self.attention(x, x, mask))`. What its forward
    does is written where it is called, with its own layers (`self.sublayer.norm`), in the order in which it ran.

    That forward is marked `@torch.jit.unused`: TorchScript would compile it with the layer, called or not. Eager then
    calls the layer's parts and no longer the layer itself, so that hooks of the layer do not run (a caveat says so).

    Left alone: forwards that do more than assign variables and return, or use the function otherwise than by calling
    it; calls whose layer may be of several classes, or of a class of another file; functions that are neither a
    lambda nor an attribute or name.

    Source: "Lambda aren't supported", raised by torch/jit/frontend.py, and "'Tensor (inferred)' object is not
    callable" of what is handed over, raised by torch/csrc/jit/frontend/sugared_value.h.
    """

    name = "callable-argument"
    targets = frozenset({Target.SCRIPT})
    examples = [
        _example(
            """\
        self.attention = nn.Bilinear(4, 4, 4)
        self.feed_forward = nn.Linear(4, 4)
        self.sublayers = nn.ModuleList([Residual(4) for _ in range(2)])

    def forward(self, x, scale):
        x = self.sublayers[0](x, lambda x: self.attention(x, x) * scale)
        return self.sublayers[1](x, self.feed_forward)
""",
            """\
        self.attention = nn.Bilinear(4, 4, 4)
        self.feed_forward = nn.Linear(4, 4)
        self.sublayers = nn.ModuleList([Residual(4) for _ in range(2)])

    def forward(self, x, scale):
        norm_x = self.sublayers[0].norm(x)
        x = x + self.sublayers[0].dropout(self.attention(norm_x, norm_x) * scale)
        return x + self.sublayers[1].dropout(self.feed_forward(self.sublayers[1].norm(x)))
""",
        ),
        _example(
            """\
        self.fc = nn.Linear(4, 4)
        self.around = Residual(4)

    def forward(self, x, scale):
        x = self.around.forward(x * scale, sublayer=lambda y: self.fc(y))  # scaled
        return torch.relu(x)
""",
            """\
        self.fc = nn.Linear(4, 4)
        self.around = Residual(4)

    def forward(self, x, scale):
        x_2 = x * scale
        x = x_2 + self.around.dropout(self.fc(self.around.norm(x_2)))  # scaled
        return torch.relu(x)
""",
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        forwards = {c: c.methods["forward"] for c in file.classes if c.is_module and "forward" in c.methods}
        takers = {c: f for c, f in forwards.items() if called_parameters(f)}
        if not takers:
            return
        for cls, forward in takers.items():
            calls = list(_calls(file, cls))
            if calls and not forward.skipped:
                yield self._found(file, forward, calls)

    def _found(self, file: FileFacts, forward: Function, calls: list[_Call]) -> Finding:
        message = f"TorchScript passes no functions to `{shortened(calls[0].node.func)}`"
        unused, imports = file.spell("torch.jit.unused")
        edits: list[Edit] = [AddDecorator(forward.node, unused)]
        values = []
        for call in calls:
            try:
                out = WrittenOut(call.function, call.node, call.layer, forward)
            except NotWrittenOut as reason:
                return self.finding(call.node, f"{message}: {reason}")
            values.append(out.value)
            edits.append(Replace(call.node, verbatim(out.value)))
            if out.lines:
                edits.append(InsertBefore(file.statement_of(call.node), verbatim("\n".join(out.lines))))
        layers = ", ".join(dict.fromkeys(f"`{ast.unparse(call.layer)}`" for call in calls))
        return self.finding(
            calls[0].node,
            f"{message}; write `{values[0]}`",
            *edits,
            imports=imports,
            caveat=f"hooks of {layers} do not run there any more",
        )


def _calls(file: FileFacts, cls: Class) -> Iterator[_Call]:
    """The calls of layers of a class in the file."""
    for function in file.functions:
        if function.cls is None or not function.cls.is_module or function.self_name is None:
            continue
        for node in function.of(ast.Call):
            layer = _layer(function, node)
            if layer is not None and _only_class(function.cls, layer) is cls:
                yield _Call(function, node, layer)


def _layer(function: Function, call: ast.Call) -> ast.expr | None:
    """``self.x``, ``self.x[0]``, where the call is one of it or of its ``forward``."""
    layer = call.func
    if isinstance(layer, ast.Attribute) and layer.attr == "forward":
        layer = layer.value
    inner = layer
    if isinstance(inner, ast.Subscript) and isinstance(inner.slice, ast.Constant):
        inner = inner.value
    return layer if function.self_attribute(inner) is not None else None


def _only_class(cls: Class, layer: ast.expr) -> Class | None:
    """The one class of the file of which the attribute is made, as far as its assignments in the class show."""
    attribute = layer.value if isinstance(layer, ast.Subscript) else layer
    assert isinstance(attribute, ast.Attribute)
    values = [v for c in (cls, *cls.ancestors, *cls.subclasses) for _, v in c.assigned.get(attribute.attr, ())]
    made = {
        found
        for value in values if value is not None
        for n in walk(value) if isinstance(n, ast.Call)
        if (found := cls.file.class_named(cls.file.origin(n.func))) is not None and found.is_module
    }  # fmt: skip
    [only] = made if len(made) == 1 else [None]
    return only if only is not None and values and not only.subclasses else None
