"""Further examples of lift-function."""

from tsrefactor.rules import Example
from tsrefactor.vocabulary import Target


def _example(before: str, after: str) -> Example:
    inputs = "[(torch.rand(2, 4),), (torch.rand(3, 4),)]"
    error = "function definitions aren't supported"
    return Example(before, after, inputs, Target.SCRIPT, error=error, recorded=True)


MORE = {
    "passed on as a value in a branch, called in another": _example(
        """\
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint


class Model(nn.Module):
    def __init__(self, saving=False):
        super().__init__()
        self.fc = nn.Linear(4, 4)
        self.saving = saving

    def forward(self, x):
        def _inner(x):
            return self.fc(x)

        if torch.jit.is_scripting():
            return _inner(x)
        return checkpoint(_inner, x) if self.saving else _inner(x)
""",
        """\
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint


class Model(nn.Module):
    def __init__(self, saving=False):
        super().__init__()
        self.fc = nn.Linear(4, 4)
        self.saving = saving

    def forward(self, x):
        if torch.jit.is_scripting():
            return self._inner(x)
        return checkpoint(self._inner, x) if self.saving else self._inner(x)

    def _inner(self, x):
        return self.fc(x)
""",
    ),
    "defaults, keywords, an own annotation": _example(
        """\
import torch
from torch import nn


class Model(nn.Module):
    def forward(self, x):
        width, names = x.size(1), ['a', 'b']

        def shifted(t, by: float, times=2):
            return (t + by * width) * times * len(names)

        y = shifted(x, 0.5) + shifted(x, times=3, by=1.5)
        return y + shifted(x, 2.5, 4)
""",
        """\
from typing import List

import torch
from torch import nn


def _shifted(t, by: float, width: int, names: List[str], times: int = 2):
    return (t + by * width) * times * len(names)


class Model(nn.Module):
    def forward(self, x):
        width, names = x.size(1), ['a', 'b']

        y = _shifted(x, 0.5, width, names) + _shifted(x, times=3, by=1.5, width=width, names=names)
        return y + _shifted(x, 2.5, width, names, times=4)
""",
    ),
    "in a function of the module": _example(
        """\
import torch


def smooth(x):
    def _half(t):
        return t / 2
    return _half(x)


class Model(torch.nn.Module):
    def forward(self, x):
        return smooth(x)
""",
        """\
import torch


def _half(t):
    return t / 2


def smooth(x):
    return _half(x)


class Model(torch.nn.Module):
    def forward(self, x):
        return smooth(x)
""",
    ),
}
