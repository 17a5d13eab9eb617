"""What out-of-place leaves alone."""

import pytest

from tests.rules.texts import diagnosis, findings, rewritten, source
from tsrefactor.rules.out_of_place import OutOfPlace

HEAD = """\
from torch import nn
import torch.nn.functional as F


class Model(nn.Module):
    def __init__(self, act):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(4, 4), act)
        self.act = nn.LeakyReLU(0.2, inplace=True)
        self.relu = nn.ReLU(True)
        self.dense = nn.Linear(4, 4)
        self.heads = nn.ModuleList([nn.Sequential(nn.Linear(4, 4), nn.ReLU(inplace=True)) for _ in range(2)])

    def forward(self, x, rows):
"""


@pytest.mark.parametrize(
    ("line", "after"),
    [
        ("y = self.act(x)", "self.act = nn.LeakyReLU(0.2)\n"),
        ("y = self.relu(x)", "self.relu = nn.ReLU()\n"),
        ("y = F.elu(x, inplace=True)", "y = F.elu(x)\n"),
        ("y = self.heads[0](x)", "nn.ReLU()) for _ in range(2)])\n"),
    ],
)
def test_activations(line, after, tmp_path):
    file = source(tmp_path / "m.py", f"{HEAD}        {line}\n        return y\n")
    assert after in rewritten(OutOfPlace(), file, diagnosis(file, "in-place-on-leaf", line))


def test_a_parameter_that_a_layer_has_made_anew(tmp_path):
    text = f"{HEAD}        x = self.dense(x)\n        x = self.body(x)\n        x += rows\n        return x\n"
    file = source(tmp_path / "m.py", text)
    assert "x = x + rows\n" in rewritten(OutOfPlace(), file, diagnosis(file, "in-place-on-leaf", "x += rows"))


@pytest.mark.parametrize(
    "body",
    [
        "x += 1\nreturn x",  # an argument
        "x = self.body(x)\nx += 1\nreturn x",  # maybe still one
        "x = self.dense(x)\nx = x[0]\nx += 1\nreturn x",
        "if rows:\n    x = self.dense(x)\nx += 1\nreturn x",
        "y = x[0]\ny += x\nreturn y",  # a part of one
        "y = self.body(x)\ny += x if rows is None else rows\nreturn y",
        "y = self.body(x)\nreturn y",
        "y = F.relu(x, inplace=rows)\nreturn y",
    ],
)
def test_left_alone(body, tmp_path):
    text = HEAD + "".join(f"        {line}\n" for line in body.split("\n"))
    file = source(tmp_path / "m.py", text)
    at = body.split("\n")[-2]
    assert findings(OutOfPlace(), file, diagnosis(file, "in-place-on-leaf", at)) == []
