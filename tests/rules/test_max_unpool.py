"""max-unpool: other dimensions and names, and what it must not touch."""

import pytest

from tests.rules.texts import diagnosis, findings, rewritten, source
from tsrefactor.rules.max_unpool import MaxUnpool

HEAD = "import torch\nfrom torch import nn\n\n\n"
BODY = """\
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.unpool = {}

    def forward(self, x, indices):
        return self.unpool(x, indices)
"""


def about(tmp_path, layer, head=HEAD):
    file = source(tmp_path / "model.py", head + BODY.format(layer))
    return file, diagnosis(file, "internal-assert", "self.unpool(x", condition="isIntList()")


def test_two_dimensions(tmp_path):
    text = rewritten(MaxUnpool(), *about(tmp_path, "nn.Sequential(nn.MaxUnpool1d(2), torch.nn.MaxUnpool3d(2))"))
    assert "self.unpool = nn.Sequential(MaxUnpool1d(2), MaxUnpool3d(2))\n" in text
    assert "class MaxUnpool1d(nn.MaxUnpool1d):\n" in text and "class MaxUnpool3d(torch.nn.MaxUnpool3d):\n" in text


def test_a_name_that_is_taken(tmp_path):
    head = "from torch import nn\nfrom torch.nn import MaxUnpool2d\n\n\n"
    text = rewritten(MaxUnpool(), *about(tmp_path, "MaxUnpool2d(2)", head))
    assert "class ScriptedMaxUnpool2d(MaxUnpool2d):\n" in text and "self.unpool = ScriptedMaxUnpool2d(2)\n" in text


@pytest.mark.parametrize("layer", ["nn.MaxPool2d(2)", "MaxUnpool2d(2)", "self.make(nn.MaxUnpool2d)"])
def test_left_alone(tmp_path, layer):
    assert findings(MaxUnpool(), *about(tmp_path, layer)) == []


def test_nothing_without_the_complaint(tmp_path):
    assert findings(MaxUnpool(), about(tmp_path, "nn.MaxUnpool2d(2)")[0]) == []
