"""tensor-unpack: what is unbound, and what is left alone."""

import pytest

from tests.rules.texts import diagnosis, findings, rewritten, source
from tsrefactor.rules.tensor_unpack import TensorUnpack

HEAD = (
    "import torch\n\n\nclass Model(torch.nn.Module):\n    def forward(self, x: torch.Tensor, pair, n: int):\n        "
)


@pytest.mark.parametrize(
    ("code", "after"),
    [
        ("a, b = x", "a, b = x.unbind()"),
        ("a, self.b = -x", "a, self.b = (-x).unbind()"),
        ("[a] = x.mean(1)", "[a] = x.mean(1).unbind()"),
    ],
)
def test_written(code, after, tmp_path):
    assert rewritten(TensorUnpack(), source(tmp_path / "model.py", f"{HEAD}{code}\n")) == f"{HEAD}{after}\n"


@pytest.mark.parametrize(
    "code",
    [
        "a, b = x.shape",
        "a, b = x.chunk(2)",
        "a, b = x.max(1)",
        "a, b = x, x",
        "a, b = pair",
        "a, *b = x",
        "(a, b), c = x",
        "a = b = x",
        "a, b = torch.meshgrid(x, x)",
    ],
)
def test_left_alone(code, tmp_path):
    assert findings(TensorUnpack(), source(tmp_path / "model.py", f"{HEAD}{code}\n")) == []


def test_goes_by_what_the_compiler_says(tmp_path):
    file = source(tmp_path / "model.py", f"{HEAD}a, b = self.halves(x)\n")
    told = diagnosis(file, "unpack-value", "a, b", type="Tensor")
    assert rewritten(TensorUnpack(), file, told).endswith("a, b = self.halves(x).unbind()\n")
    [finding] = findings(TensorUnpack(), file, told)
    assert finding.presumed


def test_a_parameter_may_be_a_tuple_in_another_call(tmp_path):
    file = source(tmp_path / "model.py", f"{HEAD}a, b = pair\n")
    told = diagnosis(file, "unpack-value", "a, b", type="Tensor (inferred)")
    after = rewritten(TensorUnpack(), file, told)
    assert after.endswith("a, b = pair.unbind() if isinstance(pair, torch.Tensor) else pair\n")
    assert rewritten(TensorUnpack(), source(tmp_path / "model.py", after), told) == after
