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
    "branches of a loop over modules": _example(
        """\
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([nn.ReLU(), nn.Sigmoid(), nn.Tanh()])

    def forward(self, x):
        total = 0
        for i, layer in enumerate(self.layers):
            if i == 1:
                total += x
            else:
                total += layer(x)
        return torch.relu(total)
""",
        """\
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([nn.ReLU(), nn.Sigmoid(), nn.Tanh()])

    def forward(self, x):
        total = torch.tensor(0)
        for i, layer in enumerate(self.layers):
            if i == 1:
                total = total + x
            else:
                total = total + layer(x)
        return torch.relu(total)
""",
        error="",
        outcome="compile-error",
    ),
}
