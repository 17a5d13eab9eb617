"""module-argument: more forms, and what stays."""

import pytest

from tests.rules.proof import prove
from tests.rules.texts import findings, rewritten, source
from tsrefactor.rules.base import Example
from tsrefactor.rules.module_argument import ModuleArgument
from tsrefactor.vocabulary import Target

HEAD = """\
import torch
import torch.nn.functional as F
from torch import nn


"""
INIT = """\
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(4, 4)
        self.b = nn.Linear(4, 4)
        self.drop = None

"""
NOT_CALLABLE = "not callable|cannot call a value"


def example(before, after, error=NOT_CALLABLE):
    inputs = "[(torch.rand(2, 4),), (torch.rand(3, 4),)]"
    return Example(HEAD + before, HEAD + after, inputs, Target.SCRIPT, error=error, recorded=True)


MORE = {
    "a function of the file, called in its own argument": example(
        """\
def run(layer, x):
    x = layer(x)  # {one}
    return F.relu(x) + 1


"""
        + INIT
        + """\
    def forward(self, x):
        return run(self.b, run(self.a, x))  # both
""",
        """\
def run(layer, x):
    x = layer(x)  # {one}
    return F.relu(x) + 1


"""
        + INIT
        + """\
    def forward(self, x):
        return self._run_b(self._run_a(x))  # both

    def _run_a(self, x):
        x = self.a(x)
        return F.relu(x) + 1

    def _run_b(self, x):
        x = self.b(x)
        return F.relu(x) + 1
""",
    ),
    "a function inside, written out": example(
        INIT
        + """\
    def forward(self, x):
        rows = x.size(0)

        def flat(states, layer):
            return layer(states).view(rows, 2, -1)

        return flat(x, self.a) + flat(x + 1, layer=self.b)
""",
        INIT
        + """\
    def forward(self, x):
        rows = x.size(0)

        return self.a(x).view(rows, 2, -1) + self.b(x + 1).view(rows, 2, -1)
""",
        error="function definitions aren't supported",
    ),
    "a layer that may be None": example(
        INIT
        + """\
    def block(self, x, layer, drop, scale=1):
        x = layer(x) * scale
        if drop is not None:
            x = drop(x)
        return x

    def forward(self, x):
        return self.block(self.block(x, self.a, self.drop), self.a, self.drop, scale=2)
""",
        INIT
        + """\
    def block(self, x, layer, drop, scale=1):
        x = layer(x) * scale
        if drop is not None:
            x = drop(x)
        return x

    def _block_a(self, x, scale: int = 1):
        x = self.a(x) * scale
        if self.drop is not None:
            x = self.drop(x)
        return x

    def forward(self, x):
        return self._block_a(self._block_a(x), scale=2)
""",
    ),
}


@pytest.mark.parametrize("more", MORE.values(), ids=MORE)
def test_more_examples(more, tmp_path):
    prove(ModuleArgument(), more, tmp_path)


@pytest.mark.parametrize(
    ("helper", "body", "reason"),
    [
        (
            "def f(self, g, x):\n    g = g or x\n    return g(x)",
            "return self.f(self.a, x)",
            "it binds the parameter again",
        ),
        ("def f(self, g, *x):\n    return g(x)", "return self.f(self.a, x)", "it takes more than plain parameters"),
        ("def f(self, g, x):\n    yield g(x)", "return self.f(self.a, x)", "it yields"),
        ("def f(self, g, x):\n    y = g(x)\n    return super().f(y)", "return self.f(self.a, x)", "its own class"),
        ("def f(self, g, x):\n    self.a = x\n    return g(x)", "return self.f(self.a, x)", "it sets the attribute"),
        ("def f(self, g, x):\n    y = g(x)\n    return y", "return self.f(self.a, *x)", "it is called with `*`"),
        (
            "def f(self, g, x):\n    y = g(x)\n    return y",
            "m = self.a\nfor _ in range(2):\n    x = self.f(m, x)\nreturn self.f(self.a, *x)",
            "it is called with `*`",
        ),
        (
            "def f(self, g, x):\n" + "    x = g(x)\n" * 40,
            "return self.f(self.a, self.f(self.b, self.f(self.c, x)))",
            "3 copies of",
        ),
    ],
)
def test_what_stays(helper, body, reason, tmp_path):
    [finding] = findings(ModuleArgument(), source(tmp_path / "model.py", HEAD + INIT + methods(helper, body)))
    assert not finding.fixable and reason in finding.message


@pytest.mark.parametrize(
    ("helper", "body", "reason"),
    [
        ("K = 2\n\ndef f(self, g, x, k=K):\n    return g(x) * k", "return self.f(self.a, x)", "a default"),
        ("def f(self, g, x, seen=[]):\n    return g(x)", "return self.f(self.a, x)", "a default"),
        (
            "def f(self, g, act, x):\n    n, F = x.shape\n    return act(g(x)) / F * act(x)",
            "return self.f(self.a, F.relu, x)",
            "means something else inside it",
        ),
        (
            "def f(self, g, x):\n    y = g(x)\n    return y, f'{g}'",
            "return self.f(self.ms['a'].m, x)",
            "an f-string in it may not hold quotes",
        ),
        (
            "def swap(self):\n    self.a = self.b\n\ndef f(self, g, x):\n    self.swap()\n    return g(x)",
            "return self.f(self.a, x)",
            "it sets the attribute that it is given",
        ),
    ],
)
def test_what_means_another_elsewhere(helper, body, reason, tmp_path):
    [finding] = findings(ModuleArgument(), source(tmp_path / "model.py", HEAD + INIT + methods(helper, body)))
    assert not finding.fixable and reason in finding.message


