import io
import re

import pytest

from tsrefactor.report import progress as progress_module
from tsrefactor.report.progress import CaseProgress, remaining
from tsrefactor.report.terminal import stderr_console
from tsrefactor.vocabulary import Status

ENDS = [Status.ALREADY, Status.MIGRATED, Status.PARTIAL, Status.FAILED, Status.ERROR]


@pytest.fixture
def clock(monkeypatch):
    """A clock that a test moves: ``clock[0] += seconds``."""
    now = [100.0]
    monkeypatch.setattr(progress_module.time, "monotonic", lambda: now[0])
    return now


def test_plain_lines_away_from_a_terminal(clock):
    out = io.StringIO()
    with CaseProgress(5, stderr_console(out)) as progress:
        for status in ENDS:
            clock[0] += 6
            progress.done(status)
    assert out.getvalue().splitlines() == [
        "2/5 cases: 2 passed; 18 s left",
        "4/5 cases: 2 passed, 1 partial, 1 failed; 6 s left",
        "5/5 cases: 2 passed, 1 partial, 1 failed, 1 error",
    ]


def test_the_estimate_of_the_looks_and_then_of_the_work(clock):
    out = io.StringIO()
    with CaseProgress(6, stderr_console(out)) as progress:
        for needs_work in (False, True, True, True, True, False):
            clock[0] += 5
            progress.looked(needs_work)
        for status in (Status.ALREADY, Status.ERROR):  # no work: they say nothing of how long that takes
            progress.done(status)
        assert progress.left() is None
        for _ in range(2):
            clock[0] += 20
            progress.worked()
        clock[0] += 15
        assert progress.left() == 40 - 15
        clock[0] += 45
        assert progress.left() == 0
        for status in (Status.MIGRATED, Status.FAILED):  # once their group is settled
            progress.done(status)
    assert out.getvalue().splitlines() == [
        "0/6 cases: looked at 2 of 6; 20 s left",
        "0/6 cases: looked at 4 of 6; 10 s left",
        "0/6 cases: looked at 6 of 6",
        "2/6 cases: 1 passed, 1 error",
        "2/6 cases: 1 passed, 1 error; 40 s left",
        "3/6 cases: 2 passed, 1 error; 0 s left",
    ]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_time_left_on_a_terminal(monkeypatch, clock):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    out = Terminal()
    with CaseProgress(5, stderr_console(out)) as progress:
        for status in ENDS[:2]:
            clock[0] += 6
            progress.done(status)
    assert "2/5 18 s left 2 passed" in re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", out.getvalue())


@pytest.mark.parametrize("width", [20, 80])
def test_a_bar_on_a_terminal(monkeypatch, width):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", str(width))
    out = Terminal()
    with CaseProgress(5, stderr_console(out)) as progress:
        for status in ENDS:
            progress.done(status)
    assert "\x1b" in out.getvalue()
    if width == 80:
        assert "5/5" in out.getvalue()
        assert "2 passed, 1 partial, 1 failed" in out.getvalue()


def test_no_case_at_all():
    out = io.StringIO()
    with CaseProgress(0, stderr_console(out)):
        pass
    assert out.getvalue() == ""


@pytest.mark.parametrize(
    ("seconds", "words"), [(0, "0 s"), (59, "59 s"), (61, "1 min"), (3599, "1 h 0 min"), (7500, "2 h 5 min")]
)
def test_a_duration_in_words(seconds, words):
    assert remaining(seconds) == words
