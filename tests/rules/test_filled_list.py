"""filled-list: what stays."""

import pytest

from tests.rules.texts import findings, rewritten, source
from tsrefactor.rules.filled_list import FilledList

HEAD = "from torch import nn\n\n\nclass Model(nn.Module):\n    def forward(self, xs, n: int):\n"


def model(text: str) -> str:
    return HEAD + "".join(f"        {line}\n" for line in text.splitlines())


@pytest.mark.parametrize(
    "text",
    [
        "out = [None] * n\nfor i in range(n):\n    if i > 0:\n        out[i] = xs[i] * 2\nreturn out",
        "out = [None] * n\nfor i in range(n):\n    if i > 2:\n        break\n    out[i] = xs[i] * 2\nreturn out",
        "out = [None] * n\nfor i in range(n):\n    if i > 2:\n        continue\n    out[i] = xs[i] * 2\nreturn out",
        "out = [None] * n\nfor i in range(n - 1):\n    out[i] = xs[i] * 2\nreturn out",
        "out = [None] * n\nfor i in range(n):\n    out[i] = xs[i] * 2 if i == 0 else out[i - 1]\nreturn out",
        "out = [None] * n\nfor i in range(n):\n    y = out[i]\n    out[i] = xs[i] * 2\nreturn out",
        "out = [None] * n\nfor i in range(n):\n    out[i] = xs[i] * 2\n    self.seen(out)\nreturn out",
        "out = [None] * n\nfor i in range(n):\n    out[n - 1 - i] = xs[i] * 2\nreturn out",
        "out = [None] * n\nn = n - 1\nfor i in range(n):\n    out[i] = xs[i] * 2\nreturn out",
        "out = [None] * n\nlast = out[-1]\nfor i in range(n):\n    out[i] = xs[i] * 2\nreturn out, last",
        "out = [None] * n\nfor i in range(n):\n    i = i - 1\n    out[i] = xs[i] * 2\nreturn out",
        "out = [None] * n\nfor i in range(n - 1, -1, -1):\n    out[i] = xs[i] * 2\n    y = out[i] + 1\nreturn out",
        "out = [None] * len(xs)\nxs = xs[1:]\nfor i, x in enumerate(xs):\n    out[i] = x * 2\nreturn out",
        "out = [None] * len(xs)\nfor i, x in enumerate(xs, 1):\n    out[i] = x * 2\nreturn out",
        "out = [None] * n\ndef last():\n    return out[-1]\nfor i in range(n):\n    out[i] = last()\nreturn out",
        "out = [0] * n\nfor i in range(n):\n    out[i] = i + 1\nreturn out",
        "try:\n    out = [None] * n\n    for i in range(n):\n        out[i] = xs[i] * 2\nfinally:\n    return out",
    ],
)
def test_what_stays(text, tmp_path):
    assert findings(FilledList(), source(tmp_path / "model.py", model(text))) == []


@pytest.mark.parametrize(
    ("start", "loop", "made"),
    [
        ("[None] * self.n", "range(self.n)", "append(x)"),
        ("n * [None]", "range(0, n)", "append(x)"),
        ("[None for _ in range(n)]", "reversed(range(n))", "insert(0, x)"),
    ],
)
def test_forms(start, loop, made, tmp_path):
    before = model(f"x = xs + 1\nout = {start}\nfor i in {loop}:\n    out[i] = x\nreturn out")
    after = rewritten(FilledList(), source(tmp_path / "model.py", before))
    assert after == before.replace(start, "[]").replace("out[i] = x", f"out.{made}")
