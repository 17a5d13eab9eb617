"""Real errors of the real TorchScript: a module's source goes to a file, a forked child scripts it and diagnoses."""

from __future__ import annotations

import importlib.util
import os
import pickle
import sys
import textwrap
from pathlib import Path

import pytest

PRELUDE = """\
import math, functools, contextlib
from typing import *
import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor
"""


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    import torch

    torch.set_num_threads(1)


def in_child(action):
    """Runs ``action`` in a fork, since a failed compile leaves state behind, and returns what it returns."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.write(write, pickle.dumps(action()))
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        data = pipe.read()
    os.waitpid(pid, 0)
    assert data, "the child raised; see standard error"
    return pickle.loads(data)


def load(path: Path):
    sys.dont_write_bytecode = True
    sys.path.insert(0, str(path.parent))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


def fail(path: Path, act):
    import torch

    from tsrefactor.diagnose import diagnose

    module = load(path)
    try:
        act(torch, module)
    except BaseException as error:
        return diagnose(error, lambda file: str(path.parent) in file)
    return None


def script_and_call(torch, module):
    scripted = torch.jit.script(module.M())
    arguments = getattr(module, "INPUTS", (torch.ones(2, 3),))
    for _ in range(3):
        scripted(*arguments)


@pytest.fixture
def diagnosed(tmp_path):
    """``diagnosed(source, act=…, **other files)``: the Diagnosis of scripting and calling ``M()``; None if it passes.

    ``prelude=False`` leaves the imports out; the source is dedented.
    """

    def run(source, act=script_and_call, prelude=True, newline="\n", **others):
        for name, text in {**others, "subject": source}.items():
            text = (PRELUDE if prelude else "") + textwrap.dedent(text)
            (tmp_path / f"{name}.py").write_bytes(text.replace("\n", newline).encode())
        result = in_child(lambda: fail(tmp_path / "subject.py", act))
        if result is not None:
            assert result.text is not None and "\n" not in result.message and len(result.message) < 200
        return result

    return run


@pytest.fixture
def span(tmp_path):
    """``span(place)``: the source a place covers on its line, and whether that line carries the comment ``# here``."""

    def read(place):
        line = Path(place.file).read_bytes().replace(b"\r\n", b"\n").split(b"\n")[place.line - 1]
        return line[place.column : place.end_column].decode(), b"# here" in line

    return read
