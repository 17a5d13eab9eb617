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
