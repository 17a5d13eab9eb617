"""number-limits: the limits by heart are torch's, and one function serves several calls."""

import pytest
import torch

from tests.rules.texts import findings, rewritten, source
from tsrefactor.rules.number_limits import _LIMITS, NumberLimits

HEAD = "import torch\n\n\nclass Model(torch.nn.Module):\n    def forward(self, x: torch.Tensor, kind):\n        "


@pytest.mark.parametrize("limit", _LIMITS)
def test_the_numbers_are_those_of_torch(limit):
    dtypes = (torch.float16, torch.bfloat16, torch.float64, torch.float32)
    assert [float(number) for number in _LIMITS[limit]] == [getattr(torch.finfo(d), limit) for d in dtypes]


def test_one_function_for_each_limit(tmp_path):
    body = "return torch.finfo(x.dtype).min, torch.finfo(torch.half).min, torch.finfo(x.dtype).eps\n"
    text = rewritten(NumberLimits(), source(tmp_path / "model.py", HEAD + body))
    assert text.endswith("return _float_min(x.dtype), _float_min(torch.half), _float_eps(x.dtype)\n")
    assert text.count("def _float_min") == text.count("def _float_eps") == 1
    assert rewritten(NumberLimits(), source(tmp_path / "model.py", text)) == text


def test_a_name_that_is_taken(tmp_path):
    text = "_float_max = 3\n" + HEAD + "return torch.finfo(x.dtype).max\n"
    assert "return _float_max_2(x.dtype)" in rewritten(NumberLimits(), source(tmp_path / "model.py", text))


@pytest.mark.parametrize(
    "code", ["return torch.iinfo(x.dtype).max", "info = torch.finfo(x.dtype)", "return kind.finfo(x.dtype).max"]
)
def test_left_alone(code, tmp_path):
    assert findings(NumberLimits(), source(tmp_path / "model.py", f"{HEAD}{code}\n")) == []
