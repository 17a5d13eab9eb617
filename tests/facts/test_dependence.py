import ast
import textwrap

import pytest

from tests.facts.test_flow import function

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
