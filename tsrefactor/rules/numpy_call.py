"""numpy-call."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tsrefactor.facts.definitions import Function
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.nodes import walk
from tsrefactor.facts.signs import not_negative
from tsrefactor.facts.types import FLOAT, INT, TENSOR, list_of
from tsrefactor.facts.whole_sizes import all_sizes
from tsrefactor.source.edits import Pieces, Replace
from tsrefactor.source.imports import Import
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings

# Functions of one number. In math they give the same double, but for those whose last bit numpy may round otherwise.
_SAME = {
    "sqrt": "math.sqrt",
    "sin": "math.sin",
    "cos": "math.cos",
    "radians": "math.radians",
    "deg2rad": "math.radians",
}
_CLOSE = {name: f"math.{name}" for name in ("log", "exp", "tan", "tanh", "log10")}
_RAISING = frozenset({"sqrt", "log", "log10", "exp"})
_ROUNDED = {"ceil": "math.ceil", "floor": "math.floor"}
_PLAIN = {"abs": "abs", "absolute": "abs"}
_PAIRS = {"maximum": "max", "minimum": "min"}
_MODEL = """\
import numpy as np
import torch
from torch import nn


class Model(nn.Module):
    def __init__(self, dim=4):
        super().__init__()
        self.dim = dim

"""


def _example(before: str, after: str) -> Example:
    """An example of the methods of a model."""
    imported = "import math\n\n" + _MODEL
    return Example(
        _MODEL + before,
        imported + after if "math." in after else _MODEL + after,
        "[(torch.rand(2, 4),), (torch.rand(3, 4),)]",
        Target.SCRIPT,
        error="cannot create weak reference to 'numpy",
        recorded=True,
    )


class NumpyCall(Rule):
    """Compute with plain numbers in `math` instead of numpy.

    TorchScript cannot call numpy. Where the arguments are numbers, `math` has the same functions: `np.sqrt(d)` becomes
    `math.sqrt(d)`, `int(np.ceil(n))` becomes `math.ceil(n)`, `np.maximum(a, b)` becomes `max(a, b)` for two numbers of
    one type, and `np.prod(x.shape)`, or `int(…)` of it, becomes `x.numel()`.

    `np.log`, `np.exp`, `np.tan`, `np.tanh` and `np.log10` may differ from `math` in the last bit of a double; a case
    must prove that it shows in no result. `math` raises an error where numpy gives nan or an infinity: a caveat, where
    the number may be such a one.

    A trace keeps what numpy makes of a size or of data. So there, such calls are rewritten, and the other rules for
    traces see to `math`.

    Left alone: arrays, tensors and values of unknown type, results of which numpy's methods are called, and numpy's
    random numbers (see random-number).

    Source: "cannot create weak reference to 'numpy.ufunc' object", raised when torch/jit/_recursive.py tries to compile
    the function.
    """

    name = "numpy-call"
    targets = frozenset({Target.SCRIPT, Target.TRACE})
    answers = frozenset({"weak-reference"})
    examples = [
        _example(
            """\
    def forward(self, x):
        return x @ x.transpose(0, 1) / np.sqrt(self.dim)  # scaled
""",
            """\
    def forward(self, x):
        return x @ x.transpose(0, 1) / math.sqrt(self.dim)  # scaled
""",
        ),
        _example(
            """\
    def forward(self, x):
        parts = int(np.ceil(x.shape[0] / 2))
        most = np.ceil(np.log(x.shape[1])).astype('int').item()
        return x.chunk(parts)[0] * np.minimum(most, x.shape[0]) / np.prod(x.size())
""",
            """\
    def forward(self, x):
        parts = math.ceil(x.shape[0] / 2)
        most = math.ceil(math.log(x.shape[1]))
        return x.chunk(parts)[0] * min(most, x.shape[0]) / x.numel()
""",
        ),
        Example(
            _MODEL
            + """\
    def forward(self, x):
        rows = x.view(-1, int(np.prod(x.shape[1:])))
        return rows.view(int(np.prod(x.shape))) / np.prod(x.size())
""",
            "import math\n\n"
            + _MODEL
            + """\
    def forward(self, x):
        rows = x.view(-1, math.prod(x.shape[1:]))
        return rows.view(x.numel()) / x.numel()
