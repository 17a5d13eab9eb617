"""sequential-loop and typed-sequential: what stays as it is."""

import pytest

from tests.rules.texts import findings, rewritten, source
from tsrefactor.rules.sequential_loop import SequentialLoop
from tsrefactor.rules.typed_sequential import TypedSequential

BODY = """\
import torch
from torch import nn


class Model(nn.Module):
    def __init__(self, layers):
        super().__init__()
        self.a = nn.Sequential(*layers)
        self.b = nn.Sequential(*layers)
        self.other = Chain(*layers)
        self.built = self.build(layers)

    def build(self, layers):
        return nn.Sequential(*layers)

    def forward(self, x: torch.Tensor):
        {}


class Chain(nn.Sequential):
    pass
"""


@pytest.mark.parametrize(
    "code",
    ["return self.a(x)", "return self.other([x])", "return [] if x is None else self.a([x])",
     "return x * 2 + self.a([x])[0]", "return (self.a\n            ([x,  # fine\n              x])[0])"],
)  # fmt: skip
def test_no_loop(tmp_path, code):
    assert findings(SequentialLoop(), source(tmp_path / "model.py", BODY.format(code))) == []


@pytest.mark.parametrize("kind", ["forward", "full_backward"])
def test_no_loop_where_hooks_are_registered(tmp_path, kind):
    text = BODY.format("return self.a([x])") + f"\n\ndef watch(model, f):\n    model.a.register_{kind}_hook(f)\n"
    assert findings(SequentialLoop(), source(tmp_path / "model.py", text)) == []


def test_one_class_for_two_of_one_type(tmp_path):
    text = rewritten(
        TypedSequential(), source(tmp_path / "model.py", BODY.format("return self.b(self.a((x, x))), self.b((x, x))"))
    )
    assert text.count("class TupleSequential(") == 1 and text.count(" = TupleSequential(*layers)") == 2


@pytest.mark.parametrize("code", ["return self.a(x)", "return self.other((x, x))", "return self.built((x, x))"])
def test_no_class(tmp_path, code):
    assert findings(TypedSequential(), source(tmp_path / "model.py", BODY.format(code))) == []


def test_the_container_keeps_its_name(tmp_path):
    text = BODY.format("for a in self.stages:\n            a = a([x])\n        return a")
    text = text.replace("self.other = Chain(*layers)", "self.stages = nn.ModuleList([nn.Sequential(*layers)])")
    assert "for layer in a:\n                out = layer(out)\n            a = out\n" in rewritten(
        SequentialLoop(), source(tmp_path / "model.py", text)
    )


def test_the_loop_hides_no_function_that_is_called(tmp_path):
    text = BODY.format("xs = self.a([x])\n        return layer(module(xs[0]))").replace("self.a", "self.layers")
    text = rewritten(SequentialLoop(), source(tmp_path / "model.py", text))
    assert "for layer_2 in self.layers:\n            xs = layer_2(xs)\n" in text
