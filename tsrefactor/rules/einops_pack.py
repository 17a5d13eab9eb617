"""einops-pack."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tsrefactor.facts.definitions import Function
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.helpers import Helper, before
from tsrefactor.facts.types import INT, TENSOR, list_of, tuple_of
from tsrefactor.source.edits import Edit, Replace
from tsrefactor.source.imports import Import
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings

_MODULES = ("einops", "einops.packing")
_PARAMETERS = {"pack": ("tensors", "pattern"), "unpack": ("tensor", "packed_shapes", "pattern")}
_SIZES = list_of(list_of(INT))
_TYPES = {"tensor": TENSOR, "tensors": list_of(TENSOR), "sizes": _SIZES, "packed": tuple_of([TENSOR, _SIZES])}
_HELPERS = {
    "pack": '''\
def _pack(tensors: {tensors}, pattern: str) -> {packed}:
    """What `einops.pack` does, for TorchScript, too."""
    start, rest = pattern.split().index("*"), len(pattern.split()) - 1
    shapes = [t.shape[start:start + t.dim() - rest] for t in tensors]
    parts = [t.reshape(list(t.shape[:start]) + [-1] + list(t.shape[start + len(s):])) for t, s in zip(tensors, shapes)]
    return {cat}(parts, dim=start), shapes
''',
    "unpack": '''\
def _unpack(tensor: {tensor}, packed_shapes: {sizes}, pattern: str) -> {tensors}:
    """What `einops.unpack` does, for TorchScript, too."""
    axis, start = pattern.split().index("*"), 0
    sizes, parts = list(tensor.shape), []
    for shape in packed_shapes:
        length = 1
        for size in shape:
            length *= size
        part = tensor.narrow(axis, start, length)
        parts.append(part.reshape(sizes[:axis] + list(shape) + sizes[axis + 1:]))
        start += length
    assert start == sizes[axis], "the shapes do not fill the axis"
    return parts
''',
}
_HEAD = """\
from einops import pack, unpack
import torch
from torch import nn


"""
_BOTH = "".join(
    _HELPERS[name].format(
        tensor="torch.Tensor", tensors="List[torch.Tensor]", sizes="List[List[int]]",
        packed="Tuple[torch.Tensor, List[List[int]]]", cat="torch.cat",
    ) + "\n\n"
    for name in ("pack", "unpack")
)  # fmt: skip


def _example(before: str, after: str) -> Example:
    return Example(
        _HEAD + before,
        f"from typing import List, Tuple\n\n{_HEAD}{_BOTH}{after}",
        "[(torch.rand(2, 3, 4),), (torch.rand(3, 5, 4),)]",
        Target.SCRIPT,
        error="Unknown type constructor Sequence",
    )


class EinopsPack(Rule):
    """Pack and unpack with functions that TorchScript can compile, in the place of those of einops.

    `einops.pack` and `einops.unpack` look their backend up and annotate their arguments as sequences. What they compute
    is a few lines of torch: these become functions of the file, which take the same arguments and read the same
    patterns, so that the calls stay as they are but for the name.

    Left alone: shapes that are written out in the call, where a -1 stands for the rest. Shapes that do not come from
    a call of `pack` in the same function count as presumed.

    Source: "Unknown type constructor Sequence", raised by torch/csrc/jit/frontend/script_type_parser.cpp for the
    annotations of einops/packing.py; the functions there.
    """

    name = "einops-pack"
    targets = frozenset({Target.SCRIPT})
    answers = frozenset({"unknown-type-name"})
    examples = [
        _example(
            """\
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.token = nn.Parameter(torch.ones(4))
        self.fc = nn.Linear(4, 4)

    def forward(self, x):
        x, ps = pack((self.token.expand(x.shape[0], -1), x), 'b * d')  # the token comes first
        token, x = unpack(self.fc(x), ps, 'b * d')
        return token, x
