"""item-type: which type is written, and where."""

import pytest
import torch  # noqa: F401  imported before the forks

from tests.rules.proof import prove
from tests.rules.texts import diagnosis, findings, rewritten, source
from tsrefactor.rules import Example
from tsrefactor.rules.item_type import ItemType
from tsrefactor.vocabulary import Target

BODY = """\
import torch
from torch import nn


class Model(nn.Module):
    def forward(self, x):
        n = {value}
        return torch.tensor([n, 1])
"""


def about(tmp_path, value, expected=""):
    file = source(tmp_path / "model.py", BODY.format(value=value))
    return file, diagnosis(file, "operation-failed", "torch.tensor(", found="number", expected=expected)


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ("x.argmax().item()", "int(x.argmax().item())"),
        ("x.mean().item() + 1", "float(x.mean().item()) + 1"),
        ("torch.max(x.long()).item()", "int(torch.max(x.long()).item())"),
        ("(x > 0).sum().item()", "int((x > 0).sum().item())"),
        ("x.norm(dim=1)[0].detach().item()", "float(x.norm(dim=1)[0].detach().item())"),
        ("x.max().item()", "float(x.max().item())"),
    ],
)
def test_type(tmp_path, value, wanted):
    assert f"n = {wanted}\n" in rewritten(ItemType(), *about(tmp_path, value))


def test_what_the_place_asks_for(tmp_path):
    assert "n = int(x.max().item())\n" in rewritten(ItemType(), *about(tmp_path, "x.max().item()", "List[int]"))


@pytest.mark.parametrize(("value", "presumed"), [("x.argmax().item()", False), ("x.max().item()", True)])
def test_a_guess_is_presumed(tmp_path, value, presumed):
    assert [f.presumed for f in findings(ItemType(), *about(tmp_path, value))] == [presumed]


@pytest.mark.parametrize("value", ["int(x.max().item())", "bool(x.any().item())", "x.item", "x.items()"])
def test_left_alone(tmp_path, value):
    assert findings(ItemType(), *about(tmp_path, value)) == []


def test_what_a_function_returns(tmp_path):
    text = BODY.format(value="best(x)").replace(
        "\n\nclass", "\n\ndef best(x):\n    return x.max(0)[1].item()\n\n\nclass"
    )
    file = source(tmp_path / "model.py", text.replace("torch.tensor([n, 1])", "x[n]"))
    about_index = diagnosis(file, "tensor-index", "x[n]", type="number")
    assert "        n = int(best(x))\n" in rewritten(ItemType(), file, about_index)
    file = source(tmp_path / "model.py", file.text.replace("x.max(0)[1]", "x.argmax()"))
    about_index = diagnosis(file, "tensor-index", "x[n]", type="number")
    assert "    return int(x.argmax().item())\n" in rewritten(ItemType(), file, about_index)


NUMBER = """\
import torch
from torch import nn


def value(t):
    return t.item()


class Model(nn.Module):
    def forward(self, x, idx):
        for _ in range({}):
            x = x + 1
        return x

    def weigh(self, x, gain):
        return x * value(gain)
"""


def test_a_number_that_others_may_want_as_a_float_is_converted_where_it_is_asked_for(tmp_path):
    inputs = "[(torch.rand(2), torch.tensor(3)), (torch.rand(2), torch.tensor(1))]"
    before, after = NUMBER.format("value(idx)"), NUMBER.format("int(value(idx))")
    prove(ItemType(), Example(before, after, inputs, Target.SCRIPT, error="range"), tmp_path)


def test_another_index(tmp_path):
    file = source(tmp_path / "model.py", BODY.format(value="x.max().item()"))
    assert findings(ItemType(), file, diagnosis(file, "tensor-index", "torch.tensor(", type="str")) == []
