"""Which calls are outermost, and which modules count."""

import pytest
import torch

from tsrefactor.record.outermost import outermost_calls
from tsrefactor.record.sources import Sources

SOURCE = """
    from torch import nn

    class Inner(nn.Module):
        def forward(self, x, fail=False):
            if fail:
                raise ValueError
            return x

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = Inner()

        def forward(self, x):
            return self.inner(x)
"""


def test_outermost_calls_are_named_and_counted(make_module, tmp_path):
    module = make_module(SOURCE)
    one, two, inner = module.Net(), module.Net(), module.Inner()
    wrapped = torch.nn.Sequential(two)
    x = torch.ones(1)
    calls, ended = [], []
    original = torch.nn.Module.__call__
    before = lambda call, at, inputs: calls.append((call.name, call.calls, at, inputs.args[0] is x))  # noqa: E731
    with outermost_calls(Sources([str(tmp_path)]), before, lambda call, at: ended.append(call.name)):
        one(x)
        torch.nn.Linear(1, 1)(x)
        two(x)
        one(x)
        wrapped(x)
        with pytest.raises(ValueError):
            inner(x, fail=True)
        inner(x)
    assert calls == [
        ("observed.Net#1", 1, one, True),
        ("observed.Net#2", 1, two, True),
        ("observed.Net#1", 2, one, True),
        ("torch.nn.modules.container.Sequential#1", 1, wrapped, True),
        ("observed.Inner#1", 1, inner, True),
        ("observed.Inner#1", 2, inner, True),
    ]
    assert ended == [name for name, *_ in calls]
    assert torch.nn.Module.__call__ is original
