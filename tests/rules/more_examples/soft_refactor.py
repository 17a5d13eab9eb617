"""Further examples of soft-refactor."""

from tsrefactor.rules import Example, Settings
from tsrefactor.vocabulary import Placement, Target

_INNER, _MODULE = Settings(placement=Placement.INNER), Settings(placement=Placement.MODULE)
_ROWS = "[(torch.ones(3, 4),), (-torch.ones(3, 4),), (torch.arange(20.0).view(5, 4) - 9,)]"


def _baked(before: str, after: str, inputs: str, settings: Settings, recorded: bool = False) -> Example:
    return Example(before, after, inputs, Target.TRACE, "baked", settings=settings, recorded=recorded)


MORE = {
    # As many rows as the example has would be joined. Pieces of given lengths are as many for every input.
    "rows joined at once": _baked(
        """\
import torch


class Model(torch.nn.Module):
    def forward(self, x: torch.Tensor):
        y = torch.cat(torch.unbind(x, dim=1), dim=0)  # views of one sample apart
        return torch.cat(y.split([1, 3], dim=1), dim=1)
""",
        """\
import torch


class Model(torch.nn.Module):
    def forward(self, x: torch.Tensor):
        @torch.jit.script_if_tracing
        def _compute_y(x):
            return torch.cat(torch.unbind(x, dim=1), dim=0)

        y = _compute_y(x)  # views of one sample apart
        return torch.cat(y.split([1, 3], dim=1), dim=1)
""",
        "[(torch.rand(2, 3, 4),), (torch.rand(2, 5, 4),)]",
        _INNER,
    ),
    # A method that the loop calls becomes a function, with the types that a run has shown.
    "method that only computes": _baked(
        """\
import torch


class Model(torch.nn.Module):
    def halved(self, row, by=2):
        \"\"\"A part of a row.\"\"\"
        # the rest is dropped
        return row / by

    def forward(self, x):
        x = x.clone()
        for i in range(x.size(0)):
            x[i] = self.halved(x[i], by=4)
        return self.halved(x)
""",
        """\
import torch


def _halved(row, by: int = 2):
    return row / by


@torch.jit.script_if_tracing
def _update_x(x):
    for i in range(x.size(0)):
        x[i] = _halved(x[i], by=4)
    return x


class Model(torch.nn.Module):
    def halved(self, row, by=2):
        \"\"\"A part of a row.\"\"\"
        # the rest is dropped
        return _halved(row, by)

    def forward(self, x):
        x = x.clone()
        x = _update_x(x)
        return self.halved(x)
""",
        "[(torch.ones(3, 4),), (torch.rand(5, 4),)]",
        _MODULE,
        recorded=True,
    ),
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
    # A function of the file makes a number of the sizes that it is given; tuples of numbers are passed.
    "padding that a function computes": _baked(
        """\
import torch
import torch.nn.functional as F
from torch import nn


def missing(n: int, kernel: int, stride: int):
    return max((-(-n // stride) - 1) * stride + kernel - n, 0)


def pad_same(x: torch.Tensor, kernel, stride=(1, 1), value=0.0):
    height, width = x.size()[-2:]
    bottom, right = missing(height, kernel[0], stride[0]), missing(width, kernel[1], stride[1])
    if bottom > 0 or right > 0:
        x = F.pad(x, [0, right, 0, bottom], value=value)
    return x


class Model(nn.Conv2d):
    def __init__(self):
        super().__init__(2, 3, 3, stride=3)

    def forward(self, x: torch.Tensor):
        x = pad_same(x, self.weight.shape[-2:], self.stride)
        return F.conv2d(x, self.weight, self.bias, self.stride)
""",
        """\
from typing import List, Tuple

import torch
import torch.nn.functional as F
from torch import nn


def missing(n: int, kernel: int, stride: int):
    return max((-(-n // stride) - 1) * stride + kernel - n, 0)


def pad_same(x: torch.Tensor, kernel, stride=(1, 1), value=0.0):
    @torch.jit.script_if_tracing
    def _update_x(x, kernel: List[int], stride: Tuple[int, int], value: float):
        height, width = x.size()[-2:]
        bottom, right = missing(height, kernel[0], stride[0]), missing(width, kernel[1], stride[1])
        if bottom > 0 or right > 0:
            x = F.pad(x, [0, right, 0, bottom], value=value)
        return x

    x = _update_x(x, kernel, stride, value)
    return x


class Model(nn.Conv2d):
    def __init__(self):
        super().__init__(2, 3, 3, stride=3)

    def forward(self, x: torch.Tensor):
        x = pad_same(x, self.weight.shape[-2:], self.stride)
        return F.conv2d(x, self.weight, self.bias, self.stride)
""",
        "[(torch.rand(1, 2, 6, 6),), (torch.rand(1, 2, 4, 6),), (torch.rand(2, 2, 6, 5),)]",
        _INNER,
        recorded=True,
    ),
    # The batch as the groups of a convolution; a tensor that may be missing.
    "kernels of their own for every sample": _baked(
        """\
import torch
import torch.nn.functional as F
from torch import nn


class Model(nn.Module):
    def __init__(self, bias=False):
        super().__init__()
        self.stride = (1, 1)
        self.weight = nn.Parameter(torch.rand(4, 2 * 3))
        self.register_parameter("bias", nn.Parameter(torch.rand(4, 3)) if bias else None)

    def forward(self, x: torch.Tensor, routing: torch.Tensor):
        n, c, h, w = x.shape
        weight = torch.matmul(routing, self.weight).view(n * 3, 2, 1, 1)
        bias = None
        if self.bias is not None:
            bias = torch.matmul(routing, self.bias)
            bias = bias.view(n * 3)
        x = x.view(1, n * c, h, w)
        out = F.conv2d(x, weight, bias, stride=self.stride, groups=n)
        return out.view(n, 3, h, w)
""",
        """\
from typing import Optional, Tuple

import torch
import torch.nn.functional as F
from torch import nn


class Model(nn.Module):
    def __init__(self, bias=False):
        super().__init__()
        self.stride = (1, 1)
        self.weight = nn.Parameter(torch.rand(4, 2 * 3))
        self.register_parameter("bias", nn.Parameter(torch.rand(4, 3)) if bias else None)

    def forward(self, x: torch.Tensor, routing: torch.Tensor):
        n, c, h, w = x.shape
        weight = torch.matmul(routing, self.weight).view(n * 3, 2, 1, 1)
        bias = None
        if self.bias is not None:
            bias = torch.matmul(routing, self.bias)
            bias = bias.view(n * 3)
        x = x.view(1, n * c, h, w)

        @torch.jit.script_if_tracing
        def _compute_out(x, weight, n, bias: Optional[torch.Tensor], stride: Tuple[int, int]):
            return F.conv2d(x, weight, bias, stride=stride, groups=int(n))

        out = _compute_out(x, weight, n, bias, self.stride)
        return out.view(n, 3, h, w)
""",
        "[(torch.rand(2, 2, 3, 3), torch.rand(2, 4)), (torch.rand(3, 2, 4, 3), torch.rand(3, 4))]",
        _INNER,
        recorded=True,
    ),
    # Buffers that the block updates, one of which only some instances have; a count that is needed after the loop.
    "buffers that it updates": _baked(
        """\
import torch
from torch import nn


class Model(nn.Module):
    def __init__(self, momentum=0.0):
        super().__init__()
        self.momentum = momentum
        self.register_buffer("calls", torch.zeros(4))
        if momentum > 0:
            self.register_buffer("seen", torch.zeros(4))

    def forward(self, x: torch.Tensor):
        count = 0
        for i in range(4):
            above = (x > i).sum()
            if above > 0:
                count += 1
                self.calls[i] += 1
                if self.momentum > 0:
                    self.seen[i] = self.momentum * self.seen[i] + above
                    x = x + self.seen[i]
                else:
                    x = x + above
        return x / (count + 1)
""",
        """\
from typing import Optional

import torch
from torch import nn


class Model(nn.Module):
    def __init__(self, momentum=0.0):
        super().__init__()
        self.momentum = momentum
        self.register_buffer("calls", torch.zeros(4))
        if momentum > 0:
            self.register_buffer("seen", torch.zeros(4))

    def forward(self, x: torch.Tensor):
        @torch.jit.script_if_tracing
        def _forward_result(x, calls, momentum: float, seen: Optional[torch.Tensor]):
            count = 0
            for i in range(4):
                above = (x > i).sum()
                if above > 0:
                    count += 1
                    calls[i] += 1
                    if momentum > 0:
                        assert seen is not None
                        seen[i] = momentum * seen[i] + above
                        x = x + seen[i]
                    else:
                        x = x + above
            return x / (count + 1)

        return _forward_result(x, self.calls, self.momentum, getattr(self, 'seen', None))
""",
        "[(torch.full((3,), 0.5),), (torch.full((4,), 3.0),)]",
        _INNER,
        recorded=True,
    ),
    # A size used in the block is read inside it: as an argument it would be frozen at the example's.
    "size": _baked(
        """\
import torch


class Model(torch.nn.Module):
    def forward(self, x):
        rows = x.shape[0]
        if x.sum() > 0:
            x = x * rows
        return x
""",
        """\
import torch


class Model(torch.nn.Module):
    def forward(self, x):
        @torch.jit.script_if_tracing
        def _update_x(x):
            rows = x.shape[0]
            if x.sum() > 0:
                x = x * rows
            return x

        x = _update_x(x)
        return x
""",
        _ROWS,
        _INNER,
    ),
}
