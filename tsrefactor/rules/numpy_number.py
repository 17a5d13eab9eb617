"""numpy-number."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from tsrefactor.facts.definitions import Function
from tsrefactor.facts.diagnosis import Diagnosis
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.nodes import walk
from tsrefactor.facts.signatures import function_at
from tsrefactor.facts.types import FLOAT, INT
from tsrefactor.source.edits import Replace
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings, shortened

_NUMBER = re.compile(r"numpy\.(u?int\d*|longlong|float\d+|bool_?)")
_TO_ONE = frozenset("prod sum max min amax amin mean std var median argmax argmin".split())
_OF_EACH = frozenset("sqrt ceil floor log log2 log10 exp power round rint abs absolute square".split())
_TYPES = frozenset("int8 int16 int32 int64 intp int_ float16 float32 float64 bool_".split())
_HEAD = "import numpy as np\nimport torch\nfrom torch import nn\n\n\nclass Model(nn.Module):\n"


def _example(before: str, after: str) -> Example:
    inputs = "[(torch.rand(2, 3, 4),), (torch.rand(3, 3, 4),)]"
    error = "failed to convert Python type: 'numpy|not a valid constant"
    return Example(_HEAD + before, _HEAD + after, inputs, Target.SCRIPT, error=error, recorded=True)


class NumpyNumber(Rule):
    """Keep a number as Python's where a module keeps it as numpy's.

    TorchScript takes Python's numbers as attributes, not `numpy.int64`; nor do layers compile that were made with one.
    `self.size = np.prod(shape)` becomes `self.size = np.prod(shape).item()`, which is an int or a float, as numpy's
    number is.

    Left alone: what callers pass; results that may be arrays; numbers whose attributes are read (`.dtype`). Functions
    of one number (`np.sqrt(n)`, `np.int64(n)`) whose argument is not known to be a number, and 32-bit floats, count as
    presumed.

    Source: "failed to convert Python type: 'numpy.int64' to a TorchScript type", raised by
    torch/csrc/jit/python/python_sugared_value.cpp.
    """

    name = "numpy-number"
    targets = frozenset({Target.SCRIPT})
    needs_diagnosis = True
    answers = frozenset({"unconvertible-attribute", "constant-value"})
    examples = [
        _example(
            """\
    def __init__(self, shape=(3, 4)):
        super().__init__()
        self.size = np.prod(shape)  # of one sample
        self.fc = nn.Linear(self.size, 2)

    def forward(self, x):
        return self.fc(x.view(-1, self.size))
""",
            """\
    def __init__(self, shape=(3, 4)):
        super().__init__()
        self.size = np.prod(shape).item()  # of one sample
        self.fc = nn.Linear(self.size, 2)

    def forward(self, x):
        return self.fc(x.view(-1, self.size))
""",
        ),
        _example(
            """\
    def __init__(self, shape=(3, 4)):
        super().__init__()
        width = np.array(shape).max() // 2
        self.width = width

    def forward(self, x):
        return x[..., :self.width]
