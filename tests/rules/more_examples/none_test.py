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


_CACHE = """\
class Model(nn.Module):
    _length: int | None
    steps: torch.Tensor

    def __init__(self):
        super().__init__()
        self._length = None
        self.steps = torch.zeros(0)

    def forward(self, x):
        n = x.size(0)
        {read}if {test}:  # only once for a length
            {store}
            self.steps = torch.arange(n)
        return x + self.steps[:, None], {last}
"""


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
    "a value that was None, or another": Example(
        before=HEAD
        + """\
class Model(nn.Module):
    def __init__(self, scale=None):
        super().__init__()
        self.scale = scale

    def forward(self, x):
        scale = self.scale or 1 / x.size(1)
        return x * scale
""",
        after=HEAD
        + """\
class Model(nn.Module):
    def __init__(self, scale=None):
        super().__init__()
        self.scale = scale

    def forward(self, x):
        scale = (self.scale if self.scale != 0 else (1 / x.size(1))) if self.scale is not None else (1 / x.size(1))
        return x * scale
""",
        inputs="[(torch.rand(2, 4),), (torch.rand(3, 4),)]",
        breaks=Target.SCRIPT,
        error="NoneType",
        recorded=True,
    ),
    "a value or another": Example(
        HEAD
        + """\
class Block(nn.Module):
    def __init__(self, size=None, act=None):
        super().__init__()
        self.size, self.limit = size, size
        self.act = act

    def forward(self, x, n: int | None = None):
        n = n or x.size(0)
        if self.limit is not None and self.limit > 0 and n > 0:
            x = x[: self.limit]
        return x[:, : (self.size or 2) + 1] * n
"""
        + _MODEL.replace("Block('wide')", "Block(3)"),
        HEAD
        + """\
class Block(nn.Module):
    def __init__(self, size=None, act=None):
        super().__init__()
        self.size, self.limit = size, size
        self.act = act

    def forward(self, x, n: int | None = None):
        n = n if n is not None and n != 0 else x.size(0)
        if (self.limit > 0 if self.limit is not None else False) and n > 0:
            x = x[: self.limit]
        return x[:, : ((self.size if self.size != 0 else 2) if self.size is not None else 2) + 1] * n
"""
        + _MODEL.replace("Block('wide')", "Block(3)"),
        "[(torch.rand(2, 4),), (torch.rand(3, 4),)]",
        Target.SCRIPT,
        error="bool|NoneType",
        recorded=True,
    ),
    "an attribute that forward sets": Example(
        HEAD + _CACHE.format(test="n != self._length", read="", store="self._length = n", last="self._length"),
        HEAD
        + _CACHE.format(
            test="length is None or n != length",
            read="length = self._length\n        ",
            store="length = n\n            self._length = length",
            last="length",
        ),
        "[(torch.rand(2, 4),), (torch.rand(3, 4),)]",
        Target.SCRIPT,
        error="found type 'Optional",
        recorded=True,
    ),
}
