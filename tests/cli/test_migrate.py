"""Runs of real models in worker processes: each command once for many things."""

import json
import signal
import subprocess
import time

import pytest

import tsrefactor
from tests.cli.conftest import MENDED, TRAP
from tsrefactor.errors import UserError
from tsrefactor.report.save import load_report
from tsrefactor.vocabulary import Status

HEAD = "import torch\nfrom tsrefactor import Inputs, ModelCase\n"
LENGTHS = "lambda: [Inputs(torch.rand(3, 2)), Inputs(torch.rand(5, 2))]"
FINE = MENDED.replace("Model", "Fine")
RAISES = "import torch\n\n\nclass Raises(torch.nn.Module):\n    def forward(self, x):\n        return x @ x.no_such\n"
STUCK = """\
import torch


class Stuck(torch.nn.Module):
    def forward(self, x: torch.Tensor):
        return x * x.tolist()[0][0]
"""


def case(name: str, build: str) -> str:
    return f"    yield ModelCase({name!r}, {build}, {LENGTHS})\n"


@pytest.fixture
def zoo(project, git):
    """Four models, one a file: mended by an edit, fine as it is, beyond help, not running in eager."""
    for name, text in {"trap": TRAP, "fine": FINE, "stuck": STUCK, "raises": RAISES}.items():
        (project / f"{name}.py").write_text(text)
    (project / "zoo.py").write_text(
        HEAD + "import trap, fine, stuck, raises\n\n\ndef cases():\n"
        + case("trap", "trap.Model") + case("fine", "fine.Fine")
        + case("stuck", "stuck.Stuck") + case("raises", "raises.Raises")
    )  # fmt: skip
    git("add", "-A")
    git("commit", "-qm", "zoo")
    return project / "zoo.py"


def statuses(report) -> dict[str, str]:
    return {case["name"]: case["status"] for case in json.loads(report.read_text())["cases"]}


def test_verify_prints_a_table_and_changes_nothing(project, run, zoo, git):
    ended = run("verify", "zoo.py", "--target", "trace", "--jobs", "2", "--report", "v.json")
    assert ended.code == 1
    rows = {line.split()[0]: line for line in ended.out.splitlines()}
    assert rows["trap"].split()[:2] == ["trap", "baked"] and "trap.py:6" in rows["trap"] and "(on input" in rows["trap"]
    assert rows["fine"].split() == ["fine", "pass"]
    assert rows["raises"].split()[:3] == ["raises", "eager-error", "raises.py:6"]
    assert ended.out.splitlines()[-1] == "4 cases: 1 pass, 2 fail, 1 error"
    assert statuses(project / "v.json")["fine"] == "already"
    assert git("diff", "--quiet") == 0
    assert run("verify", "zoo.py::fine", "--target", "trace").code == 0


def test_migrate_shows_writes_reports_and_resumes(project, run, zoo, git):
    flags = ["zoo.py", "--target", "trace", "--jobs", "2"]
    ended = run("migrate", *flags, "--diff", "--report", "r.json")
    assert ended.code == 1
    assert ended.raw.startswith(b"--- a/trap.py\n") and ended.raw.count(b"--- a/") == 1
    assert git("apply", "--check", "-", given=ended.raw) == 0
    assert "4 cases: 1 already, 1 migrated, 1 failed, 1 error" in ended.err.splitlines()
    assert (project / "trap.py").read_text() == TRAP
    report = json.loads((project / "r.json").read_text())
    assert report["summary"] == {"cases": 4, "already": 1, "migrated": 1, "partial": 0, "failed": 1, "error": 1}
    trap, _, _, raises = report["cases"]
    assert trap["edits"] == [{"rule": "len-to-shape", "file": "trap.py", "line": 6, "verified": True, "caveat": None}]
    assert (trap["lines_changed"], trap["passed_as"]) == (2, "trace")
    assert trap["before"]["trace"]["verdict"] == "baked" and trap["after"]["trace"]["verdict"] == "pass"
    assert raises["error"].startswith("raises.py:6: ")

    # The report is the state: without running a model, the rest of the flags go to work.
    ended = run("migrate", *flags, "--out", "copies", "--report", "r.json", "--resume")
    assert ended.code == 1 and "migrated" in ended.out
    assert [path.name for path in (project / "copies").iterdir()] == ["trap.py"]
    assert (project / "copies" / "trap.py").read_text() == MENDED and (project / "trap.py").read_text() == TRAP

    ended = run("migrate", *flags, "--report", "r.json", "--resume")
    assert ended.code == 1 and (project / "trap.py").read_text() == MENDED
    assert ended.err == "1 file written (run 1; `tsrefactor undo` takes it back)\n"
    ended = run("migrate", *flags, "--report", "r.json", "--resume")
    assert ended.code == 1 and ended.err == "" and (project / "trap.py").read_text() == MENDED
    assert run("undo").code == 0 and git("diff", "--quiet") == 0
    (project / "trap.py").write_text("# another\n")
    ended = run("migrate", *flags, "--report", "r.json", "--resume")
    assert ended.code == 2 and ended.err.startswith("error: trap.py: was changed after the earlier run; ")


