"""Types of expressions, from annotations, the source's own operations and what is put into containers."""

import ast

import pytest

from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.types import TENSOR, UNKNOWN
from tsrefactor.source.document import Document
from tsrefactor.source.file import SourceFile

START = """\
import math
import torch
import torch.nn.functional as F
from torch import nn

LIMIT = 3
TWICE = 1
TWICE = 2.0


def number(n: int) -> float:
    return n * 0.5


def loop(x):
    return loop(x - 1)


class Model(nn.Module):
    scale: float

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(2, 2)
        self.register_buffer("mean", torch.zeros(3))
        self.count = 0
        self.itself = self.itself

    def forward(self, x: torch.Tensor, n: int, anything, sizes=(1, 2.0), flag=False):
"""


@pytest.fixture
def infer(tmp_path):
    """The type of the last line's expression in a forward."""

    def run(body, presume=False):
        path = tmp_path / "m.py"
        path.write_text(START + "".join(f"        {line}\n" for line in body.split("\n")))
        function = next(f for f in FileFacts(Document(SourceFile.read(path))).all_functions if f.name == "forward")
        last = function.node.body[-1]
        assert isinstance(last, ast.Expr)
        return str(function.type_of(last.value, presume))

    return run


@pytest.mark.parametrize(
    ("expression", "type_"),
    [
        ("x", "Tensor"),
        ("n", "int"),
        ("n / 2", "float"),
        ("n // 2", "int"),
        ("x * n", "Tensor"),
        ("x > n", "Tensor"),
        ("n > 2", "bool"),
        ("x is None", "bool"),
        ("x.size()", "List[int]"),
        ("x.size(0)", "int"),
        ("x.shape[1:]", "List[int]"),
        ("x.shape[0]", "int"),
        ("x.max(dim=1)", "Tuple[Tensor, Tensor]"),
        ("x.max(dim=1)[1]", "Tensor"),
        ("x.max()", "Tensor"),
        ("x.topk(2)[0]", "Tensor"),
        ("x.chunk(2)", "List[Tensor]"),
        ("x.numel()", "int"),
        ("x.tolist()", "?"),
        ("F.relu(anything)", "Tensor"),
        ("self.linear(anything)", "Tensor"),
        ("self.linear", "Module"),
        ("self.mean", "Tensor"),
        ("self.scale", "float"),
        ("self.count", "int"),
        ("self.itself", "?"),
        ("self.missing", "?"),
        ("sizes", "Tuple[int, float]"),
        ("sizes[1]", "float"),
        ("flag", "bool"),
        ("not x", "bool"),
        ("anything", "?"),
        ("LIMIT", "int"),
        ("TWICE", "?"),
        ("torch.float32", "torch.dtype"),
        ("x.device", "torch.device"),
        ("x.dtype", "?"),
        ("number(n)", "float"),
        ("loop(x)", "?"),
        ("[n, 2]", "List[int]"),
        ("[]", "List[?]"),
        ("list()", "List[?]"),
        ("{}", "Dict[?, ?]"),
        ("{'a': x}", "Dict[str, Tensor]"),
        ("[i for i in range(n)]", "List[int]"),
        ("(x, n)", "Tuple[Tensor, int]"),
        ("x if flag else None", "Optional[Tensor]"),
        ("math.sqrt(n)", "float"),
        ("len(x)", "int"),
        ("f'{n}'", "str"),
    ],
)
def test_expression(infer, expression, type_):
    assert infer(expression) == type_


@pytest.mark.parametrize(
    ("body", "type_"),
    [
        ("a = n\na", "int"),
        ("a = None\nif flag:\n    a = x\na", "Optional[Tensor]"),
        ("a, b = x.shape[0], x\na", "int"),
        ("a, b = x.topk(2)\nb", "Tensor"),
        ("for i, row in enumerate(x.unbind(0)):\n    pass\nrow", "Tensor"),
        ("for a, b in zip([1], ['s']):\n    pass\nb", "str"),
        ("a = a + 1\na", "?"),
        ("a = []\na.append(n)\na", "List[int]"),
        ("a = []\na.append(anything)\na", "List[?]"),
        ("a = []\na.append(n)\na.append(anything)\na", "List[?]"),
        ("a = []\na += [x]\na", "List[Tensor]"),
        ("a = []\na.extend([n])\na[0]", "int"),
        ("a = [0]\na[0] = n\na", "List[int]"),
        ("a = {}\na['k'] = n\na", "Dict[str, int]"),
        ("a = {}\na.update({n: x})\na", "Dict[int, Tensor]"),
    ],
)
def test_name(infer, body, type_):
    assert infer(body) == type_


def test_what_nothing_speaks_for_is_a_tensor_only_when_presumed(infer):
    assert infer("anything + 1") == str(UNKNOWN)
    assert infer("anything + 1", presume=True) == str(TENSOR)
    assert infer("anything", presume=True) == str(TENSOR)
    assert infer("n + 1", presume=True) == "int"


@pytest.mark.parametrize(
    ("body", "type_"),
    [
        ("anything.view(2)", "Tensor"),
        ("torch.relu(anything)", "Tensor"),
        ("range(anything)", "int"),
        ("anything == 'k'", "str"),
        ("anything in (None, 'k', 'l')", "str"),
        ("anything in ('k', 2)", "?"),
        ("x[:, :anything]", "int"),
        ("min(anything, x.size(0))", "int"),
        ("max(0.5, anything)", "float"),
        ("max(x, anything)", "?"),
        ("max(anything)", "?"),
        ("x.reshape(-1, anything)", "int"),
        ("x.view(anything)", "?"),
        ("n = anything\n        n = x.size(1)", "int"),
        ("n = anything\n        n = x", "?"),
        ("n = anything", "?"),
        ("h, c = anything", "Tuple[Tensor, Tensor]"),
        ("h, (c, d) = anything", "?"),
        ("anything + 1", "?"),
    ],
)
def test_uses_of_a_name(tmp_path, body, type_):
    path = tmp_path / "m.py"
    path.write_text(f"{START}        {body}\n")
    function = next(f for f in FileFacts(Document(SourceFile.read(path))).all_functions if f.name == "forward")
    assert str(function.types.used_as("anything")) == type_
