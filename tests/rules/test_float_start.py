"""float-start: which whole numbers become floats."""

import pytest

from tests.rules.texts import diagnosis, findings, rewritten, source
from tsrefactor.rules.float_start import FloatStart

BODY = """\
import torch
from torch import nn


class Model(nn.Module):
    def forward(self, x: torch.Tensor):
        n = 1
        if x.dim() > 1:
            n = {value}
        return {use}
"""


def about(file, **names):
    names = {"variable": "n", "expected": "int", "found": "float", **names}
    return diagnosis(file, "reassign-type", "n = 1", **names)


@pytest.mark.parametrize(
    ("value", "use"), [("n * 0.5", "x * n"), ("n / 2", "n"), ("-2 if n > 1 else 0.1", "x.sum() / max(n, 0.5)")]
)
def test_floats(tmp_path, value, use):
    file = source(tmp_path / "model.py", BODY.format(value=value, use=use))
    text = rewritten(FloatStart(), file, about(file))
    assert text == file.text.replace("n = 1", "n = 1.0").replace("-2", "-2.0")


@pytest.mark.parametrize("use", ["x[n]", "x.view(n, -1)", "range(n)", "(lambda: n)", "m"])
def test_what_is_no_arithmetic_is_left_alone(tmp_path, use):
    body = BODY.replace("        return", "        m = n\n        return") if use == "m" else BODY
    file = source(tmp_path / "model.py", body.format(value="n / 2", use=use))
    assert findings(FloatStart(), file, about(file)) == []


@pytest.mark.parametrize(
    "use", ["x.long() * n", "n + torch.arange(4)", "(x > 0).sum() * n", "x.to(torch.int64) - 2 * n"]
)
def test_what_meets_an_integer_tensor_is_left_alone(tmp_path, use):
    file = source(tmp_path / "model.py", BODY.format(value="n / 2", use=use))
    assert findings(FloatStart(), file, about(file)) == []


@pytest.mark.parametrize(("counts", "left"), [("x.argmax(1)", True), ("x.relu()", False), ("counts.view(-1)", False)])
def test_a_choice_that_meets_an_integer_tensor_is_left_alone(tmp_path, counts, left):
    text = BODY.format(value="2", use="counts * share").replace(
        "        return",
        f"        counts = {counts}\n        share = 1 / x.dim() if x.dim() > 2 else 0\n        return",
    )
    file = source(tmp_path / "model.py", text)
    chosen = diagnosis(file, "branch-type", "1 / x.dim()", true_type="float", false_type="int")
    assert (findings(FloatStart(), file, chosen) == []) == left


@pytest.mark.parametrize("found", ["Tensor", "str", "Optional[float]"])
def test_other_types_are_left_alone(tmp_path, found):
    file = source(tmp_path / "model.py", BODY.format(value="x", use="n"))
    assert findings(FloatStart(), file, about(file, found=found)) == []
