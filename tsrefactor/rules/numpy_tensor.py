"""numpy-tensor."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from tsrefactor.facts.definitions import Function
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.nodes import walk
from tsrefactor.facts.signs import not_negative
from tsrefactor.facts.types import FLOAT, INT
from tsrefactor.facts.whole import is_fraction, is_whole
from tsrefactor.source.edits import Replace
from tsrefactor.source.imports import Import
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings, preview

_TAKES_ARRAY = ("torch.from_numpy", "torch.tensor", "torch.as_tensor", "torch.Tensor")
_FILLED = {"eye": "torch.eye", "zeros": "torch.zeros", "ones": "torch.ones"}
_DTYPES = {
    "numpy.float32": "float32", "numpy.float64": "float64", "numpy.double": "float64", "numpy.int64": "int64",
    "numpy.int32": "int32", "float": "float64", "int": "int64", "numpy.uint8": "uint8", "numpy.bool": "bool",
    "numpy.bool_": "bool", "bool": "bool",
}  # fmt: skip
_NARROW = ("uint8", "bool")  # zeros and ones only: numpy and torch convert others differently
_TRIANGLES = {"triu": "torch.triu", "tril": "torch.tril"}
_RESHAPED = ("flatten", "reshape")
_WHOLE = "equal for whole numbers, as in the recorded runs; of floats, torch makes float32, numpy float64"
_FLOAT = "equal for floats, as in the recorded runs; of whole numbers alone, numpy makes int64"


@dataclass
class _Made:
    """What makes the tensor: the function, its arguments as parts of a template, the dtype, what is called on it.

    ``around``: the function that takes it, ``torch.triu``, and that one's further arguments. ``of_default_dtype``:
    torch's default dtype takes the place of ``dtype``, which is "" where torch finds it. ``presumed``: torch may raise
    where numpy makes an empty array. ``caveat``: what other numbers than those of the recorded runs would give.
    """

    function: str
    arguments: list[str]
    pieces: dict[str, ast.expr]
    dtype: str
    after: str = ""
    around: tuple[str, str] | None = None
    of_default_dtype: bool = False
    presumed: bool = False
    caveat: str | None = None

    def template(self, file: FileFacts) -> tuple[str, frozenset[Import]]:
        """The tensor's expression as this file writes it, and the imports which that takes."""
        spelt, imports = file.spell(self.function)
        dtype, more = file.spell("torch.get_default_dtype" if self.of_default_dtype else f"torch.{self.dtype}")
        given = [f"dtype={dtype}{'()' if self.of_default_dtype else ''}"]
        if self.function in _FILLED.values() if self.of_default_dtype else not self.dtype:
            given, more = [], frozenset()
        text = f"{spelt}({', '.join([*self.arguments, *given])}){self.after}"
        if self.around is None:
            return text, imports | more
        outer, further = file.spell(self.around[0])
        return f"{outer}({text}{self.around[1]})", imports | more | further


