"""map-call: where a map is used at once, and where not."""

import pytest

from tests.rules.texts import rewritten, source
from tsrefactor.rules.map_call import MapCall

HEAD = "import torch\n\n\nclass Model(torch.nn.Module):\n    def forward(self, x, v):\n        "


@pytest.mark.parametrize(
    ("code", "after"),
    [
        ("a, b = map(self.fc, x)", "a, b = [self.fc(item) for item in x]"),
        ("return tuple(map(int, x.shape))", "return tuple([int(item) for item in x.shape])"),
        ("return ','.join(map(str, x.shape))", "return ','.join([str(item) for item in x.shape])"),
        ("return sum(map(lambda t: (t, 1), x))", "return sum([(t, 1) for t in x])"),
        ("return all(map(lambda t: t > 1, x.shape))", "return all([t > 1 for t in x.shape])"),
        (
            "for y in map(torch.relu, x):\n            v = v + y",
            "for y in [torch.relu(item) for item in x]:\n            v = v + y",
        ),
    ],
)
def test_used_at_once(code, after, tmp_path):
    file = source(tmp_path / "model.py", f"{HEAD}{code}\n")
    assert rewritten(MapCall(), file) == f"{HEAD}{after}\n"


@pytest.mark.parametrize(
    "code",
    [
        "y = map(self.fc, x)",
        "return any(map(self.fc, x))",
        "return zip(map(self.fc, x), x)",
        "return list(map(lambda t, n=1: t, x))",
        "return list(map(lambda *t: t, x))",
        "return list(map(self.all()[0], x))",
        "return list(map(self.fc, *x))",
        "for y in map(self.fc, x):\n            self.y = y",
        "return list(self.map(x, x))",
    ],
)
def test_left_alone(code, tmp_path):
    file = source(tmp_path / "model.py", f"{HEAD}{code}\n")
    assert rewritten(MapCall(), file) == file.text
