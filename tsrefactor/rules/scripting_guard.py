"""scripting-guard."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tsrefactor.facts.callers import callee
from tsrefactor.facts.definitions import Function
from tsrefactor.facts.diagnosis import Diagnosis
from tsrefactor.facts.effects import is_effect, only_checks
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.nodes import walk
from tsrefactor.facts.placement import only_eager
from tsrefactor.facts.scriptable import unparsed
from tsrefactor.facts.signatures import function_at
from tsrefactor.source.edits import Replace
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings

_ASKED = frozenset({"print", "warnings.warn"})  # of these, TorchScript takes only some forms


class ScriptingGuard(Rule):
    """Leave out under TorchScript what computes nothing: logging, warnings, prints, `flatten_parameters`, asserts.

    A statement that is only there for its effect on the outside goes under `if not torch.jit.is_scripting():`, whose
    body TorchScript parses and does not compile. Eager still does it.

    Always: calls of a logger and of `logging`, `flatten_parameters()` (a matter of memory layout on a GPU),
    `torch.cuda.empty_cache()` and the like, `print` with keywords, `warnings.warn` with a category. Where the compiler
    complains about them or they call numpy: other prints and warnings, and an `assert`, or a call of the file's own
    function that does nothing but assert, whose check TorchScript then does not make. A hook set with `register_hook`
    is not set there either. Both are caveats, always printed.

    Refused: what TorchScript cannot even parse (a lambda, a set, `f'{x:.2f}'`).

    Source: "attribute lookup is not defined on python value of type 'Logger'", "print doesn't accept any keyword
    arguments" and others, raised by torch/csrc/jit/frontend/ir_emitter.cpp; torch/nn/modules/rnn.py and torchvision
    guard their own code in the same way.
    """

    name = "scripting-guard"
    targets = frozenset({Target.SCRIPT})
    answers = frozenset({
        "attribute-on-python-value", "keyword-arguments", "variable-arguments", "not-a-value", "python-builtin",
        "python-value-as-value", "python-type-as-value", "unknown-builtin-op", "no-attribute-on-type",
        "undefined-value", "missing-python-attribute", "unknown-type-name", "arguments-not-valid", "argument-type",
        "argument-count", "size-of-list", "weak-reference", "unknown", "optional-refinement", "not-subscriptable",
        "unconvertible-attribute", "none-compare", "cast-to-bool", "annotation-form", "not-callable",
    })  # fmt: skip
    examples = [
        Example(
            before="""\
import logging

import torch
from torch import nn

logger = logging.getLogger(__name__)


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.GRU(4, 4)

    def forward(self, x):
        # one block of memory
        self.rnn.flatten_parameters()
        logger.debug('input %s', x.shape)
        y, _ = self.rnn(x)
        return y
""",
            after="""\
import logging

import torch
from torch import nn

logger = logging.getLogger(__name__)


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.GRU(4, 4)

    def forward(self, x):
        if not torch.jit.is_scripting():
            # one block of memory
            self.rnn.flatten_parameters()
            logger.debug('input %s', x.shape)
        y, _ = self.rnn(x)
        return y
""",
            inputs="[(torch.rand(2, 3, 4),), (torch.rand(5, 1, 4),)]",
            breaks=Target.SCRIPT,
            error="SetComp aren't supported",
        ),
        Example(
            before="""\
import numpy as np
import torch


class Model(torch.nn.Module):
    def forward(self, x):
        assert np.isfinite(x.detach().numpy()).all(), 'no numbers'
        return x * 2
""",
            after="""\
import numpy as np
import torch


class Model(torch.nn.Module):
    def forward(self, x):
        if not torch.jit.is_scripting():
            assert np.isfinite(x.detach().numpy()).all(), 'no numbers'
        return x * 2
