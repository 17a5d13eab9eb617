import io

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


@pytest.mark.parametrize("width", [20, 80])
def test_a_bar_on_a_terminal(monkeypatch, width):
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

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
