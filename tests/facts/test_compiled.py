"""What TorchScript compiles of a file that no run was seen of."""

from pathlib import Path

from tsrefactor.facts.compiled import compiled
from tsrefactor.facts.file import FileFacts
from tsrefactor.source.document import Document
from tsrefactor.source.file import SourceFile

TEXT = """\
import torch
from torch import nn


def helper(x):
    return torch.relu(x)


def train(model):
    return torch.optim.SGD(model.parameters(), 0.1)


@torch.jit.script
def scripted(x):
    return torch.relu(x)


class Model(nn.Module):
    def forward(self, x):
        return self.inner(x)

    def inner(self, x):
        return helper(x)

    def export(self):
        return torch.save(self, 'model.pt')
"""


def test_forward_and_what_it_calls(tmp_path: Path):
    path = tmp_path / "model.py"
    path.write_text(TEXT)
    file = FileFacts(Document(SourceFile.read(path)))
    assert [f.name for f in compiled(file)] == ["scripted", "forward", "inner", "helper"]