""",
            inputs="[(torch.rand(2, 3),), (torch.rand(4, 3),)]",
            breaks=Target.SCRIPT,
            error="weak reference",
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        if not file.mentions_torch:
            return
        complaints = {d.place.line: d for d in self.diagnoses(file) if d.place is not None}
        failing = {_called_as(file, line): diagnosis for line, diagnosis in complaints.items()}
        for function in file.functions:
            run: list[ast.stmt] = []
            for statement in function.statements:
                check = _check(function, statement) if failing else None
                if check is not None and check in failing:
                    complaints[statement.lineno] = failing[check]
                elif not _only_effects(function, statement, complaints):
                    continue
                if _is_left_out(file, statement):
                    continue
                if run and not _follows(file, run[-1], statement):
                    yield self._guarded(function, run, complaints)
                    run = []
                run.append(statement)
            if run:
                yield self._guarded(function, run, complaints)

    def _guarded(self, function: Function, run: list[ast.stmt], complaints: dict[int, Diagnosis]) -> Finding:
        first, file = run[0], function.file
        answered = next((d for s in run if (d := _complaint(s, complaints)) is not None), None)
        if any(unparsed(n) for s in run for n in walk(s)):
            message = "TorchScript cannot compile this, nor parse it under `if not torch.jit.is_scripting():`"
            return self.finding(first, message, answers=answered)
        name, imports = file.spell("torch.jit.is_scripting")
        caveats = [c for s in run if (c := _caveat(function, s)) is not None]
        return self.finding(
            first,
            f"it computes nothing that TorchScript needs; put it under `if not {name}():`",
            Replace(run, f"if not {name}():\n    {{body}}", {"body": run}),
            imports=imports,
            caveat="; ".join(dict.fromkeys(caveats)) or None,
            answers=answered,
        )


def _is_left_out(file: FileFacts, statement: ast.stmt) -> bool:
    """Whether TorchScript does not compile it anyway, or, in a `try`, cannot parse what is around it."""
    outer = file.parents[statement]
    while isinstance(outer, (ast.stmt, ast.ExceptHandler)) and not isinstance(outer, ast.FunctionDef):
        if isinstance(outer, ast.Try):
            return True
        outer = file.parents[outer]
    return only_eager(file, statement)


def _only_effects(function: Function, statement: ast.stmt, complaints: dict[int, Diagnosis]) -> bool:
    """Whether a statement is there only for its effect on the outside, and TorchScript does not take it."""
    complained = _complaint(statement, complaints) is not None or _of_numpy(function.file, statement)
    if isinstance(statement, ast.Assert):
        return complained
    if not isinstance(statement, ast.Expr) or not isinstance(statement.value, ast.Call):
        return False
    call = statement.value
    origin = function.file.origin(call.func)
    if origin in _ASKED:
        categories = len(call.args) > 1 if origin == "warnings.warn" else False
        named = {k.arg for k in call.keywords} - ({"stacklevel"} if origin == "warnings.warn" else set())
        return complained or categories or bool(named)
    return is_effect(function, statement)


def _called_as(file: FileFacts, line: int) -> Function | None:
    """The function that holds a line, or that in whose place TorchScript compiles it."""
    function = function_at(file, line)
    name = function.stands_for if function is not None else None
    return file.function_named(name) if name is not None else function


def _check(function: Function, statement: ast.stmt) -> Function | None:
    """The function that a statement calls and that does no more than raise where something does not hold."""
    call = statement.value if isinstance(statement, ast.Expr) else None
    called = callee(function, call) if isinstance(call, ast.Call) else None
    return called if called is not None and only_checks(called) else None


def _of_numpy(file: FileFacts, statement: ast.stmt) -> bool:
    """Whether a statement calls numpy, which no error message places."""
    called = [n.func for n in walk(statement) if isinstance(n, ast.Call)]
    return any(file.origin(f).startswith("numpy.") or getattr(f, "attr", "") == "numpy" for f in called)


def _complaint(statement: ast.stmt, complaints: dict[int, Diagnosis]) -> Diagnosis | None:
    lines = range(statement.lineno, (statement.end_lineno or statement.lineno) + 1)
    return next((complaints[line] for line in lines if line in complaints), None)


def _follows(file: FileFacts, first: ast.stmt, second: ast.stmt) -> bool:
    """Whether a statement is the next one of the same block."""
    block = file.block_of(first)
    at = block.index(first) + 1
    return at < len(block) and block[at] is second


def _caveat(function: Function, statement: ast.stmt) -> str | None:
    if isinstance(statement, ast.Assert):
        return f"TorchScript does not check `{ast.unparse(statement.test)}`"
    if any(isinstance(n, ast.Attribute) and n.attr == "register_hook" for n in walk(statement)):
        return "TorchScript does not set the hook"
    return f"TorchScript does not check `{ast.unparse(statement)}`" if _check(function, statement) is not None else None
