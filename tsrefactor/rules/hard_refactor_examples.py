"""The examples of hard-refactor."""

from __future__ import annotations

from tsrefactor.vocabulary import Target

from .base import Example

_SIGNS = "[(torch.ones(3),), (-torch.ones(3),), (torch.tensor([3.0, -1.0, 0.5, 2.0]),)]"


def _example(before: str, after: str, inputs: str = _SIGNS) -> Example:
    head = """\
import torch
import torch.nn as nn
import torch.nn.functional as F


class Model(nn.Module):
"""
    return Example(head + before, head + after, inputs, Target.TRACE, "baked")


EXAMPLES = [
    _example(
        """\
    def forward(self, x):
        # one sign for all
        if x.sum() > 0:
            y = x
        else:
            y = -x
        return y + 1
""",
        """\
    def forward(self, x):
        # one sign for all
        y = torch.where(x.sum() > 0, x, -x)
        return y + 1
""",
    ),
    # Without an `else` the name keeps its value.
    _example(
        """\
    def forward(self, x):
        x = x - x.mean()
        large = (x.abs() > 1).any()
        if not large:
            x = F.leaky_relu(x, 0.1)
        return x
""",
        """\
    def forward(self, x):
        x = x - x.mean()
        large = (x.abs() > 1).any()
        x = torch.where(large, x, F.leaky_relu(x, 0.1))
        return x
""",
    ),
    _example(
        """\
    def __init__(self, limit=2.0):
        super().__init__()
        self.limit = limit
        self.gain = nn.Parameter(torch.ones(1))

    def forward(self, x):
        y = x * self.gain if x.norm() > self.limit else (x + self.gain).tanh()
        return y
""",
        """\
    def __init__(self, limit=2.0):
        super().__init__()
        self.limit = limit
        self.gain = nn.Parameter(torch.ones(1))

    def forward(self, x):
        y = torch.where(x.norm() > self.limit, x * self.gain, (x + self.gain).tanh())
        return y
""",
        "[(torch.full((3,), 0.1),), (torch.full((3,), 2.0),), (torch.full((5,), 0.2),)]",
    ),
    # A chain selects from the end.
    _example(
        """\
    def forward(self, x):
        mean = x.mean()
        if mean > 1:
            y = x * 0.5
        elif mean < -1:
            y = x.relu() * 2.0
        else:
            y = x + 1.0
        return y
""",
        """\
    def forward(self, x):
        mean = x.mean()
        y = torch.where(mean > 1, x * 0.5, torch.where(mean < -1, x.relu() * 2.0, x + 1.0))
        return y
""",
        "[(torch.full((3,), 2.0),), (torch.tensor([-9.0, 1.0, 2.0, 0.5]),), (torch.full((5,), 0.2),)]",
    ),
    # Several names share one condition, computed before any of them changes.
    _example(
        """\
    def forward(self, x, h):
        if x.sum() > h.sum():
            x = x - 1.0
            h = h * 0.5
        else:
            x = x + 1.0
            h = h * 2.0
        return x, h
""",
        """\
    def forward(self, x, h):
        condition = x.sum() > h.sum()
        x = torch.where(condition, x - 1.0, x + 1.0)
        h = torch.where(condition, h * 0.5, h * 2.0)
        return x, h
""",
        "[(torch.ones(3), torch.zeros(2)), (torch.zeros(3), torch.ones(2)), (-torch.ones(4), torch.ones(5))]",
    ),
    # Two returns.
    _example(
        """\
    def forward(self, x, h):
        if (x < 0).all():
            return x * h
        return x - h
""",
        """\
    def forward(self, x, h):
        return torch.where((x < 0).all(), x * h, x - h)
""",
        "[(torch.ones(3), torch.ones(3)), (-torch.ones(3), torch.ones(3)), (-torch.ones(4), torch.ones(4))]",
    ),
]
