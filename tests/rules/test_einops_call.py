"""einops-call: what is written where, and what it refuses."""

import pytest

from tests.rules.texts import findings, rewritten, source
from tsrefactor.rules.einops_call import EinopsCall

HEAD = """\
import einops
import torch
from einops import einsum, rearrange, reduce, repeat
from torch import nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.token = nn.Parameter(torch.randn(3, 4) * 0.02)

    def forward(self, x: torch.Tensor, y, n: int):
        return """


@pytest.mark.parametrize(
    ("code", "after"),
    [
        ("einops.rearrange(tensor=x, pattern='b c -> c b')", "x.transpose(0, 1)"),
        ("rearrange(x + 1, 'b c -> c b', b=n)", "(x + 1).transpose(0, 1)"),
        ("rearrange([x, x], 'n b c -> b n c')", "torch.stack([x, x]).transpose(0, 1)"),
        ("repeat(self.token, '... d -> b ... d', b=n)", "self.token.expand(n, -1, -1)"),
        ("repeat(x, '... d -> b ... d', b=n)", "x.expand((n,) + x.shape)"),
        ("reduce(x, 'b (n k) -> b n', 'sum', k=n // 2)", "x.unflatten(1, (-1, n // 2)).sum(dim=2)"),
        ('einops.einsum(x, x.t(), "i j, j k -> i k")', 'torch.einsum("ij,jk->ik", x, x.t())'),
        ("rearrange(rearrange(x, 'b c -> c b'), 'c b -> c b 1')", "x.transpose(0, 1).unsqueeze(2)"),
    ],
)
def test_written(code, after, tmp_path):
    assert rewritten(EinopsCall(), source(tmp_path / "model.py", f"{HEAD}{code}\n")) == f"{HEAD}{after}\n"


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("rearrange(x, n)", "not written there"),
        ("rearrange(x, 'b c -> c b', **y)", "not written there"),
        ("rearrange(x, 'b c -> c b', b=self.count())", "does more than compute"),
        ("repeat(x.relu(), '... d -> b ... d', b=n)", "how many axes"),
        ("reduce(x, 'b c -> b', y)", "how it reduces"),
        ("einsum(x, y)", "not written there"),
    ],
)
def test_says_why_not(code, reason, tmp_path):
    [finding] = findings(EinopsCall(), source(tmp_path / "model.py", f"{HEAD}{code}\n"))
    assert not finding.edits and reason in finding.message


@pytest.mark.parametrize("code", ["x.repeat(2, 1)", "torch.einsum('i j -> j i', x)", "self.rearrange(x, 'a b -> b a')"])
def test_lookalikes(code, tmp_path):
    assert findings(EinopsCall(), source(tmp_path / "model.py", f"{HEAD}{code}\n")) == []


def test_what_is_not_known_to_be_a_tensor_is_presumed(tmp_path):
    found = findings(
        EinopsCall(), source(tmp_path / "model.py", f"{HEAD}rearrange(x, 'b c -> c b') + repeat(y, ' -> b', b=n)\n")
    )
    assert [f.presumed for f in found] == [False, True]


def test_an_axis_of_nothing_is_told_of(tmp_path):
    [finding] = findings(EinopsCall(), source(tmp_path / "model.py", f"{HEAD}rearrange(x, 'b ... d -> b (...) d')\n"))
    assert "no axis" in finding.caveat
