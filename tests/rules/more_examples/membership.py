"""Further examples of membership."""

from tsrefactor.rules import Example
from tsrefactor.vocabulary import Target

HEAD = "import torch\nfrom torch import nn\nfrom typing import Optional\n\n\nclass Model(nn.Module):\n"
_SIGNATURE = "    def forward(self, x, mode: Optional[str] = None, n: Optional[int] = 2):\n"


def _example(before: str, after: str, error: str) -> Example:
    inputs = "[(torch.rand(3, 4),), (torch.rand(2, 5), 'a', 1), (torch.rand(2, 5), 'b', None)]"
    texts = (HEAD + _SIGNATURE + text for text in (before, after))
    return Example(*texts, inputs, Target.SCRIPT, error=error)


MORE = {
    "a variable that may be None": _example(
        "        return x + 1 if n in [1, 2] else x\n",
        "        return x + 1 if n is not None and n in [1, 2] else x\n",
        error="Optional",
    ),
    "not among some": _example(
        "        return x + 1 if mode not in ('a', 'c') else x\n",
        "        return x + 1 if mode is None or mode not in ('a', 'c') else x\n",
        error="Optional",
    ),
    "a list with None": _example(
        "        return x + 1 if mode not in [None, 'a'] else x\n",
        "        return x + 1 if mode is not None and mode not in ['a'] else x\n",
        error="Optional|NoneType",
    ),
    "not in a range": _example(
        "        return x + 1 if x.size(0) not in range(3) else x\n",
        "        return x + 1 if not (0 <= x.size(0) < 3) else x\n",
        error="range",
    ),
}
