"""Further examples of annotate-types."""

from tsrefactor.rules import Example
from tsrefactor.vocabulary import Target

_HEAD = "import torch\nfrom torch import nn\n"


def _example(before: str, after: str, inputs: str, error: str, typing: str = "", **more) -> Example:
    """An example whose rewrite imports these names from typing."""
    imported = f"from typing import {typing}\n\n" if typing else ""
    return Example(_HEAD + before, imported + _HEAD + after, inputs, Target.SCRIPT, error=error, **more)


MORE = {
    # What a module inherits from a plain class is compiled with it.
    "a class that modules derive from": _example(
        before='''

class Repeated:
    def repeated(self, x, times, factor=2.0):
        for _ in range(times):
            x = x * factor
        return x


class Model(nn.Linear, Repeated):
    def __init__(self):
        super().__init__(4, 4)
        self.times = 3

    def forward(self, x):
        return self.repeated(x, self.times) @ self.weight
''',
        after='''

class Repeated:
    def repeated(self, x, times: int, factor: float = 2.0):
        for _ in range(times):
            x = x * factor
        return x


class Model(nn.Linear, Repeated):
    def __init__(self):
        super().__init__(4, 4)
        self.times = 3

    def forward(self, x):
        return self.repeated(x, self.times) @ self.weight
''',
        inputs="[(torch.rand(3, 4),), (torch.rand(2, 4),)]",
        error="all inputs of range must be ints",
        recorded=True,
    ),
    # A tensor in one call and a list in another, which the code tells apart; and a list that no run fills.
    "a tensor or a list": _example(
        before="""

def mixed(x, others):
    for other in others:
        x = x + other
    return x


class Join(nn.Module):
    def forward(self, x):
        if isinstance(x, (list, tuple)):
            x = torch.cat(x, 0)
        return x * 2


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.join = Join()

    def forward(self, x):
        seen = []
        return mixed(self.join(x) + self.join([x[:1], x[1:]]), seen)
""",
        after="""

def mixed(x, others: List[torch.Tensor]):
    for other in others:
        x = x + other
    return x


class Join(nn.Module):
    def forward(self, x: Union[torch.Tensor, List[torch.Tensor]]):
        if isinstance(x, (list, tuple)):
            x = torch.cat(x, 0)
        return x * 2


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.join = Join()

    def forward(self, x):
        seen = []
        return mixed(self.join(x) + self.join([x[:1], x[1:]]), seen)
""",
        inputs="[(torch.rand(3, 4),), (torch.rand(2, 4),)]",
        error="List.Tensor",
        typing="List, Union",
        recorded=True,
    ),
    # A parameter that is only ever None is what the layer takes that it is passed on to, at any remove.
    "passed on": _example(
        before='''

class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.LSTM(4, 4)

    def forward(self, x, state=None):
        return self.rnn(x, state)


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = Encoder()

    def forward(self, x, hidden=None):
        out, hidden = self.encoder(x, hidden)
        return out, hidden
''',
        after='''

class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.LSTM(4, 4)

    def forward(self, x, state: Optional[Tuple[torch.Tensor, torch.Tensor]] = None):
        return self.rnn(x, state)


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = Encoder()

    def forward(self, x, hidden: Optional[Tuple[torch.Tensor, torch.Tensor]] = None):
        out, hidden = self.encoder(x, hidden)
        return out, hidden
''',
        typing="Optional, Tuple",
        inputs="[(torch.rand(3, 2, 4),)]",
        error="default value|Tensor",
    ),
    # Annotations that TorchScript has no type for: what they mean, as far as it can say that.
    "rejected annotations": _example(
        before='''from typing import Dict, List, Literal, Optional, Sequence, Tuple
from torch.autograd import Variable


def joined(parts: Sequence[torch.Tensor], dims: Tuple[int, ...] = (0,)) -> Variable:
    return torch.cat(parts, 0).sum(dims)


class Model(nn.Module):
    def sizes(self, x) -> Tuple[int, ...]:
        return x.size(0), x.size(1)

    def forward(self, x: Variable, info: dict = None, by: Literal["a", "b"] = "a") -> torch.Tensor:
        n, m = self.sizes(x)
        return joined((x, x, x)) * n / m
''',
        after='''from typing import Dict, List, Literal, Optional, Sequence, Tuple
from torch.autograd import Variable


def joined(parts: List[torch.Tensor], dims: List[int] = (0,)) -> torch.Tensor:
    return torch.cat(parts, 0).sum(dims)


class Model(nn.Module):
    def sizes(self, x) -> Tuple[int, int]:
        return x.size(0), x.size(1)

    def forward(self, x: torch.Tensor, info: Optional[Dict[str, torch.Tensor]] = None, by: str = "a") -> torch.Tensor:
        n, m = self.sizes(x)
        return joined((x, x, x)) * n / m
''',
        inputs="[(torch.rand(3, 4),), (torch.rand(2, 5),)]",
        error="Unknown type|type expression",
    ),
    "rejected annotations of attributes": _example(
        before='''from typing import List, Sequence, Tuple


class Model(nn.Module):
    """Reshapes what it scales."""
    shape: Sequence[int]  # of the result
    scales: Tuple[float, ...]

    def __init__(self):
        super().__init__()
        self.shape, self.scales = (3, 2), (0.5, 2.0)
        self.act = nn.ReLU()

    def forward(self, x):
        for scale in self.scales:
            x = x * scale
        return self.act(x).view(self.shape)
''',
        after='''from typing import List, Sequence, Tuple


class Model(nn.Module):
    """Reshapes what it scales."""
    shape: List[int]  # of the result
    scales: List[float]

    def __init__(self):
        super().__init__()
        self.shape, self.scales = (3, 2), (0.5, 2.0)
        self.act = nn.ReLU()

    def forward(self, x):
        for scale in self.scales:
            x = x * scale
        return self.act(x).view(self.shape)
''',
        inputs="[(torch.rand(2, 3),), (torch.rand(3, 2),)]",
        error="Unknown type annotation",
    ),
    "a list that is annotated as one tensor": _example(
        before='''

class Head(nn.Module):
    def __init__(self):
        super().__init__()
        self.mean, self.scale = nn.Linear(4, 2), nn.Linear(4, 2)

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        mean = self.mean(z)
        return [mean, self.scale(z)]  # both


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = Head()

    def forward(self, x) -> torch.Tensor:
        return {"parts": self.head(x)}
''',
        after='''

class Head(nn.Module):
    def __init__(self):
        super().__init__()
        self.mean, self.scale = nn.Linear(4, 2), nn.Linear(4, 2)

    def forward(self, z: torch.Tensor) -> List[torch.Tensor]:
        mean = self.mean(z)
        return [mean, self.scale(z)]  # both


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = Head()

    def forward(self, x) -> Dict[str, List[torch.Tensor]]:
        return {"parts": self.head(x)}
''',
        inputs="[(torch.rand(3, 4),), (torch.rand(2, 4),)]",
        error="Expected an annotation of type (List|Dict) but got Tensor",
        typing="Dict, List",
        recorded=True,
    ),
    # Branches that return differently: whoever calls the model gets what eager gives.
    "mixed returns": _example(
        before='''

class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Linear(4, 2)

    def forward(self, x, features=False):
        y = self.head(x)
        if features:
            return y, x
        return y
''',
        after='''

class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Linear(4, 2)

    def forward(self, x, features: bool = False) -> Union[torch.Tensor, Tuple[torch.Tensor, torch.Tensor]]:
        y = self.head(x)
        if features:
            return y, x
        return y
''',
        typing="Tuple, Union",
        inputs="[(torch.rand(3, 4),), (torch.rand(2, 4), True)]",
        error="default value|Previous return",
    ),
    # Recorded calls: a number of either kind, a list, a tuple.
    "recorded calls": _example(
        before='''

def place(x, shape, offset):
    return x.reshape(shape) + offset


class Model(nn.Module):
    def window(self, x, bounds):
        low, high = bounds
        return x[low:high]

    def forward(self, x):
        x = self.window(x, (1, 3))
        y = place(x, [x.size(0), -1], 1)
        return place(y, [-1], 0.5)
''',
        after='''

def place(x, shape: List[int], offset: Union[float, int]):
    return x.reshape(shape) + offset


class Model(nn.Module):
    def window(self, x, bounds: Tuple[int, int]):
        low, high = bounds
        return x[low:high]

    def forward(self, x):
        x = self.window(x, (1, 3))
        y = place(x, [x.size(0), -1], 1)
        return place(y, [-1], 0.5)
''',
        typing="List, Tuple, Union",
        inputs="[(torch.rand(4, 2, 2),), (torch.rand(5, 3, 2),)]",
        error="cannot be used as a tuple",
        recorded=True,
    ),
    # Without a recording: what the calls in the file pass, and what the compiler finds.
    "calls in the file and the compiler": _example(
        before='''

class Head(nn.Module):
    def forward(self, x, rounds):
        return x * rounds


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = Head()

    def repeat(self, x, times):
        for _ in range(times):
            x = torch.relu(x - 0.1)
        return x

    def forward(self, x):
        return self.head(self.repeat(x, x.dim()), 3)
''',
        after='''

class Head(nn.Module):
    def forward(self, x, rounds: int):
        return x * rounds


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = Head()

    def repeat(self, x, times: int):
        for _ in range(times):
            x = torch.relu(x - 0.1)
        return x

    def forward(self, x):
        return self.head(self.repeat(x, x.dim()), 3)
''',
        inputs="[(torch.rand(3, 2),), (torch.rand(2, 5),)]",
        error="all inputs of range must be ints",
    ),
    # Attributes that are empty or None when the model is scripted.
    "attributes of three kinds": _example(
        before='''

class Model(nn.Module):
    """Keeps what it has seen."""

    def __init__(self):
        super().__init__()
        self.sizes = []
        self.last = None
        self.counts = {}

    def forward(self, x):
        self.sizes.append(x.size(0))
        self.counts["calls"] = len(self.sizes)
        self.last = x
        return x * 2.0
''',
        after='''

class Model(nn.Module):
    """Keeps what it has seen."""

    sizes: List[int]
    last: Optional[torch.Tensor]
    counts: Dict[str, int]

    def __init__(self):
        super().__init__()
        self.sizes = []
        self.last = None
        self.counts = {}

    def forward(self, x):
        self.sizes.append(x.size(0))
        self.counts["calls"] = len(self.sizes)
        self.last = x
        return x * 2.0
''',
        typing="Dict, List, Optional",
        inputs="[(torch.rand(3, 2),), (torch.rand(2, 2),)]",
        error="failed to convert Python type",
        recorded=True,
    ),
    # Inherited annotations are repeated: TorchScript reads those of one class only.
    "inherited annotations": _example(
        before='''

class Base(nn.Module):
    history: list[int]

    def __init__(self):
        super().__init__()
        self.history = []


class Model(Base):
    def __init__(self, pair=False):
        super().__init__()
        self.pair = pair

    def forward(self, x):
        self.history.append(x.dim())
        if self.pair:
            return x, x + len(self.history)
        return x
''',
        after='''

class Base(nn.Module):
    history: list[int]

    def __init__(self):
        super().__init__()
        self.history = []


class Model(Base):
    pair: Final[bool]
    history: list[int]

    def __init__(self, pair=False):
        super().__init__()
        self.pair = pair

    def forward(self, x):
        self.history.append(x.dim())
        if self.pair:
            return x, x + len(self.history)
        return x
''',
        typing="Final",
        inputs="[(torch.rand(3, 4),), (torch.rand(2, 4),)]",
        error="Previous return statement returned a value of type",
    ),
    # A return of two kinds of numbers, a variable of two kinds.
    "two kinds of numbers": _example(
        before='''

def weight(x):
    if x.sum() > 4:
        return 1
    return 0.5


class Model(nn.Module):
    def forward(self, x):
        if x.mean() > 0.5:
            shift = 1
        else:
            shift = 0.25
        return x * weight(x) + shift
''',
        after='''

def weight(x) -> Union[float, int]:
    if x.sum() > 4:
        return 1
    return 0.5


class Model(nn.Module):
    def forward(self, x):
        if x.mean() > 0.5:
            shift: Union[float, int] = 1
        else:
            shift = 0.25
        return x * weight(x) + shift
''',
        typing="Union",
        inputs="[(torch.rand(3, 4),), (torch.zeros(2, 4),), (torch.ones(3, 4),)]",
        error="Previous return statement returned a value of type int",
    ),
    # An annotation of the author's that TorchScript does not know.
    "an annotation of the author's": _example(
        before='''

def spread(x, shape: torch.Size, base: torch.Tensor = None):
    if base is not None:
        x = x + base
    return x.sum() * torch.ones(shape)


class Model(nn.Module):
    def forward(self, x):
        return spread(x, x.shape) + spread(x, x.shape, x)
''',
        after='''

def spread(x, shape: List[int], base: Optional[torch.Tensor] = None):
    if base is not None:
        x = x + base
    return x.sum() * torch.ones(shape)


class Model(nn.Module):
    def forward(self, x):
        return spread(x, x.shape) + spread(x, x.shape, x)
''',
        typing="List, Optional",
        inputs="[(torch.rand(3, 4),), (torch.rand(2, 2),)]",
        error="Unknown type name 'torch.Size'",
        recorded=True,
    ),
    # Under this import the class body's annotations would be strings.
    "annotations that are strings": Example(
        before='''\
from __future__ import annotations

import torch
from torch import nn


class Model(nn.Module):
    def __init__(self, project=False):
        super().__init__()
        self.project = project
        self.sizes = []
        if project:
            self.projection = nn.Linear(4, 4)

    def forward(self, x, scale=2):
        self.sizes.append(x.size(0))
        if self.project:
            x = self.projection(x)
        return x * scale
''',
        after='''\
from __future__ import annotations

from typing import List

import torch
from torch import nn


class Model(nn.Module):
    __constants__ = ["project"]
    # TorchScript does not read annotations that the __future__ import makes strings
    __annotations__ = {"sizes": List[int]}

    def __init__(self, project=False):
        super().__init__()
        self.project = project
        self.sizes = []
        if project:
            self.projection = nn.Linear(4, 4)

    def forward(self, x, scale: int = 2):
        self.sizes.append(x.size(0))
        if self.project:
            x = self.projection(x)
        return x * scale
''',
        inputs="[(torch.rand(3, 4),), (torch.rand(2, 4),)]",
        breaks=Target.SCRIPT,
        error="failed to convert Python type",
    ),
    # Another class's forward fills it.
    "an attribute that is set from outside": _example(
        before='''

class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.size = None

    def forward(self, x):
        size = self.size
        return x * size if size is not None else x


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.blocks = nn.ModuleList([Block(), Block()])

    def forward(self, x):
        for block in self.blocks:
            block.size = x.size(0)
            x = block(x)
        return x
''',
        after='''

class Block(nn.Module):
    size: Optional[int]

    def __init__(self):
        super().__init__()
        self.size = None

    def forward(self, x):
        size = self.size
        return x * size if size is not None else x


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.blocks = nn.ModuleList([Block(), Block()])

    def forward(self, x):
        for block in self.blocks:
            block.size = x.size(0)
            x = block(x)
        return x
''',
        inputs="[(torch.rand(2, 4),), (torch.rand(3, 4),)]",
        error="",
        typing="Optional",
        recorded=True,
    ),
    # Both branches run, by different instances.
    "a flag that decides whether an attribute is needed": _example(
        before='''

class Block(nn.Module):
    def __init__(self, times, plain):
        super().__init__()
        self.times, self.plain = times, plain

    def forward(self, x):
        if self.plain:
            return x.relu()
        else:
            return x.repeat(self.times, 1)


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = Block(2, False), Block(None, True)

    def forward(self, x):
        return self.second(self.first(x))
''',
        after='''

class Block(nn.Module):
    plain: Final[bool]

    def __init__(self, times, plain):
        super().__init__()
        self.times, self.plain = times, plain

    def forward(self, x):
        if self.plain:
            return x.relu()
        else:
            return x.repeat(self.times, 1)


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = Block(2, False), Block(None, True)

    def forward(self, x):
        return self.second(self.first(x))
''',
        inputs="[(torch.rand(2, 4),), (torch.rand(3, 4),)]",
        error="NoneType",
        typing="Final",
        recorded=True,
    ),
}  # fmt: skip
