"""grad-mode."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tsrefactor.facts.computed_names import defined
from tsrefactor.facts.definitions import Function
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.helpers import Helper, before
from tsrefactor.facts.types import BOOL
from tsrefactor.source.edits import Edit, Replace
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings, shortened

_MODES = {
    "torch.no_grad": "no",
    "torch.enable_grad": "yes",
    "contextlib.ExitStack": "as before",
    "contextlib.nullcontext": "as before",
}
_CLASS = """\
class grad_mode:
    # torch.set_grad_enabled, as TorchScript takes it
    def __init__(self, enabled: bool):
        self.enabled = enabled
        self.before = enabled

    def __enter__(self):
        self.before = {torch}.is_grad_enabled()
        {torch}.set_grad_enabled(self.enabled)

    def __exit__(self, type: {any}, value: {any}, traceback: {any}):
        {torch}.set_grad_enabled(self.before)


"""
_HEAD = """\
import contextlib
from typing import Any

import torch
from torch import nn


"""
_MODEL = """\
class Model(nn.Module):
    def __init__(self, freeze: bool = True):
        super().__init__()
        self.freeze = freeze
        self.body = nn.Linear(4, 4)
        self.head = nn.Linear(4, 2)

    def forward(self, x):
        # the backbone may stay as it is
        with {context}:
            x = self.body(x)
        return self.head(x)
"""


def _example(before: str, after: str, error: str) -> Example:
    """An example of what stands after ``with``."""
    return Example(
        before=_HEAD + _MODEL.format(context=before),
        after=_HEAD + _CLASS.format(any="Any", torch="torch") + _MODEL.format(context=after),
        inputs="[(torch.randn(2, 4),), (torch.randn(3, 4),)]",
        breaks=Target.SCRIPT,
        error=error,
    )


class GradMode(Rule):
    """Choose the grad mode by a small class that TorchScript compiles.

    Of torch's contexts for gradients TorchScript knows `torch.no_grad()` alone. It does know `torch.set_grad_enabled`
    as a function, and takes classes with `__enter__` and `__exit__` for contexts. So `with torch.set_grad_enabled(c):`
    becomes `with grad_mode(c):`, a class which the file gets; so do `torch.enable_grad()` and the choice between
    `torch.no_grad()` and a context that does nothing, which keeps the mode as it is.

    Left alone: `torch.set_grad_enabled(False)`, which is `torch.no_grad()`; `torch.inference_mode`; choices whose
    condition is not surely a bool; contexts with a name by `as`, or in a variable that is also used otherwise.

    Source: "With item expression must return an object", raised by torch/csrc/jit/frontend/ir_emitter.cpp.
    """

    name = "grad-mode"
    targets = frozenset({Target.SCRIPT})
    answers = frozenset({"context-manager", "variable-arguments", "unknown-builtin-op", "undefined-value"})
    examples = [
        _example(
            "torch.set_grad_enabled(not self.freeze)",
            "grad_mode(not self.freeze)",
            "With item expression must return an object",
        ),
        _example(
            "torch.no_grad() if self.freeze else contextlib.ExitStack()",
            "grad_mode(not self.freeze and torch.is_grad_enabled())",
            "",
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        if not file.mentions("set_grad_enabled", "enable_grad", "no_grad"):
            return
        for function in file.functions:
            for item in function.of(ast.withitem):
                context = _held(function, item.context_expr)
                found = _mode(function, context) if item.optional_vars is None else None
                if found is None:
                    continue
                mode, pieces = found
                torch, more = file.spell("torch")  # TorchScript knows `set_grad_enabled` as its attribute alone
                spelt, imports = file.spell("typing.Any")
                helper = Helper(file, _CLASS.format(any=spelt, torch=torch))
                edits: list[Edit] = [Replace(context, f"{helper.name}({mode})", pieces)]
                edits += before(function, [helper])
                needed = file.spell("torch.is_grad_enabled")[1] | (imports | more if helper.is_new else frozenset())
                message = f"TorchScript does not know the context `{shortened(context)}`"
                yield self.finding(
                    context,
                    f"{message}; write `{helper.name}`, a class that sets the mode",
                    *edits,
                    imports=needed,
                )
                return  # the next ones use the same class


def _held(function: Function, node: ast.expr) -> ast.expr:
    """The context that a variable holds, where it is bound once and only used after ``with``, under the mode that it
    is made in; else the node itself. `set_grad_enabled` sets the mode when it is made: the ``with`` must follow."""
    made, file = defined(function, node), function.file
    sets = [c for c in function.calls("torch.set_grad_enabled") if not isinstance(file.parents[c], ast.withitem)]
    if made is node or any(c is not made for c in sets):
        return node
    reads = [n for n in function.of(ast.Name) if n.id == ast.unparse(node) and isinstance(n.ctx, ast.Load)]
    block = file.block_of(file.statement_of(made))
    items = [item for n in reads if isinstance(item := file.parents[n], ast.withitem)]
    entered = [file.parents[item] for item in items]
    if len(entered) < len(reads) or any(w not in block for w in entered):
        return node
    after = block[block.index(file.statement_of(made)) + 1 :]
    follows = after[:1] == entered[:1] and isinstance(after[0], ast.With) and after[0].items[0] is items[0]
    return made if follows or not sets else node


def _mode(function: Function, node: ast.expr) -> tuple[str, dict[str, ast.expr]] | None:
    """Whether a context has gradients computed: a template and its pieces; None for other contexts."""
    file = function.file
    if isinstance(node, ast.Call) and file.origin(node.func) == "torch.set_grad_enabled":
        values = [*node.args, *(k.value for k in node.keywords)]
        if len(values) != 1 or isinstance(values[0], (ast.Constant, ast.Starred)):
            return ("True", {}) if [ast.unparse(v) for v in values] == ["True"] else None
        return "{mode}", {"mode": values[0]}
    if _named(function, node) == "yes":
        return "True", {}
    if not isinstance(node, ast.IfExp):
        return None
    enabled = f"{file.spell('torch.is_grad_enabled')[0]}()"
    is_not, test = False, node.test
    while isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        is_not, test = not is_not, test.operand
    sides = (_named(function, node.body), _named(function, node.orelse))
    yes, no = sides[::-1] if is_not else sides
    if function.type_of(test) != BOOL:
        return None
    opened = isinstance(test, (ast.BoolOp, ast.IfExp))
    asked = "({test})" if opened else "{test}"
    forms = {
        ("no", "as before"): f"not {asked} and {enabled}",
        ("as before", "no"): f"{asked} and {enabled}",
        ("no", "yes"): f"not {asked}",
        ("yes", "no"): "{test}",
        ("yes", "as before"): f"{asked} or {enabled}",
        ("as before", "yes"): f"not {asked} or {enabled}",
    }
    form = forms.get((yes or "", no or ""))
    return (form, {"test": test}) if form is not None else None


def _named(function: Function, node: ast.expr) -> str | None:
    """What a context without arguments does to the mode; None for other contexts."""
    if not isinstance(node, ast.Call) or node.args or node.keywords:
        return None
    return _MODES.get(function.file.origin(node.func))
