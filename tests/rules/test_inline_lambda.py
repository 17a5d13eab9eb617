"""inline-lambda: arguments, and what becomes a `def`."""

import pytest

from tests.rules.texts import diagnosis, findings, rewritten, source
from tsrefactor.rules.inline_lambda import InlineLambda

HEAD = "import torch\n\n\nclass Model(torch.nn.Module):\n    def forward(self, x, y):\n"


def prepared(tmp_path, body):
    lines = "".join(f"        {line}\n" for line in body.splitlines())
    file = source(tmp_path / "model.py", HEAD + lines)
    return file, diagnosis(file, "unsupported-syntax", "lambda", construct="lambda")


@pytest.mark.parametrize(
    ("body", "after"),
    [
        ("f = lambda a: a * 2\nreturn f(x) + f(self.y)", "return (x * 2) + (self.y * 2)"),
        ("f = lambda a: a * 2\nreturn f(x + y)", "return (x + y) * 2"),
        ("f = lambda a: (a - y).abs()\nreturn f(x)", "return (x - y).abs()"),
        ("f = lambda a, b: a if b else -a\nreturn 1 + f(x, True)", "return 1 + (x if True else -x)"),
        ("f = lambda: x\nreturn f()", "return x"),
    ],
)
def test_calls(body, after, tmp_path):
    assert rewritten(InlineLambda(), *prepared(tmp_path, body)) == f"{HEAD}        {after}\n"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("f = lambda a: a * a\nreturn f(x + y)", "`x + y` would be computed more than once, or later"),
        ("f = lambda a: y.add_(1) + a\nreturn f(x + y)", "would be computed more than once, or later"),
        ("f = lambda a: a\nreturn f(f(x))", "it is called with its own result"),
        ("f = lambda a: a\nreturn sorted(x, key=f)", "it is passed on as a value"),
        ("f = lambda a: a\nz = map(f, x)\nreturn z", "it is mapped over values that are not used at once"),
        ("f = lambda a: a\nf = f or x\nreturn f(x)", "`f` is bound again"),
        ("f = lambda a, b=1: a\nreturn f(x)", "it takes more than plain parameters"),
        ("f = lambda a: a\nreturn f(a=x)", "with other arguments than it has parameters"),
        ("f = lambda a: a + y\nreturn [f(x) for y in x]", "a name in it means something else where it is called"),
        ("f = lambda a: [a + b for b in y]\nreturn f(b)", "a name in it is bound again inside it"),
        ("if x:\n    f = lambda a: a\nreturn f(x)", "it is called outside the block that assigns it"),
    ],
)
def test_what_is_defined(body, reason, tmp_path):
    prepared_ = prepared(tmp_path, body)
    [finding] = findings(InlineLambda(), *prepared_)
    assert reason in finding.message and "by `def`" in finding.message
    assert "lambda" not in rewritten(InlineLambda(), *prepared_)


def test_the_parts_of_a_definition(tmp_path):
    body = "f = lambda a, b=(1, 2): a * b[0]  # scaled\nreturn f(x)"
    after = "        def f(a, b=(1, 2)):  # scaled\n            return a * b[0]\n        return f(x)\n"
    assert rewritten(InlineLambda(), *prepared(tmp_path, body)).removeprefix(HEAD) == after
