from typing import NamedTuple

import numpy
import pytest
import torch
from torch import Tensor, nn

from tests.verification.helpers import examined, line_of
from tsrefactor import Inputs

X = torch.arange(12.0).reshape(2, 6) / 10


class Pair(NamedTuple):
    first: Tensor
    second: Tensor


class Length(nn.Module):
    def forward(self, x):
        return torch.arange(len(x))


class Branch(nn.Module):
    def forward(self, x):
        if x.sum() > 0:
            return x + 1
        return x - 1


class ShapeLoop(nn.Module):
    """The tracer warns of nothing here."""

    def forward(self, x):
        total = x[0]
        for i in range(1, x.shape[0]):
            total = total + x[i]
        return total


class Reshaped(nn.Module):
    def forward(self, x):
        return x.reshape(len(x), 6) * 1


class RefusesTrace(nn.Module):
    def forward(self, x):
        return x, 3


class Counter(nn.Module):
    def __init__(self):
        super().__init__()
        self.calls = 0

    def forward(self, x):
        self.calls += 1
        return x * self.calls


class RunningMean(nn.Module):
    """The first call of several on one input makes of it what all others give again."""

    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.zeros(6))
        self.empty = True

    def forward(self, x):
        seen = x.mean(0)
        if not self.empty:
            self.mean = self.mean * 0.5 + seen * 0.5
        else:
            self.mean = seen
            self.empty = False
        return x - self.mean


class RunningMeanInPlace(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.zeros(6))

    def forward(self, x):
        self.mean.mul_(0.5).add_(x.mean(0))
        return x - self.mean


class CountsPositive(nn.Module):
    """The outputs of its trace are right on every input."""

    def __init__(self):
        super().__init__()
        self.register_buffer("seen", torch.zeros(()))

    def forward(self, x):
        if x.sum() > 0:
            self.seen += 1
        return x * 2


class UpdatesInput(nn.Module):
    def forward(self, x):
        y = x * 2
        x.data[:, 0] = 7.0
        return y


class PartlyNoise(nn.Module):
    def forward(self, x):
        y = x * 2 if x.sum() > 0 else x
        return x + torch.from_numpy(numpy.random.default_rng().random(6)).float(), y


class Numbered(nn.Module):
    """Each build is another model."""

    made = 0

    def __init__(self):
        super().__init__()
        Numbered.made += 1
        self.number = Numbered.made

    def forward(self, x):
        return x * self.number if x.sum() > 0 else x


class LastMask(nn.Module):
    """What it keeps, no later call reads."""

    def forward(self, x):
        self.mask = x > 0
        return x * self.mask


class LocalFunction(nn.Module):
    """A local function: TorchScript has none, a trace does not see it."""

    def forward(self, x, scale=None, shift=None):
        def double(a):
            return a * 2

        x = double(x) if scale is None else double(x) * scale
        return {"out": x if shift is None else x - shift}


class Neither(nn.Module):
    def forward(self, x):
        double = lambda a: a * 2  # noqa: E731
        return double(x), 3


class Tuples(nn.Module):
    def forward(self, x):
        return Pair(x, x + 1)


