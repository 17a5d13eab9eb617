from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tsrefactor.cli import app

REPOSITORY = Path(__file__).parents[2]

TRAP = """\
import torch


class Model(torch.nn.Module):
    def forward(self, x: torch.Tensor):
        return torch.arange(len(x)) + 0.5 * x.sum()  # one a row
"""
"""A model whose trace is right for one length only; len-to-shape mends it."""

MENDED = TRAP.replace("len(x)", "x.shape[0]")


class Ended:
    """A command that ended: its exit code and what it printed."""

    def __init__(self, code: int, out: str, err: str, raw: bytes):
        self.code, self.out, self.err, self.raw = code, out, err, raw


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, empty, with tsrefactor importable in every process started from it."""
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY), prepend=os.pathsep)
    return folder


@pytest.fixture
def run(project: Path) -> Callable[..., Ended]:
    """Runs a command line in this process."""

    def command(*arguments: object) -> Ended:
        result = CliRunner().invoke(app, [str(argument) for argument in arguments])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Ended(result.exit_code, result.stdout, result.stderr, result.stdout_bytes)

    return command


@pytest.fixture
def start(project: Path) -> Callable[..., subprocess.Popen[str]]:
    """Starts a command line as a process of its own, in the current folder."""

    def command(*arguments: object) -> subprocess.Popen[str]:
        words = [sys.executable, "-m", "tsrefactor", *(str(argument) for argument in arguments)]
        return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    return command


@pytest.fixture
def git(project: Path) -> Callable[..., int]:
    """Runs git in the current folder, which is a work tree."""
    identity = {
        "GIT_AUTHOR_NAME": "a",
        "GIT_AUTHOR_EMAIL": "a@b",
        "GIT_COMMITTER_NAME": "a",
        "GIT_COMMITTER_EMAIL": "a@b",
    }

    def command(*arguments: str, given: bytes | None = None) -> int:
        done = subprocess.run(["git", *arguments], input=given, env=os.environ | identity, capture_output=True)
        return done.returncode

    assert command("init", "-q") == 0
    return command
