from collections import OrderedDict
from dataclasses import dataclass
from typing import NamedTuple

import numpy
import pytest
import torch
from torch import Tensor

from tsrefactor import Inputs
from tsrefactor.verification.values import copied, difference, digest, leaves, sizes_of


class Pair(NamedTuple):
    first: Tensor
    second: Tensor


@dataclass
class Record:
    x: Tensor
    n: int


class Custom:
    pass


T = torch.tensor([[1.0, 2.0], [3.0, float("nan")]])


def compare(a, b, **kwargs):
    return difference(leaves(a), leaves(b), **kwargs)


EQUAL = [
    (T, T + 5e-5),
    ((T, [T]), [T, (T,)]),
    (Pair(T, T), (T, T)),
    (Record(T, 2), Record(T, 2)),
    ({"a": T, "b": 1}, OrderedDict(b=1, a=T)),
    (2, 2.0),
    (float("nan"), float("nan")),
    (torch.tensor(float("inf")), torch.tensor(float("inf"))),
    (torch.empty(0, 3), torch.empty(0, 3)),
    (torch.eye(3).to_sparse(), torch.eye(3).to_sparse()),
    (torch.eye(3).to_sparse_csr(), torch.eye(3)),
    (T.to(torch.bfloat16), T.to(torch.bfloat16)),
    (torch.tensor([1 + 2j]), torch.tensor([1 + 2j]).conj().conj()),
    (torch.Size([1, 2]), [1, 2]),
    (Custom(), Custom()),
    (torch.float32, torch.float32),
]
DIFFERENT = [
    (T, T + 1e-3, "numbers differ"),
    (T, T.double(), "dtype"),
    (T, T[:1], "size is 1x2, eager gives 2x2"),
    (torch.ones(1), torch.ones(()), "size is scalar"),
    (T, 3.0, "eager gives a tensor"),
    (3.0, T, "is a tensor"),
    ((T, T), (T,), "another structure"),
    ([[T], T], [T, [T]], "another structure"),
    ({"a": T}, {"b": T}, "another structure: output['a']"),
    ({"a": [T, 1]}, {"a": [T, 2]}, "output['a'][1]: is int 2, eager gives int 1"),
    (None, 0, "is int 0"),
    ("a", "b", "is str 'b'"),
    (0.5, 0.6, "is float"),
    (torch.float32, 6, "is int 6"),
    (Custom(), 1, "eager gives Custom"),
    (torch.tensor([True]), torch.tensor([False]), "numbers differ"),
    (torch.tensor([1.0]), torch.tensor([float("nan")]), "numbers differ"),
]


@pytest.mark.parametrize(("a", "b"), EQUAL)
def test_equal(a, b):
    assert compare(a, b) is None


@pytest.mark.parametrize(("a", "b", "message"), DIFFERENT)
def test_different(a, b, message):
    assert message in compare(a, b)


def test_without_values_only_structure_dtype_and_shape_count():
    assert compare((T, 1, 0.5), (T + 1, 2, 7), values=False) is None
    assert compare(T, T.double(), values=False)
    assert compare((T, 1), (T, "1"), values=False)


DIGESTED = [
    T, T + 1e-7, T.double(), T.reshape(4), T.t(), torch.tensor(1.0), torch.tensor([1.0]), torch.empty(0),
    torch.empty(0, 2), torch.tensor([0.0]), torch.tensor([-0.0]), torch.tensor([1 + 2j]), torch.tensor([1 - 2j]),
    torch.eye(2).to_sparse(), torch.eye(2), T.to(torch.bfloat16), torch.tensor([True]), {"a": 1}, {"b": 1}, 1, 1.0,
    torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.quint8),
    torch.quantize_per_tensor(torch.ones(2), 0.1, 3, torch.quint8),
    True, None, "1", [1], [1, 1], numpy.ones(2), numpy.zeros(2), numpy.float32(1), Custom(), [],
]  # fmt: skip


def test_digests_tell_every_bit_apart():
    digests = [digest(leaves(value)) for value in DIGESTED]
    assert len(set(digests)) == len(DIGESTED)
    assert digests == [digest(leaves(value)) for value in DIGESTED]


def test_digests_depend_on_content_not_on_memory():
    assert digest(leaves(T.t().contiguous().t())) == digest(leaves(T.clone()))
    assert digest(leaves(torch.tensor([1 + 2j]).conj())) == digest(leaves(torch.tensor([1 - 2j])))
    assert digest(leaves(torch.ones(1).expand(3))) == digest(leaves(torch.ones(3)))


def test_leaves_do_not_follow_later_changes():
    buffer = torch.zeros(2)
    held = leaves([buffer])
    buffer += 1
    assert held[0].value.tolist() == [0, 0]


def test_copies_are_deep_keep_aliases_and_requires_grad():
    x = torch.ones(2, requires_grad=True)
    inputs = Inputs(x, [x * 2], {"k": (x, "text")}, n=Pair(torch.ones(1), torch.ones(1)))
    copy = copied(inputs)
    assert copy.args[0] is copy.args[2]["k"][0] and copy.args[0] is not x
    assert copy.args[0].requires_grad and copy.args[0].is_leaf
    assert copy.args[1][0].requires_grad and copy.args[1][0].is_leaf
    assert isinstance(copy.kwargs["n"], Pair) and not copy.kwargs["n"].first.requires_grad
    copy.kwargs["n"].first.add_(1)
    assert inputs.kwargs["n"].first.item() == 1


def test_sizes():
    assert sizes_of(Inputs(torch.ones(2, 3), [torch.tensor(1)], 5, mask=torch.ones(4))) == "2x3, scalar, 4"
    assert sizes_of(Inputs(1)) == ""