class Normalised(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm1d(6)

    def forward(self, x):
        return self.norm(x), self.norm.running_mean * 1


def outcome(examination, key="trace"):
    return examination.verdicts[key].outcome.value


def test_a_length_is_baked_and_the_tracers_warning_names_the_line():
    result = examined(Length, Inputs(X), target="trace", thorough=True)
    verdict = result.verdicts["trace"]
    assert outcome(result) == "baked" and result.verdicts.keys() == {"trace"}
    assert verdict.input == "example with dim 0 of argument 1 from 2 to 3"
    assert (verdict.file, verdict.line) == (__file__, line_of(__file__, "torch.arange(len(x))"))
    assert [(file, line) for _, file, line in result.warnings] == [(__file__, verdict.line)]
    assert result.diagnosis.kind == "baked" and result.diagnosis.place.line == verdict.line


def test_a_branch_on_data_is_baked_on_other_values():
    result = examined(Branch, Inputs(X), target="trace", thorough=True)
    assert outcome(result) == "baked" and result.verdicts["trace"].input == "example negated"
    assert result.verdicts["trace"].line == line_of(__file__, "if x.sum() > 0")


def test_a_shape_loop_is_baked_without_a_warning():
    result = examined(ShapeLoop, Inputs(X), target="trace", thorough=True)
    assert outcome(result) == "baked" and result.warnings == ()
    assert result.verdicts["trace"].line == line_of(__file__, "for i in range(1, x.shape[0])")


def test_the_cases_own_inputs_find_it_in_the_quick_attempt():
    assert outcome(examined(ShapeLoop, Inputs(X), target="trace")) == "pass"
    result = examined(ShapeLoop, Inputs(X), Inputs(X.repeat(2, 1)), target="trace")
    assert outcome(result) == "baked" and result.verdicts["trace"].input == "input 2 (4x6)"


def test_raising_where_eager_accepts_is_baked():
    result = examined(Reshaped, Inputs(X), target="trace", thorough=True)
    assert outcome(result) == "baked" and "shape" in result.verdicts["trace"].message


def test_what_the_tracer_refuses_is_a_compile_error():
    assert outcome(examined(RefusesTrace, Inputs(X), target="trace")) == "compile-error"


def test_a_counter_is_wrong_on_the_example_itself():
    result = examined(Counter, Inputs(X), target="trace")
    assert outcome(result) == "mismatch" and result.verdicts["trace"].input == "example"


def test_what_a_call_leaves_for_the_next_is_told_by_calls_on_other_values():
    result = examined(RunningMean, Inputs(X), target="trace", thorough=True)
    verdict = result.verdicts["trace"]
    assert outcome(result) == "baked" and verdict.input == "example"
    assert verdict.line == line_of(__file__, "self.mean = seen")
    assert "`self.mean`, which a later call reads" in verdict.message
    assert examined(RunningMean, Inputs(X), thorough=True).passed
    assert examined(RunningMeanInPlace, Inputs(X), target="trace", thorough=True).passed
    assert examined(LastMask, Inputs(X), target="trace", thorough=True).passed


@pytest.mark.parametrize(
    ("model", "told"),
    [
        (CountsPositive, "buffer['seen']"),
        (UpdatesInput, "input[0][0]"),
        (PartlyNoise, "output[1]"),
        (Numbered, "output:"),
    ],
)
def test_what_is_left_behind_and_what_does_not_vary_is_compared(model, told):
    verdict = examined(model, Inputs(X), target="trace", thorough=True).verdicts["trace"]
    assert verdict.outcome.value == "baked" and told in verdict.message


def test_any_takes_the_trace_where_script_fails():
    result = examined(LocalFunction, Inputs(X), target="any", thorough=True)
    assert outcome(result, "script") == "compile-error" and outcome(result) == "pass"
    assert result.passed and result.passed_as == "trace" and result.diagnosis is None


def test_any_takes_script_where_it_passes():
    result = examined(ShapeLoop, Inputs(X), target="any")
    assert result.verdicts.keys() == {"script", "reload"} and result.passed_as == "script"


def test_any_keeps_the_first_failure_where_both_fail():
    result = examined(Neither, Inputs(X), target="any")
    assert (outcome(result, "script"), outcome(result)) == ("compile-error", "compile-error")
    assert result.passed_as is None
    assert result.diagnosis.message == result.verdicts["script"].message


def test_named_examples_are_traced_by_name():
    example = Inputs(X, shift=torch.ones(6), scale=torch.full((6,), 3.0))
    assert examined(LocalFunction, example, target="trace", thorough=True).passed


def test_dicts_and_named_tuples_are_traced():
    assert examined(Tuples, Inputs(X), target="trace", thorough=True).passed


def test_tracing_does_not_advance_the_buffers():
    assert examined(Normalised, Inputs(X), target="trace", train=True).passed
