"""no-grad-decorator."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tsrefactor.facts.definitions import Function
from tsrefactor.facts.file import FileFacts
from tsrefactor.source.edits import RemoveDecorator, Replace
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings

_NO_GRAD = "torch.no_grad"
_AUTOCASTS = ("torch.autocast", "torch.amp.autocast", "torch.cuda.amp.autocast", "torch.cpu.amp.autocast",
              "torch.amp.autocast_mode.autocast", "torch.cuda.amp.autocast_mode.autocast")  # fmt: skip


class NoGradDecorator(Rule):
    """Write `with torch.no_grad():` in the body instead of the decorator `@torch.no_grad()`.

    The decorator wraps the function, and TorchScript compiles what is wrapped: without an error where the function
    names nothing global, so that the compiled one silently keeps gradients; with an error that `torch` is undefined
    where it does, since it looks names up in the wrapper's file. The `with` statement does the same in eager and in
    TorchScript. So for `@torch.autocast(…)`. `with torch.set_grad_enabled(False):` becomes `with torch.no_grad():`, as
    TorchScript has no other form.

    Left alone: functions where another decorator stands below, generators, and `torch.enable_grad` and
    `torch.inference_mode`, which TorchScript does not know in any form.

    Source: "undefined value torch", raised for torch/utils/_contextlib.py by torch/csrc/jit/frontend/ir_emitter.cpp;
    the language reference lists `torch.no_grad` as a context manager.
    """

    name = "no-grad-decorator"
    targets = frozenset({Target.SCRIPT})
    answers = frozenset({"undefined-value", "context-manager"})
    examples = [
        Example(
            before='''\
import torch


class Model(torch.nn.Module):
    @torch.no_grad()  # inference only
    def forward(self, x):
        """Normalises."""
        scale = torch.linalg.norm(x)
        return x / scale
''',
            after='''\
import torch


class Model(torch.nn.Module):
    def forward(self, x):
        """Normalises."""
        with torch.no_grad():
            scale = torch.linalg.norm(x)
            return x / scale
''',
            inputs="[(torch.rand(2, 3),), (torch.rand(4, 3),)]",
            breaks=Target.SCRIPT,
            error="undefined value torch|'torch' is not defined",
        ),
        Example(
            before="""\
import torch


class Model(torch.nn.Module):
    def forward(self, x):
        with torch.set_grad_enabled(False):
            scale = torch.linalg.norm(x)
        return x / scale
""",
            after="""\
import torch


class Model(torch.nn.Module):
    def forward(self, x):
        with torch.no_grad():
            scale = torch.linalg.norm(x)
        return x / scale
""",
            inputs="[(torch.rand(2, 3),), (torch.rand(4, 3),)]",
            breaks=Target.SCRIPT,
            error="With item expression must return an object",
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        if not file.mentions_torch:
            return
        for function in file.functions:
            yield from self._decorator(function)
            for node in function.of(ast.withitem):
                if _never_grad(file, node.context_expr):
                    name, imports = file.spell(_NO_GRAD)
                    message = f"TorchScript knows no set_grad_enabled; write `{name}()`"
                    yield self.finding(
                        node.context_expr, message, Replace(node.context_expr, f"{name}()"), imports=imports
                    )

    def _decorator(self, function: Function) -> Iterator[Finding]:
        node = function.node
        origins = function.decorators
        if not origins or origins[-1] not in (_NO_GRAD, *_AUTOCASTS):
            return
        decorator = node.decorator_list[-1]
        if function.of(ast.Yield, ast.YieldFrom) or (origins[-1] in _AUTOCASTS and not isinstance(decorator, ast.Call)):
            return
        message = f"TorchScript does not see `@{ast.unparse(decorator)}`"
        if isinstance(node, ast.AsyncFunctionDef):
            return
        body = node.body[1:] if ast.get_docstring(node, clean=False) is not None else node.body
        if not body or body[0].lineno == node.lineno:
            yield self.finding(decorator, f"{message}; the function has no block to put under a `with`")
            return
        context = function.file.source.segment(decorator) + ("" if isinstance(decorator, ast.Call) else "()")
        yield self.finding(
            decorator,
            f"{message}; put the body under `with {context}:`",
            RemoveDecorator(decorator),
            Replace(body, "with {context}:\n    {body}", {"context": context, "body": body}),
            trap=True,
        )


def _never_grad(file: FileFacts, node: ast.expr) -> bool:
    """Whether an expression is ``torch.set_grad_enabled(False)``."""
    if not isinstance(node, ast.Call) or file.origin(node.func) != "torch.set_grad_enabled":
        return False
    values = [*node.args, *(k.value for k in node.keywords)]
    return len(values) == 1 and isinstance(values[0], ast.Constant) and values[0].value is False
