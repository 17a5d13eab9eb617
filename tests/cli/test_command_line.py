import subprocess
import sys

import pytest

import tsrefactor
from tests.cli.conftest import TRAP


def loaded_by(code: str) -> set[str]:
    """The modules that a new interpreter has loaded after some code."""
    told = (
        f"import sys\ntry:\n    {code}\nexcept SystemExit:\n    pass\nprint('\\n'.join(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    return set(done.stderr.split("\n"))


def test_help_loads_nothing_but_typer(project):
    loaded = loaded_by("sys.argv = ['tsrefactor', '--help']; from tsrefactor.cli import main; main()")
    assert "typer" in loaded
    assert not loaded & {"torch", "libcst", "pydantic", "rich", "numpy", "tsrefactor.config", "tsrefactor.rules"}


def test_a_cases_file_that_imports_the_package_loads_nothing_else(project):
    loaded = loaded_by("from tsrefactor import Inputs, ModelCase, migrate, verify")
    assert not loaded & {"torch", "libcst", "pydantic", "rich", "typer", "tsrefactor.config"}


def test_check_loads_neither_torch_nor_libcst(project):
    (project / "model.py").write_text(TRAP)
    loaded = loaded_by("sys.argv = ['tsrefactor', 'check']; from tsrefactor.cli import main; main()")
    assert "tsrefactor.commands.check" in loaded
    assert not loaded & {"torch", "libcst", "numpy"}


def test_rules_load_no_torch(project):
    loaded = loaded_by("sys.argv = ['tsrefactor', 'rules']; from tsrefactor.cli import main; main()")
    assert "tsrefactor.rules.pages" in loaded
    assert "torch" not in loaded


def test_version(run):
    assert run("--version").out.strip() == tsrefactor.__version__


@pytest.mark.parametrize(
    "line",
    ["", "chek", "check --taget script", "check --target onnx", "migrate", "migrate a.py --jobs 0", "verify",
     "apply --placement outer", "record python x.py", "rules a b"],
)  # fmt: skip
def test_a_wrong_command_line_is_exit_2(run, line):
    assert run(*line.split()).code == 2


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("chek", "no such command 'chek'"),
        ("check --taget script", "no such option: --taget "),
        ("check --target", "option '--target' requires an argument; see `"),
        ("check --target scrpt", "--target 'scrpt' is not known; did you mean script? allowed: script, trace, any"),
        ("migrate a.py --target onnx", "--target 'onnx' is not known; allowed: script, trace, any"),
        ("apply --placement innr", "--placement 'innr' is not known; did you mean inner? allowed: inner, module"),
        ("apply --container-style call()", "--container-style 'call()' is not known; did you mean call? allowed: "),
        ("migrate a.py --jobs 0", "--jobs 0 is no number of 1 or more; write it as in --jobs 4"),
        ("verify a.py --jobs two", "--jobs two is no number of 1 or more; "),
        ("verify", "missing argument 'CASES'; see `"),
    ],
)
def test_a_wrong_command_line_is_one_line_that_names_what_was_meant(project, run, line, told):
    ended = run(*line.split())
    assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert ended.err.startswith(f"error: {told}")


@pytest.mark.parametrize("name", ["r.rec", "r", "r.json.gz"])
def test_a_recording_that_no_command_would_take_is_not_made(project, run, name):
    (project / "program.py").write_text("open('ran', 'w')\n")
    ended = run("record", "-o", name, "python", "program.py")
    told = "a recording ends in .tsr or .json, or no command would take it for one"
    assert (ended.code, ended.err) == (2, f"error: {name}: {told}; write -o {name}.tsr\n")
    assert not (project / "ran").exists() and not (project / name).exists()


def test_a_closed_pipe_is_no_traceback(project, start):
    (project / "model.py").write_text(TRAP.replace("0.5 *", f"len([{'len(x), ' * 3000}]) *"))
    process = start("check", "--rule", "len-to-shape")
    assert process.stdout.readline().startswith("model.py:6:29: len-to-shape ")
    process.stdout.close()
    err = process.stderr.read()
    process.wait()
    assert "Traceback" not in err and "BrokenPipe" not in err


@pytest.mark.parametrize("command", ["check", "apply", "verify x.py", "migrate x.py"])
def test_a_wrong_configuration_is_one_line_and_exit_2(project, run, command):
    (project / "pyproject.toml").write_text("[tool.tsrefactor]\ntaget = 'script'\n")
    (project / "x.py").write_text(TRAP)
    ended = run(*command.split())
    assert ended.code == 2
    assert ended.err.splitlines()[-1].startswith("error: pyproject.toml:2: unknown key taget")
