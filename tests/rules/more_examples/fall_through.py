"""Further examples of fall-through."""

from tsrefactor.rules import Example
from tsrefactor.vocabulary import Target

HEAD = "import torch\nfrom torch import nn\n\n\nclass Model(nn.Module):\n"


def _example(
    before: str, after: str, error: str, inputs: str = "[(torch.rand(3, 4),), (torch.rand(2, 5),)]"
) -> Example:
    typing = "from typing import Optional\n\n" if "Optional[" in after else ""
    return Example(HEAD + before, typing + HEAD + after, inputs, Target.SCRIPT, error=error, recorded=True)


MORE = {
    "a branch forgets the variable": _example(
        """\
    def forward(self, x):
        if x.dim() == 2:
            z = 1
        elif x.dim() == 3:
            z = 2
        else:
            # not supported yet
            pass
        x = x + z
        return x.sum()
""",
        """\
    def forward(self, x):
        if x.dim() == 2:
            z = 1
        elif x.dim() == 3:
            z = 2
        else:
            # not supported yet
            raise ValueError('no value for z')
        x = x + z
        return x.sum()
""",
        error="not defined in the",
    ),
    "nested, without else in one arm": _example(
        """\
    def forward(self, x):
        if x.size(0) > 2:
            y = x * 2
        else:
            if x.size(1) == 5:
                y = x * 3
            elif x.size(1) == 4:
                y = x
        return y
""",
        """\
    def forward(self, x):
        if x.size(0) > 2:
            y = x * 2
        else:
            if x.size(1) == 5:
                y = x * 3
            elif x.size(1) == 4:
                y = x
            else:
                raise ValueError(f'unsupported x.size(1): {x.size(1)}')
        return y
""",
        error="y is not defined in the",
    ),
    "carried by a loop over kinds": _example(
        """\
    def forward(self, x):
        total = torch.zeros(x.size(1))
        for kind in ['sum', 'max']:
            if kind == 'sum':
                y = x.sum(0)
            elif kind == 'max':
                y = x.amax(0)
            if kind == 'sum':
                total = y
            else:
                total = total + y
        return total
""",
        """\
    def forward(self, x):
        total = torch.zeros(x.size(1))
        y: Optional[torch.Tensor] = None
        for kind in ['sum', 'max']:
            if kind == 'sum':
                y = x.sum(0)
            elif kind == 'max':
                y = x.amax(0)
            assert y is not None
            if kind == 'sum':
                total = y
            else:
                total = total + y
        return total
""",
        error="y is not defined in the false branch",
    ),
    "bound by a loop, read after it": _example(
        """\
    def forward(self, x):
        for i in range(x.size(0)):
            n = i + 1
        return x * n
""",
        """\
    def forward(self, x):
        n: Optional[int] = None
        for i in range(x.size(0)):
            n = i + 1
        assert n is not None
        return x * n
""",
        error="undefined value n",
    ),
    "augmented where it may be unbound": _example(
        """\
    def forward(self, x):
        if x.size(0) > 2:
            y = x.sum()
        else:
            z = 1
        if x.size(0) > 2:
            y += 1
            return y
        return x
""",
        """\
    def forward(self, x):
        y: Optional[torch.Tensor] = None
        if x.size(0) > 2:
            y = x.sum()
        else:
            z = 1
        if x.size(0) > 2:
            assert y is not None
            y += 1
            return y
        return x
""",
        error="y is not defined in the false branch",
    ),
    "returns None in a recorded run": _example(
        """\
    def forward(self, x):
        y = self.tail(x)
        if y is not None:
            return y
        return x

    def tail(self, x) -> torch.Tensor:
        if x.size(0) > 2:
            return x[2:]
""",
        """\
    def forward(self, x):
        y = self.tail(x)
        if y is not None:
            return y
        return x

    def tail(self, x) -> Optional[torch.Tensor]:
        if x.size(0) > 2:
            return x[2:]
        return None
""",
        error="does not return along all paths",
    ),
    "the constructor lets no other value through": Example(
        """\
import torch
from torch import nn


class Scale(nn.Module):
    def __init__(self, mode="last"):
        super().__init__()
        self.mode = mode
        if mode not in ["last", "first"]:
            raise NotImplementedError

    def forward(self, x):
        if self.mode == "last":
            return x * 2
        elif self.mode == "first":
            return x + 1


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(Scale(), nn.Linear(4, 4), Scale("first"))

    def forward(self, x):
        return self.layers(x)
""",
        """\
import torch
from torch import nn


class Scale(nn.Module):
    def __init__(self, mode="last"):
        super().__init__()
        self.mode = mode
        if mode not in ["last", "first"]:
            raise NotImplementedError

    def forward(self, x):
        if self.mode == "last":
            return x * 2
        elif self.mode == "first":
            return x + 1
        else:
            raise ValueError(f'unsupported mode: {self.mode}')


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(Scale(), nn.Linear(4, 4), Scale("first"))

    def forward(self, x):
        return self.layers(x)
""",
        "[(torch.rand(3, 4),), (torch.rand(2, 4),)]",
        Target.SCRIPT,
        error=r"Optional\[Tensor\]",
    ),
}
