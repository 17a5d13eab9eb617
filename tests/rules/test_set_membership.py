"""set-membership: what it leaves alone."""

import pytest

from tests.rules.texts import findings, source
from tsrefactor.rules.set_membership import SetMembership


@pytest.mark.parametrize(
    ("test", "count"),
    [
        ("x.dim() in {2, 3}", 1),
        ("x in {2, 3}", 0),
        ("x.dim() in {2, '3'}", 0),
        ("x.dim() in {2, x.size(0)}", 0),
        ("x.dim() in {2: 3}", 0),
        ("'a' in {'a'} | {'b'}", 0),
        ("self.mode not in {'a'}", 1),
    ],
)
def test_which_sets(test, count, tmp_path):
    head = "import torch\n\n\nclass Model(torch.nn.Module):\n    def forward(self, x):\n"
    text = f"{head}        return x if {test} else -x\n"
    assert len(findings(SetMembership(), source(tmp_path / "model.py", text))) == count
