import pytest
import torch
from torch import nn

from tests.verification.helpers import case_of, examined, examined_case, line_of
from tsrefactor import Inputs, ModelCase

X = torch.ones(2, 3)


class Identity(nn.Module):
    def forward(self, x):
        return x


class Raising(nn.Module):
    def forward(self, x):
        return torch.cat([x, x.new_zeros(1, 1)])  # sizes do not fit


class Refusing(nn.Module):
    def forward(self, x):
        if x.size(0) == 7:
            raise ValueError("not seven")
        return x


class Thing:
    pass


class ReturnsThing(nn.Module):
    def forward(self, x):
        return [Thing(), None]


class ThingAndTensor(nn.Module):
    def forward(self, x):
        return torch.distributions.Normal(x, 1.0), x


def broken_build():
    raise KeyError("weights")


def broken_inputs():
    raise RuntimeError("no data")


def verdict(case, target="script", key="script"):
    examination = examined_case(case, target)
    assert examination.verdicts.keys() == {key} and examination.passed_as is None
    assert examination.fingerprint is None and examination.diagnosis is None
    found = examination.verdicts[key]
    assert found.outcome.value == "eager-error" and "\n" not in found.message and "; " in found.message
    return found


def test_build_that_raises():
    found = verdict(ModelCase("model", broken_build, lambda: [Inputs(X)]))
    assert found.message.startswith("build() raised KeyError: 'weights'; mend build of case 'model'")
    assert (found.file, found.line) == (__file__, line_of(__file__, 'KeyError("weights")'))


def test_inputs_that_raise():
    found = verdict(ModelCase("model", Identity, broken_inputs))
    assert found.message.startswith("inputs() raised RuntimeError: no data; ")
    assert (found.file, found.line) == (__file__, line_of(__file__, 'RuntimeError("no data")'))


def test_a_syntax_error_in_an_imported_file_is_placed_in_that_file(tmp_path, monkeypatch):
    broken = tmp_path / "broken_model_file.py"
    broken.write_text("import torch\n\ndef forward(x:\n    return x\n")
    monkeypatch.syspath_prepend(str(tmp_path))

    def build():
        import broken_model_file  # noqa: F401

    found = verdict(ModelCase("model", build, lambda: [Inputs(X)]))
    assert "raised SyntaxError: '(' was never closed" in found.message
    assert (found.file, found.line) == (str(broken), 3)


def test_a_syntax_error_in_text_without_a_file_is_blamed_on_the_line_that_compiles_it():
    found = verdict(ModelCase("model", lambda: compile("(", "<text>", "eval"), lambda: [Inputs(X)]))
    assert (found.file, found.line) == (__file__, line_of(__file__, 'compile("(",'))


def test_a_model_that_raises_is_blamed_on_its_own_line():
    found = verdict(case_of(Raising, Inputs(X)))
    assert "run in eager on the example, raised RuntimeError" in found.message
    assert (found.file, found.line) == (__file__, line_of(__file__, "# sizes do not fit"))


def test_a_further_input_that_the_model_refuses_is_named():
    found = verdict(case_of(Refusing, Inputs(X), Inputs(torch.ones(7, 1))))
    assert found.input == "input 2 (7x1)" and "ValueError: not seven" in found.message


@pytest.mark.parametrize(
    ("build", "given", "message"),
    [
        (lambda: None, [Inputs(X)], "build() returned None, not a torch.nn.Module"),
        (lambda: Identity, [Inputs(X)], "build() returned a type, not a torch.nn.Module"),
        (Identity, Inputs(X), "inputs() returned one Inputs, not a list of them"),
        (Identity, [(X,)], "inputs() returned a tuple as item 1, not an Inputs"),
        (Identity, X, "inputs() returned a Tensor"),
        (Identity, None, "inputs() returned None"),
        (Identity, [], "inputs() returned no Inputs"),
        (ReturnsThing, [Inputs(X)], "the model returned only Thing on the example; return a tensor"),
    ],
)
def test_what_is_no_model_no_inputs_or_no_output(build, given, message):
    assert verdict(ModelCase("model", build, lambda: given)).message.startswith(message)


def test_the_verdict_stands_under_the_target_that_was_asked_for():
    verdict(ModelCase("model", broken_build, lambda: []), "trace", "trace")
    verdict(ModelCase("model", broken_build, lambda: []), "any", "script")


def test_inputs_may_be_generated():
    assert examined_case(ModelCase("model", Identity, lambda: (Inputs(X) for _ in range(2)))).passed


def test_custom_objects_beside_tensors_are_noted():
    result = examined(ThingAndTensor, Inputs(X))
    assert result.verdicts["script"].outcome.value != "eager-error"
    assert "outputs of type Normal are compared by type only" in result.notes
