"""Names that are still free."""

from __future__ import annotations

import itertools
import keyword
import re
from collections.abc import Container


def fresh(taken: Container[str], *wanted: str) -> str:
    """The first of the names that is not taken, else the last of them with a number."""
    numbered = (f"{wanted[-1]}_{n}" for n in itertools.count(2))
    return next(name for name in itertools.chain(wanted, numbered) if name not in taken and not keyword.iskeyword(name))


def snake(name: str) -> str:
    """A class's name as part of that of a function: ``round_ste`` for ``RoundSTE``."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower().strip("_")
