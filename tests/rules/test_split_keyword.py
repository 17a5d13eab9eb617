import pytest

from tests.rules.texts import findings, source
from tsrefactor.rules.split_keyword import SplitKeyword

CLASS = "import torch\nfrom torch import nn\n\n\nclass Model(nn.Module):\n"
FORWARD = CLASS + "    def forward(self, x, *a, **split_size_or_sections):\n"


@pytest.mark.parametrize(
    "call",
    [
        "torch.split(x, 2, dim=1)",
        "torch.split(x, **split_size_or_sections)",
        "torch.split(*a, split_size_or_sections=2)",
        "x.split(split_size_or_sections=2)",
        "self.split(x, split_size_or_sections=2)",
    ],
)
def test_other_calls_are_left_alone(call, tmp_path):
    file = source(tmp_path / "m.py", f"{FORWARD}        return {call}\n")
    assert findings(SplitKeyword(), file) == []
