from tests.cli.conftest import MENDED, TRAP


def test_findings_are_on_stdout_and_the_summary_is_not(project, run):
    (project / "model.py").write_text(TRAP)
    ended = run("check", "--rule", "len-to-shape")
    assert ended.code == 1
    assert ended.out.splitlines() == [
        "model.py:6:29: len-to-shape a trace freezes `len` of a tensor; read `shape[0]` [fixable]"
    ]
    assert ended.err.splitlines() == ["1 finding in 1 file: 1 fixable, 0 unsafe"]


def test_no_finding_is_exit_0(project, run):
    (project / "model.py").write_text(MENDED)
    ended = run("check", "--rule", "len-to-shape")
    assert (ended.code, ended.out, ended.err) == (0, "", "no findings\n")


def test_what_rests_on_a_presumption_is_unsafe(project, run):
    (project / "model.py").write_text("import torch\n\n\ndef f(x):\n    return torch.arange(len(x))\n")
    assert run("check", "--rule", "len-to-shape").out.rstrip().endswith("[fixable] [unsafe]")


def test_the_column_counts_characters(project, run):
    (project / "model.py").write_text(TRAP.replace("return torch", "y = 'ä'; return torch"))
    assert run("check", "--rule", "len-to-shape").out.startswith("model.py:6:38: ")


def test_a_target_leaves_out_the_rules_of_the_other(project, run):
    (project / "model.py").write_text(TRAP)
    assert "len-to-shape" in run("check", "--target", "trace").out
    assert "len-to-shape" in run("check", "--target", "any").out
    assert "len-to-shape" not in run("check", "--target", "script").out


def test_the_configuration_chooses_files_and_rules(project, run):
    (project / "pyproject.toml").write_text(
        '[tool.tsrefactor]\nsrc = ["lib"]\nexclude = ["old"]\nrules = ["len-to-shape"]\n'
    )
    for folder in ("lib", "lib/old", "elsewhere"):
        (project / folder).mkdir()
        (project / folder / "model.py").write_text(TRAP)
    lines = run("check").out.splitlines()
    assert [line.split(": ")[0] for line in lines] == ["lib/model.py:6:29"]
    (project / "pyproject.toml").write_text('[tool.tsrefactor]\nignore = ["len-to-shape"]\n')
    assert "len-to-shape" not in run("check", "lib").out
    assert "len-to-shape" in run("check", "lib", "--rule", "len-to-shape").out


def test_an_unknown_rule_names_the_nearest(project, run):
    (project / "model.py").write_text(TRAP)
    ended = run("check", "--rule", "len-to-shap")
    assert ended.code == 2
    assert ended.err == "error: no rule is called 'len-to-shap'; did you mean len-to-shape?\n" or (
        "did you mean len-to-shape" in ended.err and ended.err.count("\n") == 1
    )


def test_a_path_that_is_not_there(project, run):
    ended = run("check", "nowhere")
    assert ended.code == 2
    assert ended.err == "error: nowhere: no such file or folder; check the path\n"


def test_a_folder_without_python(project, run):
    (project / "empty").mkdir()
    (project / "model.py").write_text(TRAP)
    ended = run("check", "empty", "model.py", "--rule", "len-to-shape")
    assert ended.code == 2
    assert ended.err.splitlines()[-1].startswith("error: empty: holds no Python files; ")
    assert ended.out.startswith("model.py:6:29: ")


def test_a_bad_file_is_told_and_the_others_are_checked(project, run):
    (project / "a.py").write_text("import torch\ndef f(:\n")
    (project / "b.py").write_text(TRAP)
    (project / "c.py").write_bytes(b"x = '\xff'\n")
    (project / "d.py").write_text("# coding: klingon\n")
    (project / "e.py").write_bytes(b"x = 1\0\n")
    (project / "f.py").write_text("")
    ended = run("check", "--rule", "len-to-shape")
    assert ended.code == 2
    assert ended.out.count("\n") == 1 and ended.out.startswith("b.py:6:29: ")
    errors = [line for line in ended.err.splitlines() if line.startswith("error: ")]
    assert [error.split(" ")[1] for error in errors] == ["a.py:2:", "c.py:1:", "d.py:", "e.py:1:"]
    assert all("; " in error for error in errors)


def test_a_rule_that_fails_is_an_internal_error_of_one_file(project, run, monkeypatch):
    from tsrefactor.rules.len_to_shape import LenToShape

    (project / "a.py").write_text(TRAP)
    (project / "b.py").write_text(TRAP)
    whole = LenToShape.findings

    def findings(self, file, settings):
        if file.source.path.name == "a.py":
            raise KeyError("gone")
        return whole(self, file, settings)

    monkeypatch.setattr(LenToShape, "findings", findings)
    ended = run("check", "--rule", "len-to-shape")
    assert ended.code == 2
    assert ended.out.startswith("b.py:6:29")
    assert "error: a.py: internal error: KeyError: 'gone' (test_check.py:" in ended.err
