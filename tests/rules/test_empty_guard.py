import pytest

from tests.rules.tracing import findings, model, rewritten
from tsrefactor.rules.empty_guard import EmptyGuard

RULE = [EmptyGuard()]
INIT = "self.lin = nn.Linear(3, 3)"
START = "out = torch.zeros_like(x)\nrows = (x[:, 0] > 0).nonzero().squeeze(1)\nmask = x > 0\n"


@pytest.mark.parametrize(
    "block",
    [
        "if rows.numel() > 0:\n    out.index_add_(0, rows, self.lin(x[rows]))",
        "if len(rows) > 0:\n    out[rows] = self.lin(x[rows])",
        "if rows.shape[0] != 0:\n    y = self.lin(x[rows])\n    out[rows] += y",
        "if mask.any():\n    out[mask] = self.lin(x)[mask]",
    ],
)
def test_a_trace_always_holds_the_block(block):
    after = rewritten(RULE, model(f"{START}{block}\nreturn out", INIT)).document.text
    assert "if torch.jit.is_tracing() or " in after


@pytest.mark.parametrize(
    "block",
    [
        "if rows.numel() > 0:\n    out = self.lin(x)",  # more than an update
        "if rows.numel() > 0:\n    out[mask] = self.lin(x)[mask]",  # by another index
        "if rows.numel() > 0:\n    out[rows] = self.lin(x[rows])\nelse:\n    out = x",
        "if rows.numel() > 2:\n    out[rows] = self.lin(x[rows])",
        "if rows.numel() > 0:\n    y = self.lin(x[rows])\n    out[rows] = y\nout = out + y.sum()",
        "if rows.numel() > 0:\n    out[rows] = x[rows] * 2",  # soft-refactor moves it
    ],
)
def test_left_alone(block):
    assert findings(RULE, model(f"{START}{block}\nreturn out", INIT)) == []
