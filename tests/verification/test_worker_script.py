import random
from typing import NamedTuple

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.forked import forked
from tests.verification.helpers import case_of, examined, examined_case, line_of
from tsrefactor import Inputs, ModelCase
from tsrefactor.verification import observing
from tsrefactor.verification.observing import EagerRuns

X = torch.arange(12.0).reshape(2, 6) / 10


class Pair(NamedTuple):
    first: Tensor
    second: Tensor


class Plain(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(6, 3)

    def forward(self, x):
        return self.linear(x)


class Nothing(nn.Module):
    def forward(self, x):
        pass


class LocalFunction(nn.Module):
    def forward(self, x):
        double = lambda a: a * 2  # noqa: E731
        return double(x)


class DividesScalar(nn.Module):
    """`item` gives a Scalar, which the interpreter cannot divide by a tensor."""

    def forward(self, x):
        return x.sum().item() / x


class UntypedNone(nn.Module):
    """An unannotated None default is a tensor to TorchScript: the test for None is False there."""

    def forward(self, x, mask=None):
        if mask is None:
            return x + 1
        return x


class Gain(nn.Linear):
    pass


class ModuleIsinstance(nn.Module):
    """In TorchScript only the first concrete type matches."""

    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(6, 6), Gain(6, 6)])

    def forward(self, x):
        for layer in self.layers:
            if isinstance(layer, nn.Linear):
                x = layer(x)
        return x


class NeedsTwoRows(nn.Module):
    """Right on the example, wrong in script on other row counts."""

    def forward(self, x):
        if torch.jit.is_scripting() and x.size(0) != 2:
            return x - 1
        return x


class RaisesOnOthers(nn.Module):
    def forward(self, x):
        if torch.jit.is_scripting() and x.size(0) != 2:
            raise ValueError("two rows")
        return x


class InTrainOnly(nn.Module):
    def forward(self, x):
        if torch.jit.is_scripting() and self.training:
            return x + 1
        return x


class OnThirdCall(nn.Module):
    calls: int

    def __init__(self):
        super().__init__()
        self.calls = 0

    def forward(self, x):
        self.calls += 1
        if torch.jit.is_scripting() and self.calls == 3:
            return x * 2
        return x * self.calls


