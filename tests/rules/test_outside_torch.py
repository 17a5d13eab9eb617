"""Where outside-torch sees data leave a trace, and where not."""

import pytest

from tests.rules.tracing import findings, model
from tsrefactor.rules.outside_torch import OutsideTorch

RULE = [OutsideTorch()]
IMPORTS = "import cv2\nimport numpy as np\nfrom scipy.optimize import linear_sum_assignment\n"


@pytest.mark.parametrize(
    ("body", "advice"),
    [
        ("return torch.from_numpy(x.detach().cpu().numpy())", "compute it with operations of torch"),
        ("return x - float(np.median(torch.relu(x)))", "compute it with operations of torch"),
        ("rows, columns = linear_sum_assignment(x.abs())\nreturn x[rows]", "compute it with operations of torch"),
        ("return torch.tensor(cv2.resize(x.numpy(), (8, 8)))", "`torch.nn.functional.interpolate` comes near it"),
    ],
)
def test_what_leaves(body, advice):
    (found,) = findings(RULE, IMPORTS + model(body))
    assert not found.fixable
    assert found.message.endswith(advice)


@pytest.mark.parametrize(
    "body",
    [
        "return x * np.sqrt(2)",
        "return x + torch.from_numpy(np.arange(x.size(1)))",
        "return self.table.numpy(x)",
    ],
)
def test_left_alone(body):
    assert findings(RULE, IMPORTS + model(body, "self.table = object()")) == []
