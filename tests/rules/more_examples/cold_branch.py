"""Further examples of cold-branch."""

from tsrefactor.rules import Example
from tsrefactor.vocabulary import Target

HEAD = """\
import torch
from torch import nn


class Model(nn.Module):
    def __init__(self, mode=0, extra=0):
        super().__init__()
        self.mode = mode
        self.extra = [3] * extra
"""


def _example(before: str, after: str, error: str = "", head: str = HEAD) -> Example:
    inputs = "[(torch.rand(2, 4),), (torch.rand(3, 4),)]"
    return Example(head + before, head + after, inputs, Target.SCRIPT, error=error, recorded=True)


MORE = {
    "elif, where others return other types": _example(
        """
    def forward(self, x):
        if self.mode == 0:
            return x * 2
        elif self.mode == 1:
            return x, x.tolist()
        return [x]
""",
        """
    def forward(self, x):
        if self.mode == 0:
            return x * 2
        elif self.mode == 1:
            if torch.jit.is_scripting():
                raise RuntimeError('Model.forward does not support `self.mode == 1` under TorchScript')
            return x, x.tolist()
        if torch.jit.is_scripting():
            raise RuntimeError('Model.forward does not support this path under TorchScript')
        return [x]
""",
    ),
    "the branch around a cold loop": _example(
        """
    def forward(self, x):
        if self.mode == 0:
            y = x * 2
        else:
            y = 0
            for i in range(3):
                y = y + locals()['x']  # for fun
        return y
""",
        """
    def forward(self, x):
        if self.mode == 0:
            y = x * 2
        else:
            if torch.jit.is_scripting():
                raise RuntimeError('Model.forward does not support `self.mode != 0` under TorchScript')
            y = 0
            for i in range(3):
                y = y + locals()['x']  # for fun
        return y
""",
        "locals",
    ),
    "a loop that turns never": _example(
        """
    def forward(self, x):
        for i in range(self.mode):
            x = self.nothing(x)
        return x
""",
        """
    def forward(self, x):
        for i in range(self.mode):
            if torch.jit.is_scripting():
                raise RuntimeError('Model.forward does not support this path under TorchScript')
            x = self.nothing(x)
        return x
""",
        "has no attribute 'nothing'",
    ),
    "syntax in a method that only a cold branch calls": _example(
        """
    def forward(self, x):
        if self.mode > 0:
            return self.other(x)
        return x * 2

    def other(self, x):
        try:
            return x.cuda()
        except RuntimeError:
            return x
""",
        """
    def forward(self, x):
        if self.mode > 0:
            if torch.jit.is_scripting():
                raise RuntimeError('Model.forward does not support `self.mode > 0` under TorchScript')
            return self.other(x)
        return x * 2

    def other(self, x):
        try:
            return x.cuda()
        except RuntimeError:
            return x
""",
        "try blocks aren't supported",
    ),
    "a submodule that no run calls": _example(
        """
    def forward(self, x):
        return self.fc(x)
""",
        """
    def forward(self, x):
        return self.fc(x)
""",
        "locals",
        '''\
from torch import nn
import torch


class Loss(nn.Module):
    def forward(self, x):
        """The loss, for training."""
        # as the paper has it
        return self.reduced(locals()['x'])


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)
        self.loss = Loss()
''',
    ),
    "the branch that gives a name another type": _example(
        """
    def forward(self, x):
        if self.mode == 0:
            y = x * 2
        else:
            y = [x]
        return y
""",
        """
    def forward(self, x):
        if self.mode == 0:
            y = x * 2
        else:
            if torch.jit.is_scripting():
                raise RuntimeError('Model.forward does not support `self.mode != 0` under TorchScript')
            y = [x]
        return y
""",
    ),
}
_NEVER = MORE["a submodule that no run calls"]
MORE["a submodule that no run calls"] = Example(
    _NEVER.before,
    _NEVER.before.replace(
        "        # as the paper",
        "        if torch.jit.is_scripting():\n"
        "            raise RuntimeError('Loss.forward is not supported under TorchScript')\n"
        "        # as the paper",
    ),
    _NEVER.inputs,
    Target.SCRIPT,
    error=_NEVER.error,
    recorded=True,
)
