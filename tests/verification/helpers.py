"""Runs one examination in a forked child, as a worker does: a failed compile leaves state behind in its process."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

from tests.forked import forked
from tsrefactor import Inputs, ModelCase
from tsrefactor.verification import worker
from tsrefactor.verification.results import Examination, Fingerprint

HERE = str(Path(__file__).parent)


def case_of(model: Callable[[], nn.Module], *inputs: Inputs, train: bool = False) -> ModelCase:
    return ModelCase("model", lambda: model().train(train), lambda: list(inputs))


def examined(
    model: Callable[[], nn.Module],
    *inputs: Inputs,
    target: str = "script",
    thorough: bool = False,
    train: bool = False,
    **asked: bool,
) -> Examination:
    return examined_case(case_of(model, *inputs, train=train), target, thorough, **asked)


def examined_case(case: ModelCase, target: str = "script", thorough: bool = False, **asked: bool) -> Examination:
    return forked(_examine, case, target, thorough, asked)


def _examine(case: ModelCase, target: str, thorough: bool, asked: dict[str, bool]) -> Examination:
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    *_, last = worker.examine_in_steps(case, target, thorough, (HERE,), **asked)
    return last


def fingerprint_of(model: Callable[[], nn.Module], *inputs: Inputs, settled: bool = False) -> Fingerprint | None:
    return forked(lambda: list(worker.fingerprint(case_of(model, *inputs), (HERE,), settled))[-1])


def line_of(file: str, text: str) -> int:
    with open(file, encoding="utf-8") as lines:
        return next(i for i, line in enumerate(lines, 1) if text in line)
