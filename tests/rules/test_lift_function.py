"""lift-function: more forms, and what stays."""

import pytest

from tests.rules.more_examples.lift_function import MORE
from tests.rules.proof import prove
from tests.rules.texts import diagnosis, findings, source
from tsrefactor.rules.lift_function import LiftFunction


@pytest.mark.parametrize("example", MORE.values(), ids=MORE)
def test_more_examples(example, tmp_path):
    prove(LiftFunction(), example, tmp_path)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("def f(a):\n    return f(a)\nreturn f(x)", "it calls itself"),
        ("def f(a):\n    yield a\nreturn f(x)", "it yields"),
        ("n = 1\ndef f():\n    nonlocal n\n    n = 2\nf()\nreturn n", "it binds names of the function around it"),
        ("def f(*a):\n    return a\nreturn f(x)", "it takes `*args`"),
        ("n = 1\ndef f(a):\n    return a + n\nreturn list(map(f, x))", "it is passed on as a value, with n"),
        ("n = 1\ndef f(a):\n    return a + n\nreturn f(*x)", "it is called with `*` or `**`"),
        ("def f(a):\n    return a\nf = f or x\nreturn f(x)", "its name is bound again"),
        ("n = 1\ndef f(a, b=n):\n    return a\nreturn f(x)", "a default or decorator depends on values"),
        ("def f(self):\n    return self\nreturn f(x)", "it has a `self` of its own"),
        ("if self.a:\n    def f(a):\n        return a\nreturn f(x)", "it is called outside the block that defines it"),
        ("def f(a):\n    return a + n\ny = f(x)\nn = 1\nreturn y", "n may not be bound where it is called"),
        ("n = 1\ndef f(a):\n    return a + n\nreturn [f(x) for n in x]", "means something else where it is called"),
        ("m = self.fc\ndef f(a):\n    return m(a)\nreturn f(x)", "m is a module"),
    ],
)
def test_what_stays(body, reason, tmp_path):
    head = "import torch\nfrom torch import nn\n\n\nclass Model(nn.Module):\n    def __init__(self):\n"
    head += "        super().__init__()\n        self.fc = nn.Linear(4, 4)\n\n    def forward(self, x):\n"
    lines = "".join(f"        {line}\n" for line in body.splitlines())
    file = source(tmp_path / "model.py", head + lines)
    [finding] = findings(LiftFunction(), file, diagnosis(file, "function-definition", "def f("))
    assert not finding.fixable and reason in finding.message