""",
            """\
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.token = nn.Parameter(torch.ones(4))
        self.fc = nn.Linear(4, 4)

    def forward(self, x):
        x, ps = _pack([self.token.expand(x.shape[0], -1), x], 'b * d')  # the token comes first
        token, x = _unpack(self.fc(x), ps, 'b * d')
        return token, x
""",
        ),
        _example(
            """\
class Model(nn.Module):
    def forward(self, x):
        x, ps = pack([x, x.unsqueeze(1)], '* n d')
        x = x.cumsum(dim=1)
        return unpack(x, pattern='* n d', packed_shapes=ps)[1]
""",
            """\
class Model(nn.Module):
    def forward(self, x):
        x, ps = _pack([x, x.unsqueeze(1)], '* n d')
        x = x.cumsum(dim=1)
        return _unpack(x, pattern='* n d', packed_shapes=ps)[1]
""",
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        if not file.mentions("einops"):
            return
        found = [
            (function, call, name)
            for function in file.functions
            for name in _PARAMETERS
            for call in function.calls(*(f"{module}.{name}" for module in _MODULES))
        ]
        edits: list[Edit] = []
        presumed = False
        helpers: dict[str, Helper] = {}
        imports: frozenset[Import] = frozenset()
        for function, call, name in found:
            given = _given(call, name)
            if given is None:
                yield self.finding(call, f"TorchScript cannot call `{name}` of einops, and how it is called is unclear")
                continue
            if name not in helpers:
                helpers[name], needed = _helper(file, name)
                imports |= needed
            edits.append(Replace(call.func, helpers[name].name))
            if isinstance(tensors := given.get("tensors"), ast.Tuple):
                pieces = {f"t{i}": tensor for i, tensor in enumerate(tensors.elts)}
                edits.append(Replace(tensors, f"[{', '.join(f'{{{piece}}}' for piece in pieces)}]", pieces))
            presumed |= name == "unpack" and not _is_packed(function, given["packed_shapes"])
        if edits:
            function, call, _ = found[0]
            names = " and ".join(f"`{helper.name}`" for helper in helpers.values())
            message = f"TorchScript cannot call `pack` and `unpack` of einops; call {names}"
            edits += before(function, [helpers[name] for name in _PARAMETERS if name in helpers])
            yield self.finding(call, message, *edits, imports=imports, presumed=presumed)


def _given(call: ast.Call, name: str) -> dict[str, ast.expr] | None:
    """Parameter → argument; None where that cannot be told, or shapes are written out."""
    parameters = _PARAMETERS[name]
    arguments = [*call.args, *(k.value for k in call.keywords)]
    given = dict(zip(parameters, call.args, strict=False)) | {str(k.arg): k.value for k in call.keywords}
    if {*given} != {*parameters} or len(arguments) != len(parameters):
        return None
    starred = any(isinstance(n, ast.Starred) for a in arguments for n in (a, *getattr(a, "elts", ())))
    written_out = isinstance(given.get("packed_shapes"), (ast.List, ast.Tuple, ast.ListComp))
    return None if starred or written_out else given


def _helper(file: FileFacts, name: str) -> tuple[Helper, frozenset[Import]]:
    spelt = {key: file.spell_type(type_) for key, type_ in _TYPES.items()} | {"cat": file.spell("torch.cat")}
    helper = Helper(file, _HELPERS[name].format(**{key: text for key, (text, _) in spelt.items()}))
    used = [imports for key, (_, imports) in spelt.items() if f"{{{key}}}" in _HELPERS[name]]
    return helper, frozenset().union(*used) if helper.is_new else frozenset()


def _is_packed(function: Function, shapes: ast.expr) -> bool:
    """Whether shapes are what calls of `pack` in the function gave."""
    if not isinstance(shapes, ast.Name) or any(p.name == shapes.id for p in function.parameters):
        return False
    stores = [n for n in function.of(ast.Name) if n.id == shapes.id and isinstance(n.ctx, ast.Store)]
    packs = {function.file.statement_of(c) for c in function.calls(*(f"{module}.pack" for module in _MODULES))}
    return bool(stores) and all(function.file.statement_of(n) in packs for n in stores)
