"""cold-arm."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tsrefactor.facts.cold import negated, told
from tsrefactor.facts.definitions import Function
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.signatures import function_at
from tsrefactor.facts.types import TOP, UNKNOWN, Type
from tsrefactor.source.edits import Replace
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings

_HEAD = "import torch\nfrom torch import nn\n\n\nclass Model(nn.Module):\n"
_SCRIPTING = "torch.jit.is_scripting"


def _example(before: str, after: str) -> Example:
    inputs = "[(torch.rand(3, 4),), (torch.rand(2, 4),)]"
    error = "if-expression's true branch has type|a conditional expression is"
    return Example(_HEAD + before, _HEAD + after, inputs, Target.SCRIPT, error=error, recorded=True)


class ColdArm(Rule):
    """Write `if` and `else` where a conditional expression has arms of unlike types, and raise in the one never taken.

    Both arms of `(x, weights) if with_weights else x` must have one type for TorchScript, which has no type for a tuple
    of one or two elements, or for a tensor or a tuple. In an `if` statement a branch may raise instead:
    `if torch.jit.is_scripting(): raise RuntimeError(…)` leaves it out. Eager runs as before; the scripted model fails
    loudly when it is asked for what it does not give. The migration is then *partial*, and the report lists the line.

    The rule comes after those that let a constant of the instance decide. It looks at what is returned or assigned,
    where the recorded value has the type of one arm only, or a parameter that is False by default decides about a tuple
    that grows later. Left alone: conditional expressions inside others; arms that
    the recorded type does not tell apart.

    Source: `emitIfExpr` in torch/csrc/jit/frontend/ir_emitter.cpp unifies the types of both arms; what follows a
    `raise` is left out there.
    """

    name = "cold-arm"
    targets = frozenset({Target.SCRIPT})
    answers = frozenset({"branch-type"})
    needs_diagnosis = True
    fallback = True
    examples = [
        _example(
            """\
    def forward(self, x, with_weights: bool = False):
        weights = x.softmax(-1)
        # the weights only on request
        return (weights * x, weights) if with_weights else weights * x
""",
            """\
    def forward(self, x, with_weights: bool = False):
        weights = x.softmax(-1)
        # the weights only on request
        if with_weights:
            if torch.jit.is_scripting():
                raise RuntimeError('Model.forward does not support `with_weights` under TorchScript')
            return (weights * x, weights)
        else:
            return weights * x
""",
        ),
        _example(
            """\
    def forward(self, x, short: bool = False):
        outputs = (x,) if short else (x, x.softmax(-1))
        return outputs
""",
            """\
    def forward(self, x, short: bool = False):
        if short:
            if torch.jit.is_scripting():
                raise RuntimeError('Model.forward does not support `short` under TorchScript')
            outputs = (x,)
        else:
            outputs = (x, x.softmax(-1))
        return outputs
""",
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        for diagnosis in self.diagnoses(file):
            chosen = file.node_at(diagnosis, ast.IfExp)
            function = function_at(file, chosen.lineno) if isinstance(chosen, ast.IfExp) else None
            if function is None or not isinstance(chosen, ast.IfExp):
                continue
            statement = file.parents[chosen]
            cold = _cold_arm(function, statement, chosen)
            if not isinstance(statement, (ast.Assign, ast.Return)) or cold is None:
                continue
            scripting, imports = file.spell(_SCRIPTING)
            path = told(chosen.test if cold is chosen.body else negated(chosen.test))
            yield self.finding(
                chosen,
                "TorchScript has one type for both arms; raise in the one that no run took",
                _written_out(statement, chosen, cold, scripting, f"{function.qualname} does not support {path}"),
                imports=imports,
                partial=True,
                answers=diagnosis,
            )


def _written_out(
    statement: ast.Assign | ast.Return, chosen: ast.IfExp, cold: ast.expr, scripting: str, unsupported: str
) -> Replace:
    guard = f"    if {scripting}():\n        raise RuntimeError({{message}})\n"
    left = "return" if isinstance(statement, ast.Return) else "{target} ="
    pieces: dict[str, str | ast.expr] = {
        "test": chosen.test, "body": chosen.body, "orelse": chosen.orelse,
        "message": repr(f"{unsupported} under TorchScript"),
    }  # fmt: skip
    if isinstance(statement, ast.Assign):
        pieces["target"] = statement.targets[0]
    first, second = (guard, "") if cold is chosen.body else ("", guard)
    template = f"if {{test}}:\n{first}    {left} {{body}}\nelse:\n{second}    {left} {{orelse}}"
    return Replace([statement], template, pieces)


def _cold_arm(function: Function, statement: ast.AST, chosen: ast.IfExp) -> ast.expr | None:
    """The arm that has another type than what was recorded; where a tuple may have grown since, the one that the
    default of a parameter does not take."""
    recorded = _recorded(function, statement, chosen)
    if recorded == TOP:
        default = next((p.default for p in function.parameters if _is_named(chosen.test, p.name)), None)
        off = isinstance(default, ast.Constant) and isinstance(default.value, bool) and not default.value
        return chosen.body if off else None
    if not recorded.known or recorded.name in ("Optional", "Union"):
        return None
    fits = [_fits(function, arm, recorded) for arm in (chosen.body, chosen.orelse)]
    if fits == [True, False]:
        return chosen.orelse
    return chosen.body if fits == [False, True] else None


def _recorded(function: Function, statement: ast.AST, chosen: ast.IfExp) -> Type:
    """What runs returned, or had in the variable at last, where that tells what the arm taken gave."""
    seen = function.observed
    match statement:
        case ast.Return() if seen is not None:
            return seen.returns
        case ast.Assign(targets=[ast.Name(id=name)]) if seen is not None:
            last = seen.locals.get(name, UNKNOWN)
            later = [v for v in function.bindings.values.get(name, ()) if v is not chosen]
            if not later or (all(_grows(v, name) for v in later) and _is_shortest(chosen, last)):
                return last
            return TOP if all(_grows(v, name) for v in later) else UNKNOWN
    return UNKNOWN


def _is_named(node: ast.expr, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def _grows(value: ast.expr | Type, name: str) -> bool:
    """``outputs + (more,)``."""
    return isinstance(value, ast.BinOp) and _is_named(value.left, name)


def _is_shortest(chosen: ast.IfExp, last: Type) -> bool:
    """Whether a tuple that may have grown since has the length of the shorter arm."""
    lengths = [len(a.elts) for a in (chosen.body, chosen.orelse) if isinstance(a, ast.Tuple)]
    return len(lengths) == 2 and len(last.args) == min(lengths)


def _fits(function: Function, arm: ast.expr, recorded: Type) -> bool | None:
    """Whether an arm can have given a value of the type; None where that is not known."""
    if isinstance(arm, ast.Tuple):
        starred = any(isinstance(e, ast.Starred) for e in arm.elts)
        return None if starred else recorded.name == "Tuple" and len(recorded.args) == len(arm.elts)
    given = function.type_of(arm, presume=True)
    return given == recorded if given.known else None
