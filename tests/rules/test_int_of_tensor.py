"""int-of-tensor: where a number is read out, and where not."""

import pytest

from tests.rules.texts import findings, rewritten, source
from tsrefactor.rules.int_of_tensor import IntOfTensor

HEAD = (
    "import torch\nimport torch.nn.functional as F\n\n\nclass Model(torch.nn.Module):\n"
    "    def forward(self, x: torch.Tensor, t: torch.Tensor, n: int, other):\n        return "
)


@pytest.mark.parametrize(
    ("code", "after"),
    [
        ("F.pad(x, pad=(0, t))", "F.pad(x, pad=(0, int(t)))"),
        ("F.interpolate(x, size=[t + 1, n])", "F.interpolate(x, size=[int(t + 1), n])"),
        ("torch.split(x, [t, 1])", "torch.split(x, [int(t), 1])"),
        ("x.view([t, -1])", "x.view([int(t), -1])"),
        ("torch.zeros((n, t))", "torch.zeros((n, int(t)))"),
        ("[i for i in range(n, t)]", "[i for i in range(n, int(t))]"),
    ],
)
def test_written(code, after, tmp_path):
    assert rewritten(IntOfTensor(), source(tmp_path / "model.py", f"{HEAD}{code}\n")) == f"{HEAD}{after}\n"


@pytest.mark.parametrize(
    "code",
    [
        "F.pad(x, [n, int(t)])",
        "torch.cat([x, t])",
        "torch.stack((x, t), n)",
        "x.view(t, -1)",
        "x.flip(t)",
        "F.pad(x, other)",
        "range(other)",
        "other.view([t, 1])",
        "F.pad(x, [x.size(0), other])",
    ],
)
def test_left_alone(code, tmp_path):
    assert findings(IntOfTensor(), source(tmp_path / "model.py", f"{HEAD}{code}\n")) == []