class NumpyTensor(Rule):
    """Make a tensor with torch where an array that numpy makes at once becomes one.

    TorchScript cannot call numpy. `torch.from_numpy(np.array([1, 0, 0, 1]).astype(np.float32))` becomes
    `torch.tensor([1, 0, 0, 1], dtype=torch.float32)`; `np.eye`, `np.zeros` and `np.ones` become the functions of torch
    of the same name, as do `np.arange` of whole numbers, `np.triu` and `np.tril`. The dtype is the array's, numpy's
    default where it names none; `flatten` and `reshape` stay. A variable that holds the array for nothing else holds
    the tensor. A trace keeps an array of the example's sizes; so for a trace, this is done where sizes are among its
    arguments.

    Numbers that a recorded run had, but that are not whole for every instance (`self.a` of a default), are presumed to
    be whole; torch finds their dtype.

    Left alone: other functions of numpy, arrays that are used as such, lists that mix whole numbers and floats.

    Source: "Python builtin <built-in function array> is currently not supported in Torchscript", raised by
    torch/csrc/jit/python/python_sugared_value.cpp.
    """

    name = "numpy-tensor"
    targets = frozenset({Target.SCRIPT, Target.TRACE})
    answers = frozenset({"python-builtin", "weak-reference"})
    examples = [
        Example(
            before="""\
import numpy as np
import torch
from torch import nn


class Model(nn.Module):
    def forward(self, x):
        same = torch.from_numpy(np.array([1, 0,
                                          0, 1]).astype(np.float32)).view(1, 2, 2)  # of two
        return x @ same.repeat(x.size(0), 1, 1)
""",
            after="""\
import numpy as np
import torch
from torch import nn


class Model(nn.Module):
    def forward(self, x):
        same = torch.tensor([1, 0,
                                          0, 1], dtype=torch.float32).view(1, 2, 2)  # of two
        return x @ same.repeat(x.size(0), 1, 1)
""",
            inputs="[(torch.rand(2, 3, 2),), (torch.rand(3, 1, 2),)]",
            breaks=Target.SCRIPT,
            error="Python builtin <built-in function array>|the Python function 'array' is not supported",
        ),
        Example(
            before="""\
import numpy as np
import torch
from torch import nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.k = 3

    def forward(self, x):
        same = torch.from_numpy(np.eye(self.k).flatten().astype(np.float32))
        start = torch.from_numpy(np.zeros((x.size(0), self.k)))
        return x.double() + same.view(1, self.k, self.k), start
""",
            after="""\
import numpy as np
import torch
from torch import nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.k = 3

    def forward(self, x):
        same = torch.eye(self.k, dtype=torch.float32).flatten()
        start = torch.zeros((x.size(0), self.k), dtype=torch.float64)
        return x.double() + same.view(1, self.k, self.k), start
""",
            inputs="[(torch.rand(2, 3, 3),), (torch.rand(1, 3, 3),)]",
            breaks=Target.SCRIPT,
        ),
        # The mask of a decoder, which a trace would keep at the example's length.
        Example(
            before="""\
import numpy as np
import torch
from torch import nn


def later(size):
    mask = np.triu(np.ones((1, size, size)), k=1).astype('uint8')
    return torch.from_numpy(mask) == 0


class Model(nn.Module):
    def forward(self, x):
        start = np.zeros((x.size(1), 1))
        steps = torch.Tensor(np.arange(x.size(1))) + torch.Tensor(start)
        return x.masked_fill(later(x.size(1)), 0.0) + steps
""",
            after="""\
import numpy as np
import torch
from torch import nn


def later(size):
    mask = torch.triu(torch.ones((1, size, size), dtype=torch.uint8), diagonal=1)
    return mask == 0


class Model(nn.Module):
    def forward(self, x):
        start = torch.zeros((x.size(1), 1))
        steps = torch.arange(x.size(1), dtype=torch.get_default_dtype()) + start
        return x.masked_fill(later(x.size(1)), 0.0) + steps
""",
            inputs="[(torch.rand(2, 3, 3),), (torch.rand(2, 5, 5),)]",
            breaks=Target.TRACE,
            outcome="baked",
            recorded=True,
            settings=Settings(Target.TRACE),
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        if not file.mentions("numpy"):
            return
        traced = self.for_trace(file, settings)
        for function in file.functions:
            for call in function.calls(*_TAKES_ARRAY):
                if len(call.args) != 1 or call.keywords:
                    continue
                kept = _kept_array(function, call)
                array = call.args[0] if kept is None else kept
                made = None if traced and not function.dependence.holds_kept(array) else _made(function, array)
                if made is None:
                    continue
                made.of_default_dtype = file.origin(call.func) == "torch.Tensor"
                if made.of_default_dtype and not traced and made.function not in _FILLED.values():
                    continue  # TorchScript does not know the default
                template, imports = made.template(file)
                edits = [Replace(call if kept is None else kept, template, made.pieces)]
                if kept is not None:
                    edits.append(Replace(call, "{tensor}", {"tensor": call.args[0]}))
                why = "a trace keeps what numpy makes of sizes" if traced else "TorchScript cannot call numpy"
                message = f"{why}; write `{preview(template, made.pieces)}`"
                presumed = made.presumed or made.caveat is not None
                yield self.finding(
                    call, message, *edits, imports=imports, trap=traced, presumed=presumed, caveat=made.caveat
                )


def _kept_array(function: Function, call: ast.Call) -> ast.expr | None:
    """What a variable holds that the call is given, where nothing else reads or binds it.

    `torch.from_numpy` shares the array; the others copy it, so that they must be called once for every array.
    """
    name, file = call.args[0], function.file
    if not isinstance(name, ast.Name):
        return None
    same = [n for n in walk(function.node) if isinstance(n, ast.Name) and n.id == name.id]
    bound = [s for s in function.of(ast.Assign) if len(s.targets) == 1 and s.targets[0] in same]
    given = any(p.name == name.id for p in function.parameters)
    given |= any(name.id in n.names for n in function.of(ast.Global, ast.Nonlocal))
    if len(bound) != 1 or len(same) != 2 or given:
        return None
    once = file.statement_of(call) in file.block_of(bound[0])
    return bound[0].value if once or file.origin(call.func) == "torch.from_numpy" else None


def _made(function: Function, node: ast.expr, dtype: str | None = None) -> _Made | None:
    """How torch makes the tensor of an array; ``dtype`` is what it is converted to."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return None
    origin, name = function.file.origin(node.func), node.func.attr
    if origin.startswith("numpy."):
        return _array(function, node, origin.removeprefix("numpy."), dtype)
    if name == "astype" and dtype is None and len(node.args) == 1 and not node.keywords:
        wanted = _dtype(function, node.args[0])
        return _made(function, node.func.value, wanted) if wanted is not None else None
    if name in _RESHAPED and not node.keywords and bool(node.args) == (name == "reshape"):
        made = _made(function, node.func.value, dtype)
        if made is None or made.after or made.around:
            return None
        sizes = {f"r{i}": argument for i, argument in enumerate(node.args)}
        made.after = f".{name}({', '.join(f'{{{r}}}' for r in sizes)})"
        made.pieces |= sizes
        return made
    return None


def _array(function: Function, call: ast.Call, name: str, dtype: str | None) -> _Made | None:
    """A call of numpy that makes an array."""
    own = next((k.value for k in call.keywords if k.arg == "dtype"), None)
    if own is not None:
        named = _dtype(function, own)
        if named is None or dtype not in (None, named):
            return None
        dtype = named
    if name in _TRIANGLES:
        return _triangle(function, call, name, dtype)
    if len(call.keywords) > (own is not None) or any(isinstance(a, ast.Starred) for a in call.args):
        return None
    pieces = {f"a{i}": argument for i, argument in enumerate(call.args)}
    arguments = [f"{{{a}}}" for a in pieces]
    if name in _FILLED and len(call.args) in ((1, 2) if name == "eye" else (1,)):
        return _Made(_FILLED[name], arguments, pieces, dtype or "float64")
    if dtype in _NARROW:
        return None
    if name == "arange" and call.args and all(function.type_of(a) == INT for a in call.args):
        ordered = len(call.args) == 1 and not_negative(function, call.args[0])
        whole = all(is_whole(function, a) for a in call.args)
        if dtype is not None and not whole and "float" not in dtype:
            return None  # torch cuts such a range, numpy its elements
        made = _Made("torch.arange", arguments, pieces, dtype or ("int64" if whole else ""), presumed=not ordered)
        made.caveat = None if whole else _WHOLE
        return made
    if name not in ("array", "asarray") or len(call.args) != 1 or not isinstance(call.args[0], ast.List):
        return None
    numbers = list(_numbers(call.args[0]))
    types = {function.type_of(n) for n in numbers}
    if types not in ({INT}, {FLOAT}):
        return None
    if dtype is not None:
        return _Made("torch.tensor", arguments, pieces, dtype)
    if types == {FLOAT}:
        caveat = None if any(is_fraction(function, n) for n in numbers) else _FLOAT
        return _Made("torch.tensor", arguments, pieces, "float64", caveat=caveat)
    whole = all(is_whole(function, n) for n in numbers)
    return _Made("torch.tensor", arguments, pieces, "int64" if whole else "", caveat=None if whole else _WHOLE)


def _triangle(function: Function, call: ast.Call, name: str, dtype: str | None) -> _Made | None:
    """``np.triu(np.ones(shape), k=1)``."""
    diagonal = [*call.args[1:], *(k.value for k in call.keywords if k.arg == "k")]
    if not call.args or len(diagonal) > 1 or len(diagonal) + 1 != len(call.args) + len(call.keywords):
        return None
    made = _made(function, call.args[0], dtype)
    if (
        made is None
        or not _has_two_dimensions(function, made)
        or made.around
        or (diagonal and function.type_of(diagonal[0]) != INT)
    ):
        return None
    made.presumed |= bool(diagonal) and not is_whole(function, diagonal[0])
    made.around = (_TRIANGLES[name], ", diagonal={k}" if diagonal else "")
    made.pieces |= {"k": diagonal[0]} if diagonal else {}
    return made


def _has_two_dimensions(function: Function, made: _Made) -> bool:
    """Whether the array surely has two or more: of one, numpy makes a square, and torch raises."""
    shape = made.pieces.get("a0")
    if isinstance(shape, ast.Name) and not any(p.name == shape.id for p in function.parameters):
        values = function.types.bindings.values.get(shape.id, ())
        shape = values[0] if len(values) == 1 and isinstance(values[0], ast.expr) else None
    several = isinstance(shape, (ast.Tuple, ast.List)) and len(shape.elts) > 1
    return not made.after and (made.function == _FILLED["eye"] or several)


def _dtype(function: Function, node: ast.expr) -> str | None:
    if isinstance(node, ast.Constant):
        return _DTYPES.get(f"numpy.{node.value}") if isinstance(node.value, str) else None
    return _DTYPES.get(function.file.origin(node))


def _numbers(node: ast.expr) -> Iterator[ast.expr]:
    """The numbers of a list, nested ones too."""
    if not isinstance(node, ast.List):
        yield node
        return
    for element in node.elts:
        yield from _numbers(element)
