"""outline-cold: more forms, and what stays."""

import pytest

from tests.rules.more_examples.outline_cold import MORE
from tests.rules.proof import prove
from tests.rules.texts import diagnosis, findings, source
from tsrefactor.facts.observations import FunctionObservations, Observations
from tsrefactor.rules.outline_cold import OutlineCold


@pytest.mark.parametrize("example", MORE.values(), ids=MORE)
def test_more_examples(example, tmp_path):
    prove(OutlineCold(), example, tmp_path)


def found(tmp_path, body, reached):
    lines = "".join(f"        {line}\n" for line in body.splitlines())
    text = f"from torch import nn\n\n\nclass Model(nn.Module):\n    def forward(self, x):\n{lines}"
    file = source(tmp_path / "model.py", text)
    seen = FunctionObservations(str(file.path), "Model.forward", 5, "")
    seen.lines = {n for n, line in enumerate(file.lines, 1) if any(part in line for part in reached)}
    observations = Observations({(str(file.path), "Model.forward", 5): seen})
    return findings(OutlineCold(), file, diagnosis(file, "unsupported-syntax", "try"), observations=observations)


def test_what_runs_reached_is_left_alone(tmp_path):
    assert found(tmp_path, "try:\n    x = x + 1\nexcept ValueError:\n    x = x - 1\nreturn x", ["try", "+ 1"]) == []


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (
            "if x:  #\n    try:\n        y = 1\n    except ValueError:\n        pass\n    return y if x > 1 else x",
            "`y` may not be bound",
        ),
        (
            "if x:  #\n    try:\n        return y\n    finally:\n        y = 1\nreturn x",
            "it returns on some paths only",
        ),
        ("for i in x:  #\n    try:\n        break\n    finally:\n        pass\nreturn x", "it jumps out of a loop"),
        ("if x:  #\n    try:\n        yield x\n    finally:\n        pass\nreturn x", "it yields"),
    ],
)
def test_what_stays(body, reason, tmp_path):
    [finding] = found(tmp_path, body, ["  #"])
    assert not finding.fixable and reason in finding.message
