import io

import pytest

from tests.report.samples import COMPILE, PASS, report
from tsrefactor.report.model import CaseReport, FindingReport, RunReport, described, one_line
from tsrefactor.report.terminal import print_findings, print_migration, print_verdicts, stderr_console
from tsrefactor.vocabulary import Outcome, Safety, Status, Target, Verdict


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch):
    """Gives a function from a width and a report to what a terminal of that width shows."""
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)

    def shown(width: int, data: RunReport, show=print_migration) -> str:
        monkeypatch.setenv("COLUMNS", str(width))
        out = Terminal()
        show(data, stderr_console(out))
        return out.getvalue()

    return shown


def plain(data: RunReport, show=print_migration) -> list[str]:
    out = io.StringIO()
    show(data, stderr_console(out))
    assert "\x1b" not in out.getvalue()
    return [" ".join(line.split()) for line in out.getvalue().splitlines()]


def test_the_migration_table():
    assert plain(report()) == [
        "case status before after edits lines where message",
        "plain already pass -",
        "U-Net [deep] & <wide> migrated compile-error pass 2 4",
        "early exit partial compile-error pass 1 2",
        "bad failed compile-error compile-error models/deep/net.py:1234"
        " Expected a value of type 'Tensor' but got <'int'> & more [bold]x[/bold] (on input 1)",
        "broken error - - zoo.py:3 build raised ValueError: no weights",
        "caveat: U-Net [deep] & <wide>: models/unet.py:40: super-call: the scripted path has no custom gradient",
        "note: U-Net [deep] & <wide>: eager results differ from run to run",
        "raises under script: early exit: models/exit.py:8",
        "raises under script: early exit: models/exit.py:19",
        "5 cases: 1 already, 1 migrated, 1 partial, 1 failed, 1 error",
    ]


def test_the_verify_table():
    cases = [
        CaseReport("a", Status.ALREADY, "script", {"script": PASS}),
        CaseReport("b", Status.FAILED, None, {"script": COMPILE}),
    ]
    lines = plain(RunReport("2.13.0", Target.SCRIPT, cases, interrupted=True), print_verdicts)
    assert lines[0] == "case verdict where message"
    assert lines[1] == "a pass"
    assert lines[2].startswith("b compile-error models/deep/net.py:1234 Expected")
    assert lines[3] == "2 cases: 1 pass, 1 fail (interrupted)"


def test_columns_without_content_are_left_out():
    cases = [CaseReport("a", Status.ALREADY, "script", {"script": PASS})]
    assert plain(RunReport("2.13.0", Target.SCRIPT, cases))[0] == "case status before after"
    assert plain(RunReport("2.13.0", Target.SCRIPT)) == ["0 cases"]


@pytest.mark.parametrize("width", [30, 60, 80, 100, 140])
def test_a_narrow_terminal_loses_no_place(terminal, width):
    lines = terminal(width, report()).splitlines()
    (bad,) = (line for line in lines if line.startswith("bad"))
    assert "models/deep/net.py:1234" in bad
    assert bad.count("compile-error") == 2
    assert "Expected" in bad
    assert any("zoo.py:3" in line for line in lines), "nor the one that an error starts with"
    if width == 140:
        assert "U-Net [deep] & <wide>" in lines[2]
        assert bad.rstrip().endswith("…"), "the message gives way first"
    if width == 60:
        assert lines[2].startswith("U-Net [deep] & …"), "then the name"
    assert any("models/unet.py:40: super-call: the scripted path has no custom gradient" in line for line in lines)


def test_a_terminal_gets_colours_for_verdicts(terminal):
    assert "\x1b[31mfailed" in terminal(120, report())


def test_what_a_model_prints_cannot_drive_the_terminal():
    case = CaseReport("a\x1b[2Jb", Status.ERROR, error="x\x1b]0;title\x07\r\ny")
    lines = plain(RunReport("2.13.0", Target.SCRIPT, [case]))
    assert lines[1] == r"a\x1b[2Jb error - - x\x1b]0;title\x07 y"
    assert one_line("é 漢\n\tz") == "é 漢 z"


def test_places_are_shown_from_the_current_folder(tmp_path, monkeypatch):
    (tmp_path / "in").mkdir()
    monkeypatch.chdir(tmp_path / "in")
    for file, shown in ((tmp_path / "in/m.py", "m.py:3"), (tmp_path / "m.py", f"{tmp_path / 'm.py'}:3")):
        case = CaseReport("a", Status.FAILED, None, {"script": Verdict(Outcome.CRASH, "x", str(file), 3)})
        assert shown in plain(RunReport("2.13.0", Target.SCRIPT, [case]))[1].split()


@pytest.mark.parametrize(
    ("verdicts", "target", "words"),
    [
        ({}, Target.SCRIPT, "-"),
        ({"script": PASS, "reload": Verdict(Outcome.MISMATCH)}, Target.SCRIPT, "reload mismatch"),
        ({"script": COMPILE, "trace": Verdict(Outcome.BAKED)}, Target.SCRIPT, "compile-error, trace baked"),
        ({"script": COMPILE, "trace": Verdict(Outcome.BAKED)}, Target.ANY, "script compile-error, trace baked"),
        ({"script": COMPILE, "trace": PASS}, Target.ANY, "pass (trace)"),
        ({"script": Verdict(Outcome.EAGER_ERROR), "trace": Verdict(Outcome.EAGER_ERROR)}, Target.ANY, "eager-error"),
    ],
)
def test_verdicts_in_a_word(verdicts, target, words):
    assert described(verdicts, target) == words


def test_findings():
    found = [
        FindingReport("b.py", 3, 5, "soft-refactor", "an if on\n data", False, Safety.SAFE),
        FindingReport("a.py", 10, 1, "len-to-shape", "a frozen length", True, Safety.UNSAFE),
        FindingReport("a.py", 9, 2, "len-to-shape", "a frozen length", True, Safety.SAFE),
    ]
    out, err = io.StringIO(), io.StringIO()
    print_findings(found, out, stderr_console(err))
    assert out.getvalue().splitlines() == [
        "a.py:9:2: len-to-shape a frozen length [fixable]",
        "a.py:10:1: len-to-shape a frozen length [fixable] [unsafe]",
        "b.py:3:5: soft-refactor an if on data [advice]",
    ]
    assert err.getvalue() == "3 findings in 2 files: 2 fixable, 1 unsafe\n"


def test_no_findings():
    out, err = io.StringIO(), io.StringIO()
    print_findings([], out, stderr_console(err))
    assert (out.getvalue(), err.getvalue()) == ("", "no findings\n")
