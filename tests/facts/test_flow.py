import ast
import textwrap
from pathlib import Path

import pytest

from tsrefactor.facts.definitions import Function
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.flow import leaves, root_name
from tsrefactor.source.document import Document
from tsrefactor.source.file import SourceFile


def function(body: str, head: str = "def f(x, y=None):", before: str = "") -> Function:
    text = f"import torch\nimport torch.nn.functional as F\n{before}\n{head}\n{textwrap.indent(body, '    ')}"
    document = Document(SourceFile(Path("m.py"), text, "utf-8", False, "\n"))
    return [f for f in FileFacts(document).all_functions if "<locals>" not in f.qualname][-1]


def statement(f: Function, text: str) -> ast.stmt:
    """The first statement whose source begins with the text."""
    return next(s for s in f.statements if ast.unparse(s).startswith(text))


@pytest.mark.parametrize(
    ("code", "names"),
    [
        ("z = x + y", {"x", "y"}),
        ("x += 1", {"x"}),
        ("x[i] = y", {"x", "i", "y"}),
        ("z = [a for a in x]", {"x"}),
        ("z = [x for x in x if y]", {"x", "y"}),
        ("z = lambda a, b=y: a + x", {"x", "y"}),
        ("def g(a):\n    b = a + x\n    return b", {"x"}),
        ("torch.relu(x)", {"torch", "x"}),
    ],
)
def test_reads(code, names):
    f = function(code)
    assert f.flow.reads(f.node.body) == names


@pytest.mark.parametrize(
    ("code", "names"),
    [
        ("z = x", {"z"}),
        ("a, (b, *c) = x", {"a", "b", "c"}),
        ("x[0] = 1", set()),
        ("z: int", set()),
        ("z: int = 1", {"z"}),
        ("for i, r in x:\n    s = r", {"i", "r", "s"}),
        ("z = [a for a in x]", {"z"}),
        ("if (n := x):\n    pass", {"n"}),
        ("with x as w:\n    pass", {"w"}),
        ("import math as m", {"m"}),
        ("try:\n    pass\nexcept E as e:\n    pass", {"e"}),
    ],
)
def test_writes(code, names):
    f = function(code)
    assert f.flow.writes(f.node.body) == names


@pytest.mark.parametrize(
    ("code", "names"),
    [
        ("if x:\n    a = 1\n    b = 1\nelse:\n    a = 2", {"a"}),
        ("if x:\n    raise E\nelse:\n    a = 2", {"a"}),
        ("if x:\n    a = 1", set()),
        ("for a in x:\n    b = 1", set()),
        ("while x:\n    b = 1", set()),
        ("with x as a:\n    b = 1", {"a", "b"}),
        ("a = 1\nif x:\n    b = 1\nelif y:\n    b = 2\nelse:\n    return", {"a", "b"}),
    ],
)
def test_always_writes(code, names):
    f = function(code)
    assert f.flow.always_writes(f.node.body) == names


@pytest.mark.parametrize(
    ("code", "names"),
    [
        ("x[0] = 1", {"x"}),
        ("x.data[0] = 1", {"x"}),
        ("x += 1", {"x"}),
        ("x.view(-1).add_(1)", {"x"}),
        ("torch.add(y, 1, out=x)", {"x"}),
        ("F.relu(x, inplace=True)", {"x"}),
        ("F.relu(x, True)", {"x"}),
        ("F.relu(x, inplace=False)", set()),
        ("torch.relu_(x)", {"torch", "x"}),
        ("xs.append(x)", {"xs"}),
        ("z = x + 1", set()),
        ("x.__len__()", set()),
    ],
)
def test_mutates(code, names):
    f = function(code)
    assert f.flow.mutates(f.node.body) == names


def test_mutates_through_a_layer_that_works_in_place():
    before = """
class M(torch.nn.Module):
    def __init__(self):
        self.act = torch.nn.Sequential(torch.nn.Linear(1, 1), torch.nn.ReLU(inplace=True))
        self.lin = torch.nn.Linear(1, 1)
"""
    f = function("    z = self.act(x)\n    return self.lin(y)", "    def forward(self, x, y):", before)
    assert f.flow.mutates(f.node.body) == {"x"}


def test_free_is_what_is_read_before_it_is_bound():
    f = function("a = x\nif a:\n    b = y\nelse:\n    b = 1\nfor i in b:\n    c = i + d\nd = 1\nc = c + e")
    assert f.flow.free(f.node.body) == {"x", "y", "d", "c"}


def test_free_of_a_with_knows_what_it_binds():
    f = function("w = 1\nwith y as w:\n    z = w")
    assert f.flow.free(f.node.body[1:]) == {"y"}


@pytest.mark.parametrize(
    ("code", "live"),
    [
        ("S = 1\nreturn S + x", {"S", "x"}),
        ("S = 1\nS = x\nreturn S", {"x"}),
        ("S = 1\nif x:\n    S = 2\nreturn S", {"S", "x"}),
        ("while x:\n    S = 1\n    y = 2", {"x"}),
        ("for i in x:\n    z = y\n    S = 1\n    y = 2", {"y"}),
        ("try:\n    S = 1\n    x = y\nexcept E:\n    return S", {"S", "y"}),
        ("def g():\n    return S\nS = 1\nreturn g()", {"S", "g"}),
        ("if x:\n    S = 1\nelse:\n    y = 2\nreturn y", {"y"}),
    ],
)
def test_live_after(code, live):
    f = function(code)
    assert f.flow.live_after(statement(f, "S = 1")) == live


@pytest.mark.parametrize(
    ("code", "bound"),
    [
        ("a = 1\nS = 1", {"a"}),
        ("if x:\n    a = 1\nS = 1", set()),
        ("for i in x:\n    a = 1\n    S = 1", {"i", "a"}),
        ("with x as w:\n    S = 1", {"w"}),
        ("while x:\n    a = 1\nS = 1", set()),
    ],
)
def test_bound_before(code, bound):
    f = function(code)
    assert f.flow.bound_before(statement(f, "S = 1")) == bound | {"x", "y"}


@pytest.mark.parametrize(
    ("code", "pure"),
    [
        ("z = torch.relu(x) * x.mean()", True),
        ("z = F.gelu(x)", True),
        ("z = max(x.shape[0], 1)", True),
        ("z = F.relu(x, inplace=False)", True),
        ("z = F.relu(x, True)", False),
        ("z = torch.rand(3)", False),
        ("z = F.dropout(x)", False),
        ("z = F.batch_norm(x, m, v)", False),
        ("x.add_(1)", False),
        ("x[0] = 1", False),
        ("x += 1", False),
        ("z = unknown(x)", False),
        ("raise E", False),
        ("torch.add(x, 1, out=y)", False),
        ("x.sum().backward()", False),
    ],
)
def test_is_pure(code, pure):
    f = function(code, head="def f(x: torch.Tensor, y: torch.Tensor):")
    assert f.flow.is_pure(f.node.body) is pure


def test_leaves():
    def block(text):
        return ast.parse(text).body

    assert leaves(block("a = 1\nraise E"))
    assert leaves(block("if a:\n    raise E\nelse:\n    raise E"))
    assert not leaves(block("if a:\n    raise E"))
    assert not leaves([])


def test_root_name():
    assert root_name(ast.parse("x[0].view(-1).data", mode="eval").body) == "x"
    assert root_name(ast.parse("(a + b).data", mode="eval").body) == ""
