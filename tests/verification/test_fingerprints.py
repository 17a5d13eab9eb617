import inspect
import os
import pickle
import subprocess
import sys

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from tests.verification.helpers import examined, fingerprint_of
from tsrefactor import Inputs
from tsrefactor.verification.eager import forward_signature
from tsrefactor.verification.results import Fingerprint

X = torch.arange(12.0).reshape(2, 6) / 10


class Old(nn.Module):
    """What a rewrite must keep; the classes below each change one thing."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(6, 3)
        self.register_buffer("steps", torch.zeros(()))

    def forward(self, x, scale=1.0):
        y = self.linear(x).softmax(-1) * scale
        if x.size(0) == 5:
            raise ValueError("five")
        return F.dropout(y, 0.5, self.training)


class Annotated(Old):
    def forward(self, x: torch.Tensor, scale: float = 1.0) -> torch.Tensor:
        return Old.forward(self, x, scale)


class OtherValues(Old):
    def forward(self, x, scale=1.0):
        return Old.forward(self, x, scale) * (1 + 1e-6)


class OtherInTrain(Old):
    def forward(self, x, scale=1.0):
        y = Old.forward(self, x, scale)
        return y + 1 if self.training else y


class OtherWhenNegative(Old):
    def forward(self, x, scale=1.0):
        y = Old.forward(self, x, scale)
        return y + 1 if x.sum() < 0 else y


class OtherShape(Old):
    def forward(self, x, scale=1.0):
        return Old.forward(self, x, scale)[None]


class OtherBuffers(Old):
    def forward(self, x, scale=1.0):
        self.steps += 1
        return Old.forward(self, x, scale)


class OtherGradients(Old):
    def forward(self, x, scale=1.0):
        return Old.forward(self, x.detach(), scale)


class OtherKeys(Old):
    def __init__(self):
        super().__init__()
        self.register_buffer("more", torch.zeros(()))


class OtherSignature(Old):
    def forward(self, x, scale=2.0):
        return Old.forward(self, x, 1.0)


class Stricter(Old):
    def forward(self, x, scale=1.0):
        if x.size(0) == 3:
            raise ValueError("three")
        return Old.forward(self, x, scale)


class OtherInputs(Old):
    def forward(self, x, scale=1.0):
        y = Old.forward(self, x, scale)
        x += 1
        return y


class Unseeded(Old):
    def forward(self, x, scale=1.0):
        return Old.forward(self, x, scale) + int.from_bytes(os.urandom(2), "little")


class UnseededInputs(Old):
    def forward(self, x, scale=1.0):
        y = Old.forward(self, x, scale)
        x += int.from_bytes(os.urandom(2), "little")
        return y


class UnseededWhenNegative(Old):
    def forward(self, x, scale=1.0):
        if x.sum() < 0:
            self.steps += int.from_bytes(os.urandom(2), "little")
        return Old.forward(self, x, scale)


class Undifferentiable(Old):
    def forward(self, x, scale=1.0):
        return Old.forward(self, x, scale).argmax()


class UnseededBackward(Old):
    def forward(self, x, scale=1.0):
        y = Old.forward(self, x, scale)
        y.register_hook(lambda gradient: gradient * int.from_bytes(os.urandom(4), "little"))
        return y


def fingerprint(model, settled=False):
    return fingerprint_of(model, Inputs(X), Inputs(X[:1]), settled=settled)


def quick_fingerprint(model):
    return examined(model, Inputs(X), Inputs(X[:1])).fingerprint


@pytest.fixture(scope="module")
def old():
    return fingerprint(Old)


def test_it_holds_every_input_and_mode(old):
    assert old.modes.keys() == {"eval", "train"}
    for digests in old.modes.values():
        assert {"example", "input 2 (1x6)", "example negated", "buffers", "inputs", "gradients"} <= digests.keys()
    assert old.keys == ("steps", "linear.weight", "linear.bias")
    assert old.signature == "(x, scale=1.0)"
    assert pickle.loads(pickle.dumps(old)) == old


def test_the_quick_one_holds_the_given_inputs_in_the_mode_as_built(old):
    quick = quick_fingerprint(Old)
    assert {m: set(d) for m, d in quick.modes.items()} == {"eval": {"example", "input 2 (1x6)", "buffers", "inputs"}}
    assert old.differences(quick) == [] and quick.differences(old) == []


def test_annotations_change_nothing(old):
    assert old.differences(fingerprint(Annotated)) == []


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (OtherValues, "outputs differ on example in eval mode"),
        (OtherInTrain, "outputs differ on input 2 (1x6) in train mode"),
        (OtherWhenNegative, "outputs differ on example negated in eval mode"),
        (OtherShape, "structure, shape or dtype of the outputs differ on example in eval mode"),
        (OtherBuffers, "buffers differ after the calls in eval mode"),
        (OtherInputs, "in-place updates of the inputs differ in eval mode"),
        (OtherGradients, "gradients differ in eval mode"),
        (OtherKeys, "state_dict keys differ: new more"),
        (OtherSignature, "the signature of forward changed from (x, scale=1.0) to (x, scale=2.0)"),
        (Stricter, "eager no longer runs on example with dim 0 of argument 1 from 2 to 3 in eval mode"),
    ],
)
def test_each_change_is_found(old, model, expected):
    assert expected in old.differences(fingerprint(model))


def test_only_what_changed_is_reported(old):
    assert all("train" in line for line in old.differences(fingerprint(OtherInTrain)))
    assert old.differences(fingerprint(OtherKeys))[-1:] == ["state_dict keys differ: new more"]


def test_a_model_without_gradients_has_that_as_its_fingerprint():
    assert fingerprint(Undifferentiable).differences(fingerprint(Undifferentiable)) == []


def test_what_varies_in_the_old_source_is_compared_in_structure_only():
    def one(text):
        return Fingerprint({"eval": {"example": text}}, (), "(x)")

    assert one("s:~").differences(one("s:1")) == [] and one("s:~").differences(one("s:~")) == []
    assert one("s:~").differences(one("t:1")) and one("s:1").differences(one("s:2"))


def test_what_varies_in_the_new_source_alone_is_a_difference():
    settled = fingerprint(Old, settled=True)
    assert "outputs differ on example in eval mode" in settled.differences(quick_fingerprint(Unseeded))


@pytest.mark.parametrize("model", [Unseeded, UnseededInputs, UnseededBackward])
def test_what_varies_in_the_old_source_is_compared_in_structure_once_it_is_settled(model):
    new = fingerprint(model)
    assert fingerprint(model).differences(new)
    assert fingerprint(model, settled=True).differences(new) == []


def test_what_a_generated_input_leaves_does_not_excuse_the_given_ones():
    """A quick fingerprint, which has no generated inputs, has the same digest of buffers."""
    thorough = fingerprint(UnseededWhenNegative, settled=True)
    assert quick_fingerprint(UnseededWhenNegative).differences(thorough) == []


def test_results_are_read_without_torch():
    code = "import sys; import tsrefactor.verification.results; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_a_signature_may_name_what_comes_in_the_keywords():
    class Open(nn.Module):
        def forward(self, x, *, scale=1.0, **kwargs):
            return x

    class Named(Open):
        def forward(self, x, *, scale=1.0, **kwargs):
            return x

        parameters = inspect.signature(forward).parameters.values()
        named = [inspect.Parameter("mask", inspect.Parameter.KEYWORD_ONLY, default=None)]
        forward.__signature__ = inspect.Signature([*parameters][:3] + named + [*parameters][3:])

    assert forward_signature(Open()) == "(x, *, scale=1.0, **kwargs)"
    assert forward_signature(Named()) == "(x, *, scale=1.0, **kwargs)"


def scripted_as_it_is_made():
    class Scripted(torch.jit.ScriptModule):
        @torch.jit.script_method
        def forward(self, x):
            return x * 2

    return Scripted()


def test_a_class_that_is_scripted_as_it_is_made():
    assert examined(scripted_as_it_is_made, Inputs(X)).passed_as == "script"