def test_private_names_of_a_parent_stay_in_it(tmp_path):
    helper = "def f(self, g, x):\n    return g(x) * self.__scale"
    heir = "\n\nclass Heir(Model):\n    def forward(self, x):\n        return self.f(self.a, x)\n"
    text = HEAD + INIT + methods(helper, "return x") + heir
    [finding] = findings(ModuleArgument(), source(tmp_path / "model.py", text))
    assert not finding.fixable


def test_only_calls_with_attributes_change(tmp_path):
    helper = "def norm(self, g, x, drop=None):\n    y = g(x) if drop is None else g(drop(x))\n    return y"
    body = "x = self.norm(self.a_norm, x, self.drop)\nreturn self.norm(self.a_norm, x)"
    text = rewritten(ModuleArgument(), source(tmp_path / "model.py", HEAD + INIT + methods(helper, body)))
    assert (
        "x = self._a_norm(x)\n" not in text
        and "x = self._norm_a_norm(x)\n        return self.norm(self.a_norm, x)\n" in text
    )


def test_a_method_that_a_heir_overrides_stays(tmp_path):
    heir = "\n\nclass Heir(Model):\n    def f(self, g, x):\n        return x\n"
    text = HEAD + INIT + methods("def f(self, g, x):\n    return g(x)", "return self.f(self.a, x)") + heir
    [finding] = findings(ModuleArgument(), source(tmp_path / "model.py", text))
    assert not finding.fixable and "a relative has another of this name" in finding.message


@pytest.mark.parametrize(
    ("helper", "body"),
    [
        ("def f(self, g, x):\n    return x + g", "return self.f(self.a, x)"),  # no layer: it is not called
        ("def f(self, g, x):\n    y = g(x)\n    return y", "return self.f(torch.relu, x)"),
        ("def f(self, g, x):\n    y = g(x)\n    return y", "f = self.b\nreturn f(self.a, x)"),
    ],
)
def test_lookalikes(helper, body, tmp_path):
    assert findings(ModuleArgument(), source(tmp_path / "model.py", HEAD + INIT + methods(helper, body))) == []


@pytest.mark.parametrize(
    ("helper", "body", "after"),
    [
        # The argument would be computed after `self.y(x)`: a method of its own keeps the order.
        (
            "def f(self, g, x, z):\n    return g(x) + z",
            "return self.f(self.a, x, self.b(x))",
            "return self._f_a(x, self.b(x))",
        ),
        ("def f(self, g, x):\n    return g(x) * x", "return self.f(self.a, x + 1)", "return self._f_a(x + 1)"),
        ("def f(self, g, x):\n    return g(x)", "return self.f(self.ms[0], x)", "return self.ms[0](x)"),
        (
            "def f(self, g, x):\n    y = x + 1\n    return g(y)",
            "return self.f(self.a, self.f(self.b, self.f(self.a, x) + myself.f(self.a, x)))",
            "return self._f_a(self._f_b(self._f_a(x) + myself.f(self.a, x)))",
        ),
        # A key is no part of a name; `1.real` and quotes inside an f-string do not parse.
        ("def f(self, g, x):\n    return g(x) * x", "return self.f(self.ms['q'], x + 1)", "return self._f_ms_q(x + 1)"),
        (
            "def f(self, g, x, n):\n    return g(x) * n.real",
            "return self.f(self.a, x, 1)",
            "return self.a(x) * (1).real",
        ),
        (
            "def f(self, g, x, n):\n    return g(x) * len(f'{n}')",
            "return self.f(self.a, x, 'b')",
            "return self._f_a(x, 'b')",
        ),
    ],
)
def test_order_of_arguments(helper, body, after, tmp_path):
    text = rewritten(ModuleArgument(), source(tmp_path / "model.py", HEAD + INIT + methods(helper, body)))
    assert text.rstrip().endswith(after)


def methods(helper, body):
    lines = [*helper.splitlines(), "", "def forward(self, x):", *(f"    {line}" for line in body.splitlines())]
    return "".join(f"    {line}\n" if line else "\n" for line in lines)


def test_forms_of_two_helpers_have_two_names(tmp_path):
    helper = (
        "def f(self, g, x):\n    x = x + 1\n    return g(x)\n\ndef f_a(self, g, x):\n    x = x * 2\n    return g(x)"
    )
    text = HEAD + INIT + methods(helper, "return self.f(self.a_b, x) + self.f_a(self.b, x)")
    after = rewritten(ModuleArgument(), source(tmp_path / "model.py", text))
    assert after.rstrip().endswith("return self._f_a_b(x) + self._f_a_b_2(x)") and after.count("def _f_a_b(") == 1
