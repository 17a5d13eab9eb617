"""Further examples of accumulator."""

from tsrefactor.rules import Example
from tsrefactor.vocabulary import Target

HEAD = "import torch\nfrom torch import nn\n\n\nclass Model(nn.Module):\n"
_INPUTS = "[(torch.rand(3, 4),), (torch.rand(2, 5),)]"


def _example(before: str, after: str, error: str, outcome: str) -> Example:
    return Example(HEAD + before, HEAD + after, _INPUTS, Target.SCRIPT, outcome, error, recorded=True)


MORE = {
    "two at once, in nested loops": _example(
        """\
    def forward(self, x):
        low, high = 0, 1.0
        for row in x.unbind(0):
            for i in range(2):
                if i > 0:
                    low += row + \\
                        i
                high = row.relu() * high
        return low - high
""",
        """\
    def forward(self, x):
        low, high = torch.tensor(0), torch.tensor(1.0)
        for row in x.unbind(0):
            for i in range(2):
                if i > 0:
                    low = low + (row + \\
                        i)
                high = row.relu() * high
        return low - high
""",
        error="scalar argument|Cannot input a tensor",
        outcome="run-error",
    ),
    "the sum of a list, under its own name": _example(
        """\
    def forward(self, x):
        rows = x.unbind(1)
        y = sum(rows)  # left to right
        return y.exp()
""",
        """\
    def forward(self, x):
        rows = x.unbind(1)
        y = torch.tensor(0)  # left to right
        for value in rows:
            y = y + value
        return y.exp()
""",
        error="sum",
        outcome="compile-error",
    ),
    "the sum of what modules return": _example(
        """\
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([nn.Tanh(), nn.Identity()])

    def forward(self, x):
        return sum([layer(x) for layer in self.layers]) / 2
""",
        """\
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([nn.Tanh(), nn.Identity()])

    def forward(self, x):
        total = torch.tensor(0)
        for layer in self.layers:
            total = total + layer(x)
        return total / 2
""",
        error="sum",
        outcome="compile-error",
    ),
}