def test_a_half_finished_batch_goes_on(project, run, zoo):
    flags = ["zoo.py", "--target", "trace", "--report", "r.json"]
    assert run("migrate", "zoo.py::trap", *flags[1:], "--diff").code == 0
    assert list(statuses(project / "r.json")) == ["trap"]
    ended = run("migrate", *flags, "--out", "copies", "--resume")
    assert ended.code == 1
    assert statuses(project / "r.json") == {"trap": "migrated", "fine": "already", "stuck": "failed", "raises": "error"}
    assert (project / "copies" / "trap.py").read_text() == MENDED


def test_from_python(project, zoo):
    report = tsrefactor.migrate("zoo.py::trap", target="trace", diff=True)
    assert [case.status for case in report.cases] == [Status.MIGRATED]
    assert report.diffs["trap.py"].count("\n+") == 2
    assert [case.passed for case in tsrefactor.verify(project / "zoo.py", target="trace").cases] == [
        False, True, False, False
    ]  # fmt: skip
    with pytest.raises(UserError, match="one of them"):
        tsrefactor.migrate("zoo.py", diff=True, out="copies")


def test_uncommitted_files_are_refused_and_shown(project, run, zoo):
    (project / "trap.py").write_text(TRAP + "# mine\n")
    ended = run("migrate", "zoo.py::trap", "--target", "trace")
    assert ended.code == 1
    assert (
        "refused: trap.py: has uncommitted changes" in ended.err and "+        return torch.arange(x.shape" in ended.err
    )
    assert "trap.py was not written" in ended.out
    assert (project / "trap.py").read_text() == TRAP + "# mine\n"
    assert run("migrate", "zoo.py::trap", "--target", "trace", "--allow-dirty").code == 0
    assert (project / "trap.py").read_text() == MENDED + "# mine\n"


def test_files_outside_of_src_stay(project, run, zoo):
    (project / "lib").mkdir()
    assert run("migrate", "zoo.py::trap", "--target", "trace", "--src", "lib").code == 1
    assert run("migrate", "zoo.py::trap", "--target", "trace", "--src", "nowhere").code == 2
    (project / "pyproject.toml").write_text('[tool.tsrefactor]\nexclude = ["trap.py"]\n')
    assert run("migrate", "zoo.py::trap", "--target", "trace").code == 1
    assert (project / "trap.py").read_text() == TRAP


