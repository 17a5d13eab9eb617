"""The model zoo in fixtures/: every case runs in eager on all its inputs, and fails today as its README says."""

from __future__ import annotations

import ast
import copy
import importlib
import io
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.forked import forked

FIXTURES = Path(__file__).parent.parent / "fixtures"
MODEL_FILES = sorted(path for path in (FIXTURES / "models").glob("*.py") if path.stem != "__init__")

FIRST_SCRIPT_ERROR = {
    "unet": "Module 'Up' has no attribute 'up'",
    "unet-deep-supervision": "Expected integer literal for index",
    "transformer-encoder": "cannot statically infer the expected size of a list",
    "gpt": "Tensor (inferred) cannot be used as a tuple",
    "detection-head": "Could not match type int to t in argument 'el'",
    "greedy-decoder": 'on parameter "return_weights"',
    "speech-rnn": "SetComp aren't supported",
    "gcn": "Python type cannot be used as a value",
    "vocoder": "'WeightNorm' object has no attribute '__name__'",
    "moe": 'on parameter "k"',
    "anchors": 'on parameter "offset"',
    "early-exit": 'on parameter "temperature"',
    "fake-quant": "Could not export Python function call 'RoundSTE'",
    "wav-frontend": 'on parameter "eps"',
    "moe-traced": 'on parameter "k"',
    "decoder-traced": 'on parameter "return_weights"',
    "style-block": "cannot statically infer the expected size of a list",
    "same-pad": 'on parameter "value"',
    "length-pooling": 'on parameter "temperature"',
}
TRACED = (
    "anchors", "early-exit", "wav-frontend",
    "moe-traced", "decoder-traced", "style-block", "same-pad", "length-pooling",
)  # fmt: skip

pytestmark = pytest.mark.filterwarnings("ignore")  # torch deprecates what these models do; that is their point


@pytest.fixture(scope="module")
def zoo() -> Iterator[ModuleType]:
    """fixtures/zoo.py, imported as a worker does: its folder first on sys.path; forgotten afterwards."""
    sys.path.insert(0, str(FIXTURES))
    try:
        yield importlib.import_module("zoo")
    finally:
        sys.path.remove(str(FIXTURES))
        for name in [name for name in sys.modules if name == "zoo" or name.partition(".")[0] == "models"]:
            del sys.modules[name]


def built(zoo: ModuleType, name: str) -> tuple[Any, Any]:
    """The model and the inputs of a case, each from the same seed."""
    import torch

    case = next(case for case in zoo.cases() if case.name == name)
    torch.manual_seed(0)
    model = case.build()
    torch.manual_seed(0)
    return model, case.inputs()


def call(model: Any, inputs: Any) -> Any:
    import torch

    torch.manual_seed(0)
    return model(*copy.deepcopy(inputs.args), **copy.deepcopy(inputs.kwargs))


def assert_same(a: Any, b: Any) -> None:
    """Bit-equal tensors, inside lists, tuples and dicts of the same structure."""
    import torch

    assert type(a) is type(b)
    if isinstance(a, torch.Tensor):
        assert a.dtype == b.dtype and torch.equal(a, b) and not a.isnan().any()
    elif isinstance(a, dict):
        assert list(a) == list(b)
        for key in a:
            assert_same(a[key], b[key])
    else:
        assert isinstance(a, (list, tuple)) and len(a) == len(b)
        for x, y in zip(a, b, strict=True):
            assert_same(x, y)


def shapes(values: Any) -> list[tuple[int, ...]]:
    import torch

    if isinstance(values, torch.Tensor):
        return [tuple(values.shape)]
    return [shape for value in values for shape in shapes(value)] if isinstance(values, (list, tuple)) else []


def test_the_zoo_has_a_case_for_every_model_file(zoo: ModuleType) -> None:
    cases = list(zoo.cases())
    assert [case.name for case in cases] == list(FIRST_SCRIPT_ERROR) and len(MODEL_FILES) >= 12
    assert {case.name for case in cases if case.target == "trace"} == set(TRACED)
    assert {case.target for case in cases} == {None, "trace"}
    assert {type(case.build()).__module__ for case in cases} == {f"models.{path.stem}" for path in MODEL_FILES}


@pytest.mark.parametrize("path", MODEL_FILES, ids=lambda path: path.stem)
def test_models_are_written_without_a_thought_of_torchscript(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    assert "torch.jit" not in source and "typing" not in source
    for node in ast.walk(ast.parse(source)):
        assert not isinstance(node, ast.AnnAssign)
        assert not isinstance(node, ast.FunctionDef) or node.returns is None
        assert not isinstance(node, ast.arg) or node.annotation is None


@pytest.mark.parametrize("name", FIRST_SCRIPT_ERROR)
def test_runs_in_eager_on_every_input_and_is_deterministic(zoo: ModuleType, name: str) -> None:
    model, inputs = built(zoo, name)
    again, inputs_again = built(zoo, name)
    assert not model.training
    assert len({str(shapes([*one.args, *one.kwargs.values()])) for one in inputs}) >= 2
    for one, same in zip(inputs, inputs_again, strict=True):
        result = call(model, one)
        assert_same(result, call(model, one))
        assert_same(result, call(again, same))


@pytest.mark.parametrize("name", FIRST_SCRIPT_ERROR)
def test_fails_script_with_the_documented_error(zoo: ModuleType, name: str) -> None:
    import torch

    def error() -> str:
        model, _ = built(zoo, name)
        with pytest.raises(Exception) as caught:
            torch.jit.save(torch.jit.script(model), io.BytesIO())
        return str(caught.value)

    # in a fork: of two cases of one class, the second would find it half compiled
    assert FIRST_SCRIPT_ERROR[name] in forked(error)


@pytest.mark.parametrize("name", TRACED)
def test_a_trace_is_wrong_on_another_input(zoo: ModuleType, name: str) -> None:
    import torch

    model, inputs = built(zoo, name)
    traced = torch.jit.trace(model, inputs[0].args, check_trace=False)
    assert_same(call(model, inputs[0]), call(traced, inputs[0]))

    def holds(one: Any) -> bool:
        try:
            assert_same(call(model, one), call(traced, one))
        except (AssertionError, RuntimeError):  # a baked size makes the trace raise
            return False
        return True

    assert not all(holds(one) for one in inputs[1:])


def test_inputs_take_every_exit(zoo: ModuleType) -> None:
    confidence = importlib.import_module("models.early_exit").confidence

    model, inputs = built(zoo, "early-exit")
    sure = [bool(confidence(model.exit1(model.pool(model.stage1(*one.args)).flatten(1))) > 0.6) for one in inputs]
    assert sure == [False, True, False]
    captioner, inputs = built(zoo, "greedy-decoder")
    steps = [call(captioner, one)[0].size(1) for one in inputs]
    assert steps[0] < 12 and steps[1] == 6 and steps[2] == 12  # stops at </s>, stops at max_len=6, at the default


def test_readme_lists_every_case_and_its_first_error() -> None:
    readme = (FIXTURES / "README.md").read_text(encoding="utf-8")
    rows = [line for line in readme.splitlines() if line.startswith("| `")]
    listed = {row.split("`")[1]: row for row in rows}
    assert set(listed) == set(FIRST_SCRIPT_ERROR)
    for name, error in FIRST_SCRIPT_ERROR.items():
        shown = error.removeprefix("on parameter ").strip('"').removesuffix(" in argument 'el'")
        assert shown in listed[name]
        assert ("(trace)" in listed[name]) == (name in TRACED)
