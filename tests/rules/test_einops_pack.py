"""einops-pack: what the functions compute, other forms, and what it must not touch."""

import pytest

from tests.rules.texts import findings, rewritten, source
from tsrefactor.rules.einops_pack import EinopsPack

MODEL = """\
import einops
import torch
from einops import pack, unpack
from torch import nn


class Model(nn.Module):
    def forward(self, x, y, sizes):
        {}
"""


def made(tmp_path, lines):
    return source(tmp_path / "m.py", MODEL.format(lines.replace("\n", "\n        ")))


def test_the_functions_compute_what_those_of_einops_do(tmp_path):
    einops, torch = pytest.importorskip("einops"), pytest.importorskip("torch")
    names: dict = {}
    exec(rewritten(EinopsPack(), made(tmp_path, "x, ps = pack([x], 'b *')\nreturn unpack(x, ps, 'b *')")), names)
    tensors = [torch.rand(2, 3), torch.rand(2, 4, 3), torch.rand(2, 5, 6, 3)]
    for pattern in ("b * d", "* d", "b *"):
        given = tensors[:1] if pattern == "b *" else tensors
        packed, shapes = names["_pack"](given, pattern)
        wanted, theirs = einops.pack(given, pattern)
        assert torch.equal(packed, wanted) and shapes == theirs
        for part, tensor in zip(names["_unpack"](packed, shapes, pattern), given, strict=True):
            assert torch.equal(part, tensor)
    with pytest.raises(AssertionError, match="fill"):
        names["_unpack"](torch.rand(2, 5, 3), [(2,), (2,)], "b * d")


@pytest.mark.parametrize(
    ("before", "after", "presumed"),
    [
        ("return einops.pack([x, y], 'b *')", "return _pack([x, y], 'b *')", False),
        ("return unpack(x, sizes, 'b *')[0]", "return _unpack(x, sizes, 'b *')[0]", True),
        ("x, ps = pack(y, 'b *')\nreturn unpack(x, ps, 'b *')", "x, ps = _pack(y, 'b *')", False),
        ("x, ps = pack(y, 'b *')\nps = y\nreturn unpack(x, ps, 'b *')", "x, ps = _pack(y, 'b *')", True),
    ],
)
def test_forms(before, after, presumed, tmp_path):
    file = made(tmp_path, before)
    [finding] = findings(EinopsPack(), file)
    assert finding.fixable and finding.presumed is presumed
    if not presumed:
        assert f"        {after}\n" in rewritten(EinopsPack(), file)


@pytest.mark.parametrize(
    "line",
    ["return unpack(x, [[1], [-1]], 'b *')", "return pack(*x)", "return pack([*x], 'b *')", "return pack([x])"],
)
def test_refused(line, tmp_path):
    advice = findings(EinopsPack(), made(tmp_path, line))
    assert len(advice) == 1 and not advice[0].fixable


@pytest.mark.parametrize("line", ["return self.pack([x], 'b *')", "return torch.nn.utils.rnn.pack_sequence([x])"])
def test_left_alone(line, tmp_path):
    assert findings(EinopsPack(), made(tmp_path, line)) == []