""",
            "[(torch.rand(2, 4, 3),), (torch.rand(3, 4, 2),)]",
            Target.TRACE,
            "baked",
            recorded=True,
            settings=Settings(Target.TRACE),
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        if not file.mentions("numpy"):
            return
        traced = self.for_trace(file, settings)
        for function in file.functions:
            inside: set[ast.AST] = set()
            for node in function.of(ast.Call):
                if node not in inside and (not traced or function.dependence.holds_kept(node)):
                    found = _in_math(function, node, traced)
                    if found is not None and not _is_numpys(function, node):
                        inside |= set(ast.walk(node))
                        template, pieces, imports, close = found
                        why = "a trace keeps what numpy computes" if traced else "TorchScript cannot call numpy"
                        yield self.finding(
                            node,
                            f"{why}; compute `{ast.unparse(node)}` with plain numbers",
                            Replace(node, template, pieces),
                            imports=imports,
                            presumed=close,
                            caveat=_caveat(function, node, close),
                            trap=traced,
                        )


def _in_math(function: Function, node: ast.Call, traced: bool) -> tuple[str, Pieces, frozenset[Import], bool] | None:
    """The template of a call without numpy, its pieces and imports, and whether the last bit may differ."""
    rounded = _rounded(function, node)
    if rounded is not None:
        node = rounded
    if function.file.origin(node.func) == "int" and len(node.args) == 1 and _numpy(function, node.args[0]) == "prod":
        assert isinstance(node.args[0], ast.Call)
        return _in_math(function, node.args[0], traced)
    name = _numpy(function, node)
    if name is None or node.keywords or not node.args or any(isinstance(a, ast.Starred) for a in node.args):
        return None
    if name == "prod" and len(node.args) == 1:
        owner = all_sizes(node.args[0])
        if owner is not None and function.type_of(owner) == TENSOR:
            return "{tensor}.numel()", {"tensor": owner}, frozenset(), False
        if not traced or function.type_of(node.args[0]) != list_of(INT):
            return None  # TorchScript has no other product of numbers
        spelt, imports = function.file.spell("math.prod")
        return f"{spelt}({{sizes}})", {"sizes": node.args[0]}, imports, False
    if not all(_number(function, a) for a in node.args):
        return None
    if name in _PAIRS and len(node.args) == 2:
        types = {function.type_of(a) for a in node.args}
        same = len(types) == 1 and types <= {INT, FLOAT}
        pieces: Pieces = {"a": node.args[0], "b": node.args[1]}
        return (f"{_PAIRS[name]}({{a}}, {{b}})", pieces, frozenset(), False) if same else None
    if len(node.args) != 1:
        return None
    origin = {**_SAME, **_CLOSE, **_PLAIN, **_ROUNDED}.get(name)
    if origin is None:
        return None
    if rounded is None and name in _ROUNDED:
        return None  # numpy gives a float
    spelt, imports = function.file.spell(origin) if "." in origin else (origin, frozenset())
    inner = node.args[0]
    below = _in_math(function, inner, traced) if isinstance(inner, ast.Call) else None
    if below is None:
        return f"{spelt}({{value}})", {"value": inner}, imports, name in _CLOSE
    template, pieces, more, close = below
    return f"{spelt}({template})", pieces, imports | more, close or name in _CLOSE


def _is_numpys(function: Function, node: ast.Call) -> bool:
    """Whether the function uses the result as a number of numpy's: by one of its methods."""
    parent = function.file.parents[node]
    if not isinstance(parent, ast.Assign):
        return isinstance(parent, ast.Attribute)
    names = {t.id for t in parent.targets if isinstance(t, ast.Name)}
    return any(isinstance(n.value, ast.Name) and n.value.id in names for n in function.of(ast.Attribute))


def _caveat(function: Function, node: ast.Call, close: bool) -> str | None:
    """Says of the functions in a call that math answers otherwise than numpy."""
    for call in walk(node):
        name = _numpy(function, call) if isinstance(call, ast.Call) and len(call.args) == 1 else None
        if name in _RAISING and not _is_harmless(function, name, call.args[0]):  # type: ignore[attr-defined]
            return f"`math.{name}` takes one number, and raises an error where numpy gives nan or an infinity"
    return "numpy and math may round the last bit of a double differently" if close else None


def _is_harmless(function: Function, name: str, value: ast.expr) -> bool:
    if isinstance(value, ast.Constant):
        return isinstance(value.value, (int, float)) and 0 < value.value < 700
    return name == "sqrt" and not_negative(function, value)


def _numpy(function: Function, node: ast.expr) -> str | None:
    origin = function.file.origin(node.func) if isinstance(node, ast.Call) else ""
    return origin.removeprefix("numpy.") if origin.startswith("numpy.") else None


def _rounded(function: Function, node: ast.Call) -> ast.Call | None:
    """The call of `np.ceil` or `np.floor` that a node makes an int of: ``int(…)``, ``….astype(int)``, with ``.item()``
    too."""
    inner: ast.expr | None = None
    if function.file.origin(node.func) == "int" and len(node.args) == 1:
        inner = node.args[0]
    elif isinstance(node.func, ast.Attribute) and node.func.attr == "item" and not node.args:
        inner = node.func.value
        if isinstance(inner, ast.Call) and isinstance(inner.func, ast.Attribute) and inner.func.attr == "astype":
            whole = [ast.unparse(a) for a in inner.args] in (["int"], ["'int'"], ["'int64'"], ["np.int64"])
            inner = inner.func.value if whole and not inner.keywords else None
        else:
            inner = None
    named = _numpy(function, inner) if inner is not None else None
    return inner if named in _ROUNDED and isinstance(inner, ast.Call) else None


def _number(function: Function, node: ast.expr) -> bool:
    """Whether an expression is a plain number."""
    if isinstance(node, ast.BinOp):
        return _number(function, node.left) and _number(function, node.right)
    if isinstance(node, ast.UnaryOp):
        return _number(function, node.operand)
    if function.file.origin(node) in ("numpy.pi", "numpy.e"):
        return True
    if isinstance(node, ast.Call) and _numpy(function, node) in {*_SAME, *_CLOSE, *_ROUNDED, *_PLAIN}:
        return all(_number(function, a) for a in node.args)
    return function.type_of(node) in (INT, FLOAT)
