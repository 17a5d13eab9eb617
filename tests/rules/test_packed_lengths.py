"""packed-lengths: which lengths stay what they are."""

import pytest

from tests.rules.texts import findings, rewritten, source
from tsrefactor.rules.packed_lengths import PackedLengths

HEAD = """\
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence as pack


class Model(nn.Module):
    def forward(self, x, lengths: Tensor, given):
"""


def file(tmp_path, *lines):
    return source(tmp_path / "m.py", HEAD + "".join(f"        {line}\n" for line in lines))


@pytest.mark.parametrize(
    ("lengths", "wanted"),
    [
        ("lengths.tolist()", "lengths.cpu().long()"),
        ("lengths.cpu().tolist()", "lengths.cpu().long()"),
        ("lengths.cpu().numpy().tolist()", "lengths.cpu().long()"),
        ("list(lengths.numpy())", "lengths.long()"),
        ("lengths[given.cpu()].tolist()", "lengths[given.cpu()].cpu().long()"),
        ("list(lengths)", "lengths.cpu().long()"),
    ],
)
def test_forms(tmp_path, lengths, wanted):
    assert f"pack(x, {wanted})" in rewritten(PackedLengths(), file(tmp_path, f"return pack(x, {lengths})"))


def test_by_name(tmp_path):
    text = rewritten(PackedLengths(), file(tmp_path, "return pack(lengths=lengths.tolist(), input=x)"))
    assert "pack(lengths=lengths.cpu().long(), input=x)" in text


@pytest.mark.parametrize(
    "lines",
    [
        ["sizes = lengths.tolist()", "return pack(x, sizes), max(sizes)"],
        ["sizes = lengths.tolist()", "sizes = sizes[1:]", "return pack(x, sizes)"],
        ["sizes, other = lengths.tolist(), 1", "def f():", "    return sizes", "return pack(x, sizes), f"],
        ["return pack(x, lengths)"],
        ["return pack(x, lengths.cpu())"],
        ["return pack(x, list(given))"],
        ["return pack(*lengths.tolist())"],
        ["return self.pack(x, lengths.tolist())"],
    ],
)
def test_left_alone(tmp_path, lines):
    assert findings(PackedLengths(), file(tmp_path, *lines)) == []


SHIFT = """
    def shift(self, n):
        n.sub_(1)

    def longest(self, n):
        return n.max()
"""


@pytest.mark.parametrize(
    ("between", "kept"),
    [
        (["lengths.clamp_(max=2)"], True),
        (["self.shift(lengths)"], True),
        (["other = lengths[:]", "other.sub_(1)"], True),
        (["outside(lengths)"], True),
        (["top = self.longest(lengths)"], False),
    ],
)
def test_a_variable_would_hold_what_is_updated(tmp_path, between, kept):
    body = file(tmp_path, "sizes = lengths.tolist()", *between, "return pack(x, sizes)")
    body = source(tmp_path / "n.py", body.text + SHIFT)
    assert (findings(PackedLengths(), body) == []) is kept


def test_an_array_is_spoken_of_where_a_parameter_may_be_one(tmp_path):
    [found] = findings(PackedLengths(), file(tmp_path, "return pack(x, given.tolist())"))
    assert found.presumed and found.caveat == "`given` must be a tensor: an array has no `cpu`"
    [sure] = findings(PackedLengths(), file(tmp_path, "return pack(x, given.tolist()) if given.dim() else x"))
    assert sure.caveat is None