def test_a_class_with_its_inputs(project, run, zoo):
    ended = run("migrate", "trap.py:Model", "--input", "3,2", "--target", "trace", "--out", "copies")
    assert "Model" in ended.out
    assert run("verify", "fine.py:Fine", "--input", "3,2", "--target", "trace").code == 0


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--diff", "--out", "copies"], "give one of them"),
        (["--out", "full"], "error: full: is not empty"),
        (["--out", "zoo.py"], "error: zoo.py: is not a folder"),
        (["--report", "r.txt"], "a report ends in .json or .html"),
        (["--report", "nowhere/r.json"], "the folder does not exist"),
        (["--resume"], "--resume goes on from a report"),
        (["--resume", "--report", "r.html"], "--resume goes on from a report in JSON"),
        (["--resume", "--report", "bad.json"], "error: bad.json: is not a report of tsrefactor"),
    ],
)
def test_wrong_flags_are_told_before_the_work(project, run, zoo, flags, said):
    (project / "full").mkdir()
    (project / "full" / "x").write_text("")
    (project / "bad.json").write_text("{")
    ended = run("migrate", "zoo.py", *flags)
    assert ended.code == 2 and said in ended.err and ended.err.count("\n") == 1


def test_two_files_of_one_place_below_out_are_an_error(project, run, zoo, tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "model.py").write_text(TRAP)
    load = "__import__('importlib.util').util"
    (project / "two.py").write_text(
        HEAD + "import importlib.util\n\n\ndef model(path):\n"
        f"    spec = {load}.spec_from_file_location('m', path)\n    module = {load}.module_from_spec(spec)\n"
        "    spec.loader.exec_module(module)\n    return module.Model()\n\n\ndef cases():\n"
        + case("a", f"lambda: model({str(tmp_path / 'a' / 'model.py')!r})")
        + case("b", f"lambda: model({str(tmp_path / 'b' / 'model.py')!r})")
    )
    flags = ["two.py", "--src", tmp_path, "--target", "trace", "--out"]
    ended = run("migrate", "two.py::a", *flags[1:-1], "--diff")
    left_out = f"error: {tmp_path / 'a' / 'model.py'}: is left out of the diff: "
    assert (ended.code, ended.raw) == (2, b"") and left_out in ended.err.splitlines()[-1]
    assert run("migrate", "two.py::a", *flags[1:], "one").code == 0
    assert (project / "one" / "model.py").read_text() == MENDED
    ended = run("migrate", *flags, "copies")
    assert ended.code == 2 and "error: copies/model.py: would hold both " in ended.err
    assert not (project / "copies").exists()


