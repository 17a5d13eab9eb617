"""Which commands are Python programs, and that they run as Python would run them."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

import tsrefactor.errors
from tsrefactor.errors import UserError
from tsrefactor.record.program import Program, resolve


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=":")
    (tmp_path / "bin").mkdir()
    for name, text in {
        "tool": "#!/usr/bin/env python3\n",
        "long": "#!/bin/sh\n'''exec' /some/python \"$0\" \"$@\"\n' '''\n",
        "shell": "#!/bin/sh\necho python\n",
        "binary": "\x7fELF python\n",
    }.items():
        file = tmp_path / "bin" / name
        file.write_text(text)
        file.chmod(file.stat().st_mode | stat.S_IXUSR)
    (tmp_path / "s.py").write_text("")
    return tmp_path


@pytest.mark.parametrize(
    ("command", "program"),
    [
        ("python s.py a -m b", Program("script", "s.py", ("a", "-m", "b"))),
        ("python3.11 -u -W error -Xdev s.py", Program("script", "s.py", (), ("-u", "-W", "error", "-Xdev"))),
        ("/usr/bin/python -m pkg.mod -x", Program("module", "pkg.mod", ("-x",))),
        ("python -mmod", Program("module", "mod")),
        ("python -c pass a", Program("code", "pass", ("a",))),
        ("s.py a", Program("script", "s.py", ("a",))),
    ],
)
def test_python_commands(folder, command, program):
    assert resolve(command.split()) == program


@pytest.mark.parametrize("name", ["tool", "long"])
def test_installed_scripts(folder, name):
    assert resolve([name, "a"]) == Program("script", str(folder / "bin" / name), ("a",))


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("", "no command"),
        ("no-such-program", "no such program"),
        ("shell", "not a Python program"),
        ("binary", "not a Python program"),
        ("python", "runs no program"),
        ("python -m", "runs no program"),
        ("python -i s.py", "option -i"),
        ("python missing.py", "no such script"),
    ],
)
def test_other_commands(folder, command, says):
    with pytest.raises(UserError, match=says) as raised:
        resolve(command.split())
    assert raised.value.remedy


@pytest.mark.parametrize("way", ["script", "module", "package", "code"])
def test_a_program_runs_as_python_runs_it(tmp_path, monkeypatch, way):
    """Compared word for word with what `python` itself prints."""
    text = """
import sys
def f(x: int): pass
main = sys.modules["__main__"].__dict__ is globals()
print(__name__, sys.argv, sys.path[0], __spec__ and __spec__.name, __package__, main, f.__annotations__)
print(globals().get("__file__"), type(__loader__).__name__ if __spec__ else "")
import neighbour
"""
    (tmp_path / "neighbour.py").write_text("print('imported')")
    (tmp_path / "prog.py").write_text(text)
    (tmp_path / "pkg").mkdir()
    (tmp_path / "pkg" / "__init__.py").write_text("")
    (tmp_path / "pkg" / "__main__.py").write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    command = {
        "script": ["prog.py"], "module": ["-m", "prog"], "package": ["-m", "pkg"], "code": ["-c", text],
    }[way]  # fmt: skip
    words = ["python", *command, "a"]
    expected = subprocess.run([sys.executable, *words[1:]], capture_output=True, text=True, check=True).stdout
    program = resolve(words)
    code = (
        "import sys; from tsrefactor.record.program import Program, execute; "
        f"sys.path[:] = [p for p in sys.path if p]; execute({program!r})"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=_with_package())
    assert found.stdout == expected, found.stderr
    assert expected.endswith("imported\n")


def _with_package():
    root = Path(tsrefactor.errors.__file__).resolve().parents[1]
    return {**os.environ, "PYTHONPATH": str(root)}


def test_a_module_that_is_not_there_ends_as_in_python():
    code = "from tsrefactor.record.program import Program, execute; execute(Program('module', 'no_such_module'))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=_with_package())
    assert found.returncode == 1
    assert found.stderr.strip() == f"{sys.executable}: No module named no_such_module"
