from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tsrefactor.errors import UserError
from tsrefactor.record.command import record
from tsrefactor.workers.pool import Workers
from tsrefactor.workers.spec import parse_spec

from .support import task, write

SCRIPT = """
    import torch
    from layers import Layer

    class Model(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = Layer()

        def forward(self, x):
            return self.layer(x) + 1

    if __name__ == "__main__":
        print(Model()(torch.ones(2)))
"""
LAYERS = """
    import torch

    class Layer(torch.nn.Module):
        def forward(self, x):
            return x * 2
"""


@pytest.fixture(scope="module")
def workers(folder: Path) -> Iterator[Workers]:
    write(folder, {"train.py": SCRIPT, "layers.py": LAYERS})
    assert record("run.tsr", ["train.py"]) == 0
    spec = parse_spec("run.tsr")
    assert spec.command == ("train.py",)
    with Workers(spec, jobs=1) as workers:
        yield workers


def test_the_recorded_modules_are_cases(workers: Workers) -> None:
    [(name, target)] = workers.case_names()
    assert target is None
    assert workers.run(task("scripted", name)).value == 6.0


def test_the_command_runs_again_on_rewritten_files(workers: Workers, folder: Path) -> None:
    [(name, _)] = workers.case_names()
    overlay = {folder / "layers.py": LAYERS.replace("x * 2", "x * 4")}
    assert workers.run(task("scripted", name, overlay)).value == 10.0
    overlay = {folder / "train.py": SCRIPT.replace("(x) + 1", "(x) + 9")}
    assert workers.run(task("scripted", name, overlay)).value == 22.0


def test_a_command_that_cannot_run_again_is_the_users_error(workers: Workers, folder: Path) -> None:
    os.rename(folder / "layers.py", folder / "moved.py")
    try:
        with pytest.raises(UserError, match=r"run\.tsr: 'train\.py', run again, calls none"):
            workers.case_names()
    finally:
        os.rename(folder / "moved.py", folder / "layers.py")
