"""out-of-place."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tsrefactor.facts.definitions import Function
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.nodes import walk
from tsrefactor.facts.signatures import function_at
from tsrefactor.facts.types import TENSOR, UNKNOWN
from tsrefactor.source.edits import Edit, Replace
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings, kept_arguments

_FIRST = frozenset(f"torch.nn.{n}" for n in ("ReLU", "ReLU6", "SELU", "SiLU", "Mish", "Hardswish", "Hardsigmoid"))
"""Layers whose first parameter is ``inplace``."""
_NEW = frozenset(
    f"torch.nn.{n}" for n in ("Linear", "Bilinear", "Embedding", "LayerNorm", "Conv1d", "Conv2d", "Conv3d")
)
"""Layers that never give back what they are given."""
_ATOMS = (ast.Name, ast.Attribute, ast.Call, ast.Subscript)
_INPUTS = "[(torch.rand(2, 5, 4),), (torch.rand(3, 4, 4) - 0.5,)]"


def _example(before: str, after: str) -> Example:
    head = "from torch import nn\n\n\nclass Model(nn.Module):\n"
    error = "view of a leaf Variable that requires grad is being used in an in-place operation"
    return Example(head + before, head + after, _INPUTS, Target.TRACE, "run-error", error)


class OutOfPlace(Rule):
    """Compute anew where a traced program refuses to update in place.

    A trace that runs with gradients joins operations into blocks that it differentiates itself (a normalisation and the
    linear layer after it). From the second call on, what such a block gives counts as a view of parameters, and an
    update of it in place raises, though eager does it. `y = y + x` for `y += x`, and an activation without `inplace`,
    give the same; they take the memory that the update saved.

    Left alone: everything but the statement that the error names and the layers that it calls, where these are written
    out in the constructor; updates by what needs parentheses, or of what may be another name for an argument.

    Source: a trace of `nn.Sequential(nn.LayerNorm(4), nn.Linear(4, 4), nn.ReLU(inplace=True))`, called twice.
    """

    name = "out-of-place"
    targets = frozenset({Target.TRACE, Target.SCRIPT})
    needs_diagnosis = True
    answers = frozenset({"in-place-on-leaf"})
    examples = [
        _example(
            """\
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.LayerNorm(4), nn.Linear(4, 4))

    def forward(self, x):
        y = self.body(x)
        y += x  # the shortcut
        return y
""",
            """\
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.LayerNorm(4), nn.Linear(4, 4))

    def forward(self, x):
        y = self.body(x)
        y = y + x  # the shortcut
        return y
""",
        ),
        _example(
            """\
    def __init__(self):
        super().__init__()
        self.norm = nn.LayerNorm(4)
        self.layers = nn.Sequential(nn.Linear(4, 8), nn.ReLU(inplace=True), nn.Linear(8, 4))

    def forward(self, x):
        return self.layers(self.norm(x)) + x
""",
            """\
    def __init__(self):
        super().__init__()
        self.norm = nn.LayerNorm(4)
        self.layers = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 4))

    def forward(self, x):
        return self.layers(self.norm(x)) + x
""",
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        seen: set[ast.stmt] = set()
        for diagnosis in self.diagnoses(file):
            assert diagnosis.place is not None
            line = diagnosis.place.line
            function = function_at(file, line)
            statements = function.statements if function is not None else ()
            for statement in statements:
                if not statement.lineno <= line <= (statement.end_lineno or line) or statement in seen:
                    continue
                seen.add(statement)
                assert function is not None
                edits = _edits(function, statement)
                if edits:
                    message = "a traced program refuses to update this in place; compute it anew"
                    yield self.finding(statement, message, *edits, answers=diagnosis)


def _edits(function: Function, statement: ast.stmt) -> list[Edit]:
    if isinstance(statement, ast.AugAssign):
        target, value = statement.target, statement.value
        plain = isinstance(target, ast.Name) and isinstance(statement.op, ast.Add) and isinstance(value, _ATOMS)
        if plain and function.type_of(target) in (TENSOR, UNKNOWN) and _is_computed(function, statement):
            pieces = {"target": target, "value": value}
            return [Replace([statement], "{target} = {target} + {value}", pieces)]
    calls = [n for n in walk(statement) if isinstance(n, ast.Call)]
    for call in list(calls):
        called = call.func.value if isinstance(call.func, ast.Subscript) else call.func  # self.layers[0](x)
        attribute = function.self_attribute(called)
        if attribute is not None and function.cls is not None:
            for _, assigned in function.cls.assigned.get(attribute, ()):
                calls += _written_out(function.file, assigned)
    return [edit for call in dict.fromkeys(calls) if (edit := _without(function.file, call)) is not None]


def _is_computed(function: Function, statement: ast.AugAssign) -> bool:
    """Whether the name holds what a call has given, rather than an argument or a part of something else."""
    assert isinstance(statement.target, ast.Name)
    name = statement.target.id
    values = function.types.bindings.values.get(name, ())
    given = [v for v in values if v is not statement.value and v is not statement]
    if any(p.name == name for p in function.parameters) and not _is_anew(function, name, statement):
        return False
    return bool(given) and all(isinstance(v, (ast.Call, ast.BinOp)) for v in given)


def _is_anew(function: Function, name: str, statement: ast.stmt) -> bool:
    """Whether a layer that always makes a new tensor has bound the name before, in the same block."""
    block, cls = function.file.block_of(statement), function.cls
    for before in block[: block.index(statement)]:
        value = before.value if isinstance(before, ast.Assign) else None
        attribute = function.self_attribute(value.func) if isinstance(value, ast.Call) else None
        if cls is None or attribute is None or name not in function.flow.always_writes([before]):
            continue
        made = [v for _, v in cls.assigned.get(attribute, ())]
        if made and all(isinstance(v, ast.Call) and function.file.origin(v.func) in _NEW for v in made):
            return True
    return False


def _written_out(file: FileFacts, value: ast.expr | None) -> list[ast.Call]:
    """A layer's call of its class, and those of the layers in a Sequential or a ModuleList."""
    if isinstance(value, ast.ListComp):
        return _written_out(file, value.elt)
    if isinstance(value, ast.List):
        return [call for e in value.elts for call in _written_out(file, e)]
    if not isinstance(value, ast.Call):
        return []
    if file.origin(value.func) not in ("torch.nn.Sequential", "torch.nn.ModuleList"):
        return [value]
    return [call for a in value.args for call in _written_out(file, a)]


def _without(file: FileFacts, call: ast.Call) -> Edit | None:
    """The call of an activation without ``inplace``; None where it has none that is written out."""
    origin = file.origin(call.func)
    if not origin.startswith("torch.nn.") or any(k.arg is None for k in call.keywords):
        return None
    keywords = [k for k in call.keywords if k.arg != "inplace"]
    arguments = call.args
    given = [k.value for k in call.keywords if k.arg == "inplace"]
    if origin in _FIRST and arguments:
        given, arguments = arguments[:1], arguments[1:]
    if not given or not isinstance(given[0], ast.Constant) or given[0].value is not True:
        return None
    parts, pieces = kept_arguments(arguments, keywords)
    return Replace(call, f"{{called}}({', '.join(parts)})", {**pieces, "called": call.func})
