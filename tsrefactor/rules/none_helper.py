"""none-helper."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tsrefactor.facts.definitions import Function
from tsrefactor.facts.file import FileFacts
from tsrefactor.source.edits import Replace
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings, preview

_ARE_CALLABLE = ("callable", "inspect.isfunction")
_IS_GIVEN, _IS_NONE = "{value} is not None", "{value} is None"
_OPPOSITE = {_IS_GIVEN: _IS_NONE, _IS_NONE: _IS_GIVEN}


class NoneHelper(Rule):
    """Write out helpers that only test for None.

    TorchScript knows that a value is not None below a test that it sees in the same function. `if exists(mask):`, where
    `def exists(val): return val is not None`, tells it nothing, and `exists` would need one type for all that it is
    asked of. `mask is not None` is what it means. So is `x if x is not None else d` for `default(x, d)`, and with the
    body of a lambda for `d` where the helper calls that.

    Left alone: helpers that do anything else; `default` of an expression that is more than a name, an attribute or a
    constant: it would be evaluated twice, or no longer always; a `d` that may be a function, where the helper calls it.

    Source: https://docs.pytorch.org/docs/stable/jit_language_reference.html#optional-type-refinement.
    """

    name = "none-helper"
    targets = frozenset({Target.SCRIPT})
    answers = frozenset(
        "argument-type arguments-not-valid optional-refinement undefined-tensor default-type none-to-bool"
        " missing-attribute not-a-value python-value-as-value".split()
    )
    examples = [
        Example(
            before="""\
from typing import Optional
import torch
from torch import nn


def exists(val):
    return val is not None


def default(val, d):
    return val if exists(val) else d


class Model(nn.Module):
    def forward(self, x, mask: Optional[torch.Tensor] = None, context: Optional[torch.Tensor] = None):
        context = default(context, x)
        if exists(mask):
            x = x.masked_fill(mask, 0.0)  # padding
        return x @ context.t()
""",
            after="""\
from typing import Optional
import torch
from torch import nn


def exists(val):
    return val is not None


def default(val, d):
    return val if val is not None else d


class Model(nn.Module):
    def forward(self, x, mask: Optional[torch.Tensor] = None, context: Optional[torch.Tensor] = None):
        context = context if context is not None else x
        if mask is not None:
            x = x.masked_fill(mask, 0.0)  # padding
        return x @ context.t()
""",
            inputs="[(torch.rand(3, 4),), (torch.rand(3, 4), torch.ones(3, 4) > 0, torch.rand(2, 4))]",
            breaks=Target.SCRIPT,
            error=r"but instead found type 'Optional\[Tensor\]'",
        ),
        Example(
            before="""\
from inspect import isfunction
from typing import Optional
import torch
from torch import nn


def default(val, d):
    if val is not None:
        return val
    return d() if isfunction(d) else d


class Model(nn.Module):
    def forward(self, x, noise: Optional[torch.Tensor] = None):
        noise = default(noise, lambda: torch.zeros_like(x))  # none at all
        return x + noise
""",
            after="""\
from inspect import isfunction
from typing import Optional
import torch
from torch import nn


def default(val, d):
    if val is not None:
        return val
    return d() if isfunction(d) else d


class Model(nn.Module):
    def forward(self, x, noise: Optional[torch.Tensor] = None):
        noise = noise if noise is not None else torch.zeros_like(x)  # none at all
        return x + noise
