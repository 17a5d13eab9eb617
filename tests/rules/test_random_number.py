"""random-number: which draws it knows."""

import pytest

from tests.rules.texts import rewritten, source
from tsrefactor.rules.random_number import RandomNumber

HEAD = (
    "import random\n\nimport numpy as np\nimport torch\n\n\nclass Model(torch.nn.Module):\n"
    "    def forward(self, x, n: int, p: float):\n        return "
)


@pytest.mark.parametrize(
    ("call", "scripted"),
    [
        ("random.random()", "float(torch.rand(()))"),
        ("np.random.uniform(1, p)", "1 + (p - 1) * float(torch.rand(()))"),
        ("random.gauss(0.0, p)", "p * float(torch.randn(()))"),
        ("random.gauss(0, 1)", "float(torch.randn(()))"),
        ("random.randint(0, 3)", "int(torch.randint(0, 4, ()))"),
        ("random.randint(1, n)", "int(torch.randint(1, n + 1, ()))"),
        ("random.randrange(n)", "int(torch.randint(0, n, ()))"),
        ("np.random.randint(1, x.size(0))", "int(torch.randint(1, x.size(0), ()))"),
    ],
)
def test_known(call, scripted, tmp_path):
    file = source(tmp_path / "model.py", f"{HEAD}x * {call}\n")
    assert rewritten(RandomNumber(), file) == f"{HEAD}x * ({scripted} if torch.jit.is_scripting() else {call})\n"


@pytest.mark.parametrize(
    "call",
    [
        "np.random.rand(3)",
        "np.random.normal(0, 1, n)",
        "np.random.uniform(size=n)",
        "random.uniform(0, self.p())",
        "random.uniform(0, self.p)",
        "np.random.randint(p)",
        "np.random.permutation(n)",
        "random.choice([1, 2])",
        "self.random.random()",
        "0 if torch.jit.is_scripting() else random.random()",
    ],
)
def test_left_alone(call, tmp_path):
    file = source(tmp_path / "model.py", f"{HEAD}{call}\n")
    assert rewritten(RandomNumber(), file) == file.text


@pytest.mark.parametrize(
    ("call", "draws"),
    [("random.randint(0, 3)", "int({}randint(0, 4, ()))"), ("random.gauss(0, 1)", "float({}randn(()))")],
)
def test_where_the_file_imports_another_draw(call, draws, tmp_path):
    head = (
        "import random\n\nfrom torch import nn, rand\n\n\nclass Model(nn.Module):\n"
        "    def forward(self, x):\n        return "
    )
    text = rewritten(RandomNumber(), source(tmp_path / "model.py", f"{head}x * {call}\n"))
    assert draws.format("torch.") in text and "import torch\n" in text
