"""numpy-tensor: forms of arrays, and what numpy alone can make."""

import pytest

from tests.rules.texts import findings, rewritten, source
from tsrefactor.rules.numpy_tensor import NumpyTensor

BODY = """\
import numpy as np
import torch
from torch import nn


class Model(nn.Module):
    def __init__(self, a=1, b=0.5):
        super().__init__()
        self.a, self.b = a, b

    def forward(self, x: torch.Tensor, k: int, data):
        return {}
"""


@pytest.mark.parametrize(
    ("before", "wanted"),
    [
        ("torch.from_numpy(np.array([1, k]))", "torch.tensor([1, k], dtype=torch.int64)"),
        (
            "torch.tensor(np.array([[0.5, 2.0], [1.0, 3.0]]))",
            "torch.tensor([[0.5, 2.0], [1.0, 3.0]], dtype=torch.float64)",
        ),
        ("torch.from_numpy(np.array([1, 2], dtype=np.float32))", "torch.tensor([1, 2], dtype=torch.float32)"),
        ("torch.from_numpy(np.ones([k, 2], 'x') if k else np.eye(k))", None),
        ("torch.from_numpy(np.ones([k, 2]).astype('float32'))", "torch.ones([k, 2], dtype=torch.float32)"),
        (
            "torch.from_numpy(np.array([1, 2]).reshape((2, 1)).astype(np.float32))",
            "torch.tensor([1, 2], dtype=torch.float32).reshape((2, 1))",
        ),
        ("torch.from_numpy(np.array([1, 0.5]))", None),
        ("torch.from_numpy(np.array([-0.5, self.b / 2]))", "torch.tensor([-0.5, self.b / 2], dtype=torch.float64)"),
        ("torch.from_numpy(np.array([self.a, k]))", "torch.tensor([self.a, k])"),  # another instance has floats
        ("torch.from_numpy(np.array([self.a]).astype('float32'))", "torch.tensor([self.a], dtype=torch.float32)"),
        ("torch.from_numpy(np.arange(self.a))", "torch.arange(self.a)"),
        ("torch.from_numpy(np.arange(self.a).astype('int64'))", None),
        ("torch.from_numpy(np.array(data))", None),
        ("torch.from_numpy(np.array([data]))", None),
        ("torch.from_numpy(np.eye(k, k=1))", None),
        ("torch.from_numpy(np.zeros(k, dtype=np.int64).astype(np.float32))", None),
        ("torch.from_numpy(np.random.rand(2))", None),
        ("torch.from_numpy(np.array([1]).astype(np.complex64))", None),
        ("np.array([1, 2])", None),
        ("torch.from_numpy(np.triu(np.ones(k)))", None),
        ("torch.from_numpy(np.triu(np.ones((k, k))))", "torch.triu(torch.ones((k, k), dtype=torch.float64))"),
    ],
)
def test_made(tmp_path, before, wanted):
    file = source(tmp_path / "model.py", BODY.format(before))
    if wanted is None:
        assert findings(NumpyTensor(), file) == []
    else:
        assert f"return {wanted}\n" in rewritten(NumpyTensor(), file)
        [found] = findings(NumpyTensor(), file)
        assert found.presumed == bool(found.caveat) == ("dtype" not in wanted)


@pytest.mark.parametrize(("end", "presumed"), [("x.size(1)", False), ("k", True), ("2, x.size(1)", True)])
def test_an_empty_array_may_raise(tmp_path, end, presumed):
    file = source(tmp_path / "model.py", BODY.format(f"torch.from_numpy(np.arange({end}))"))
    assert [f.presumed for f in findings(NumpyTensor(), file)] == [presumed]


@pytest.mark.parametrize(("shape", "fits"), [("(1, k, k)", True), ("[k]", False), ("x.shape", False)])
def test_a_triangle_of_a_shape_with_a_name(tmp_path, shape, fits):
    body = "torch.from_numpy(np.triu(np.ones(shape), k=1).astype('uint8'))"
    text = BODY.format(body).replace("        return", f"        shape = {shape}\n        return")
    assert bool(findings(NumpyTensor(), source(tmp_path / "model.py", text))) is fits


def test_a_global_stays_an_array(tmp_path):
    body = "torch.from_numpy(mask)"
    text = BODY.format(body).replace(
        "        return", "        global mask\n        mask = np.zeros(3)\n        return"
    )
    assert findings(NumpyTensor(), source(tmp_path / "model.py", text)) == []
