"""format-in-message."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tsrefactor.facts.definitions import Function
from tsrefactor.facts.effects import is_effect
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.placement import only_eager
from tsrefactor.source.edits import Piece, Replace
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings

_CONVERSIONS = {-1: "", 114: "!r", 115: "!s", 97: "!a"}


class FormatInMessage(Rule):
    """Call `format` for a message where an f-string has a format.

    TorchScript takes f-strings only without conversions (`!r`) and formats (`:.2f`), and refuses others while it
    parses. `'… {:.2f}'.format(x)` is parsed, and gives eager the same text. The scripted model raises as well, with a
    message of TorchScript's own making.

    What is printed or logged is left to eager, under `if not torch.jit.is_scripting():`.

    Left alone: f-strings in other places, whose text would differ; formats that are computed; several strings that are
    joined by standing side by side.

    Source: "Don't support formatting in JoinedStr", raised by torch/jit/frontend.py.
    """

    name = "format-in-message"
    targets = frozenset({Target.SCRIPT})
    answers = frozenset({"unsupported-syntax"})
    examples = [
        Example(
            before="""\
from torch import nn


class Model(nn.Module):
    def forward(self, x):
        if x.dim() > 3:
            raise ValueError(f"at most {3:d} dimensions, not {x.shape!r}")  # {sic}
        assert x.dim() > 0, f'{{empty}}: {x.dim():>4}'
        return x * 2
""",
            after="""\
from torch import nn


class Model(nn.Module):
    def forward(self, x):
        if x.dim() > 3:
            raise ValueError("at most {:d} dimensions, not {!r}".format(3, x.shape))  # {sic}
        assert x.dim() > 0, '{{empty}}: {:>4}'.format(x.dim())
        return x * 2
""",
            inputs="[(torch.rand(2, 3),), (torch.rand(4, 3),)]",
            breaks=Target.SCRIPT,
            error="in JoinedStr",
        ),
        Example(
            before="""\
import torch
from torch import nn


class Model(nn.Module):
    def forward(self, x):
        print(f'mean {x.mean():.2f} of {len(x)}', f"{x.std().item():.1e}")  # while testing
        return x * 2
""",
            after="""\
import torch
from torch import nn


class Model(nn.Module):
    def forward(self, x):
        if not torch.jit.is_scripting():
            print('mean {:.2f} of {}'.format(x.mean(), len(x)), "{:.1e}".format(x.std().item()))  # while testing
        return x * 2
""",
            inputs="[(torch.rand(2, 3),), (torch.rand(4, 3),)]",
            breaks=Target.SCRIPT,
            error="in JoinedStr",
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        for function in file.functions:
            told: dict[ast.stmt, dict[ast.expr, str]] = {}
            for node in function.of(ast.JoinedStr):
                call = _as_call(function, node) if _is_formatted(node) else None
                if call is None:
                    continue
                if _in_message(function, node):
                    diagnoses = (d for d in self.diagnoses(file) if d.place and d.place.line == node.lineno)
                    message = "TorchScript parses no formats in f-strings; call `format`"
                    edit = Replace(node, "{call}", {"call": call})
                    yield self.finding(node, message, edit, answers=next(diagnoses, None))
                elif _tells(function, statement := file.statement_of(node)):
                    told.setdefault(statement, {})[node] = call
            for statement, calls in told.items():
                yield self._told(function, statement, calls)

    def _told(self, function: Function, statement: ast.stmt, calls: dict[ast.expr, str]) -> Finding:
        """A statement that prints or logs, with `format`, and only in eager."""
        file = function.file
        guard, imports = file.spell("torch.jit.is_scripting")
        lines = range(statement.lineno, (statement.end_lineno or statement.lineno) + 1)
        answered = next((d for d in self.diagnoses(file) if d.place and d.place.line in lines), None)
        left_out = only_eager(file, statement)
        template = "{body}" if left_out else f"if not {guard}():\n    {{body}}"
        return self.finding(
            statement,
            "TorchScript parses no formats in f-strings; call `format`, and only in eager",
            Replace([statement], template, {"body": Piece([statement], calls)}),
            imports=() if left_out else imports,
            answers=answered,
        )


def _tells(function: Function, statement: ast.stmt) -> bool:
    """Whether a statement only prints, warns or logs."""
    if not isinstance(statement, ast.Expr) or not isinstance(statement.value, ast.Call):
        return False
    return function.file.origin(statement.value.func) in ("print", "warnings.warn") or is_effect(function, statement)


def _is_formatted(node: ast.JoinedStr) -> bool:
    values = [v for v in node.values if isinstance(v, ast.FormattedValue)]
    return any(v.conversion != -1 or v.format_spec is not None for v in values)


def _in_message(function: Function, node: ast.expr) -> bool:
    """Whether it only serves an error: inside `raise`, or the message of an `assert`."""
    at: ast.AST = node
    while not isinstance(parent := function.file.parents[at], ast.stmt):
        at = parent
    return isinstance(parent, ast.Raise) or (isinstance(parent, ast.Assert) and at is parent.msg)


def _as_call(function: Function, node: ast.JoinedStr) -> str | None:
    """The call of `format`, in the author's quotes."""
    text = ""
    pieces: dict[str, ast.expr] = {}
    for value in node.values:
        if isinstance(value, ast.Constant):
            text += str(value.value).replace("{", "{{").replace("}", "}}")
        elif isinstance(value, ast.FormattedValue):
            spec = value.format_spec
            literal = spec.values if isinstance(spec, ast.JoinedStr) else []
            if not all(isinstance(part, ast.Constant) for part in literal):
                return None
            written = "".join(str(part.value) for part in literal if isinstance(part, ast.Constant))
            text += "{" + _CONVERSIONS[value.conversion] + (f":{written}" if written else "") + "}"
            pieces[f"v{len(pieces)}"] = value.value
    source = function.file.source.segment(node)
    quote = source[1:2]
    if source[:1] not in "fF" or quote not in ("'", '"') or source[1:4] == quote * 3:
        return None
    if source.count(quote) != 2 or any(c in text for c in "\\\n" + quote):
        return None
    values = {name: ast.unparse(value) for name, value in pieces.items()}
    return f"{quote}{text}{quote}.format({', '.join(values.values())})"
