import ast
import textwrap
from pathlib import Path

import pytest

from tests.facts.test_flow import function
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.operations import is_operation
from tsrefactor.source.document import Document
from tsrefactor.source.file import SourceFile

HEAD = "def f(x: torch.Tensor, n: int, m=None):"


def expression(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body


@pytest.mark.parametrize(
    ("test", "decides", "freezes"),
    [
        ("x.sum() > 0", True, True),
        ("x.max().item() > n", True, True),
        ("not x.any()", True, True),
        ("n > 1 and x.any()", True, True),
        ("torch.equal(x, x)", True, True),
        ("bool(x.all())", True, True),
        ("x.shape[0] > 1", False, True),
        ("len(x) > n", False, True),
        ("x.numel() == 0", False, True),
        ("x.size(-1) % 2", False, True),
        ("x.shape[1:] != x.shape[:-1]", False, True),
        ("n > 1", False, False),
        ("m is None", False, False),
        ("x is not m", False, False),
        ("x.dim() == 3", False, False),
        ("len(x.shape) == 3", False, False),
        ("x.is_floating_point()", False, False),
        ("isinstance(x, torch.Tensor)", False, False),
    ],
)
def test_what_a_trace_decides_once_and_for_all(test, decides, freezes):
    f = function(f"if {test}:\n    pass", HEAD)
    condition = f.node.body[0].test
    assert f.dependence.decides(condition) is decides
    assert f.dependence.freezes(condition) is freezes


@pytest.mark.parametrize(
    ("over", "frozen"),
    [
        ("x", True),
        ("enumerate(x)", True),
        ("zip(x, [1])", True),
        ("range(int(x))", True),
        ("range(x.shape[0])", True),
        ("range(1, len(x))", True),
        ("range(n)", False),
        ("range(x.dim())", False),
        ("m", False),
    ],
)
def test_loops_that_a_trace_freezes(over, frozen):
    f = function(f"for i in {over}:\n    pass", HEAD)
    assert f.dependence.freezes_loop(f.node.body[0]) is frozen


def test_numbers_are_followed_through_names():
    f = function(
        textwrap.dedent("""\
        k = x.max().item()
        half = k / 2
        total = 0
        total += half
        b, c = x.shape
        a, d = n, x.sum()
        area: int = b * c
        for v in x.tolist():
            w = v
        """),
        HEAD,
    )
    assert f.dependence.extracted_names == {"k", "half", "total", "v", "w"}
    assert f.dependence.sized_names == {"b", "c", "area"}
    assert f.dependence.is_extracted(expression("n + half"))
    assert f.dependence.is_sized(expression("max(area, 1)"))
    assert not f.dependence.is_sized(expression("n + a"))


def test_presumption_is_asked_for():
    f = function("if x > 0:\n    pass", "def f(x):")
    assert not f.dependence.decides(f.node.body[0].test)
    assert f.dependence.decides(f.node.body[0].test, presume=True)


def test_compiled_functions_and_what_only_they_call():
    f = function(
        "return g(x)",
        "@torch.jit.script_if_tracing\ndef f(x):",
        "def g(x):\n    return torch.relu(x)\ndef h(x):\n    return torch.relu(x)\ndef k(x):\n    return h(x)",
    )
    compiled = {g.name for g in f.file.functions if g.dependence.is_compiled}
    assert compiled == {"f", "g"}


METHODS = """
import torch
from torch import nn


def rows(x):
    return x.shape[0]


def grid(x):
    h, w = x.shape[-2:]
    return x * 2, h // 2


def again(x, depth):
    return again(x, depth - 1) if depth else x.max().item()


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.depth = 3
        self.width = 0

    def prepare(self, x):
        self.width = x.shape[1]

    def peak(self, x):
        return x.max().item()

    def scaled(self, x, beta, gain):
        if beta < 0.1:
            x = x + 1
        if gain < 0.1:
            x = x + 1
        return x

    def turns(self, x, n, m):
        for _ in range(n):
            x = x + 1
        for _ in range(m):
            x = x + 1
        return x

    def forward(self, x: torch.Tensor):
        n = rows(x)
        y, half = grid(x)
        p = self.peak(x)
        q = again(x, 3)
        r = self.turns(self.scaled(x, self.depth, x.mean()), n, self.depth)
        if self.width > 3:
            x = x + 1
        if self.depth > 3:
            x = x + 1
        return x
"""


def test_numbers_are_followed_between_functions():
    file = FileFacts(Document(SourceFile(Path("m.py"), METHODS, "utf-8", False, "\n")))
    methods = {f.name: f for f in file.all_functions}
    forward = methods["forward"].dependence
    assert forward.sized_names == {"n", "half"} and forward.extracted_names == {"p", "q"}
    left, fixed = (s.test for s in forward.function.node.body if isinstance(s, ast.If))
    assert forward.freezes(left) and not forward.freezes(fixed)
    given, plain = (s for s in methods["turns"].node.body if isinstance(s, ast.For))
    assert methods["turns"].dependence.freezes_loop(given) and not methods["turns"].dependence.freezes_loop(plain)
    number, tensor = (s.test for s in methods["scaled"].node.body if isinstance(s, ast.If))
    assert not methods["scaled"].dependence.freezes(number, presume=True)
    assert methods["scaled"].dependence.freezes(tensor, presume=True)


def test_a_class_among_the_functions_of_torch_is_no_operation():
    assert is_operation("torch.nn.functional.pad") and is_operation("torch.relu")
    assert not is_operation("torch.nn.functional._Reduction.get_enum")


@pytest.mark.parametrize(
    ("over", "frozen"),
    [
        ("range(self.weight.shape[0])", False),
        ("range(weight.size(0))", False),
        ("range(_rows(self.weight))", False),
        ("range(len(self.table))", False),
        ("range(self.kept.shape[0])", True),
        ("range(len(x))", True),
        ("enumerate(range(x.shape[0]))", True),
        ("list(rows)", True),
        ("x.shape", False),
        ("enumerate(sizes)", False),
        ("items", False),
    ],
)
def test_what_no_input_changes(over, frozen):
    """Sizes of parameters and buffers are fixed at construction; a tensor's sizes are as many as it has dims."""
    text = f"""\
import torch
from torch import nn


def _rows(table):
    return table.shape[0]


class Model(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(n))
        self.register_buffer("table", torch.zeros(n))
        self.kept = torch.zeros(n)

    def forward(self, x, items):
        weight = self.weight
        sizes = x.shape[1:]
        rows = range(x.shape[0])
        rows = list(rows)
        self.kept = torch.relu(x)
        if torch.is_tensor(items):
            items = [items]
        for i in {over}:
            x = x + 1
        return x + items[0].sum()
"""
    file = FileFacts(Document(SourceFile(Path("m.py"), text, "utf-8", False, "\n")))
    forward = next(f for f in file.functions if f.name == "forward")
    (loop,) = forward.of(ast.For)
    assert forward.dependence.freezes_loop(loop, presume=True) is frozen


def test_a_result_may_be_made_of_what_the_call_gives():
    text = """
import torch

def missing(n: int, kernel: int):
    rest = n % kernel
    return max(kernel - rest, 0)

def again(n: int):
    return again(n - 1) + n

def f(x: torch.Tensor, k: int):
    a = missing(x.shape[0], k)
    b = missing(k, k)
    c = missing(int(x.sum()), k)
    d = again(k)
"""
    file = FileFacts(Document(SourceFile(Path("m.py"), text, "utf-8", False, "\n")))
    found = next(f for f in file.all_functions if f.name == "f").dependence
    assert (found.sized_names, found.extracted_names) == ({"a"}, {"c"})
