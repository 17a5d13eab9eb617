"""static-forward: what it refuses."""

import pytest

from tests.rules.texts import findings, rewritten, source
from tsrefactor.rules.static_forward import StaticForward

HEAD = "import torch\nfrom torch import nn\n\n\n"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("    @staticmethod\n    @torch.no_grad()\n    def forward(x):\n        return x\n", "another decorator"),
        ("    @staticmethod\n    def forward(*xs):\n        return xs[0]\n", "not all by position"),
        ("    @staticmethod\n    def forward(self):\n        return self\n", "for something else"),
        ("    @staticmethod\n    def forward(x):\n        return x\n\n\ny = M.forward(1)\n", "without an instance"),
    ],
)
def test_refused(tmp_path, body, reason):
    text = f"{HEAD}class M(nn.Module):\n{body}\n# staticmethod\n"
    [finding] = findings(StaticForward(), source(tmp_path / "model.py", text))
    assert not finding.fixable and reason in finding.message


def test_other_static_methods_are_left_alone(tmp_path):
    text = (
        HEAD + "class F(torch.autograd.Function):\n    @staticmethod\n    def forward(ctx, x):\n        return x\n\n\n"
        "class M(nn.Module):\n    @staticmethod\n    def scale(x):\n        return x * 2\n"
    )
    assert findings(StaticForward(), source(tmp_path / "model.py", text)) == []


def test_annotations_and_comments_are_kept(tmp_path):
    before = (
        HEAD + "class M(nn.Module):\n    # swish\n    @staticmethod\n"
        "    def forward(x: torch.Tensor, b=1.0) -> torch.Tensor:\n        '''Doc.'''\n        return x * b  # done\n"
    )
    wanted = before.replace("    @staticmethod\n", "").replace("forward(x", "forward(self, x")
    assert rewritten(StaticForward(), source(tmp_path / "model.py", before)) == wanted
