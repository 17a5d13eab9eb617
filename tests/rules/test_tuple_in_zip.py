"""tuple-in-zip: what stays."""

import pytest

from tests.rules.texts import diagnosis, findings, source
from tsrefactor.rules.tuple_in_zip import TupleInZip

MODEL = """\
import torch
from torch import nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(4, 4)])
        self.weights = ({values})

    def forward(self, xs: list[torch.Tensor]):
        for w, x in zip({zipped}):
            xs.append(w * x)
        return xs
"""


@pytest.mark.parametrize(
    ("values", "zipped", "count"),
    [
        ("1.0, 0.5", "self.weights, xs", 1),
        ("1.0, 2", "self.weights, xs", 0),
        ("1.0, 0.5", "self.weights, self.layers", 0),
        ("1.0, 0.5", "self.weights, self.weights", 0),
    ],
)
def test_tuples_of_one_type_beside_lists(values, zipped, count, tmp_path):
    file = source(tmp_path / "model.py", MODEL.format(values=values, zipped=zipped))
    assert len(findings(TupleInZip(), file, diagnosis(file, "iterate-module", "zip("))) == count
