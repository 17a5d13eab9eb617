"""gradient-call: other forms, and what it must not touch."""

import re

import pytest

from tests.rules.texts import findings, rewritten, source
from tsrefactor.rules.gradient_call import GradientCall

MODEL = """\
import torch
from torch import autograd, nn
from torch.autograd import grad as gradient


class Model(nn.Module):
    def forward(self, x, y: torch.Tensor, z: torch.Tensor):
        {}
"""


def made(tmp_path, lines):
    return source(tmp_path / "m.py", MODEL.format(lines.replace("\n", "\n        ")))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("g = autograd.grad(y, z)[0]", "g = autograd.grad([y], [z])[0]\nassert g is not None"),
        ("z = autograd.grad(y, z)[0]", "grad = autograd.grad([y], [z])[0]\nassert grad is not None\nz = grad"),
        ("g = gradient(y, (z, y))[-1]", "g = gradient([y], [z, y])[-1]\nassert g is not None"),
        (
            "a, b = autograd.grad(y, [y, z], None, True)",
            "a, b = autograd.grad([y], [y, z], None, True)\nassert a is not None\nassert b is not None",
        ),
        (
            "return y, autograd.grad(y, z)[0].pow(2)",
            "grad = autograd.grad([y], [z])[0]\nassert grad is not None\nreturn y, grad.pow(2)",
        ),
        ("g = autograd.grad(y, z, allow_unused=True)[0]", "g = autograd.grad([y], [z], allow_unused=True)[0]"),
        (
            "g = autograd.grad([y], [z], only_inputs=True, create_graph=True)[0]",
            "g = autograd.grad([y], [z], create_graph=True)[0]\nassert g is not None",
        ),
        (
            "g = autograd.grad(only_inputs=True, outputs=y, inputs=z)[0]",
            "g = autograd.grad(outputs=[y], inputs=[z])[0]\nassert g is not None",
        ),
        (
            "g = autograd.grad(\n    y,  # out\n    z,  # in\n    only_inputs=True,  # only\n    # kept\n"
            "    create_graph=True,\n)[0]",
            "g = autograd.grad(\n    [y],  # out\n    [z],  # in\n    # kept\n    create_graph=True,\n)[0]\n"
            "assert g is not None",
        ),
        (
            "g = autograd.grad(y, z,  # in\n                  only_inputs=True)[0]",
            "g = autograd.grad([y], [z],  # in\n                  )[0]\nassert g is not None",
        ),
        (
            "g = autograd.grad(y, z,\n                  only_inputs=True, create_graph=True)[0]",
            "g = autograd.grad([y], [z],\n                  create_graph=True)[0]\nassert g is not None",
        ),
    ],
)
def test_forms(before, after, tmp_path):
    assert rewritten(GradientCall(), made(tmp_path, before)) == MODEL.format(after.replace("\n", "\n        "))


@pytest.mark.parametrize(
    "line",
    [
        "g = autograd.grad(y, z, only_inputs=False)[0]",
        "g = autograd.grad(y, z, is_grads_batched=True)[0]",
        "g = autograd.grad(y, self.parameters())",
        "g = autograd.grad(y, (w for w in z))",
        "a, self.b = autograd.grad(y, [y, z])",
        "g = y if x is None else autograd.grad(y, z)[0]",
        "g = self.net(y) + autograd.grad(y, z)[0]",
        "g = autograd.grad(y, z, *x)[0]",
        "g = autograd.grad(y, z, y.add_(1))[0]",
        "g = [autograd.grad(v, z, v.detach(), allow_unused=True)[0] for v in y]",
        "while autograd.grad(y, z, y.detach(), allow_unused=True)[0] is None: y = y * z",
        "g = y if x is None else autograd.grad(y, z, y.detach(), allow_unused=True)[0]",
    ],
)
def test_refused(line, tmp_path):
    advice = findings(GradientCall(), made(tmp_path, line))
    assert len(advice) == 1 and not advice[0].fixable


@pytest.mark.parametrize("line", ["g = autograd.grad([y], [z])", "g = self.grad(y, z)[0]"])
def test_left_alone(line, tmp_path):
    assert findings(GradientCall(), made(tmp_path, line)) == []


def test_calls_of_one_statement_have_variables_of_their_own(tmp_path):
    calls = [f"autograd.grad({v}, {v}, torch.ones_like({v}), allow_unused=True)[0]" for v in "yz"]
    after = rewritten(GradientCall(), made(tmp_path, f"return torch.stack([{', '.join(calls)}])"))
    used = re.findall(r"autograd.grad\(\[([yz])\], \[[yz]\], (\w+),", after)
    assert [of for of, _ in used] == ["y", "z"]
    assert all(len(re.findall(rf" {name} = .*ones_like\({of}\)", after)) == 1 for of, name in used)
    assert len(re.findall(" = .*ones_like", after)) == 2
