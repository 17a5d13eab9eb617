"""Further examples of refine-optional."""

from tsrefactor.rules import Example
from tsrefactor.vocabulary import Target

HEAD = "from typing import List, Optional\nimport torch\nfrom torch import nn\n\n\n"
STATE = "class Model(nn.Module):\n    state: Optional[torch.Tensor]\n\n    def __init__(self):\n"
STATE += "        super().__init__()\n        self.state = None\n\n"


def _example(before: str, after: str, inputs: str = "[(torch.rand(3, 4),), (torch.rand(2, 4),)]") -> Example:
    return Example(HEAD + before, HEAD + after, inputs, Target.SCRIPT, error=r"Optional\[")


MORE = {
    "assigned before the use": _example(
        STATE + "    def forward(self, x):\n        self.state = x * 2  # remembered\n        return x + self.state\n",
        STATE + "    def forward(self, x):\n        state = x * 2  # remembered\n        self.state = state\n"
        "        return x + state\n",
    ),
    "tested around the use": _example(
        STATE + "    def forward(self, x):\n        if self.state is not None and self.state.size(0) == x.size(0):\n"
        "            x = x + self.state\n        self.state = x\n        return x\n",
        STATE + "    def forward(self, x):\n        state = self.state\n"
        "        if state is not None and state.size(0) == x.size(0):\n"
        "            x = x + state\n        state = x\n        self.state = state\n        return x\n",
        "[(torch.rand(3, 4),), (torch.rand(3, 4),)]",
    ),
    "a local of that name": _example(
        STATE + "    def forward(self, x):\n        state = x * 2\n        self.state = state\n"
        "        return x + self.state\n",
        STATE + "    def forward(self, x):\n        state = x * 2\n        current_state = state\n"
        "        self.state = current_state\n        return x + current_state\n",
    ),
    "of a layer": _example(
        "class Model(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        "        self.conv = nn.Conv1d(4, 4, 1)\n\n    def forward(self, x):\n        y = self.conv(x)\n"
        "        if self.conv.bias is not None:\n            y = y - self.conv.bias.view(-1, 1)\n        return y\n",
        "class Model(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        "        self.conv = nn.Conv1d(4, 4, 1)\n\n    def forward(self, x):\n        y = self.conv(x)\n"
        "        bias = self.conv.bias\n"
        "        if bias is not None:\n            y = y - bias.view(-1, 1)\n        return y\n",
        "[(torch.rand(2, 4, 3),), (torch.rand(1, 4, 5),)]",
    ),
    "a sequence": _example(
        "class Model(nn.Module):\n    def forward(self, x, sizes: Optional[List[int]] = None, deep: bool = False):\n"
        "        if deep:\n            return x * sizes[0]\n        return x\n",
        "class Model(nn.Module):\n    def forward(self, x, sizes: Optional[List[int]] = None, deep: bool = False):\n"
        "        if deep:\n            assert sizes is not None\n            return x * sizes[0]\n        return x\n",
        "[(torch.rand(3, 4),), (torch.rand(2, 4), [1, 2], True)]",
    ),
    "a loop over it": _example(
        "class Model(nn.Module):\n    def forward(self, x, more: Optional[List[torch.Tensor]] = None):\n"
        "        many = more is not None\n        if many:\n            for other in more:\n"
        "                x = x + other\n        return x\n",
        "class Model(nn.Module):\n    def forward(self, x, more: Optional[List[torch.Tensor]] = None):\n"
        "        many = more is not None\n        if many:\n            assert more is not None\n"
        "            for other in more:\n                x = x + other\n        return x\n",
        "[(torch.rand(3, 4),), (torch.rand(2, 4), [torch.rand(2, 4)])]",
    ),
    "a parameter that the runs saw filled": _example(
        "class Model(nn.Module):\n    def forward(self, x: Optional[torch.Tensor]):\n"
        "        rows, columns = x.shape\n        return x.view(columns, rows)\n",
        "class Model(nn.Module):\n    def forward(self, x: Optional[torch.Tensor]):\n"
        "        assert x is not None\n        rows, columns = x.shape\n        return x.view(columns, rows)\n",
        "[(torch.rand(3, 4),), (torch.rand(2, 4),)]",
    ),
    "two at once, which another class sets": _example(
        "class Block(nn.Module):\n    size: Optional[int]\n    times: Optional[int]\n\n    def __init__(self):\n"
        "        super().__init__()\n        self.size = None\n        self.times = None\n\n"
        "    def forward(self, x):\n        size, times = self.size, self.times\n"
        "        return x.repeat(size, times)\n\n\n"
        "class Model(nn.Module):\n    def __init__(self):\n        super().__init__()\n        self.block = Block()\n\n"
        "    def forward(self, x):\n        self.block.size, self.block.times = x.size(0), 2\n"
        "        return self.block(x)\n",
        "class Block(nn.Module):\n    size: Optional[int]\n    times: Optional[int]\n\n    def __init__(self):\n"
        "        super().__init__()\n        self.size = None\n        self.times = None\n\n"
        "    def forward(self, x):\n        size, times = self.size, self.times\n"
        "        assert size is not None\n        assert times is not None\n"
        "        return x.repeat(size, times)\n\n\n"
        "class Model(nn.Module):\n    def __init__(self):\n        super().__init__()\n        self.block = Block()\n\n"
        "    def forward(self, x):\n        self.block.size, self.block.times = x.size(0), 2\n"
        "        return self.block(x)\n",
    ),
}
