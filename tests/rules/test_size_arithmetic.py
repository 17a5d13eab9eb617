import pytest

from tests.rules.tracing import findings, model, rewritten
from tsrefactor.rules.size_arithmetic import SizeArithmetic

RULE = [SizeArithmetic()]
NUMPY = "import numpy as np\n\n\n"

EXACT = {
    "int(n)": "n",
    "int(n * 2)": "n * 2",
    "int(n + 1) * 2": "(n + 1) * 2",
    "int(n / 2.0)": "n // 2",
    "int(n * 0.25)": "n // 4",
    "int(0.5 * n)": "n // 2",
    "int((n + 1) / 2)": "(n + 1) // 2",
    "int(math.floor(n / 2))": "n // 2",
    "int(math.ceil(n / 3))": "(n + 2) // 3",
    "int(np.ceil(n / 2))": "(n + 1) // 2",
    "math.floor((n - 9) / 2)": "(n - 9) // 2",
    "math.ceil(n / k)": "-(-n // k)",
    "int((n + 2) / k + 1)": "(n + 2) // k + 1",
    "math.floor((n - 9) / 2 + 1)": "(n - 9) // 2 + 1",
    "int(x.shape[0] / len(x))": "x.shape[0] // len(x)",
    "int(np.ceil(n / k) * k)": "(-(-n // k)) * k",
    "int((k + 1) * np.floor(n / 4))": "(n // 4) * (k + 1)",
    "float(n) / 3": "n / 3",
    "1.0 / float(n)": "1.0 / n",
}
SHAPES = {
    "x.size()[1:].numel()": "math.prod(x.size()[1:])",
    "shape.numel()": "math.prod(shape)",
    "x.numel()": "x.numel()",  # recorded
    "x.shape.numel()": "x.numel()",
}
LEFT = [
    "int(n * 0.7)",
    "int((n - 9) / 2)",  # int(-0.5) is 0, -1 // 2 is -1
    "int(n / 2 + 0.5)",
    "round(n / 2)",
    "int(k / 2)",
    "int(x.sum() / 2)",
    "int(n / x.max().item())",
    "float(n) * 2",
    "np.ceil(n / 2)",
    "int(n / 0.3)",
    "math.sqrt(n)",
]


def body(expression):
    return f"n = x.shape[0]\nk = 3\nreturn x * ({expression})"


@pytest.mark.parametrize("written", EXACT)
def test_forms(written):
    after = rewritten(RULE, model(body(written), before=NUMPY)).document.text
    assert f"({EXACT[written]})" in after, after


def test_windows_that_fit_are_presumed_not_to_be_less_than_none():
    [found] = findings(RULE, model(body("int((n - 9) / k + 1)")))
    assert found.presumed and found.edits[0].template == "{above} // {below} + 1"


@pytest.mark.parametrize("written", SHAPES)
def test_products(written):
    after = rewritten(RULE, model(f"shape = x.shape[1:]\nreturn x.view(-1, {written})")).document.text
    assert f"-1, {SHAPES[written]})" in after


@pytest.mark.parametrize("written", EXACT)
def test_the_forms_are_equal_for_every_size(written):
    import math

    import numpy as np

    for n in [*range(1, 4000), 2**31 - 1, 2**31, 2**40 + 1]:
        names = {"n": n, "k": 3, "x": type("X", (), {"shape": [n], "__len__": lambda s: 7})(), "math": math, "np": np}
        old, new = eval(written, names), eval(EXACT[written], names)
        assert old == new and type(old) is type(new)


@pytest.mark.parametrize("expression", LEFT)
def test_left_alone(expression):
    assert findings(RULE, model(body(expression), before=NUMPY)) == []


def test_a_parameter_that_a_call_gives_a_size_is_one():
    text = """\
import math

import torch


def steps(n: int, k: int) -> int:
    return math.ceil(n / k) + int(n / k)


class Model(torch.nn.Module):
    def forward(self, x: torch.Tensor):
        return x.new_zeros(steps(x.shape[0], 3))
"""
    after = rewritten(RULE, text).document.text
    assert "return (-(-n // k)) + int(n / k)" in after, "int() of what may be negative stays"
    assert not findings(RULE, text.replace("x.shape[0]", "4"))
    bare = text.replace("n: int, k: int", "n, k=3")
    assert [f.presumed for f in findings(RULE, bare)] == [True], "other files may give it floats"
    assert not findings(RULE, bare.replace("math.ceil(n / k)", "int(n)")), "who converts `n` expects them"
    converted = text.replace("    return math", "    n = int(n)\n    return math")
    assert "int:\n    return (-(-n // k))" in rewritten(RULE, converted).document.text


@pytest.mark.parametrize(("maker", "whole"), [("", False), ("self.pool = nn.AvgPool1d(k)", True)])
def test_a_divisor_is_whole_where_the_file_shows_it(maker, whole):
    """A default that is an int does not: ``Model(1.5)`` gives a slice that ends at a float."""
    init = f"def __init__(self, k=2):\n    super().__init__()\n    self.k = k\n    {maker}\n\n"
    forms = "int(x.shape[0] / self.k) + int(x.shape[1] * self.k)"
    found = findings(RULE, model(f"{init}def forward(self, x: torch.Tensor):\n    return x[:{forms}]"))
    assert len(found) == 2 * whole and not any(f.presumed for f in found)
