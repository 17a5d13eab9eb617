"""numpy-array: what stays, and the dtype and device that a tensor is given."""

import pytest

from tests.rules.texts import diagnosis, findings, rewritten, source
from tsrefactor.rules.numpy_array import NumpyArray

MODEL = """\
import numpy as np
import torch
from torch import nn


class Model(nn.Module):
    def __init__(self, given=None):
        super().__init__()
        self.a = np.ones((2, 3))

    def forward(self, x: torch.Tensor):
        mask = torch.from_numpy(self.a)
        return x * mask
"""


def prepared(text, tmp_path):
    file = source(tmp_path / "model.py", text)
    said = diagnosis(file, "unconvertible-attribute", "self.a", module="Model", attribute="a", type="numpy.ndarray")
    at = diagnosis(file, "unconvertible-attribute", "def forward", module="Model", attribute="a", type="numpy.ndarray")
    return file, at if "def forward" in text else said


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("= np.ones((2, 3))", "= np.ones((2, 3))\n        self.a[0] = 2", "`__init__` may change it"),
        ("self.a = np.ones((2, 3))", "a = np.ones((2, 3))\n        self.a = a\n        a[0] = 2", "may change it"),
        ("= np.ones((2, 3))", "= np.ones((2, 3))\n        np.fill_diagonal(self.a, 0)", "`__init__` may change it"),
        ("= np.ones((2, 3))", "= np.ones((2, 3))\n\n    def set(self, a):\n        self.a = a", "not set once"),
        ("return x * mask", "mask.mul_(2)\n        return x * mask", "the tensor is changed"),
        ("mask = torch.from_numpy(self.a)", "mask = torch.from_numpy(self.a).mul_(2)", "the tensor is changed"),
        ("        return x * mask", "        mask += 1\n        return x * mask", "the tensor is changed"),
        ("torch.from_numpy(self.a)", "torch.from_numpy(self.a * 2)", "used otherwise"),
        ("torch.from_numpy(self.a)", "torch.from_numpy(self.a.astype(x.kind))", "used otherwise"),
        ("np.ones((2, 3))", "given\n        self.b = 1", "used otherwise"),
    ],
)
def test_what_stays(old, new, reason, tmp_path):
    text = MODEL.replace(old, new)
    if "given\n" in new:
        text = text.replace("        mask =", "        mask = x if x.dim() == 2 else")
    [finding] = findings(NumpyArray(), *prepared(text, tmp_path))
    assert not finding.fixable and reason in finding.message


def test_dtype_and_device(tmp_path):
    text = MODEL.replace("torch.from_numpy(self.a)", "torch.tensor(self.a, dtype=x.dtype, device=x.device)")
    new = rewritten(NumpyArray(), *prepared(text, tmp_path))
    assert "self.a_tensor = torch.tensor(self.a)\n" in new
    assert "mask = self.a_tensor.to(dtype=x.dtype, device=x.device)\n" in new


def test_an_array_that_is_given_and_always_read(tmp_path):
    new = rewritten(NumpyArray(), *prepared(MODEL.replace("np.ones((2, 3))", "given"), tmp_path))
    assert "        self.a = given\n        self.a_tensor = torch.from_numpy(self.a)\n" in new