BAD = {
    "raises.py": ("def cases():\n    raise ValueError('no')\n", "bad/raises.py:2: CASES raised ValueError: no; "),
    "empty.py": ("def cases():\n    return []\n", "cases() yields no case; "),
    "kills.py": ("import os\nprint('bye')\nos._exit(9)\n", "bad/kills.py: importing it ended the process"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_cases_are_one_line_and_exit_2(project, run, name):
    (project / "bad").mkdir()
    text, said = BAD[name]
    (project / "bad" / name).write_text(text)
    ended = run("verify", f"bad/{name}")
    assert ended.code == 2 and ended.out == ""
    [line] = ended.err.splitlines()
    assert line.startswith("error: ") and said in line and "; " in line


@pytest.mark.parametrize("command", ["verify hangs.py", "migrate hangs.py", "apply model.py --cases hangs.py"])
def test_a_cases_file_that_hangs_is_told_while_it_does_and_limited(project, run, monkeypatch, command):
    (project / "hangs.py").write_text("import time\ntime.sleep(1000)\n")
    (project / "model.py").write_text(TRAP)
    (project / "pyproject.toml").write_text("[tool.tsrefactor]\nimport-timeout = 0.5\n")
    monkeypatch.setattr("tsrefactor.workers.pool._SILENT_SECONDS", 0.1)
    ended = run(*command.split())
    assert ended.code == 2
    assert ended.err.splitlines() == [
        "importing hangs.py…",
        "error: hangs.py:2: importing hangs.py, its cases() included, took more than 0.5 s; let it do less on "
        "import, or raise `import-timeout` in [tool.tsrefactor]",
    ]


def test_cases_that_are_not_there(project, run):
    for text in ("nowhere.py", "nowhere.py::x", "x", "nowhere.tsr", "pkg.mod:Class"):
        for command in ("verify", "migrate"):
            ended = run(command, text)
            assert ended.code == 2 and ended.err.startswith("error: ") and ended.err.count("\n") == 1


AWFUL = """\
import os, sys, time


class Awful(torch.nn.Module):
    def __init__(self, how):
        super().__init__()
        self.how = how
        if how == "build":
            raise RuntimeError("cannot be built")

    def forward(self, x):
        if self.how == "hang":
            time.sleep(60)
        if self.how == "exit":
            os._exit(3)
        if self.how == "memory":
            torch.ones(1 << 36).sum()
        if self.how == "print":
            print("\\x1b[31m\\0garbage" * 100, file=sys.stderr)
        return "no tensor" if self.how == "text" else x


def cases():
    for how in ("build", "hang", "exit", "memory", "print", "text", "fine"):
        yield ModelCase(how, lambda how=how: Awful(how), lambda: [Inputs(torch.rand(2, 2))])
"""


def test_models_that_misbehave_are_verdicts(project, run):
    (project / "zoo.py").write_text(HEAD + AWFUL)
    (project / "pyproject.toml").write_text("[tool.tsrefactor]\ntimeout = 3.0\nmemory = 2.0\n")
    ended = run("migrate", "zoo.py", "--target", "trace", "--report", "r.json", "--diff")
    assert ended.code == 1 and ended.raw == b""
    cases = {case["name"]: case for case in json.loads((project / "r.json").read_text())["cases"]}
    assert {name: case["status"] for name, case in cases.items()}["fine"] == "already"
    assert cases["build"]["error"].startswith("zoo.py:11: ") and "cannot be built" in cases["build"]["error"]
    verdicts = {name: case["before"]["trace"]["verdict"] for name, case in cases.items()}
    assert verdicts["hang"] == "timeout" and verdicts["exit"] == "crash" and verdicts["print"] == "pass"
    assert all("\x1b" not in line and "\0" not in line for line in ended.err.splitlines())
    assert "Traceback" not in ended.err

    assert {name: case["status"] for name, case in cases.items()} == {
        "build": "error", "hang": "error", "exit": "error", "memory": "error", "print": "already", "text": "failed",
        "fine": "already",
    }  # fmt: skip
    lines = {"build": 11, "hang": 15, "memory": 19}
    assert {name: cases[name]["before"]["trace"]["line"] for name in lines} == lines
    assert all(cases[name]["error"].startswith(f"zoo.py:{line}: ") for name, line in lines.items())
    run("verify", "zoo.py", "--target", "trace", "--report", "v.json")
    assert statuses(project / "v.json") == statuses(project / "r.json")
    verified = {case["name"]: case for case in json.loads((project / "v.json").read_text())["cases"]}
    assert {name: verified[name]["before"]["trace"]["line"] for name in lines} == lines
    assert {name: case["error"] for name, case in verified.items()} == {n: c["error"] for n, c in cases.items()}


def test_an_interrupt_reports_what_is_finished(project, start, zoo):
    hangs = "import time\nimport torch\n\n\nclass Hangs(torch.nn.Module):\n    def forward(self, x):\n"
    (project / "hangs.py").write_text(
        hangs + "        open('hanging', 'w')\n        time.sleep(100)\n        return x\n"
    )
    text = zoo.read_text().replace("import trap", "import hangs, trap")
    zoo.write_text(text + case("hangs", "hangs.Hangs"))
    process = start("migrate", "zoo.py", "--target", "trace", "--jobs", "1", "--report", "r.json")
    for _ in range(600):
        if (project / "hanging").exists():
            break
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "Traceback" not in err and out.splitlines()[-1].endswith("(interrupted)")
    report = load_report(project / "r.json")
    assert report.interrupted and {case.name for case in report.cases} >= {"fine"}
    assert "hangs" not in {case.name for case in report.cases}
    assert (project / "trap.py").read_text() in (TRAP, MENDED)
    assert subprocess.run(["git", "status", "--porcelain", "*.tmp"], capture_output=True).stdout == b""
