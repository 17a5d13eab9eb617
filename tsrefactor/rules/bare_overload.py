"""bare-overload."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.signatures import has_type_comment
from tsrefactor.source.edits import Replace
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings

_MARKS = ("torch.jit._overload", "torch.jit._overload_method", "torch._jit_internal._overload",
          "torch._jit_internal._overload_method")  # fmt: skip


class BareOverload(Rule):
    """Drop overloads that have no annotations.

    `@torch.jit._overload_method` declares a signature for TorchScript, which refuses one that names no types (those of
    torchvision's DenseNet had them in comments, and copies of it lost these). Without types it declares nothing: the
    declarations go, and the function itself is typed by what it is called with. In eager the last definition counts.

    Left alone: overloads with annotations or type comments, and the definition after which nothing defines the name.

    Source: "Must explicitly add type annotations to overloaded functions", raised by `get_overload_annotations` in
    torch/jit/_recursive.py.
    """

    name = "bare-overload"
    targets = frozenset({Target.SCRIPT})
    examples = [
        Example(
            before="""\
import torch
from torch import nn


class Model(nn.Module):
    @torch.jit._overload_method
    def forward(self, x):
        pass

    @torch.jit._overload_method
    def forward(self, x):
        pass

    def forward(self, x):  # one or several
        if isinstance(x, torch.Tensor):
            x = [x]
        return torch.cat(x, 1)
""",
            after="""\
import torch
from torch import nn


class Model(nn.Module):
    def forward(self, x):  # one or several
        if isinstance(x, torch.Tensor):
            x = [x]
        return torch.cat(x, 1)
""",
            inputs="[(torch.rand(2, 3),), (torch.rand(1, 2),)]",
            breaks=Target.SCRIPT,
            error="Must explicitly add type annotations",
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        if not file.mentions("_overload"):
            return
        for node in file.of(ast.FunctionDef):
            arguments = node.args.args + node.args.posonlyargs + node.args.kwonlyargs
            typed = node.returns is not None or any(a.annotation for a in arguments) or has_type_comment(file, node)
            marked = [file.origin(d) for d in node.decorator_list]
            if len(marked) != 1 or marked[0] not in _MARKS or typed:
                continue
            block = file.block_of(node)
            later = block[block.index(node) + 1 :]
            if any(isinstance(s, ast.FunctionDef) and s.name == node.name for s in later):
                message = f"TorchScript refuses an overload without types; drop this one of `{node.name}`"
                yield self.finding(node, message, Replace([node], ""))
