"""The examples of module-index."""

from __future__ import annotations

from tsrefactor.vocabulary import Target

from .base import Example

_HEAD = """\
import torch
from torch import nn


class Model(nn.Module):
"""


def _example(before: str, after: str, error: str = "Expected integer literal", inputs: str = "") -> Example:
    return Example(
        before=_HEAD + before,
        after=_HEAD + after,
        inputs=inputs or "[(torch.rand(2, 4),), (torch.rand(3, 4),)]",
        breaks=Target.SCRIPT,
        error=error,
    )


_LAYERS = """\
    def __init__(self, depth=3):
        super().__init__()
        self.depth = depth
        self.layers = nn.ModuleList([nn.Linear(4, 4) for _ in range(depth)])
        self.norms = nn.ModuleList([nn.LayerNorm(4) for _ in range(depth)])

"""

EXAMPLES = [
    _example(
        _LAYERS
        + """\
    def forward(self, x):
        for i in range(self.depth):  # all of them
            x = x + torch.relu(self.layers[i](x))
            # and once more
        return x
""",
        _LAYERS
        + """\
    def forward(self, x):
        for layer in self.layers:  # all of them
            x = x + torch.relu(layer(x))
            # and once more
        return x
""",
    ),
    _example(
        _LAYERS
        + """\
    def forward(self, x):
        outs = [x]
        for i in range(len(self.layers)):
            y = self.layers[i](outs[i])
            outs.append(self.norms[i](y))
        return outs[-1]
""",
        _LAYERS
        + """\
    def forward(self, x):
        outs = [x]
        for i, (layer, norm) in enumerate(zip(self.layers, self.norms)):
            y = layer(outs[i])
            outs.append(norm(y))
        return outs[-1]
""",
    ),
    _example(
        _LAYERS
        + """\
    def forward(self, x):
        x = self.layers[0](x)
        for i in range(1, self.depth - 1):
            x = self.layers[i](torch.relu(x))
        return self.layers[-1](x)
""",
        _LAYERS
        + """\
    def forward(self, x):
        x = self.layers[0](x)
        for i, layer in enumerate(self.layers):
            if 1 <= i < self.depth - 1:
                x = layer(torch.relu(x))
        return self.layers[-1](x)
""",
    ),
    _example(
        """\
    def __init__(self):
        super().__init__()
        self.ups = nn.ModuleList([nn.Linear(4, 4) for _ in range(2)])
        self.blocks = nn.ModuleList([nn.Linear(4, 4) for _ in range(6)])

    def forward(self, x):
        for i in range(2):
            x = self.ups[i](x)
            total = torch.zeros_like(x)
            for j in range(3):
                total = total + self.blocks[i * 3 + j](x)
            x = total / 3
        return x
""",
        """\
    def __init__(self):
        super().__init__()
        self.ups = nn.ModuleList([nn.Linear(4, 4) for _ in range(2)])
        self.blocks = nn.ModuleList([nn.Linear(4, 4) for _ in range(6)])

    def forward(self, x):
        for i, up in enumerate(self.ups):
            x = up(x)
            total = torch.zeros_like(x)
            for j in range(3):
                total = total + self._call_block(i * 3 + j, x)
            x = total / 3
        return x

    def _call_block(self, index: int, x):
        for i, block in enumerate(self.blocks):
            if i == index:
                return block(x)
        raise IndexError('blocks')
""",
    ),
    _example(
        """\
    def __init__(self, stages=2, depth=2):
        super().__init__()
        self.stages, self.depth = stages, depth
        self.blocks = nn.ModuleList([nn.ModuleList([nn.Linear(4, 4) for _ in range(depth)]) for _ in range(stages)])

    def forward(self, x):
        for i in range(len(self.blocks)):
            for j in range(self.depth):
                x = self.blocks[i][j](x)
        return x
""",
        """\
    def __init__(self, stages=2, depth=2):
        super().__init__()
        self.stages, self.depth = stages, depth
        self.blocks = nn.ModuleList([nn.ModuleList([nn.Linear(4, 4) for _ in range(depth)]) for _ in range(stages)])

    def forward(self, x):
        for block in self.blocks:
            for layer in block:
                x = layer(x)
        return x
""",
    ),
    _example(
        """\
    def __init__(self):
        super().__init__()
        self.convs = nn.ModuleList([nn.Linear(4, 4) for _ in range(3)])

    def forward(self, xs: list[torch.Tensor]):
        for conv in self.convs[1:]:
            xs[0] = conv(xs[0])
        y = xs[0]
        for conv, x in zip(self.convs, xs):
            y = y + conv(x)
        for conv in reversed(self.convs):
            y = conv(y)
        return y
""",
        """\
    def __init__(self):
        super().__init__()
        self.convs = nn.ModuleList([nn.Linear(4, 4) for _ in range(3)])

    def forward(self, xs: list[torch.Tensor]):
        for i, conv in enumerate(self.convs):
            if i >= 1:
                xs[0] = conv(xs[0])
        y = xs[0]
        for j, conv in enumerate(self.convs):
            x = xs[j]
            y = y + conv(x)
        for index in range(len(self.convs) - 1, -1, -1):
            for k, conv_2 in enumerate(self.convs):
                if k == index:
                    y = conv_2(y)
        return y
""",
        error="__call__",
        inputs="[([torch.rand(2, 4) for _ in range(3)],), ([torch.rand(3, 4) for _ in range(3)],)]",
    ),
]
