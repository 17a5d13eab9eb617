"""length-in-tensor: which numbers leave their tensors."""

import pytest

from tests.rules.tracing import findings, model
from tsrefactor.rules.length_in_tensor import LengthInTensor

RULE = [LengthInTensor()]
HEAD = "def forward(self, x: torch.Tensor, lengths: torch.Tensor, given, most=None, least=0):\n"


def found(body):
    return findings(RULE, model(HEAD + "".join(f"    {line}\n" for line in body.splitlines())))


@pytest.mark.parametrize(
    "body",
    [
        "n = lengths.max().item()\nreturn x[:, :n]",
        "n = lengths.max().item()\nx[0, :n] = 0\nreturn x",
        "n = torch.min(lengths).item()\nreturn x.view(-1, n), torch.arange(end=n, start=0)",
        "if most is None:\n    most = lengths.max().item()\nreturn x.expand(most, -1)",
        "n = lengths.sum().item()\nreturn torch.full([2, n], 1.5)",
        "return x.topk(lengths.max().item())[0]",
    ],
)
def test_taken(body):
    assert len(found(body)) == 1


@pytest.mark.parametrize(
    "body",
    [
        "n = lengths.max().item()\nreturn x[:, :n + 1]",
        "n = lengths.max().item()\nreturn x[:, :n], n",
        "n = lengths.max().item()\nreturn x[:, :n] if n > 2 else x",
        "n = lengths.max().item()\nreturn [x[i] for i in range(n)], x[:n]",
        "n = lengths.max().item()\nn = n or 1\nreturn x[:n]",
        "n = lengths.max().item()\ndef cut(y):\n    return y[:n]\nreturn cut(x), x[:n]",
        "n = lengths.max().item()\nreturn torch.arange(n)",
        "n = lengths.max(0)[0].item()\nreturn x[:n]",
        "n = lengths.item()\nreturn x[:n]",
        "n = int(lengths.max())\nreturn x[:n]",
        "n = lengths.max().item()\nreturn [1, 2, 3][:n]",
        "n = lengths.max().item()\nreturn torch.full((2, 2), n), x[:n]",
        "least = lengths.max().item()\nreturn x[:least]",
        "n = m = lengths.max().item()\nreturn x[:n]",
    ],
)
def test_left_alone(body):
    assert found(body) == []
