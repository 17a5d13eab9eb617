"""slice-of-list: forms, and what stays."""

import pytest

from tests.rules.texts import findings, rewritten, source
from tsrefactor.rules.slice_of_list import SliceOfList

HEAD = "from torch import nn\n\n\nclass Model(nn.Module):\n    def forward(self, x, n: int):\n"


def model(text: str) -> str:
    return HEAD + "".join(f"        {line}\n" for line in text.splitlines())


@pytest.mark.parametrize(
    "text",
    [
        "x[1:] = [1]\nreturn x",  # of the caller
        "s = x.shape\ns[1:] = [1]\nreturn s",
        "s = list(x.shape)\nt = s\ns[1:] = [1]\nreturn t",  # another name for it
        "s = list(x.shape)\nself.keep(s)\ns[1:] = [1]\nreturn s",
        "s = list(x.shape)\ns[n:] = [1]\nreturn s",
        "s = list(x.shape)\ns[-1:] = [1]\nreturn s",
        "s = list(x.shape)\ns[::2] = [1]\nreturn s",
        "s = list(x.shape)\ns[1:] = (1, 2)\nreturn s",
        "s = list(x.shape)\ns[1:] = x.shape\nreturn s",
        "s = list(x.shape)\nif n > 1:\n    s[1:] = [1]\nreturn s",
        "s = list(x.shape)\nf = lambda: s\ns[1:] = [1]\nreturn f()",
    ],
)
def test_what_stays(text, tmp_path):
    assert findings(SliceOfList(), source(tmp_path / "model.py", model(text))) == []


@pytest.mark.parametrize(
    ("bounds", "made"),
    [
        (":2", "[n] + s[2:]"),
        ("1:2", "s[:1] + [n] + s[2:]"),
        (":", "[n]"),
        ("0:", "[n]"),
    ],
)
def test_forms(bounds, made, tmp_path):
    text = model(f"s = list(x.shape)\ns[0] = n\ns[{bounds}] = [n]\nreturn s")
    assert f"        s = {made}\n" in rewritten(SliceOfList(), source(tmp_path / "model.py", text))
