import codecs
import os
import subprocess

import pytest

from tests.cli.conftest import MENDED, TRAP


def apply(run, *arguments):
    return run("apply", "--rule", "len-to-shape", *arguments)


def test_a_diff_is_all_that_is_on_stdout_and_git_takes_it(project, run, git):
    (project / "lib").mkdir()
    model = project / "lib" / "my model.py"
    model.write_text(TRAP)
    ended = apply(run, "--diff")
    assert ended.code == 1
    assert ended.raw.startswith(b"--- a/")
    assert ended.err.splitlines() == ["1 edit in 1 file would be made"]
    assert model.read_text() == TRAP and not (project / ".tsrefactor").exists()
    assert git("apply", "--check", "-", given=ended.raw) == 0
    assert subprocess.run(["patch", "-s", "-p1"], input=ended.raw).returncode == 0
    assert model.read_text() == MENDED


def test_a_file_outside_is_left_out_of_the_diff_that_git_takes(project, run, git, tmp_path):
    (project / "model.py").write_text(TRAP)
    outside = tmp_path / "outside.py"
    outside.write_text(TRAP)
    ended = apply(run, ".", outside, "--diff")
    assert ended.code == 2
    assert ended.raw.startswith(b"--- a/model.py\n") and ended.raw.count(b"--- a/") == 1
    assert git("apply", "--check", "-", given=ended.raw) == 0
    assert ended.err.splitlines() == [
        "1 edit in 1 file would be made",
        f"error: {outside}: is left out of the diff: a patch cannot reach out of the current folder; "
        "run from a folder above it",
    ]


def test_no_diff_is_exit_0(project, run):
    (project / "model.py").write_text(MENDED)
    ended = apply(run, "--diff")
    assert (ended.code, ended.raw) == (0, b"")


def forms() -> dict[str, bytes]:
    umlaut = TRAP.replace("one a row", "für jede Zeile")
    return {
        "plain": TRAP.encode(),
        "crlf": TRAP.replace("\n", "\r\n").encode(),
        "cr": TRAP.replace("\n", "\r").encode(),
        "mixed": TRAP.replace("\n", "\r", 2).encode(),
        "bom": codecs.BOM_UTF8 + umlaut.encode(),
        "latin": ("# coding: latin-1\n" + umlaut).encode("latin-1"),
        "tabs": TRAP.replace("    ", "\t").encode(),
        "no-final-newline": TRAP.rstrip("\n").encode(),
    }


@pytest.mark.parametrize("form", forms())
def test_apply_then_undo_gives_back_every_byte(project, run, form):
    model = project / "model.py"
    model.write_bytes(forms()[form])
    assert apply(run).code == 0
    assert model.read_bytes() == forms()[form].replace(b"len(x)", b"x.shape[0]")
    assert apply(run).code == 0
    assert model.read_bytes() == forms()[form].replace(b"len(x)", b"x.shape[0]")
    assert run("undo").code == 0
    assert model.read_bytes() == forms()[form]
    ended = run("undo")
    assert ended.code == 2 and ended.err.startswith("error: nothing to undo; ")


@pytest.mark.parametrize("form", forms())
def test_the_diff_of_every_form_applies(project, run, git, form):
    (project / "model.py").write_bytes(forms()[form])
    ended = apply(run, "--diff")
    assert git("apply", "--check", "-", given=ended.raw) == 0


def test_a_second_run_changes_nothing(project, run):
    (project / "model.py").write_text(TRAP)
    assert "1 edit in 1 file made (run 1;" in apply(run).err
    assert apply(run).err.splitlines() == ["0 edits in 0 files made"]
    assert [path.name for path in (project / ".tsrefactor" / "runs").iterdir()] == ["1"]


def test_undo_of_a_run_by_its_number(project, run):
    for name in ("a.py", "b.py"):
        (project / name).write_text(TRAP)
        apply(run, name)
    assert run("undo", "1").err.splitlines() == ["restored a.py", "1 file as before the run"]
    assert (project / "a.py").read_text() == TRAP and (project / "b.py").read_text() == MENDED
    assert run("undo", "7").code == 2
    (project / "b.py").write_text("# mine\n")
    ended = run("undo", "2")
    assert ended.code == 2 and ended.err.startswith("error: b.py: was changed after run 2; ")


