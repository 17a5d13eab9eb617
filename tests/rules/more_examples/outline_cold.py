"""Further examples of outline-cold."""

from tsrefactor.rules import Example
from tsrefactor.vocabulary import Target

HEAD = """\
import torch
from torch import nn


class Model(nn.Module):
    def __init__(self, mode=0):
        super().__init__()
        self.mode = mode

"""


def _example(before: str, after: str, error: str, head: str = HEAD) -> Example:
    inputs = "[(torch.rand(2, 4),), (torch.rand(3, 4),)]"
    return Example(head + before, head + after, inputs, Target.SCRIPT, error=error, recorded=True)


MORE = {
    "the rest of a cold branch that returns": _example(
        """\
    def forward(self, x):
        if self.mode > 1:
            y = x * 2
            key = lambda t: t.sum()  # the largest first
            if y.dim() > 2:
                return y
            return sorted(y, key=key)[0]
        return x
""",
        """\
    def forward(self, x):
        if self.mode > 1:
            if torch.jit.is_scripting():
                raise RuntimeError('Model.forward does not support `self.mode > 1` under TorchScript')
            y = x * 2
            return self._forward_mode(y)  # the largest first
        return x

    def _forward_mode(self, y):
        key = lambda t: t.sum()
        if y.dim() > 2:
            return y
        return sorted(y, key=key)[0]
""",
        "Lambda aren't supported",
    ),
    "a name that a try may leave as it was, used later": _example(
        """\
    def forward(self, x):
        y = x
        if self.mode:
            # it may
            try:
                y = x.double()
            except RuntimeError:
                pass
            y = y + 1
        return y * 2
""",
        """\
    def forward(self, x):
        y = x
        if self.mode:
            if torch.jit.is_scripting():
                raise RuntimeError('Model.forward does not support `self.mode` under TorchScript')
            # it may
            y = self._forward_mode(y, x)
            y = y + 1
        return y * 2

    def _forward_mode(self, y, x):
        try:
            y = x.double()
        except RuntimeError:
            pass
        return y
""",
        "try blocks aren't supported",
    ),
    "a function of the module that no run calls, called in a branch that runs": _example(
        """\
    def forward(self, x):
        return self.body(x)
""",
        """\
    def forward(self, x):
        return self.body(x)
""",
        "import statements aren't supported",
        '''\
import torch
from torch import nn


class Head(nn.Module):
    def forward(self, x):
        """For training."""
        import numpy

        return x * numpy.pi


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.body, self.head = nn.Linear(4, 4), Head()

''',
    ),
}
_NAME = "a function of the module that no run calls, called in a branch that runs"
_HEAD = MORE.pop(_NAME)
MORE["a submodule that no run calls"] = Example(
    _HEAD.before,
    _HEAD.before.replace(
        "        import numpy\n\n        return x * numpy.pi\n",
        "        if torch.jit.is_scripting():\n"
        "            raise RuntimeError('Head.forward is not supported under TorchScript')\n"
        "        return self._forward_rest(x)\n\n"
        "    def _forward_rest(self, x):\n        import numpy\n\n        return x * numpy.pi\n",
    ),
    _HEAD.inputs,
    Target.SCRIPT,
    error=_HEAD.error,
    recorded=True,
)
