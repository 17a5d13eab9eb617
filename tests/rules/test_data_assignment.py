"""data-assignment: whose data it is."""

import pytest

from tests.rules.texts import diagnosis, findings, rewritten, source
from tsrefactor.rules.data_assignment import DataAssignment

BODY = """\
import torch
from torch import nn


class Model(nn.Module):
    def forward(self, x, scale):
        weight = self.fc.weight
        row = self.fc.weight[0]
        {}
        return self.fc(x)
"""


def model(tmp_path, line):
    file = source(tmp_path / "model.py", BODY.format(line))
    return file, diagnosis(file, "set-attribute-on-value", line)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("row.data /= x.sum()", "row.data.div_(x.sum())"),
        ("weight.data = scale", "    weight.data.copy_(scale)"),
        ("self.layers[0].bias.data = -self.data(x)", "bias = -self.data(x)"),
    ],
)
def test_forms(tmp_path, before, after):
    file, error = model(tmp_path, before)
    assert f"\n        {after}\n" in rewritten(DataAssignment(), file, error)


@pytest.mark.parametrize("line", ["row.data = scale", "x.data = x.relu()"])
def test_views_and_inputs_stay(tmp_path, line):
    [found] = findings(DataAssignment(), *model(tmp_path, line))
    assert not found.fixable and "a view of" in found.message


@pytest.mark.parametrize("line", ["x.requires_grad = False", "weight.data //= 2", "a = row.data = x"])
def test_other_statements(tmp_path, line):
    assert findings(DataAssignment(), *model(tmp_path, line)) == []
