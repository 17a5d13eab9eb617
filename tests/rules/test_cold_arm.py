"""cold-arm: which arm is told to be cold by what was recorded, and what is left alone."""

import pytest

from tests.rules.texts import diagnosis, findings, source
from tsrefactor.facts.observations import FunctionObservations, Observations
from tsrefactor.facts.types import parse
from tsrefactor.rules.cold_arm import ColdArm

ONE, TWO = "Tuple[Tensor]", "Tuple[Tensor, Tensor]"


def cold(tmp_path, body, recorded):
    """The findings for a forward of these lines, whose result and whose `out` were recorded with a type."""
    lines = "".join(f"        {line}\n" for line in body)
    header = "from torch import nn, relu\n\n\nclass Model(nn.Module):\n    def forward(self, x, c: bool = False):\n"
    file = source(tmp_path / "model.py", header + lines)
    seen = FunctionObservations(str(file.path), "Model.forward", 5, "")
    seen.returns = seen.locals["out"] = parse(recorded)
    observations = Observations({(str(file.path), "Model.forward", 5): seen})
    at = next(line for line in body if " if c" in line).removeprefix("return ").removeprefix("out = ")
    return findings(ColdArm(), file, diagnosis(file, "branch-type", at), observations=observations)


@pytest.mark.parametrize(
    ("body", "recorded", "told"),
    [
        (["return (x, x) if c else (x,)"], ONE, "`c`"),
        (["return (x, x) if c else (x,)"], TWO, "`not c`"),
        (["return (x, x) if c else relu(x)"], "Tensor", "`c`"),
        (["out = (x, x) if c else (x,)", "return out"], ONE, "`c`"),
        (["out = (x, x) if c else (x,)", "if self.more:", "    out = out + (x,)", "return out"], ONE, "`c`"),
        (["out = (x, x) if c else (x,)", "if self.more:", "    out = out + (x,)", "return out"], TWO, "`c`"),
    ],
)
def test_cold(tmp_path, body, recorded, told):
    [finding] = cold(tmp_path, body, recorded)
    assert finding.partial
    assert repr(f"Model.forward does not support {told} under TorchScript") in finding.edits[0].pieces["message"]


@pytest.mark.parametrize(
    ("body", "recorded"),
    [
        (["return (x, x) if c else (x,)"], "?"),
        (["return (x, x) if c else (x,)"], "Tuple[Tensor, Tensor, Tensor]"),
        (["return (x, x) if c else (x, None)"], TWO),
        (["return (x, *x) if c else (x,)"], ONE),
        (["return [(x, x) if c else (x,)]"], ONE),
        (["out = (x, x) if c > 1 else (x,)", "if self.more:", "    out = out + (x,)", "return out"], TWO),
        (["out = (x, x) if c else (x,)", "out = out[:1]", "return out"], ONE),
    ],
)
def test_left_alone(tmp_path, body, recorded):
    assert cold(tmp_path, body, recorded) == []
