"""einops-call."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tsrefactor.facts.definitions import Function
from tsrefactor.facts.einops import Untranslatable, as_equation, as_methods, axes_alone
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.types import TENSOR, list_of
from tsrefactor.source.edits import Pieces, Replace
from tsrefactor.source.imports import Import
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings, preview

_MODULES = ("einops", "einops.einops")
_PARAMETERS = {
    "rearrange": ("tensor", "pattern"),
    "repeat": ("tensor", "pattern"),
    "reduce": ("tensor", "pattern", "reduction"),
}
_SHAPED = frozenset(f"torch.{name}" for name in ("randn", "rand", "zeros", "ones", "empty"))
_WANTED = "write it with the tensor's own methods"
_MODEL = """\
from einops import {imports}
import torch
from torch import nn


class Model(nn.Module):
    def __init__(self, heads=2):
        super().__init__()
        self.heads = heads
        self.start = nn.Parameter(torch.zeros(1, 4))

"""


def _example(imports: str, before: str, after: str, inputs: str) -> Example:
    """An example of the methods of a model."""
    head = _MODEL.format(imports=imports)
    return Example(head + before, head + after, inputs, Target.SCRIPT, error="variable number of arguments")


class EinopsCall(Rule):
    """Write `rearrange`, `repeat`, `reduce` and `einsum` of einops with the tensor's own methods.

    einops' functions take `**axes_lengths`, which TorchScript cannot compile (the layers of `einops.layers.torch` it
    can). The methods do what einops does, in its order, so that values, views and gradients are the same:
    `rearrange(x, 'b n (h d) -> b h n d', h=heads)` becomes `x.unflatten(2, (heads, -1)).transpose(1, 2)`,
    `repeat(token, '1 n d -> b n d', b=b)` becomes `token.expand(b, -1, -1)`, `reduce(x, 'b n d -> b d', 'mean')`
    becomes `x.mean(dim=1)`.

    einops also checks every size that its pattern names; what remains is the check of those that a group is split
    into. Left alone: patterns and names of axes that are not literal; a `...` whose number of axes would have to be
    known; `pack` and `unpack`, which are einops-pack's.

    Source: "Compiled functions can't take variable number of arguments", raised by torch/jit/frontend.py of
    `einops.rearrange`; einops/_torch_specific.py, which says that only layers are supported.
    """

    name = "einops-call"
    targets = frozenset({Target.SCRIPT})
    answers = frozenset({"variable-arguments"})
    examples = [
        _example(
            "rearrange, repeat",
            """\
    def forward(self, x):
        start = repeat(self.start, '1 d -> b 1 d', b = x.shape[0])
        x = torch.cat([start, x], dim=1)
        q, k = [rearrange(t, 'b n (h d) -> b h n d', h = self.heads) for t in x.chunk(2, dim=-1)]
        return rearrange(q * k, 'b h n d -> b n (h d)')  # heads side by side
""",
            """\
    def forward(self, x):
        start = self.start.expand(x.shape[0], -1, -1)
        x = torch.cat([start, x], dim=1)
        q, k = [t.unflatten(2, (self.heads, -1)).transpose(1, 2) for t in x.chunk(2, dim=-1)]
        return (q * k).transpose(1, 2).flatten(2)  # heads side by side
""",
            "[(torch.randn(2, 3, 4),), (torch.randn(3, 5, 4),)]",
        ),
        _example(
            "rearrange",
            """\
    def forward(self, x, patch: int = 2):
        x = rearrange(x, 'b c (h p1) (w p2) -> b (h w) (p1 p2 c)', p1=patch, p2=patch)
        return rearrange(x, '... -> ... 1') * rearrange(self.start, '1 d -> d')
""",
            """\
    def forward(self, x, patch: int = 2):
        x = x.unflatten(3, (-1, patch)).unflatten(2, (-1, patch)).permute(0, 2, 4, 3, 5, 1).flatten(3).flatten(1, 2)
        return x.unsqueeze(-1) * self.start.squeeze(0)
""",
            "[(torch.randn(2, 3, 4, 6),), (torch.randn(1, 2, 6, 9), 3)]",
        ),
        _example(
            "einsum, reduce, repeat",
            """\
    def forward(self, x):
        x = repeat(x, 'b h w c -> b (h 2) (w 2) c')
        likeness = einsum(x, x, 'b h w c, b i j c -> b h w i j')
        pooled = reduce(x, 'b h w c -> b c', 'mean')
        return pooled, reduce(likeness, 'b h w i j -> b 1 1 i j', 'max')
""",
            """\
    def forward(self, x):
        x = x[:, :, None, :, None].expand(-1, -1, 2, -1, 2, -1).flatten(3, 4).flatten(1, 2)
        likeness = torch.einsum('bhwc,bijc->bhwij', x, x)
        pooled = x.mean(dim=(1, 2))
        return pooled, likeness.amax(dim=(1, 2), keepdim=True)