""",
            """\
    def __init__(self, shape=(3, 4)):
        super().__init__()
        width = (np.array(shape).max() // 2).item()
        self.width = width

    def forward(self, x):
        return x[..., :self.width]
""",
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        if not file.mentions("numpy"):
            return
        for diagnosis in self.diagnoses(file):
            found = _NUMBER.fullmatch(diagnosis.names.get("type", ""))
            if found is None:
                continue
            numbers: dict[ast.expr, bool] = {}
            for method, value in _values(file, diagnosis):
                if _is_used_as_numpys(method, value) or _is_used_as_numpys(method, diagnosis.names.get("attribute")):
                    numbers = {}
                    break
                for origin in _origins(method, value):
                    sure = _is_number(method, origin)
                    if sure is not None:
                        numbers[origin] = sure and "32" not in found[1]
            if numbers:
                first = min(numbers, key=lambda n: n.lineno)
                message = (
                    f"TorchScript takes no {found[0]} here; write `{_written(first).format(number=shortened(first))}`"
                )
                edits = [Replace(value, _written(value), {"number": value}) for value in numbers]
                yield self.finding(
                    first, message, *edits, presumed=not all(numbers.values()), answers=diagnosis
                )  # fmt: skip


def _values(file: FileFacts, diagnosis: Diagnosis) -> Iterator[tuple[Function, ast.expr]]:
    """What the attribute may hold, or what the layer is made with whose constant it is."""
    around = function_at(file, diagnosis.place.line) if diagnosis.place is not None else None
    if diagnosis.kind == "constant-value":
        call = file.node_at(diagnosis, ast.Call)
        arguments = [*call.args, *(k.value for k in call.keywords)] if isinstance(call, ast.Call) else []
        yield from ((around, argument) for argument in arguments if around is not None)
        return
    cls, attribute = around.cls if around is not None else None, diagnosis.names.get("attribute", "")
    for c in (cls, *cls.ancestors, *cls.subclasses) if cls is not None else ():
        yield from ((method, value) for method, value in c.assigned.get(attribute, ()) if value is not None)


def _is_used_as_numpys(method: Function, value: ast.expr | str | None) -> bool:
    """Whether the file reads an attribute of what a local name, or an attribute of that name, holds (`.dtype`)."""
    if isinstance(value, ast.Name):
        owners = [n.value for n in method.of(ast.Attribute)]
        return any(isinstance(o, ast.Name) and o.id == value.id for o in owners)
    attribute = method.self_attribute(value) if isinstance(value, ast.AST) else value
    owners = [n.value for n in method.file.of(ast.Attribute)]
    return any(isinstance(o, ast.Attribute) and o.attr == attribute for o in owners)


def _origins(method: Function, value: ast.expr) -> list[ast.expr]:
    """The expressions that a name or an attribute of self was given; of another expression itself."""
    if isinstance(value, ast.Name):
        bound = method.bindings.values.get(value.id, [])
        given = any(p.name == value.id for p in method.parameters)
        return [b for b in bound if isinstance(b, ast.expr)] if len(bound) == 1 and not given else []
    attribute = method.self_attribute(value)
    if attribute is None or method.cls is None:
        return [value]
    return [v for m, v in method.cls.assigned.get(attribute, ()) if m is method and v is not None]


def _written(number: ast.expr) -> str:
    return "({number}).item()" if isinstance(number, ast.BinOp) else "{number}.item()"


def _is_number(method: Function, value: ast.expr) -> bool | None:
    """Whether it is surely a number of numpy's: True, or False where it may be an array; None for another value."""
    file = method.file
    match value:
        case ast.BinOp(left=left, right=right):
            sides = [_is_number(method, side) for side in (left, right)]
            if sides == [None, None]:
                return None
            return all(s or _is_plain(method, e) for s, e in zip(sides, (left, right), strict=True))
        case ast.Call(func=ast.Attribute(attr=name, value=array) as func, args=arguments, keywords=keywords):
            origin = file.origin(func)
            if origin == f"numpy.{name}":
                if name in _OF_EACH or name in _TYPES:
                    return all(_is_number(method, a) or _is_plain(method, a) for a in arguments)
                return True if name in _TO_ONE and len(arguments) == 1 and not keywords else None
            of_array = isinstance(array, ast.Call) and file.origin(array.func).startswith("numpy.")
            return True if of_array and name in _TO_ONE and not arguments and not keywords else None
    return None


def _is_plain(method: Function, value: ast.expr) -> bool:
    """Whether it is surely a number of Python's: a default says nothing of what callers give."""
    if method.type_of(value) not in (INT, FLOAT):
        return False
    read: list[ast.expr] = [n for n in walk(value) if isinstance(n, (ast.Name, ast.Attribute))]
    read += [o for n in read if isinstance(n, ast.Attribute) for o in _origins(method, n)]
    given = {p.name for p in method.parameters if p.annotation is None}
    return not any(isinstance(n, ast.Name) and n.id in given and method.type_of(n) in (INT, FLOAT) for n in read)
