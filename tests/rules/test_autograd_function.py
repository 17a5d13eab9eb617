import pytest

from tests.rules.texts import findings, source
from tsrefactor.facts.diagnosis import Diagnosis
from tsrefactor.rules.autograd_function import AutogradFunction

CALL = Diagnosis("export-python-call", "", names={"function": "Fn"})
HEAD = "import torch\nfrom torch import nn\n\n\nclass Fn(torch.autograd.Function):\n"
MODEL = "\n\nclass Model(nn.Module):\n    def forward(self, x):\n        return Fn.apply(x)\n"


@pytest.mark.parametrize(
    ("forward", "why"),
    [
        ("    @staticmethod\n    def forward(ctx, x):\n        x += 1\n        return x\n", "writes to its input"),
        ("    @staticmethod\n    def forward(ctx, x):\n        x.add_(1)\n        return x\n", "writes to its input"),
        ("    @staticmethod\n    def forward(ctx, x):\n        ctx.n = 2\n        return x * ctx.n\n", "needs `ctx`"),
        ("    @staticmethod\n    def forward(ctx, x, *rest):\n        return x\n", "other than plain arguments"),
        ("    @staticmethod\n    @wrapped\n    def forward(ctx, x):\n        return x\n", "no plain static"),
        ("    @staticmethod\n    def forward(ctx, x, n):\n        return x * n\n", "leave out `n`"),
    ],
)
def test_forward_that_cannot_stand_for_it(forward, why, tmp_path):
    [advice] = findings(AutogradFunction(), source(tmp_path / "m.py", HEAD + forward + MODEL), CALL)
    assert not advice.fixable
    assert why in advice.message


def test_other_python_functions_are_left_alone(tmp_path):
    text = "import torch\nfrom torch import nn\n\n\nclass Fn:\n    pass\n" + MODEL
    assert findings(AutogradFunction(), source(tmp_path / "m.py", text), CALL) == []
