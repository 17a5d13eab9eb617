"""What differs between eager before and after, and when eager before is looked at again for it."""

from pathlib import Path

import pytest

from tsrefactor.migration.case import differences
from tsrefactor.migration.project import Options
from tsrefactor.verification.results import Fingerprint
from tsrefactor.workers.task import Result


def of(settled=False, **inputs):
    return Fingerprint({"eval": inputs}, (), "(x)", settled)


def compared(old, new, result):
    """The differences, where eager before, asked again, answers with ``result``."""
    work = differences(Options([], (Path("."),)), "a", old, new)
    try:
        next(work)
        work.send([result])
    except StopIteration as end:
        return end.value[1]
    raise AssertionError("asked twice")


@pytest.mark.parametrize(
    ("result", "differs"),
    [
        (Result(of(True, example="s:~", zeros="s:~")), False),
        (Result(of(True, example="s:1", zeros="s:1")), True),
        (Result(of(True, example="s:~")), True),  # it was out of time for the zeros
        (Result(of(True, example="s:~"), failure="timeout"), True),  # what it holds says nothing of the zeros
    ],
)
def test_eager_before_is_looked_at_again_for_what_varies(result, differs):
    found = compared(of(example="s:1", zeros="s:1"), of(example="s:2", zeros="s:2"), result)
    assert bool(found) is differs


def test_what_is_equal_or_settled_is_not_looked_at_again():
    for old, new in ((of(example="s:1"), of(example="s:1")), (of(True, example="s:1"), of(example="s:2"))):
        with pytest.raises(StopIteration):
            next(differences(Options([], (Path("."),)), "a", old, new))
