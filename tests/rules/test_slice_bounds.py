"""slice-bounds: forms, and what stays."""

import pytest

from tests.rules.texts import findings, rewritten, source
from tsrefactor.rules.slice_bounds import SliceBounds

HEAD = "from torch import nn\n\n\nclass Model(nn.Module):\n    def forward(self, x, n: int):\n"


def model(text: str) -> str:
    return HEAD + "".join(f"        {line}\n" for line in text.splitlines())


@pytest.mark.parametrize(
    "text",
    [
        "for h in (slice(0, n), slice(n, None)):\n    x = self.cut(x, h)\nreturn x",
        "rows = (slice(0, n), slice(n, None))\nfor h in rows:\n    x[h] = 0\nreturn x, rows",
        "rows = (slice(0, n), slice(n, None))\nx[rows] = 0\nreturn x",
        "for h in (slice(0, n), slice(n, None, 2)):\n    x[h] = 0\nreturn x",
        "for h in (slice(0, n), slice(n, None)):\n    x[h] = 0\nh = 3\nreturn x[h]",
        "for h in (slice(0, n), slice(n, None)):\n    x[(h, 0)] = 0\nreturn x",
        "for h in (slice(0, n), slice(n, None)):\n    x[(h)] = 0\nreturn x",
        "for n in (slice(0, 2), slice(2, None)):\n    x[n] = 0\nreturn x[n]",
        "y = x[n]\nfor n in (slice(0, 2), slice(2, None)):\n    x[n] = 0\nreturn y",
        "for h in (slice(0, n), slice(n, None)):\n    cut = lambda t: t[h]\n    x = cut(x)\nreturn x",
    ],
)
def test_what_stays(text, tmp_path):
    [finding] = findings(SliceBounds(), source(tmp_path / "model.py", model(text)))
    assert not finding.fixable


def test_a_list_becomes_a_tuple(tmp_path):
    text = "rows = [slice(0, n), slice(n)]\nfor h in rows:\n    x[..., h, {0: 1}[0]] = x[h].sum()\nreturn x"
    new = rewritten(SliceBounds(), source(tmp_path / "model.py", model(text)))
    assert "rows = ((0, n), (None, n))" in new
    assert "x[..., h[0]:h[1], {0: 1}[0]] = x[h[0]:h[1]].sum()" in new


def test_steps(tmp_path):
    text = "for h in (slice(0, n, 2), slice(1, n, 2)):\n    x[h] = 0\nreturn x"
    new = rewritten(SliceBounds(), source(tmp_path / "model.py", model(text)))
    assert "for h in ((0, n, 2), (1, n, 2)):\n            x[h[0]:h[1]:h[2]] = 0" in new


def test_lines_and_comments_stay(tmp_path):
    text = "rows = [slice(0, n),  # first\n        slice(n, None),  # second\n        ]\nfor h in rows:\n    "
    text += "x[h, None,\n      [1,\n       2]] = 0\nreturn x"
    new = rewritten(SliceBounds(), source(tmp_path / "model.py", model(text)))
    wanted = (
        text.replace("[slice(0, n),", "((0, n),").replace("slice(n, None)", "(n, None)").replace("     ]", "     )")
    )
    assert new == model(wanted.replace("x[h,", "x[h[0]:h[1],"))