""",
            inputs="[(torch.rand(3, 4),), (torch.rand(3, 4), torch.rand(3, 4))]",
            breaks=Target.SCRIPT,
            error="Lambda aren't supported",
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        if not file.mentions("is not None", "is None"):
            return
        helpers: dict[str, str] = {}
        calling: set[str] = set()  # those that call what is given in the place of None
        for function in file.all_functions:
            template = _test(function) or _choice(function, helpers)
            if template is not None:
                helpers[function.name] = template
                if any(function.calls(*_ARE_CALLABLE)):
                    calling.add(function.name)
        for function in file.functions if helpers else ():
            for node in function.of(ast.Call):
                if isinstance(node.func, ast.Name) and node.func.id in helpers:
                    finding = self._written_out(function, node, helpers[node.func.id], node.func.id in calling)
                    if finding is not None:
                        yield finding

    def _written_out(self, function: Function, call: ast.Call, template: str, calls: bool) -> Finding | None:
        assert isinstance(call.func, ast.Name)
        wanted = 2 if "{other}" in template else 1
        starred = any(isinstance(a, ast.Starred) for a in call.args)
        if call.keywords or starred or len(call.args) != wanted or call.func.id in function.flow.local_names:
            return None
        given = list(call.args)
        if calls and isinstance(given[1], ast.Lambda) and not ast.unparse(given[1].args):
            given[1] = given[1].body  # computed where the value is None, and only there
        elif calls and not function.type_of(given[1]).known:
            return None  # it may be a function
        if wanted == 2 and not all(map(_plain, given if given[1] is call.args[1] else given[:1])):
            return None
        pieces = dict(zip(("value", "other"), given, strict=False))
        replaced: ast.expr = call
        parent = function.file.parents[call]
        if wanted == 1 and isinstance(parent, ast.UnaryOp) and isinstance(parent.op, ast.Not):
            template, replaced = _OPPOSITE[template], parent
        message = f"TorchScript does not see what `{call.func.id}` tests; write `{preview(template, pieces)}`"
        return self.finding(call, message, Replace(replaced, template, pieces))


def _body(function: Function, parameters: int) -> list[ast.stmt]:
    """What a module-level function of so many plain parameters does, without its docstring; nothing for others."""
    a = function.node.args
    plain = not (a.vararg or a.kwarg or a.kwonlyargs or a.defaults or function.node.decorator_list)
    if function.cls is not None or "." in function.qualname or len(a.args) != parameters or not plain:
        return []
    body = function.node.body
    return body[1:] if ast.get_docstring(function.node, clean=False) is not None else body


def _test(function: Function) -> str | None:
    """``{value} is not None`` where that is all that the function returns, or ``{value} is None``."""
    body = _body(function, 1)
    returned = body[0].value if len(body) == 1 and isinstance(body[0], ast.Return) else None
    return _none_test(returned, function.node.args.args[0].arg) if returned is not None else None


def _none_test(node: ast.expr, name: str) -> str | None:
    if not isinstance(node, ast.Compare) or not isinstance(node.left, ast.Name) or node.left.id != name:
        return None
    against = node.comparators[0]
    if len(node.ops) != 1 or not isinstance(against, ast.Constant) or against.value is not None:
        return None
    return {ast.IsNot: _IS_GIVEN, ast.Is: _IS_NONE}.get(type(node.ops[0]))


def _choice(function: Function, tests: dict[str, str]) -> str | None:
    """``{value} if {value} is not None else {other}`` where the function returns just that of its two parameters, or
    calls the other where it is a function.
    """
    body = _body(function, 2)
    match body:
        case [ast.Return(value=ast.IfExp(test=test, body=first, orelse=second))]:
            pass
        case [
            ast.If(test=test, body=[ast.Return(value=ast.expr() as first)], orelse=[]),
            ast.Return(value=ast.expr() as second),
        ]:
            pass
        case _:
            return None
    value, other = (a.arg for a in function.node.args.args)
    second = _uncalled(function, second, other)
    called = test.func if isinstance(test, ast.Call) and len(test.args) == 1 and not test.keywords else None
    if isinstance(called, ast.Name):
        asked = isinstance(test.args[0], ast.Name) and test.args[0].id == value  # type: ignore[attr-defined]
        form = tests.get(called.id) if asked else None
    else:
        form = _none_test(test, value)
    names = [n.id if isinstance(n, ast.Name) else "" for n in (first, second)]
    if form != _IS_GIVEN or names != [value, other]:
        return None
    return "{value} if {value} is not None else {other}"


def _uncalled(function: Function, node: ast.expr, name: str) -> ast.expr:
    """``d`` of ``d() if callable(d) else d``; any other expression as it is."""
    if not isinstance(node, ast.IfExp):
        return node
    test, first, second = node.test, node.body, node.orelse
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        test, first, second = test.operand, second, first
    asks = isinstance(test, ast.Call) and function.file.origin(test.func) in _ARE_CALLABLE
    same = asks and ast.unparse(first) == f"{name}()" and ast.unparse(test.args[0]) == name  # type: ignore[attr-defined]
    return second if same else node


def _plain(node: ast.expr) -> bool:
    """Whether it may be evaluated twice, or not at all, with no difference."""
    if isinstance(node, ast.Attribute):
        return _plain(node.value)
    return isinstance(node, (ast.Name, ast.Constant))
