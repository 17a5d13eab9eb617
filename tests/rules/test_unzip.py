"""unzip: what stays, and the other forms."""

import pytest

from tests.rules.texts import findings, rewritten, source
from tsrefactor.rules.unzip import Unzip

HEAD = """\
import torch
from torch import nn


class Model(nn.Module):
    def forward(self, x: torch.Tensor):
        outs = [(r, r * 2) for r in x]
"""


@pytest.mark.parametrize(
    "body",
    [
        "        a, b = zip(*outs)\n        return a, b\n",  # as tuples
        "        a, b = zip(*outs)\n        return self.join(a, b)\n",
        "        a, b = map(self.join, zip(*outs))\n        return a, b\n",
        "        a, b = map(lambda t: t[1:], zip(*outs))\n        return torch.cat(a + b)\n",
        "        a, *b = zip(*outs)\n        return torch.cat(a)\n",
        "        self.a, b = zip(*outs)\n        return torch.cat(b)\n",
        "        return [torch.cat(c) for c in zip(*outs)]\n",
        "        a, b = zip(*[{'k': x, 'l': x}])\n        return x\n",
        "        a, b = zip(*x)\n        return torch.stack(a) + torch.stack(b)\n",
        "        a, b = zip(\n            *outs  # both\n        )\n        return torch.cat(a + b)\n",
        "        a, b = zip(*reversed(outs))\n        return torch.cat(a) + torch.cat(b)\n",
    ],
)
def test_what_stays(body, tmp_path):
    [finding] = findings(Unzip(), source(tmp_path / "model.py", HEAD + body))
    assert not finding.fixable


def test_other_functions(tmp_path):
    body = "        out = 0\n        a, b = map(list, zip(*outs))\n        return a, b\n"
    new = rewritten(Unzip(), source(tmp_path / "model.py", HEAD + body))
    assert "a, b = [pair[0] for pair in outs], [pair[1] for pair in outs]\n" in new
