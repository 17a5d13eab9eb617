"""Which state kept-state tells of, and which not."""

import pytest

from tests.rules.tracing import findings, model
from tsrefactor.rules.kept_state import KeptState

RULE = [KeptState()]
FORWARD = "def forward(self, x):\n    self.tick()\n    return x * self.n"


@pytest.mark.parametrize(
    ("text", "state"),
    [
        (model("self.n += 1\nif self.n > 3:\n    x = x * 2\nreturn x", "self.n = 0"), "`self.n`, which `forward`"),
        (model("self.n = self.n * 0.9\nreturn x * self.n", "self.n = 1.0"), "`self.n`, which `forward`"),
        ("steps = 0\n" + model("global steps\nsteps += 1\nreturn x / steps"), "`steps`, which `forward`"),
        (
            model(f"{FORWARD}\n\ndef tick(self):\n    self.n += 1", "self.n = 0"),
            "`self.n`, which `tick`",
        ),
    ],
)
def test_what_every_run_changes(text, state):
    (found,) = findings(RULE, text)
    assert state in found.message
    assert not found.fixable


@pytest.mark.parametrize(
    "text",
    [
        model("self.n += 1\nreturn x", "self.n = 0"),
        model("self.n = x.size(0)\nreturn x * self.n", "self.n = 0"),
        model("self.n += 1\nreturn x * self.n", "self.register_buffer('n', torch.tensor(0))"),
        model(
            "def forward(self, x):\n    return x * self.n\n\ndef set(self, n):\n    self.n = self.n + n", "self.n = 0"
        ),
        model("steps = 0\nsteps += 1\nreturn x / steps"),
    ],
)
def test_left_alone(text):
    assert findings(RULE, text) == []