class CustomGradient(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x * 2

    @staticmethod
    def backward(ctx, g):
        return g


class Unsaveable(nn.Module):
    def forward(self, x):
        return CustomGradient.apply(x)


class Noise(nn.Module):
    @torch.jit.ignore
    def noise(self) -> float:
        return random.SystemRandom().random()

    def forward(self, x):
        return x + self.noise()


class CountsInPlain(nn.Module):
    def __init__(self):
        super().__init__()
        self.held = [[0]]  # deeper than what is put back after a run

    def forward(self, x):
        self.held[0][0] += 1
        return x * self.held[0][0]


class MixedDict(nn.Module):
    def forward(self, x):
        return {"pair": Pair(x, x + 1), "list": [x, x * 2], "none": None, "number": 3}


class TypedOutputs(nn.Module):
    def forward(self, x):
        pair = Pair(x, x + 1)
        return pair, [x, x * 2], {"key": x[0]}, None, 3, 0.5, "text"


class InPlace(nn.Module):
    def forward(self, x):
        x += 1
        return x * 2


class Normalised(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm1d(6)
        self.register_buffer("count", torch.zeros(()))

    def forward(self, x):
        self.count += 1
        return self.norm(x) + self.count


class Dropping(nn.Module):
    def forward(self, x):
        return F.dropout(x, 0.5, self.training)


class DrawsInAnotherOrder(nn.Module):
    def forward(self, x):
        if torch.jit.is_scripting():
            x = x + 0 * torch.rand(1)
        return F.dropout(x, 0.5)


class Lazy(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.LazyLinear(2)

    def forward(self, x):
        return self.linear(x)


class HalfScripted(torch.jit.ScriptModule):
    """Only `gain` is compiled; torch.jit.script gives the module back as it is."""

    @torch.jit.script_method
    def gain(self, x):
        return x * 2

    def forward(self, x):
        return self.gain(x) + 1


class Embedded(nn.Module):
    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(10, 4)

    def forward(self, index, keep):
        return self.table(index) * keep.unsqueeze(-1)


def outcome(examination, key="script"):
    return examination.verdicts[key].outcome.value


def test_a_plain_model_passes_quick_and_thorough():
    for thorough in (False, True):
        result = examined(Plain, Inputs(X), Inputs(X[:1]), thorough=thorough)
        assert {k: v.outcome.value for k, v in result.verdicts.items()} == {"script": "pass", "reload": "pass"}
        assert result.passed and result.passed_as == "script" and result.diagnosis is None
        assert result.seconds > 0


def test_what_does_not_compile_is_a_compile_error_at_the_users_line():
    result = examined(LocalFunction, Inputs(X))
    assert outcome(result) == "compile-error"
    assert result.verdicts.keys() == {"script"} and result.passed_as is None and not result.passed
    assert result.diagnosis is not None
    verdict = result.verdicts["script"]
    assert (verdict.file, verdict.line) == (__file__, line_of(__file__, "double = lambda a"))


def test_what_raises_in_the_interpreter_is_a_run_error():
    result = examined(DividesScalar, Inputs(X))
    assert outcome(result) == "run-error" and result.verdicts["script"].input == "example"
    assert result.diagnosis.text


@pytest.mark.parametrize("model", [UntypedNone, ModuleIsinstance])
def test_silently_wrong_script_is_a_mismatch(model):
    result = examined(model, Inputs(X))
    assert outcome(result) == "mismatch" and result.verdicts["script"].input == "example"
    assert "numbers differ" in result.verdicts["script"].message
    assert result.diagnosis.kind == "mismatch"


def test_further_inputs_are_compared_and_named():
    wrong = examined(NeedsTwoRows, Inputs(X), Inputs(X), Inputs(X[:1]))
    assert outcome(wrong) == "mismatch" and wrong.verdicts["script"].input == "input 3 (1x6)"
    raising = examined(RaisesOnOthers, Inputs(X), Inputs(X[:1]))
    assert outcome(raising) == "run-error" and raising.verdicts["script"].input == "input 2 (1x6)"


def test_only_the_thorough_proof_generates_other_sizes():
    assert outcome(examined(NeedsTwoRows, Inputs(X))) == "pass"
    result = examined(NeedsTwoRows, Inputs(X), thorough=True)
    assert outcome(result) == "mismatch"
    assert result.verdicts["script"].input == "example with dim 0 of argument 1 from 2 to 3"


@pytest.mark.parametrize(("built_in_train", "wrong"), [(False, "example in train mode"), (True, "example")])
def test_the_thorough_proof_adds_the_other_mode(built_in_train, wrong):
    result = examined(InTrainOnly, Inputs(X), thorough=True, train=built_in_train)
    assert outcome(result) == "mismatch" and result.verdicts["script"].input == wrong


def test_repeated_calls_are_compared_call_by_call():
    assert outcome(examined(OnThirdCall, Inputs(X))) == "mismatch"


def test_a_slow_model_is_called_fewer_times(monkeypatch):
    monkeypatch.setattr(observing, "SLOW", 0.0)
    assert outcome(examined(OnThirdCall, Inputs(X))) == "pass"


def test_what_cannot_be_saved_passes_script_but_not_reload():
    result = examined(Unsaveable, Inputs(X))
    assert outcome(result) == "pass" and outcome(result, "reload") == "run-error"
    assert result.passed_as == "script" and not result.passed and result.diagnosis is not None


def test_results_that_vary_are_compared_in_shape_only_and_said_so():
    result = examined(Noise, Inputs(X))
    assert outcome(result) == "pass" and outcome(result, "reload") == "run-error"
    assert any("vary from run to run" in note for note in result.notes)


def test_a_model_that_returns_nothing_is_proven_to_run_and_said_so():
    result = examined(Nothing, Inputs(X), thorough=True)
    assert result.passed and observing.NOTHING in result.notes


def test_a_bare_examination_runs_nothing_of_what_does_not_compile():
    result = examined(LocalFunction, Inputs(X), bare=True)
    assert outcome(result) == "compile-error" and result.fingerprint is None
    assert examined(InPlace, Inputs(X), bare=True).fingerprint is not None


def test_a_repeated_run_meets_what_the_runs_before_it_left():
    assert forked(_repeated_last)


def _repeated_last():
    runs = EagerRuns(case_of(CountsInPlain, Inputs(X), Inputs(X + 1)), lambda _: False)
    runs.run()
    runs.repeat(runs.observations[-1])
    return not runs.observations[-1].varying


def test_nested_outputs_are_compared_leaf_by_leaf():
    assert examined(TypedOutputs, Inputs(X)).passed
    assert examined(MixedDict, Inputs(X)).passed


@pytest.mark.parametrize("model", [InPlace, Normalised, Dropping, Lazy])
@pytest.mark.parametrize("train", [False, True])
def test_state_and_randomness_do_not_confuse_the_comparison(model, train):
    result = examined(model, Inputs(X), Inputs(X + 1), thorough=True, train=train)
    assert result.passed, result.verdicts
    assert not any("vary from run to run" in note for note in result.notes)


def test_random_numbers_in_train_mode_are_compared_in_shape_where_they_differ():
    result = examined(DrawsInAnotherOrder, Inputs(X), train=True)
    assert result.passed and any("draws random numbers" in note for note in result.notes)
    assert outcome(examined(DrawsInAnotherOrder, Inputs(X))) == "mismatch"


def test_a_module_written_as_script_module_runs_as_it_is():
    result = examined(HalfScripted, Inputs(X), thorough=True)
    assert outcome(result) == "pass" and outcome(result, "reload") == "run-error"


def test_named_and_integer_inputs():
    index, keep = torch.tensor([[1, 2, 3], [4, 5, 6]]), torch.tensor([[True, False, True], [True, True, False]])
    result = examined(Embedded, Inputs(index, keep=keep), thorough=True)
    assert result.passed, result.verdicts
    labels = result.fingerprint.modes["eval"]
    assert {
        "example with integers permuted",
        "example with other integers",
        "example with booleans flipped",
    } <= labels.keys()
    assert "example negated" not in labels


def test_build_and_inputs_are_seeded():
    """Weights and inputs drawn at random come out alike in every process."""
    prints = [
        examined_case(ModelCase("model", lambda: Plain(), lambda: [Inputs(torch.rand(2, 6))])).fingerprint
        for _ in range(2)
    ]
    assert prints[0] == prints[1] and "~" not in "".join(prints[0].modes["train"].values())


class Declines(nn.Module):
    """Raises under TorchScript, and only there, in train mode and for negative sums."""

    def __init__(self, when: str):
        super().__init__()
        self.noisy, self.signed, self.always = when == "train", when == "negative", when == "always"

    def forward(self, x):
        if self.training and self.noisy:
            if torch.jit.is_scripting():
                raise RuntimeError("no noise under TorchScript")
            x = x + x.new_ones(1)
        if self.always or (self.signed and bool(x.sum() < 0)):
            if torch.jit.is_scripting():
                raise RuntimeError("no signs under TorchScript")
            x = x + 1
        return x * 2


class Raises(nn.Module):
    """Raises in train mode: not what the source says of TorchScript alone, since eager reads another attribute."""

    def forward(self, x):
        if self.training and torch.jit.is_scripting():
            raise RuntimeError("no noise")
        return x * 2


@pytest.mark.parametrize(
    ("when", "said"), [("train", ["in train"]), ("negative", ["on generated", "in train"]), ("never", [])]
)
def test_raising_where_the_source_says_so_is_no_failure_on_other_inputs(when, said):
    found = examined(lambda: Declines(when), Inputs(X), thorough=True)
    assert found.passed_as == "script" and found.thorough
    assert len(found.notes) == len(said)
    for words, note in zip(said, found.notes, strict=True):
        assert words in note and note.endswith("under TorchScript")


def test_raising_on_an_input_of_the_case_is_a_failure():
    found = examined(lambda: Declines("always"), Inputs(X), thorough=True)
    assert found.passed_as is None and found.verdicts["script"].outcome.value == "run-error"
    found = examined(lambda: Declines("train"), Inputs(X), thorough=True, train=True)
    assert found.passed_as is None
    found = examined(lambda: Declines("negative"), Inputs(X), Inputs(-X), thorough=True)
    assert found.passed_as is None and found.verdicts["script"].input.startswith("input 2")


class FailsScripted(nn.Module):
    """Has a way of its own for TorchScript, which fails in train mode."""

    def forward(self, x):
        if self.training:
            if torch.jit.is_scripting():
                x = x.view(-1, 7)
            x = x + 1
        return x * 2


@pytest.mark.parametrize("model", [Raises, FailsScripted])
def test_raising_otherwise_in_the_other_mode_is_a_failure(model):
    assert examined(model, Inputs(X), thorough=True).passed_as is None
