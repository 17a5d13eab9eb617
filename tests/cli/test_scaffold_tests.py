"""The written file is read here, and run by pytest as a user would run it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

CASES = """\
import torch
from models import Trap
from tsrefactor import Inputs, ModelCase


def cases():
    yield ModelCase("whole::model", Trap, lambda: [Inputs(torch.ones(2, 3))])
    yield ModelCase("other", Trap, lambda: [Inputs(torch.ones(3, 3))]{target})
"""
MODELS = """\
import torch


class Trap(torch.nn.Module):
    def __init__(self, scale=1.0, kind="sum"):
        super().__init__()
        self.scale = scale

    def forward(self, x: torch.Tensor):
        return torch.arange(len(x)) * self.scale + x.sum()
"""


@pytest.fixture
def models(project: Path) -> Path:
    (project / "models.py").write_text(MODELS)
    (project / "cases.py").write_text(CASES.format(target=""))
    return project


def outcome_of(*arguments: str) -> str:
    """What pytest says of the file, in a process of its own; the folder it runs in is not on its path."""
    words = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "--tb=line", *arguments]
    run = "import sys, runpy; sys.path.remove(''); runpy.run_module('pytest', run_name='__main__')"
    done = subprocess.run([sys.executable, "-c", run, *words[2:]], capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def test_the_file_checks_every_case(models, run):
    ended = run("scaffold-tests", "cases.py", "-o", "test_models.py", "--target", "trace")
    assert (ended.code, ended.out) == (0, "")
    assert ended.err == "test_models.py checks 2 cases; run it with `pytest test_models.py`\n"
    assert (
        (models / "test_models.py").read_text()
        == '''\
"""Checks the models of cases.py against their TorchScript, on inputs of other sizes and values too."""

import pytest
import torch

from tsrefactor.testing import assert_compatible

from cases import cases


@pytest.mark.parametrize("case", list(cases()), ids=lambda case: case.name)
def test_is_compatible(case):
    torch.manual_seed(0)
    assert_compatible(case.build(), *case.inputs(), target="trace")
'''
    )
    told = outcome_of("test_models.py")
    assert "2 failed" in told and "trace: baked" in told
    assert "FAILED test_models.py::test_is_compatible[whole::model]" in told


def test_tests_in_a_folder_of_their_own_find_the_cases_and_what_these_import(models, run):
    (models / "tests").mkdir()
    (models / "zoo").mkdir()
    (models / "cases.py").rename(models / "zoo" / "my_cases.py")
    assert run("scaffold-tests", "zoo/my_cases.py::other", "-o", "tests/test_models.py").code == 0
    text = (models / "tests" / "test_models.py").read_text()
    assert (
        """\
import sys
from pathlib import Path

import pytest
import torch

from tsrefactor.testing import assert_compatible

sys.path.insert(0, str(Path(__file__).parents[1] / "zoo"))
sys.path.insert(0, str(Path(__file__).parents[1]))
from my_cases import cases  # noqa: E402


@pytest.mark.parametrize("case", [case for case in cases() if case.name == "other"], ids=lambda case: case.name)
"""
        in text
    )
    assert "1 passed" in outcome_of("tests")


def test_what_pytest_makes_importable_is_left_to_it(models, run):
    (models / "tests").mkdir()
    (models / "conftest.py").write_text("")
    assert run("scaffold-tests", "cases.py", "-o", "tests/test_models.py").code == 0
    assert "sys" not in (models / "tests" / "test_models.py").read_text()
    assert "2 tests collected" in outcome_of("--collect-only", "tests/test_models.py")


def test_targets_of_the_cases_are_kept(models, run):
    (models / "cases.py").write_text(CASES.format(target=', target="any"'))
    run("scaffold-tests", "cases.py", "-o", "test_models.py")
    assert 'target=case.target or "script")' in (models / "test_models.py").read_text()


def test_a_class_with_its_inputs(models, run):
    flags = ["--init", "0.5, kind='mean'", "--input", "2,3"]
    assert run("scaffold-tests", "models:Trap", *flags, "-o", "test_trap.py").code == 0
    assert (
        (models / "test_trap.py").read_text()
        == '''\
"""Checks Trap against its TorchScript, on inputs of other sizes and values too."""

import torch

from tsrefactor.testing import assert_compatible

from models import Trap


def test_trap_is_compatible():
    torch.manual_seed(0)
    model = Trap(0.5, kind="mean").eval()
    assert_compatible(model, torch.randn(2, 3), target="script")
'''
    )
    assert "1 passed" in outcome_of("test_trap.py")


def test_several_inputs_are_one_call(models, run):
    shapes = ["--input", "int64:4", "--input", "bool:", "--input", "float64:1,2"]
    run("scaffold-tests", "models.py:Trap", *shapes, "-o", "test_trap.py")
    assert (
        "(torch.randint(8, (4,), dtype=torch.int64), torch.randint(2, (), dtype=torch.bool), "
        "torch.randn(1, 2, dtype=torch.float64))"
    ) in (models / "test_trap.py").read_text()


def test_no_file_is_replaced_unless_asked(models, run):
    (models / "test_models.py").write_text("mine\n")
    ended = run("scaffold-tests", "cases.py", "-o", "test_models.py")
    assert (ended.code, (models / "test_models.py").read_text()) == (2, "mine\n")
    assert ended.err == "error: test_models.py: exists already; give -o another name, or --force to replace it\n"
    assert run("scaffold-tests", "cases.py", "-o", "test_models.py", "--force").code == 0
    assert "assert_compatible" in (models / "test_models.py").read_text()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("run.json -o test_it.py", "run.json: a recording says how to run a program, and a test needs to know how"),
        ("cases.py -o test-it.py", "test-it.py: is no name for a test module; write -o test_models.py"),
        ("cases.py -o new/test_it.py", "its folder does not exist; make the folder first"),
        ("my-cases.py -o test_it.py", "my-cases.py: cannot be imported: 'my-cases' is no name in Python; rename it"),
        ("none.py -o test_it.py", "none.py: there is no such file"),
        ("cases.py::nobody -o test_it.py", "cases.py: has no case named 'nobody'"),
        ("cases.py", "missing option '-o'"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_exit_2(models, run, arguments, says):
    (models / "run.json").write_text('{"command": ["python", "x.py"]}')
    (models / "my-cases.py").write_text(CASES.format(target=""))
    ended = run("scaffold-tests", *arguments.split())
    assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert says in ended.err
    assert not (models / "test_it.py").exists()
