"""type-comparison."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from tsrefactor.facts.definitions import Function
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.placement import only_eager
from tsrefactor.facts.types import TENSOR
from tsrefactor.source.edits import Pieces, Replace
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings, preview

_CLASSES = ("list", "tuple", "dict", "str", "int", "float", "bool", "torch.Tensor")
_COUNT_TOO = {
    "tuple": "a namedtuple or a `torch.Size` counts as a tuple, too",
    "int": "a bool counts as an int, too",
    "torch.Tensor": "a Parameter counts as a Tensor, too",
}
_ONE = (ast.Is, ast.IsNot, ast.Eq, ast.NotEq)
_NEGATED = (ast.IsNot, ast.NotEq, ast.NotIn)


def _example(before: str, after: str) -> Example:
    head = "import torch\nfrom torch import nn\n\n\nclass Model(nn.Module):\n"
    inputs = "[(torch.rand(2, 4),), (torch.rand(3, 5),)]"
    return Example(
        head + before, head + after, inputs, Target.SCRIPT, error="cannot be used as a value|aten::type|type\\("
    )


class TypeComparison(Rule):
    """Ask by `isinstance` what a value is, where code compares its type.

    TorchScript has no types as values: `type(x) is list` does not compile, `isinstance(x, list)` is decided when it
    does. `type(x) != tuple` becomes `not isinstance(x, tuple)`, `type(x) in (list, tuple)` becomes
    `isinstance(x, (list, tuple))`, `type(x) == type(None)` becomes `x is None`.

    `isinstance` is true for a subclass, too: a `torch.Size` is a tuple, a bool is an int. Where the value is not known
    to be something else, the finding counts as presumed and says so.

    Left alone: classes other than Python's own containers and numbers and `torch.Tensor`, and two types that are
    compared with each other.

    Source: "Python type cannot be used as a value", raised by torch/csrc/jit/python/python_sugared_value.cpp; in a
    scripted graph `type(x)` is `aten::type`.
    """

    name = "type-comparison"
    targets = frozenset({Target.SCRIPT})
    answers = frozenset({"python-value-as-value", "not-a-value", "python-type-as-value", "arguments-not-valid"})
    examples = [
        _example(
            """\
    def forward(self, x: torch.Tensor):
        if type(x) == list or type(x) is tuple:
            x = x[0]  # of several scales
        return x * 2
""",
            """\
    def forward(self, x: torch.Tensor):
        if isinstance(x, list) or isinstance(x, tuple):
            x = x[0]  # of several scales
        return x * 2
""",
        ),
        _example(
            """\
    def join(self, xs: list[torch.Tensor], mask: torch.Tensor | None):
        if type(xs) not in [list, tuple]:
            raise TypeError("a list")
        return torch.cat(xs) if type(mask) == type(None) else torch.cat(xs) * mask

    def forward(self, x):
        return self.join([x, x + 1], None)
""",
            """\
    def join(self, xs: list[torch.Tensor], mask: torch.Tensor | None):
        if not isinstance(xs, (list, tuple)):
            raise TypeError("a list")
        return torch.cat(xs) if mask is None else torch.cat(xs) * mask

    def forward(self, x):
        return self.join([x, x + 1], None)
""",
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        if not file.mentions("type("):
            return
        for function in file.functions:
            for node in function.of(ast.Compare):
                value = _value(function, node.left)
                if value is None or len(node.ops) != 1 or only_eager(file, node):
                    continue
                written = _written(file, node, value)
                if written is None:
                    continue
                template, pieces, classes = written
                sure = not classes or ("torch.Tensor" not in classes and function.type_of(value) == TENSOR)
                yield self.finding(
                    node,
                    f"TorchScript has no types as values; write `{preview(template, pieces)}`",
                    Replace(node, template, pieces),
                    presumed=not sure,
                    caveat=None if sure else _counting_too(classes),
                )


def _value(function: Function, node: ast.expr) -> ast.expr | None:
    """``x`` of ``type(x)``."""
    plain = isinstance(node, ast.Call) and len(node.args) == 1 and not node.keywords
    if not plain or not isinstance(node, ast.Call) or isinstance(node.args[0], ast.Starred):
        return None
    named = isinstance(node.func, ast.Name) and node.func.id == "type"
    return node.args[0] if named and not function.types.bindings.shadows("type") else None


def _written(file: FileFacts, node: ast.Compare, value: ast.expr) -> tuple[str, Pieces, list[str]] | None:
    """The template that asks for the same, its pieces, and the classes of `isinstance` in it."""
    asked, negated = node.comparators[0], isinstance(node.ops[0], _NEGATED)
    if isinstance(node.ops[0], _ONE):
        if ast.unparse(asked) == "type(None)" or file.origin(asked) == "types.NoneType":
            return f"{{x}} is {'not ' if negated else ''}None", {"x": value}, []
        classes = [asked]
    elif isinstance(node.ops[0], (ast.In, ast.NotIn)) and isinstance(asked, (ast.Tuple, ast.List, ast.Set)):
        classes = asked.elts
    else:
        return None
    named = [file.origin(c) for c in classes]
    if not classes or any(n not in _CLASSES for n in named):
        return None
    pieces: Pieces = {"x": value, **{f"c{i}": c for i, c in enumerate(classes)}}
    names = ", ".join(f"{{c{i}}}" for i in range(len(classes)))
    call = f"isinstance({{x}}, {names if len(classes) == 1 else f'({names})'})"
    return (f"not {call}" if negated else call), pieces, named


def _counting_too(classes: Sequence[str]) -> str:
    """What `isinstance` takes for one of the classes, and a comparison of types does not."""
    return "; ".join(_COUNT_TOO[c] for c in classes if c in _COUNT_TOO) or "an instance of a subclass counts, too"
