"""One state of every random generator, set before anything whose outcome is compared. Imported in workers only."""

from __future__ import annotations

import random

import numpy
import torch

_queued = False  # whether a device that is set up later will be seeded then


def seed(value: int = 0) -> None:
    """Seeds torch (the CPU generator and those of all devices), `random` and numpy's global generator."""
    global _queued
    if not _queued or torch.cuda.is_initialized() or torch.xpu.is_initialized():
        torch.manual_seed(value)
        _queued = True
    else:
        torch.default_generator.manual_seed(value)  # the other would format the stack for every device, 5 ms a call
    random.seed(value)
    numpy.random.seed(value)
