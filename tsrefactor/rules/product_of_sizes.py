"""product-of-sizes."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tsrefactor.facts.definitions import Function
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.helpers import Helper, before
from tsrefactor.facts.types import INT, TENSOR, list_of
from tsrefactor.facts.whole_sizes import all_sizes, multiplied
from tsrefactor.source.edits import Edit, Replace
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings, preview

_PRODUCTS = ("numpy.prod", "numpy.product", "math.prod")
_REDUCE = "functools.reduce"
_HELPER = """\
def _product(sizes: {list}):
    product = 1
    for size in sizes:
        product *= size
    return product
"""


def _example(before: str, after: str, imports: str, error: str) -> Example:
    head = "import torch\nfrom torch import nn\n" + imports + "from typing import List\n\n\n"
    inputs = "[(torch.rand(2, 3, 4),), (torch.rand(3, 2, 5),)]"
    helper = _HELPER.format(list="List[int]") + "\n\n"
    return Example(head + before, head + helper + after, inputs, Target.SCRIPT, error=error, recorded=True)


class ProductOfSizes(Rule):
    """Multiply sizes in a small function where numpy, `math.prod`, `reduce` or a `torch.Size` multiplies them.

    TorchScript can call none of `np.prod`, `math.prod` and `functools.reduce`, and its sizes are lists, which have no
    `numel()`. A function of the file multiplies the ints of a list one by one, as they do: `int(np.prod(x.shape[1:]))`
    becomes `_product(x.shape[1:])`. All sizes of a tensor are `x.numel()`.

    `np.prod` gives a number of numpy's type, of no sizes the float 1.0, the function an int: presumed, but for
    `int(np.prod(…))` and for arithmetic with a tensor.

    Left alone: `np.prod` of all sizes of a tensor, which is for numpy-call; what is not known to be a
    list or tuple of ints; `np.prod` and `reduce` with other arguments.

    Source: "Python builtin <built-in function prod> is currently not supported in Torchscript", raised by
    torch/csrc/jit/python/python_sugared_value.cpp; "cannot create weak reference", for numpy's functions.
    """

    name = "product-of-sizes"
    targets = frozenset({Target.SCRIPT})
    answers = frozenset({"no-attribute-on-type", "weak-reference", "python-builtin", "unsupported-syntax"})
    examples = [
        _example(
            """\
class Model(nn.Module):
    def forward(self, x):
        features = int(np.prod(x.shape[1:]))  # of one example
        return x.view(-1, features), x.view(-1) / np.prod(x.shape[-2:])
""",
            """\
class Model(nn.Module):
    def forward(self, x):
        features = _product(x.shape[1:])  # of one example
        return x.view(-1, features), x.view(-1) / _product(x.shape[-2:])
""",
            "import numpy as np\n",
            "cannot create weak reference to 'numpy",
        ),
        _example(
            """\
class Model(nn.Module):
    def __init__(self, grid=(2, 3)):
        super().__init__()
        self.grid = grid

    def forward(self, x):
        return x * math.prod(self.grid) / reduce(operator.mul, x.size()[:2], 1)
""",
            """\
class Model(nn.Module):
    def __init__(self, grid=(2, 3)):
        super().__init__()
        self.grid = grid

    def forward(self, x):
        return x * _product(self.grid) / _product(x.size()[:2])
""",
            "import math\nimport operator\nfrom functools import reduce\n",
            "Python builtin <built-in function",
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        if not file.mentions("prod(", "product(", "reduce(", ".numel()"):
            return
        for function in file.functions:
            for call in _multiplying(function):
                factors = _factors(function, call)
                if factors is None:
                    continue
                outer, tensor = _whole(file, call), all_sizes(factors)
                of_numpy = file.origin(call.func).startswith("numpy.")
                if isinstance(file.parents[outer], ast.Attribute):
                    continue  # a method of numpy's number
                if tensor is not None and function.type_of(tensor) == TENSOR:
                    if of_numpy:
                        continue  # numpy-call's
                    edit = Replace(outer, "{tensor}.numel()", {"tensor": tensor})
                    yield self.finding(call, f"write `{preview(edit.template, edit.pieces)}`", edit)
                elif _are_ints(function, factors):
                    spelt, imports = file.spell_type(list_of(INT))
                    helper = Helper(file, _HELPER.format(list=spelt))
                    edits: list[Edit] = [Replace(outer, f"{helper.name}({{factors}})", {"factors": factors})]
                    message = f"TorchScript cannot call `{ast.unparse(call.func)}`; multiply in `{helper.name}`"
                    needed = imports if helper.is_new else frozenset()
                    presumed = of_numpy and outer is call and not _meets_tensor(function, call)
                    edits += before(function, [helper])
                    yield self.finding(call, message, *edits, imports=needed, presumed=presumed)
                    return  # the next ones use the same function


def _multiplying(function: Function) -> list[ast.Call]:
    """The calls that may multiply sizes."""
    found = list(function.calls(*_PRODUCTS, _REDUCE))
    if function.file.mentions(".numel()"):
        found += [call for call in function.of(ast.Call) if multiplied(function, call) is not None]
    return found


def _factors(function: Function, call: ast.Call) -> ast.expr | None:
    """What a call multiplies."""
    if (sizes := multiplied(function, call)) is not None:
        return sizes
    if call.keywords or any(isinstance(a, ast.Starred) for a in call.args):
        return None
    if function.file.origin(call.func) in _PRODUCTS:
        return call.args[0] if len(call.args) == 1 else None
    first = call.args[2] if len(call.args) == 3 else None
    if not 2 <= len(call.args) <= 3 or (first is not None and ast.unparse(first) != "1"):
        return None
    return call.args[1] if _multiplies(function.file, call.args[0]) else None


def _multiplies(file: FileFacts, node: ast.expr) -> bool:
    if isinstance(node, ast.Lambda):
        names = [a.arg for a in node.args.args]
        return len(names) == 2 and ast.unparse(node.body) in (f"{names[0]} * {names[1]}", f"{names[1]} * {names[0]}")
    return file.origin(node) == "operator.mul"


def _whole(file: FileFacts, call: ast.Call) -> ast.Call:
    """The call, or the conversion to an int around it."""
    parent = file.parents[call]
    converted = isinstance(parent, ast.Call) and parent.args == [call] and not parent.keywords
    return parent if converted and isinstance(parent, ast.Call) and file.origin(parent.func) == "int" else call


def _meets_tensor(function: Function, call: ast.Call) -> bool:
    """Whether arithmetic with a tensor takes the number at once: numpy's own has methods, and divides by zero."""
    parent = function.file.parents[call]
    return isinstance(parent, ast.BinOp) and TENSOR in (function.type_of(parent.left), function.type_of(parent.right))


def _are_ints(function: Function, node: ast.expr) -> bool:
    type_ = function.type_of(node)
    return type_.name in ("List", "Tuple") and bool(type_.args) and set(type_.args) == {INT}
