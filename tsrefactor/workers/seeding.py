"""One state of every random generator, set before anything whose outcome is compared. Imported in workers only."""

from __future__ import annotations

import random

import numpy
import torch


def seed(value: int = 0) -> None:
    """Seeds torch (the CPU generator and those of all devices), `random` and numpy's global generator."""
    torch.manual_seed(value)
    random.seed(value)
    numpy.random.seed(value)