def test_uncommitted_changes_are_refused(project, run, git):
    (project / "clean.py").write_text(TRAP)
    (project / "dirty.py").write_text("")
    git("add", "-A")
    git("commit", "-qm", "first")
    (project / "dirty.py").write_text(TRAP)
    ended = apply(run)
    assert ended.code == 1
    assert "refused: dirty.py: has uncommitted changes; commit them, or use --allow-dirty" in ended.err
    assert "+        return torch.arange(x.shape[0])" in ended.err
    assert (project / "dirty.py").read_text() == TRAP and (project / "clean.py").read_text() == MENDED
    assert apply(run, "--allow-dirty").code == 0
    assert (project / "dirty.py").read_text() == MENDED


def test_a_read_only_file_is_refused(project, run):
    (project / "free.py").write_text(TRAP)
    locked = project / "locked.py"
    locked.write_text(TRAP)
    locked.chmod(0o444)
    ended = apply(run)
    assert ended.code == 1
    assert "refused: locked.py: is read-only; " in ended.err
    assert locked.read_text() == TRAP and (project / "free.py").read_text() == MENDED


def test_an_installed_package_is_shown_but_never_written(project, run):
    package = project / "site-packages" / "thing"
    package.mkdir(parents=True)
    (package / "model.py").write_text(TRAP)
    assert apply(run, package, "--diff").code == 1
    ended = apply(run, package)
    assert ended.code == 1
    assert "refused: site-packages/thing/model.py: belongs to an installed package" in ended.err
    assert (package / "model.py").read_text() == TRAP


def test_a_symbolic_link_stays_one(project, run):
    (project / "lib").mkdir()
    (project / "lib" / "real.py").write_text(TRAP)
    os.symlink("lib/real.py", project / "link.py")
    assert apply(run, "link.py").code == 0
    assert (project / "link.py").is_symlink()
    assert (project / "lib" / "real.py").read_text() == MENDED


def test_presumed_edits_need_unsafe(project, run):
    text = "import torch\n\n\ndef f(x):\n    return torch.arange(len(x))\n"
    (project / "model.py").write_text(text)
    ended = apply(run, "--diff")
    assert ended.code == 0 and "1 unsafe finding left" in ended.err
    assert b"+    return torch.arange(x.shape[0])" in apply(run, "--diff", "--unsafe").raw


def test_a_bad_file_does_not_stop_the_others(project, run):
    (project / "bad.py").write_text("def f(:\n")
    (project / "good.py").write_text(TRAP)
    ended = apply(run)
    assert ended.code == 2
    assert "error: bad.py:1: syntax error: " in ended.err
    assert (project / "good.py").read_text() == MENDED


def test_a_result_that_would_change_again_is_left_alone(project, run, monkeypatch):
    from tsrefactor.rules.len_to_shape import LenToShape
    from tsrefactor.source.edits import Replace

    (project / "a.py").write_text(TRAP)

    def findings(self, file, settings):
        call = next(file.functions[0].calls("torch.arange"))
        yield self.finding(call, "more", Replace(call.args[0], "{n} + 1", {"n": call.args[0]}))

    monkeypatch.setattr(LenToShape, "findings", findings)
    ended = apply(run)
    assert ended.code == 2
    assert "error: " in ended.err and "len-to-shape" in ended.err
    assert (project / "a.py").read_text() == TRAP


def test_require_verified_needs_cases(project, run):
    (project / "model.py").write_text(TRAP)
    ended = apply(run, "--require-verified")
    assert ended.code == 2 and ended.err == "error: --require-verified needs cases that verify; give --cases CASES\n"


def test_a_recording_that_is_none(project, run):
    (project / "model.py").write_text(TRAP)
    (project / "r.tsr").write_text("{}")
    assert apply(run, "--recording", "r.tsr").err.startswith("error: r.tsr: is not a recording ")


def test_nothing_is_written_where_no_journal_can_be(project, run):
    (project / "model.py").write_text(TRAP)
    (project / ".tsrefactor").write_text("in the way")
    ended = apply(run)
    assert ended.code == 2 and "no journal can be kept here" in ended.err
    assert (project / "model.py").read_text() == TRAP
