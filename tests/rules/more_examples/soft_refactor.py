"""Further examples of soft-refactor."""

from tsrefactor.rules import Example, Settings
from tsrefactor.vocabulary import Placement, Target

_INNER, _MODULE = Settings(placement=Placement.INNER), Settings(placement=Placement.MODULE)
_ROWS = "[(torch.ones(3, 4),), (-torch.ones(3, 4),), (torch.arange(20.0).view(5, 4) - 9,)]"


def _baked(before: str, after: str, inputs: str, settings: Settings) -> Example:
    return Example(before, after, inputs, Target.TRACE, "baked", settings=settings)


MORE = {
    # A size that is also needed outside is read again; two results; the second one's old value is an argument.
    "size needed outside, two results": _baked(
        """\
import torch


class Model(torch.nn.Module):
    def forward(self, x: torch.Tensor):
        n, width = x.shape
        low = x.new_zeros(n)
        high = x.sum(dim=1)
        if x.mean() > 0:
            low = high / width
        elif x.mean() < -1:
            low = high - width
            high = low * 2
        return low, high.view(n, 1)
""",
        """\
import torch


@torch.jit.script_if_tracing
def _update_low_high(x, low, high):
    n, width = x.shape
    if x.mean() > 0:
        low = high / width
    elif x.mean() < -1:
        low = high - width
        high = low * 2
    return low, high


class Model(torch.nn.Module):
    def forward(self, x: torch.Tensor):
        n, width = x.shape
        low = x.new_zeros(n)
        high = x.sum(dim=1)
        low, high = _update_low_high(x, low, high)
        return low, high.view(n, 1)
""",
        "[(torch.ones(3, 4),), (-torch.ones(3, 4),), (torch.full((5, 4), -3.0),)]",
        _MODULE,
    ),
    # A loop over rows: the list that it fills cannot be a result, so what makes and what uses it moves along.
    "list of rows": _baked(
        """\
import torch


class Model(torch.nn.Module):
    def forward(self, x: torch.Tensor):
        rows = []
        for row in x:
            # rows of zeros stay
            if row.sum() > 0:
                row = row - row.mean()
            rows.append(row)
        return torch.stack(rows)
""",
        """\
import torch


@torch.jit.script_if_tracing
def _forward_result(x):
    rows = []
    for row in x:
        # rows of zeros stay
        if row.sum() > 0:
            row = row - row.mean()
        rows.append(row)
    return torch.stack(rows)


class Model(torch.nn.Module):
    def forward(self, x: torch.Tensor):
        return _forward_result(x)
""",
        _ROWS,
        _MODULE,
    ),
    # Inside a loop over layers, which cannot move, the block alone does.
    "inside a loop over layers": _baked(
        """\
import torch
from torch import nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(4, 4), nn.Linear(4, 4)])

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
            if x.norm() > 1:
                x = x / x.norm()
        return x.sum(1)
""",
        """\
import torch
from torch import nn


@torch.jit.script_if_tracing
def _update_x(x):
    if x.norm() > 1:
        x = x / x.norm()
    return x


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(4, 4), nn.Linear(4, 4)])

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
            x = _update_x(x)
        return x.sum(1)
""",
        "[(torch.zeros(1, 4),), (torch.full((3, 4), 9.0),)]",
        _MODULE,
    ),
    # A number of turns taken from a tensor, and one from a size; `break` stays in its loop.
    "number of turns from a tensor and from a size": _baked(
        """\
import torch


class Model(torch.nn.Module):
    def forward(self, x: torch.Tensor, turns: torch.Tensor):
        last = len(x) - 1
        total = x[last]
        for i in range(int(turns)):
            if total.sum() > 50:
                break
            total = total + x[i % last]
        return total
""",
        """\
import torch


class Model(torch.nn.Module):
    def forward(self, x: torch.Tensor, turns: torch.Tensor):
        last = len(x) - 1
        total = x[last]

        @torch.jit.script_if_tracing
        def _update_total(x, turns, total):
            last = len(x) - 1
            for i in range(int(turns)):
                if total.sum() > 50:
                    break
                total = total + x[i % last]
            return total

        total = _update_total(x, turns, total)
        return total
""",
        "[(torch.ones(3, 2), torch.tensor(2)), (torch.ones(5, 2), torch.tensor(7))]",
        _INNER,
    ),
    # A size as the number of groups, without a warning; what it was read from has another shape by then.
    "groups of a convolution": _baked(
        """\
import torch
import torch.nn.functional as F


class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.rand(3, 2, 1, 1))

    def forward(self, x):
        batch, channels, height, width = x.shape
        x = x.reshape(1, batch * channels, height, width)
        weight = self.weight.repeat(batch, 1, 1, 1)
        x = F.conv2d(x, weight, groups=batch)
        return x.view(batch, -1, height, width)
""",
        """\
import torch
import torch.nn.functional as F


class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.rand(3, 2, 1, 1))

    def forward(self, x):
        batch, channels, height, width = x.shape
        x = x.reshape(1, batch * channels, height, width)
        weight = self.weight.repeat(batch, 1, 1, 1)

        @torch.jit.script_if_tracing
        def _update_x(x, weight, batch):
            return F.conv2d(x, weight, groups=int(batch))

        x = _update_x(x, weight, batch)
        return x.view(batch, -1, height, width)
""",
        "[(torch.rand(2, 2, 4, 5),), (torch.rand(3, 2, 6, 5),), (torch.rand(1, 2, 3, 3),)]",
        _INNER,
    ),
}
