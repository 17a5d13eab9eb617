"""The examples of size-concat."""

from __future__ import annotations

from tsrefactor.vocabulary import Target

from .base import Example

_HEAD = """\
import torch
from torch import nn


class Model(nn.Module):
    def forward(self, x):
"""
_ERROR = "cannot statically infer the expected size of a list"
_INPUTS = "[(torch.rand(2, 3, 4),), (torch.rand(3, 5, 6),)]"


def _example(before: str, after: str, error: str = _ERROR) -> Example:
    return Example(_HEAD + before, _HEAD + after, _INPUTS, Target.SCRIPT, error=error)


EXAMPLES = [
    _example(
        """\
        shape = x.size()[:-1] + (2, -1)
        x = x.view(*shape)  # split the heads
        return x.reshape(*x.shape[:2], -1)
""",
        """\
        shape = x.size()[:-1] + (2, -1)
        x = x.view(shape)  # split the heads
        return x.reshape(x.shape[:2] + (-1,))
""",
    ),
    _example(
        """\
        order = [0] + list(range(2, x.dim())) + [1]
        y = x.permute(*order)
        keep = y.new_zeros(y.size(0), *([1] * (y.dim() - 1)))
        y = y + keep + torch.ones(*y.shape[1:], dtype=y.dtype)
        return y.permute(0, *range(2, y.dim()), 1)
""",
        """\
        order = [0] + list(range(2, x.dim())) + [1]
        y = x.permute(order)
        keep = y.new_zeros([y.size(0)] + ([1] * (y.dim() - 1)))
        y = y + keep + torch.ones(y.shape[1:], dtype=y.dtype)
        return y.permute([0] + list(range(2, y.dim())) + [1])
""",
        error="size of a list|range cannot be used as a tuple",
    ),
    _example(
        """\
        batch, *rest = x.shape
        *_, width = x.size()
        y = x.reshape([batch, 1] + rest)
        return y.sum() + y.new_zeros(width, *rest).sum()
""",
        """\
        batch, rest = x.shape[0], list(x.shape[1:])
        width = x.size()[-1]
        y = x.reshape([batch, 1] + rest)
        return y.sum() + y.new_zeros([width] + rest).sum()
""",
    ),
    _example(
        """\
        parts = []
        for i in range(3):
            parts.append(x * i)
        y = torch.cat(tuple(parts), 1)
        y = torch.stack((y, *parts[:0]))
        return y.sum(dim=tuple(range(1, y.dim())))
""",
        """\
        parts = []
        for i in range(3):
            parts.append(x * i)
        y = torch.cat(parts, 1)
        y = torch.stack([y] + parts[:0])
        return y.sum(dim=list(range(1, y.dim())))
""",
    ),
    _example(
        """\
        height, width = tuple(x.size()[1:3])
        b, n, c, device = *x.shape, x.device
        pad = torch.zeros((*x.shape[:2], 1), device=device)
        x = torch.cat([x, pad], 2)
        return x.view(b, -1) * (height + width + n + c)
""",
        """\
        height, width = x.size()[1:3]
        (b, n, c), device = x.shape, x.device
        pad = torch.zeros(x.shape[:2] + (1,), device=device)
        x = torch.cat([x, pad], 2)
        return x.view(b, -1) * (height + width + n + c)
""",
    ),
]
