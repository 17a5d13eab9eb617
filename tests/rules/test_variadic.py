import pytest

from tests.rules.more_examples.variadic import MORE
from tests.rules.proof import prove
from tests.rules.texts import diagnosis, findings, rewritten, source
from tsrefactor.rules.variadic import Variadic

KW = "    def forward(self, x, **kw):\n"
HEAD = "import torch\nfrom torch import nn\n\n\nclass Model(nn.Module):\n"


@pytest.mark.parametrize("example", MORE.values(), ids=MORE)
def test_more_examples(example, tmp_path):
    prove(Variadic(), example, tmp_path)


def found(tmp_path, method):
    file = source(tmp_path / "m.py", HEAD + method)
    return findings(Variadic(), file, diagnosis(file, "variable-arguments", "def forward"))


@pytest.mark.parametrize(
    ("method", "why"),
    [
        ("    @wrapped\n    def forward(self, x, **kw):\n        return x\n", "decorated"),
        (KW + "        # type: (Tensor) -> Tensor\n        return x\n", "typed by a comment"),
        (KW + "        for k in kw:\n            x = x + kw[k]\n        return x\n", "reads `kw`"),
        (KW + "        kw = dict(kw)\n        return f(x, **kw)\n", "assigns `kw`"),
        (KW + "        return f(g(x, **kw), **kw)\n", "one another"),
        (KW + "        return f(x, lambda kw: kw)\n", "parameter of the same name"),
        ("    def forward(self, *args):\n        return f(*args)\n", "no recorded call"),
        (KW + "        yield x\n", "no plain function"),
    ],
)  # fmt: skip
def test_function_that_keeps_its_parameters(method, why, tmp_path):
    [advice] = found(tmp_path, method)
    assert not advice.fixable
    assert why in advice.message


def test_without_a_run_or_an_error_it_is_advice(tmp_path):
    file = source(tmp_path / "m.py", HEAD + KW + "        return x\n")
    [advice] = findings(Variadic(), file)
    assert not advice.fixable


def test_helper_that_nothing_shows_to_be_scripted_is_left_alone(tmp_path):
    text = "import torch\n\n\ndef plot(x, **kw):\n    return torch.relu(x)\n"
    assert findings(Variadic(), source(tmp_path / "m.py", text)) == []


def test_name_that_the_class_has_is_not_taken(tmp_path):
    file = source(
        tmp_path / "m.py",
        HEAD + "    def _forward_impl(self):\n        pass\n\n    def forward(self, x, **kw):\n        return x\n",
    )
    after = rewritten(Variadic(), file, diagnosis(file, "variable-arguments", "def forward"))
    assert "forward.__wrapped__ = _forward_impl_2\n" in after
