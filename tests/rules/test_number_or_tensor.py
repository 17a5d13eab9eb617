"""number-or-tensor: which variables become tensors, which are annotated, and which are left alone."""

import pytest

from tests.rules.texts import diagnosis, findings, rewritten, source
from tsrefactor.rules.number_or_tensor import NumberOrTensor

BODY = """\
import torch
from torch import nn


class Model(nn.Module):
    def forward(self, x: torch.Tensor, flag: bool):
        n = {start}
        if flag:
            {then}
        {use}
"""


def after(tmp_path, start="0", then="n = x.mean()", use="return n"):
    return rewritten(NumberOrTensor(), source(tmp_path / "m.py", BODY.format(start=start, then=then, use=use)))


@pytest.mark.parametrize("use", ["return x, n", "return [n, x]", "return {'loss': n}"])
def test_what_is_handed_on_is_annotated(tmp_path, use):
    text = after(tmp_path, "0.0", use=use)
    assert "n: Union[torch.Tensor, float] = 0.0" in text and "import Union" in text


@pytest.mark.parametrize("use", ["return x + n", "x = x * (1 + n)\n        return x", "x += n\n        return x"])
def test_what_is_computed_with_is_a_tensor(tmp_path, use):
    assert "n = torch.tensor(0)\n" in after(tmp_path, use=use)


def test_a_sum_that_is_returned_has_a_caveat(tmp_path):
    file = source(tmp_path / "m.py", BODY.format(start="0", then="n += x.mean()", use="return n"))
    [finding] = findings(NumberOrTensor(), file)
    assert finding.fixable and finding.caveat


SUM = """\
import torch
from torch import nn
import torch.nn.functional as F


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Linear(4, 4)
        self.drop = nn.Dropout()
        self.act = nn.ReLU(inplace=True)

    def forward(self, x: torch.Tensor, flag: bool):
        out = 0
        if flag:
            out = {value}
        out += x.mean()
        {use}
"""


@pytest.mark.parametrize("value", ["x * 2", "-x", "self.conv(x)", "F.relu(x)", "x.exp()", "x * 2 if flag else x.exp()"])
def test_a_sum_that_starts_with_a_new_tensor(value, tmp_path):
    after = rewritten(NumberOrTensor(), source(tmp_path / "m.py", SUM.format(value=value, use="return x + out")))
    assert "out = torch.tensor(0)\n" in after and "out = out + x.mean()\n" in after


@pytest.mark.parametrize(
    "value",
    [
        "x", "x.view(-1)", "x.detach()", "x.to(torch.float32)", "x.t()", "torch.flatten(x)", "F.dropout(x, 0.1, False)",
        "self.drop(x)", "self.act(x)", "F.relu(x, inplace=True)", "x.relu_()", "x * 2 if flag else x",
    ],
)  # fmt: skip
def test_a_sum_into_what_may_be_another_tensor_is_left_alone(value, tmp_path):
    text = SUM.format(value=value, use="return x + out")
    assert findings(NumberOrTensor(), source(tmp_path / "m.py", text)) == []
    plain = text.replace("out += x.mean()", "out = out + x.mean()")  # binds a new tensor anyway
    assert "out = torch.tensor(0)\n" in rewritten(NumberOrTensor(), source(tmp_path / "m.py", plain))


def test_a_sum_that_something_holds_is_left_alone(tmp_path):
    text = SUM.format(value="x * 2", use="kept = [out]\n        out += x.sum()\n        return kept")
    assert findings(NumberOrTensor(), source(tmp_path / "m.py", text)) == []


@pytest.mark.parametrize("use", ["return x[n]", "return x.view(n)", "return x if n > 0 else -x", "return lambda: n"])
def test_other_uses_are_left_alone(tmp_path, use):
    assert "n = 0\n" in after(tmp_path, use=use)


@pytest.mark.parametrize("then", ["n = 1", "n = x.size(0)", "n = self.count(x)", "n += 1", "n, x = x, x"])
def test_other_values_are_left_alone(tmp_path, then):
    assert "n = 0\n" in after(tmp_path, then=then)


def test_a_variable_may_change_its_type_in_one_block(tmp_path):
    text = BODY.format(start="0", then="x = x + 1", use="n = x.mean()\n        return x, n")
    assert findings(NumberOrTensor(), source(tmp_path / "m.py", text)) == []


@pytest.mark.parametrize("use", ["return n", "return x[n]", "return x.view(n)"])
def test_a_choice_that_is_not_computed_with_is_left_alone(tmp_path, use):
    file = source(tmp_path / "m.py", BODY.format(start="x.mean() if flag else 0", then="x = x + 1", use=use))
    about = diagnosis(file, "branch-type", "x.mean() if", true_type="Tensor", false_type="int")
    assert findings(NumberOrTensor(), file, about) == []


@pytest.mark.parametrize(("start", "told"), [("0.", True), ("0", False)])
def test_a_float_that_becomes_a_tensor_has_a_dtype(start, told, tmp_path):
    file = source(tmp_path / "m.py", BODY.format(start=start, then="n = x.mean()", use="return x + n"))
    [finding] = findings(NumberOrTensor(), file)
    assert finding.fixable and ("float16" in (finding.caveat or "")) == told


def test_a_float_that_is_chosen_has_a_dtype(tmp_path):
    text = BODY.format(start="x.mean() if flag else 0.", then="x = x + 1", use="return x + n")
    file = source(tmp_path / "m.py", text)
    about = diagnosis(file, "branch-type", "x.mean() if", true_type="Tensor", false_type="float")
    [finding] = findings(NumberOrTensor(), file, about)
    assert finding.fixable and finding.caveat and "float16" in finding.caveat
