import pytest

from tests.rules.tracing import findings, model, rewritten
from tsrefactor.rules.constant_tensor import ConstantTensor

RULE = [ConstantTensor()]


@pytest.mark.parametrize(
    "expression",
    [
        "torch.tensor(x.shape[0])",  # a trace follows one size
        "torch.tensor([1, 2])",
        "torch.tensor([x.shape[0], 0.5])",  # TorchScript takes no list of both
        "torch.tensor(2.0)",
        "torch.tensor([x.dim(), 3])",
    ],
)
def test_left_alone(expression):
    assert findings(RULE, model(f"return x + {expression}")) == []


@pytest.mark.parametrize(
    ("call", "written"),
    [
        ("torch.tensor(ns)", "torch.stack([torch.full((), n) for n in ns])"),
        ("torch.tensor(ns, dtype=torch.int32)", "torch.stack([torch.full((), n, dtype=torch.int32) for n in ns])"),
        (
            "torch.as_tensor(ns, device=x.device)",
            "torch.stack([x.new_full((), n, dtype=torch.int64) for n in ns])",
        ),
    ],
)
def test_collected_sizes(call, written):
    after = rewritten(
        RULE, model(f"ns = []\nfor i in range(2):\n    ns.append(x.shape[i])\nreturn {call}")
    ).document.text
    assert f"return {written}\n" in after
