"""Further examples of none-test."""

from tsrefactor.rules import Example
from tsrefactor.vocabulary import Target

HEAD = "import torch\nfrom torch import nn\n\n\n"
_BLOCK = """\
class Block(nn.Module):
    def __init__(self, kind=None):
        super().__init__()
        self.kind = kind
        self.layers = nn.ModuleList([nn.Linear(4, 4)]) if kind else None

    def forward(self, x):
"""
_MODEL = """\


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.last = Block('wide'), Block()

    def forward(self, x):
        return self.last(self.first(x))
"""


def _example(before: str, after: str, error: str) -> Example:
    inputs = "[(torch.rand(2, 4),), (torch.rand(3, 4),)]"
    texts = (HEAD + _BLOCK + text + _MODEL for text in (before, after))
    return Example(*texts, inputs, Target.SCRIPT, error=error, recorded=True)


MORE = {
    "a list of modules or None": _example(
        """\
        if x.dim() == 2 and self.layers:  # extra layers
            for layer in self.layers:
                x = layer(x)
        return x
""",
        """\
        if x.dim() == 2 and (len(self.layers) > 0 if self.layers is not None else False):  # extra layers
            for layer in self.layers:
                x = layer(x)
        return x
""",
        error="ModuleList|NoneType",
    ),
    "unlike a text": _example(
        """\
        if self.kind != 'wide':
            x = x + 1
        return x
""",
        """\
        if (self.kind != 'wide' if self.kind is not None else True):
            x = x + 1
        return x
""",
        error="NoneType",
    ),
    "behind an and": _example(
        """\
        if self.kind is not None and self.kind == 'wide':
            x = x + 1
        return x
""",
        """\
        if (self.kind == 'wide' if self.kind is not None else False):
            x = x + 1
        return x
""",
        error="NoneType",
    ),
}
