"""Where eager draws random numbers in train mode: what may differ, and what may not."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from tests.verification.helpers import examined
from tsrefactor import Inputs

X = torch.arange(12.0).reshape(2, 6) / 10 + 0.1


class DropsAndBranches(nn.Module):
    def __init__(self):
        super().__init__()
        self.dropout = nn.Dropout(0.5)

    def forward(self, x):
        y = self.dropout(x)
        if x.sum() > 0:
            y = y * 100
        return y


class _InAnotherOrder(nn.Module):
    """Under TorchScript, scripted or traced, dropout comes after another draw."""

    def __init__(self):
        super().__init__()
        self.dropout = nn.Dropout(0.5)

    def dropped(self, x):
        if torch.jit.is_scripting() or torch.jit.is_tracing():
            x = x + 0 * torch.rand(1)
        return self.dropout(x)


class OtherOrder(_InAnotherOrder):
    def forward(self, x):
        return self.dropped(x)


class OtherOrderAndBranch(_InAnotherOrder):
    def forward(self, x):
        y = self.dropped(x)
        if x.sum() > 0:
            y = y * 100
        return y


class OtherOrderAndWrong(_InAnotherOrder):
    def forward(self, x):
        y = self.dropped(x)
        if torch.jit.is_scripting() or torch.jit.is_tracing():
            y = y * 100
        return y


class OtherOrderWrongOnOneRow(_InAnotherOrder):
    def forward(self, x):
        y = self.dropped(x)
        if torch.jit.is_scripting() and x.size(0) == 1:
            y = y * 100
        return y


class OtherOrderAndShape(_InAnotherOrder):
    def forward(self, x):
        y = self.dropped(x)
        if torch.jit.is_scripting() and x.size(0) == 1:
            y = y[:, :1]
        return y


class Functional(nn.Module):
    """No module to turn off: only shapes can be compared once the order differs."""

    def forward(self, x):
        if torch.jit.is_scripting():
            x = x + 0 * torch.rand(1)
        return F.dropout(x, 0.5, self.training)


class FunctionalAndShape(Functional):
    def forward(self, x):
        if torch.jit.is_scripting():
            x = x + 0 * torch.rand(1)
        x = F.dropout(x, 0.5, self.training)
        if torch.jit.is_scripting() and x.size(0) == 1:
            x = x[:, :1]
        return x


class BatchNormAndDraws(_InAnotherOrder):
    """Batch norm stays in train mode when dropout is turned off."""

    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm1d(6)

    def forward(self, x):
        y = self.norm(self.dropped(x))
        if torch.jit.is_scripting() and not self.norm.training:
            y = y * 100
        return y


def verdict(model, *inputs, target="script", thorough=False):
    result = examined(model, *inputs, target=target, thorough=thorough, train=True)
    return result.verdicts[target], result


@pytest.mark.parametrize("inputs", [(Inputs(X), Inputs(-X)), (Inputs(X),)])
def test_a_frozen_branch_is_not_laid_to_dropout(inputs):
    found, _ = verdict(DropsAndBranches, *inputs, target="trace", thorough=len(inputs) == 1)
    assert found.outcome.value == "baked"
    assert found.input == ("input 2 (2x6)" if len(inputs) == 2 else "example negated")


def test_a_branch_that_script_keeps_passes_without_a_note():
    found, result = verdict(DropsAndBranches, Inputs(X), thorough=True)
    assert found.passed and result.passed and result.notes == ()


@pytest.mark.parametrize("target", ["script", "trace"])
def test_another_order_of_draws_passes_when_all_agrees_without_dropout(target):
    _, result = verdict(OtherOrder, Inputs(X), Inputs(X[:1]), target=target)
    assert result.passed, result.verdicts
    assert [n for n in result.notes if "dropout modules off" in n]
    assert not any("shape and dtype" in n for n in result.notes)


@pytest.mark.parametrize("target", ["script", "trace"])
def test_another_order_of_draws_excuses_no_other_difference_on_the_example(target):
    found, _ = verdict(OtherOrderAndWrong, Inputs(X), target=target)
    assert (found.outcome.value, found.input) == ("mismatch", "example")
    assert found.message.startswith(f"{target} with dropout off differs from eager: ")


def test_another_order_of_draws_excuses_no_frozen_branch():
    found, _ = verdict(OtherOrderAndBranch, Inputs(X), Inputs(-X), target="trace")
    assert (found.outcome.value, found.input) == ("baked", "input 2 (2x6)")


@pytest.mark.parametrize("model", [OtherOrderWrongOnOneRow, OtherOrderAndShape, FunctionalAndShape])
def test_another_order_of_draws_excuses_no_other_difference_on_another_input(model):
    found, _ = verdict(model, Inputs(X), Inputs(X[:1]))
    assert (found.outcome.value, found.input) == ("mismatch", "input 2 (1x6)")


def test_draws_that_no_module_makes_are_compared_in_shape_and_said_so():
    _, result = verdict(Functional, Inputs(X), Inputs(X[:1]))
    assert result.passed and any("shape and dtype where they differ" in n for n in result.notes)


def test_only_dropout_is_turned_off():
    _, result = verdict(BatchNormAndDraws, Inputs(X))
    assert result.passed, result.verdicts
