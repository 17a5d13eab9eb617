"""What a user's own tests call, called as they call it. Each call of `assert_compatible` works in a fork of its own."""

from __future__ import annotations

import os
import random
import re

import numpy.random
import pytest
import torch
from torch import nn

from tsrefactor import Inputs
from tsrefactor.testing import assert_compatible


class Plain(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm1d(3)

    def forward(self, x: torch.Tensor, shift: torch.Tensor | None = None):
        x = self.norm(x)
        return x if shift is None else x + shift


class Loud(nn.Module):
    def forward(self, x: torch.Tensor):
        if x.max() > 10:
            x = x / 2
        return x


class Untyped(nn.Module):
    def forward(self, x, scale=0.5):
        return x * scale


class Both(nn.Module):
    def forward(self, x, scale=0.5):
        return torch.arange(len(x)) * scale


class Wrong(nn.Module):
    def forward(self, x: torch.Tensor):
        return x if torch.jit.is_scripting() else -x


class Random(nn.Module):
    def forward(self, x: torch.Tensor):
        return x + float(os.urandom(1)[0] + 1) if not torch.jit.is_scripting() else x


class Abort(nn.Module):
    def forward(self, x: torch.Tensor):
        os.abort()


class Endless(nn.Module):
    def forward(self, x: torch.Tensor):
        while not torch.jit.is_scripting():
            pass
        return x


class Uncopied(nn.Module):
    def __init__(self):
        super().__init__()
        self.generator = (n for n in ())  # deepcopy refuses it

    def forward(self, x: torch.Tensor):
        return x * 2


def message(*arguments, **named) -> str:
    with pytest.raises(AssertionError) as caught:
        assert_compatible(*arguments, **named)
    return str(caught.value)


def place(cls: type, text: str) -> str:
    """``file:line: code`` of the first line below a class that holds a text, as the message shows it."""
    with open(__file__, encoding="utf-8") as file:
        lines = file.read().splitlines()
    start = lines.index(f"class {cls.__name__}(nn.Module):")
    number = next(i for i, line in enumerate(lines[start:], start + 1) if text in line)
    return f"{os.path.relpath(__file__)}:{number}: {lines[number - 1].strip()}"


@pytest.mark.parametrize("form", [Inputs, lambda *a: a, lambda x: x], ids=["Inputs", "tuple", "tensor"])
def test_an_input_has_three_forms(form):
    assert "index out of range" in message(nn.Embedding(4, 2), form(torch.tensor([5])))


def test_nothing_of_the_callers_is_changed():
    model, x, other = Plain(), torch.randn(4, 3), Inputs(torch.randn(2, 3), shift=torch.ones(3))
    state = {key: value.clone() for key, value in model.state_dict().items()}
    copy, drawn = x.clone(), (torch.get_rng_state(), random.getstate(), numpy.random.get_state()[1].copy())
    threads = torch.get_num_threads()
    assert_compatible(model, x, other, target="script")
    assert model.training and torch.is_grad_enabled() and torch.get_num_threads() == threads
    assert all(torch.equal(value, state[key]) for key, value in model.state_dict().items())
    assert torch.equal(x, copy) and torch.equal(torch.get_rng_state(), drawn[0])
    assert random.getstate() == drawn[1] and (numpy.random.get_state()[1] == drawn[2]).all()


def test_a_baked_trace_is_told_with_input_and_line():
    told = message(Loud(), torch.ones(2, 2), torch.full((2, 3), 20.0), target="trace").splitlines()
    assert told[0] == "Loud is not compatible with TorchScript"
    assert told[1].startswith("trace: baked: ") and "numbers differ, by up to 10" in told[1]
    assert told[2].startswith("  on ") and told[3] == f"  at {place(Loud, 'if x.max()')}"


def test_generated_inputs_find_it_as_well():
    assert "trace: baked: " in message(Loud(), torch.full((2, 2), 9.0), target="trace")


def test_a_failed_compile_leaves_nothing_behind():
    told = message(Untyped(), torch.ones(2))
    assert "script: compile-error: the default of 'scale' is no Tensor" in told
    assert f"  at {place(Untyped, 'def forward')}" in told
    assert message(Untyped(), torch.ones(2)) == told
    assert "mismatch" in message(Wrong(), torch.ones(2), target="script")


def test_any_takes_the_trace_and_tells_of_both_where_neither_passes():
    assert_compatible(Untyped(), torch.ones(2), target="any")
    told = message(Both(), torch.ones(2), target="any")
    assert "script: compile-error: " in told and "trace: baked: " in told


def test_a_crash_is_told_with_its_line():
    told = message(Abort(), torch.ones(2))
    assert "script: crash: the process was ended by SIGABRT" in told
    assert f"  at {place(Abort, 'os.abort()')}" in told


def test_a_model_that_does_not_run_in_eager():
    told = message(Plain().eval(), torch.ones(2, 3), torch.ones(2, 4))
    assert told.startswith("Plain does not run in eager\nthe model, run in eager on the input 2 (2x4), raised ")
    assert told.endswith("each input is one call: put several arguments into a tuple or Inputs(…)")


def test_the_configuration_holds(tmp_path, monkeypatch):
    (tmp_path / "pyproject.toml").write_text('[tool.tsrefactor]\ntimeout = 0.5\ntarget = "trace"\n')
    monkeypatch.chdir(tmp_path)
    assert "trace: timeout: no end within 0.5 s" in message(Endless(), torch.ones(2))


def test_a_model_from_outside_of_the_current_folder_is_blamed_by_its_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert re.search(r"at \S*test_testing.py:\d+: def forward\(self, x, scale=0.5\)", message(Both(), torch.ones(2)))


def test_results_that_vary_are_compared_in_shape_and_a_warning_says_so():
    with pytest.warns(UserWarning, match="vary from run to run: compared in shape and dtype only") as seen:
        assert_compatible(Random(), torch.ones(2), target="trace")
    assert seen[0].filename == __file__


def test_a_model_that_cannot_be_copied_is_taken_as_it_is():
    assert_compatible(Uncopied(), torch.ones(2, 3), target="trace")


@pytest.mark.parametrize(
    ("arguments", "named", "error", "says"),
    [
        ((torch.relu, torch.ones(1)), {}, TypeError, "takes a torch.nn.Module, not builtin_function_or_method"),
        ((Plain(),), {}, TypeError, "needs at least one input"),
        ((Plain(), [torch.ones(1)]), {}, TypeError, "input 1 is a list, not Inputs, a tuple or a tensor; write Inputs"),
        ((Plain(), torch.ones(1)), {"target": "onnx"}, ValueError, "'onnx'; use one of script, trace, any"),
        ((Plain().to("meta"), torch.ones(1)), {}, ValueError, "are on meta; the check runs on the CPU"),
    ],
)
def test_what_cannot_be_meant(arguments, named, error, says):
    with pytest.raises(error, match=re.escape(says)):
        assert_compatible(*arguments, **named)
