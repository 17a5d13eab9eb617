"""The main job, end to end: the zoo of `fixtures/` is migrated, and an independent check looks at the result."""

import copy
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.forked import forked

FIXTURES = Path(__file__).parent.parent / "fixtures"
NOT_YET: set[str] = set()


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The report of `migrate zoo.py --diff`, its exit code, and a copy of the zoo with the diff applied."""
    folder = tmp_path_factory.mktemp("zoo")
    copied = folder / "fixtures"
    shutil.copytree(FIXTURES, copied, ignore=shutil.ignore_patterns("__pycache__"))
    command = [
        sys.executable,
        "-m",
        "tsrefactor",
        "migrate",
        "zoo.py",
        "--diff",
        "--report",
        str(folder / "report.json"),
    ]
    environment = {**os.environ, "PYTHONPATH": str(FIXTURES.parent)}
    done = subprocess.run(command, cwd=copied, capture_output=True, check=False, env=environment)
    subprocess.run(["git", "apply"], input=done.stdout, cwd=copied, check=True)
    return json.loads((folder / "report.json").read_text()), done.returncode, copied


def test_what_the_rules_can_mend_migrates(run):
    report, code, _ = run
    failed = {case["name"] for case in report["cases"] if case["status"] != "migrated"}
    assert failed == NOT_YET
    assert code == bool(NOT_YET)
    assert report["summary"]["migrated"] == len(report["cases"]) - len(NOT_YET)


def test_every_edit_kept_is_verified(run):
    edits = [edit for case in run[0]["cases"] for edit in case["edits"]]
    assert edits
    assert all(edit["verified"] for edit in edits)


def examine(folder, name, way):
    """Whether the case's model, scripted or traced from the files of a folder, equals eager on all its inputs."""
    sys.path.insert(0, str(folder))
    import zoo

    case = next(c for c in zoo.cases() if c.name == name)
    torch.manual_seed(0)
    model = case.build()
    inputs = case.inputs()
    example = inputs[0]
    if way == "script":
        program = torch.jit.script(model)
    else:
        arguments = copy.deepcopy((example.args, example.kwargs))
        program = torch.jit.trace(model, arguments[0], example_kwarg_inputs=None, check_trace=False)
    for call in inputs:
        expected = model(*copy.deepcopy(call.args), **copy.deepcopy(call.kwargs))
        found = program(*copy.deepcopy(call.args), **copy.deepcopy(call.kwargs))
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    return list(model.state_dict())


def test_migrated_models_hold_by_an_independent_check(run):
    report, _, copied = run
    torch.set_num_threads(1)
    for case in report["cases"]:
        if case["status"] == "migrated":
            keys = forked(examine, copied, case["name"], case["passed_as"])
            assert keys == forked(state_dict_keys, FIXTURES, case["name"])


def state_dict_keys(folder, name):
    sys.path.insert(0, str(folder))
    import zoo

    return list(next(c for c in zoo.cases() if c.name == name).build().state_dict())
