"""Further examples of layer-in-forward."""

from tsrefactor.rules import Example
from tsrefactor.vocabulary import Target

MORE = {
    "dropout that never rests": Example(
        before="""\
import torch.nn as nn


class Model(nn.Module):
    def forward(self, x):
        drop = nn.Dropout(1)
        return drop(x) + nn.Dropout(p=0)(x)
""",
        after="""\
import torch.nn as nn


class Model(nn.Module):
    def forward(self, x):
        return nn.functional.dropout(x, 1.0) + nn.functional.dropout(x, p=0.0)
""",
        inputs="[(torch.rand(2, 4),), (torch.rand(3, 4),)]",
        breaks=Target.SCRIPT,
        error="Cannot instantiate class 'Dropout'",
    ),
    "parameter as a value": Example(
        before="""\
import torch
from torch import nn


class Model(nn.Module):
    def forward(self, x):
        start = nn.Parameter(torch.zeros(4))
        return x + start
""",
        after="""\
import torch
from torch import nn


class Model(nn.Module):
    def forward(self, x):
        start = torch.zeros(4).requires_grad_()
        return x + start
""",
        inputs="[(torch.rand(2, 4),), (torch.rand(3, 4),)]",
        breaks=Target.SCRIPT,
        error="Cannot instantiate class 'Parameter'",
    ),
}
