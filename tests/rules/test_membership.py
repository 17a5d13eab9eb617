"""membership: further forms, and what it refuses."""

import pytest

from tests.rules.more_examples.membership import HEAD, MORE
from tests.rules.proof import prove
from tests.rules.texts import diagnosis, findings, source
from tsrefactor.rules.membership import Membership


@pytest.mark.parametrize("example", MORE.values(), ids=MORE)
def test_more_examples(example, tmp_path):
    prove(Membership(), example, tmp_path)


@pytest.mark.parametrize(
    ("kind", "test"),
    [
        ("not-a-value", "x.mean() in range(3)"),
        ("not-a-value", "x.size(0) in range(0, 9, 2)"),
        ("unsupported-syntax", "x.size(0) in {x.size(1), 2}"),
        ("none-compare", "x.size(0) == 3"),
        ("none-compare", "self.pick() in ('a', 'b')"),
        ("none-compare", "1 < x.size(0) in (2, 3)"),
    ],
)
def test_leaves_alone(tmp_path, kind, test):
    text = HEAD + f"    def forward(self, x: torch.Tensor):\n        return x if {test} else x + 1\n"
    file = source(tmp_path / "model.py", text)
    assert findings(Membership(), file, diagnosis(file, kind, test)) == []