""",
            "[(torch.randn(2, 3, 4, 5),), (torch.randn(1, 2, 2, 3),)]",
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        if not file.mentions("einops"):
            return
        for function in file.functions:
            for name in _PARAMETERS:
                for call in function.calls(*(f"{module}.{name}" for module in _MODULES)):
                    yield self._reshaped(function, call, name)
            for call in function.calls(*(f"{module}.einsum" for module in _MODULES)):
                yield self._summed(function, call)

    def _reshaped(self, function: Function, call: ast.Call, name: str) -> Finding:
        parameters = _PARAMETERS[name]
        given = dict(zip(parameters, call.args, strict=False))
        given |= {k.arg: k.value for k in call.keywords if k.arg in parameters}
        lengths = {k.arg: k.value for k in call.keywords if k.arg not in parameters}
        tensor, pattern = given.get("tensor"), _text(given.get("pattern"))
        starred = len(call.args) > len(parameters) or any(isinstance(a, ast.Starred) for a in call.args)
        if tensor is None or starred or None in lengths or pattern is None:
            return self.finding(call, f"TorchScript cannot call einops, and what `{name}` does is not written there")
        sizes = {axis: f"{{{axis}}}" for axis in lengths if axis is not None}
        try:
            reduction = _text(given.get("reduction")) or ""
            template = as_methods(name, pattern, sizes, reduction, _rank(function, tensor))
            if template.count("{tensor}") > 1 and not isinstance(tensor, (ast.Name, ast.Attribute)):
                raise Untranslatable("how many axes `...` stands for is not known")
            unused = [value for axis, value in lengths.items() if sizes[axis or ""] not in template]
            if not function.flow.is_pure([ast.Expr(value) for value in unused]):
                raise Untranslatable("a size that it only checks does more than compute")
        except Untranslatable as reason:
            return self.finding(call, f"TorchScript cannot call einops; {_WANTED}, which is not done here: {reason}")
        type_ = function.type_of(tensor)
        imports: frozenset[Import] = frozenset()
        if type_ == list_of(TENSOR):
            stack, imports = function.file.spell("torch.stack")
            template = template.replace("{tensor}", f"{stack}({{tensor}})")
        pieces: Pieces = {"tensor": tensor, **{axis: value for axis, value in lengths.items() if axis is not None}}
        message = f"TorchScript cannot call einops; write `{preview(template, pieces)}`"
        none = "where `...` stands for no axis, einops adds one of size 1" if axes_alone(pattern) else None
        known = type_ in (TENSOR, list_of(TENSOR))
        edit = Replace(call, template, pieces)
        return self.finding(call, message, edit, imports=imports, presumed=not known, caveat=none)

    def _summed(self, function: Function, call: ast.Call) -> Finding:
        tensors, pattern = call.args[:-1], _text(call.args[-1]) if call.args else None
        if pattern is None or call.keywords or any(isinstance(a, ast.Starred) for a in tensors):
            return self.finding(call, "TorchScript cannot call einops, and what `einsum` sums is not written there")
        try:
            equation = as_equation(pattern, len(tensors))
        except Untranslatable as reason:
            return self.finding(call, f"TorchScript cannot call einops; {reason}")
        spelt, imports = function.file.spell("torch.einsum")
        quote = function.file.source.segment(call.args[-1])[:1]
        equation = f"{quote}{equation}{quote}" if quote in "'\"" else repr(equation)
        pieces = {f"a{i}": tensor for i, tensor in enumerate(tensors)}
        edit = Replace(call, f"{spelt}({', '.join([equation, *(f'{{{p}}}' for p in pieces)])})", pieces)
        presumed = any(function.type_of(t) != TENSOR for t in tensors)
        message = f"TorchScript cannot call einops; write `{preview(edit.template, pieces)}`"
        return self.finding(call, message, edit, imports=imports, presumed=presumed)


def _text(node: ast.expr | None) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def _rank(function: Function, tensor: ast.expr) -> int | None:
    """How many axes a parameter has, by the shape that its constructor gives it."""
    name, cls = function.self_attribute(tensor), function.cls
    if name is None or cls is None:
        return None
    ranks = {
        _rank_of_value(function.file, value) for c in (cls, *cls.ancestors) for _, value in c.assigned.get(name, ())
    }
    return ranks.pop() if len(ranks) == 1 else None


def _rank_of_value(file: FileFacts, value: ast.expr | None) -> int | None:
    """``2`` for ``nn.Parameter(torch.randn(count, dim) * 0.02)``."""
    if isinstance(value, ast.Call) and file.origin(value.func) in (
        "torch.nn.Parameter",
        "torch.nn.parameter.Parameter",
    ):
        value = value.args[0] if value.args else None
        while isinstance(value, ast.BinOp) and isinstance(value.right, (ast.Constant, ast.Name, ast.Attribute)):
            value = value.left
    if not isinstance(value, ast.Call) or file.origin(value.func) not in _SHAPED:
        return None
    sizes = value.args
    if len(sizes) == 1:
        return len(sizes[0].elts) if isinstance(sizes[0], (ast.Tuple, ast.List)) else None
    return None if any(isinstance(s, ast.Starred) for s in sizes) else len(sizes) or None
