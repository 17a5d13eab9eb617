"""Further examples of final-attribute."""

from tsrefactor.rules import Example
from tsrefactor.vocabulary import Target

HEAD = "import torch\nfrom torch import nn\n\n\n"
_INPUTS = "[(torch.rand(3, 4),), (torch.rand(2, 4),)]"


def _example(before: str, after: str, error: str) -> Example:
    typing = "from typing import Final\n\n"
    return Example(HEAD + before, typing + HEAD + after, _INPUTS, Target.SCRIPT, error=error, recorded=True)


MORE = {
    "both instances of a mode, in a conditional expression": _example(
        '''\
class Head(nn.Module):
    """Reduces a batch."""

    def __init__(self, kind, weight=0.5):
        super().__init__()
        if kind == 'all':
            self.kind = 'list'
        else:
            self.kind = kind
        self.weight = weight

    def forward(self, x):
        y = [x] if self.kind in ('list', 'tuple') else x  # all of it
        return y, x * self.weight


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = Head('all'), Head('mean')

    def forward(self, x):
        ys, scaled = self.a(x)
        return ys[0] + self.b(x)[0] + scaled
''',
        '''\
class Head(nn.Module):
    """Reduces a batch."""

    kind_is_list_or_tuple: Final[bool]

    def __init__(self, kind, weight=0.5):
        super().__init__()
        if kind == 'all':
            self.kind = 'list'
        else:
            self.kind = kind
        self.kind_is_list_or_tuple = self.kind in ('list', 'tuple')
        self.weight = weight

    def forward(self, x):
        y = [x] if self.kind_is_list_or_tuple else x  # all of it
        return y, x * self.weight


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = Head('all'), Head('mean')

    def forward(self, x):
        ys, scaled = self.a(x)
        return ys[0] + self.b(x)[0] + scaled
''',
        error="true branch has type",
    ),
    "a bool that is compared": _example(
        """\
class Model(nn.Module):
    def __init__(self, pair=False):
        super().__init__()
        self.pair = pair

    def forward(self, x):
        if self.pair == False:
            return x
        return x, x
""",
        """\
class Model(nn.Module):
    pair: Final[bool]

    def __init__(self, pair=False):
        super().__init__()
        self.pair = pair

    def forward(self, x):
        if not self.pair:
            return x
        return x, x
""",
        error="Previous return statement",
    ),
    "a number and a parent's attribute": _example(
        """\
class Base(nn.Module):
    def __init__(self, heads=0):
        super().__init__()
        self.heads, self.width = heads, 4


class Model(Base):
    def forward(self, x):
        if self.heads:
            y = x.view(-1, self.heads)
        x = torch.relu(x)
        return x if not self.heads else x + y
""",
        """\
class Base(nn.Module):
    has_heads: Final[bool]

    def __init__(self, heads=0):
        super().__init__()
        self.heads, self.width = heads, 4
        self.has_heads = bool(self.heads)


class Model(Base):
    def forward(self, x):
        if self.has_heads:
            y = x.view(-1, self.heads)
        x = torch.relu(x)
        return x if not self.has_heads else x + y
""",
        error="not defined in the false branch",
    ),
    "both parts of a condition": _example(
        """\
class Model(nn.Module):
    def __init__(self, padding=1):
        super().__init__()
        self.padding = padding

    def forward(self, x):
        if self.padding == 'same' or self.padding == 'reflect':
            x = torch.cat([x, x])
        return x[self.padding :]
""",
        """\
class Model(nn.Module):
    padding_is_same: Final[bool]
    padding_is_reflect: Final[bool]

    def __init__(self, padding=1):
        super().__init__()
        self.padding = padding
        self.padding_is_same = self.padding == 'same'
        self.padding_is_reflect = self.padding == 'reflect'

    def forward(self, x):
        if self.padding_is_same or self.padding_is_reflect:
            x = torch.cat([x, x])
        return x[self.padding :]
""",
        error="eq\\(\\) expects int|Arguments for call are not valid",
    ),
}
