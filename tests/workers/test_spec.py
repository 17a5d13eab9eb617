from __future__ import annotations

import json
from pathlib import Path

import pytest

from tsrefactor.errors import UserError
from tsrefactor.workers.spec import parse_init, parse_input, parse_spec


@pytest.fixture(autouse=True)
def _files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "zoo.py").write_text("")
    (tmp_path / "odd.py.py").write_text("")
    (tmp_path / "run.tsr").write_text(json.dumps({"version": 1, "command": ["train.py", "--epochs", "1"]}))
    (tmp_path / "report.json").write_text("{}")
    (tmp_path / "broken.tsr").write_text("{")
    (tmp_path / "folder.py").mkdir()


def test_a_file_gives_all_its_cases(tmp_path: Path) -> None:
    spec = parse_spec("zoo.py")
    assert (spec.kind, spec.path, spec.name) == ("file", tmp_path / "zoo.py", None)


def test_a_name_may_itself_contain_the_separator() -> None:
    assert parse_spec("zoo.py::project::3:Net.py::x").name == "project::3:Net.py::x"
    assert parse_spec("zoo.py::end.py").name == "end.py"


def test_a_class_by_module_or_by_file(tmp_path: Path) -> None:
    spec = parse_spec("package.models:Outer.Net", "4, widths=[1, 2]", ["1,3,64,64", "int64:1,16"])
    assert (spec.kind, spec.module, spec.path, spec.cls) == ("class", "package.models", None, "Outer.Net")
    assert (spec.init, spec.inputs) == ("4, widths=[1, 2]", ("1,3,64,64", "int64:1,16"))
    spec = parse_spec("zoo.py:Net", None, ["1,3"])
    assert (spec.kind, spec.module, spec.path) == ("class", None, tmp_path / "zoo.py")


def test_a_recording_brings_its_command(tmp_path: Path) -> None:
    spec = parse_spec("run.tsr")
    assert (spec.kind, spec.path, spec.command) == ("recording", tmp_path / "run.tsr", ("train.py", "--epochs", "1"))


def test_constructor_arguments_are_literals() -> None:
    assert parse_init("4, widths=[16, -32], mode='a', rate=None") == (
        [4],
        {"widths": [16, -32], "mode": "a", "rate": None},
    )
    assert parse_init("") == ([], {})


def test_shapes_and_dtypes() -> None:
    assert parse_input("1, 3,64") == ("float32", (1, 3, 64))
    assert parse_input("int64:1,16") == ("int64", (1, 16))
    assert parse_input("bool:") == ("bool", ())
    assert parse_input("0,4") == ("float32", (0, 4))


@pytest.mark.parametrize(
    ("text", "init", "inputs", "words"),
    [
        ("missing.py", None, (), "no such file"),
        ("missing.py::a", None, (), "no such file"),
        ("folder.py", None, (), "is a folder"),
        ("zoo.py::", None, (), "names no case"),
        ("zoo.py", "width=1", (), "--init goes with a class"),
        ("zoo.py::a", None, ("1,3",), "--input goes with a class"),
        ("run.tsr", None, ("1,3",), "--input goes with a class"),
        ("zoo.py:Net", None, (), "needs inputs"),
        ("missing.py:Net", None, ("1",), "no such file"),
        ("some/where:Net", None, ("1",), "neither a module's dotted name nor a .py file"),
        ("package.models:not-a-name", None, ("1",), "is not understood"),
        ("zoo", None, (), "is not understood"),
        ("", None, (), "is not understood"),
        (
            "m:Net",
            "width=open('x')",
            ("1",),
            r"^--init \"width=open\('x'\)\" cannot be read: open\('x'\) is no literal;",
        ),
        ("m:Net", "words=[1, foo()]", ("1",), r"cannot be read: \[1, foo\(\)\] is no literal;"),
        ("m:Net", "{[]: 1}", ("1",), r"cannot be read: \{\[\]: 1\} is no literal;"),
        ("m:Net", "**{'a': 1}", ("1",), r"\*\* is no literal;"),
        ("m:Net", "1)(2", ("1",), "it is no list of arguments;"),
        ("m:Net", "1,,", ("1",), "cannot be read: invalid syntax;"),
        ("m:Net", None, ("float33:1",), "names no dtype"),
        ("m:Net", None, ("1,x",), "is not a shape"),
        ("m:Net", None, ("1,-3",), "is not a shape"),
        ("m:Net", None, ("",), "is not a shape"),
        ("report.json", None, (), "is not a recording"),
        ("broken.tsr", None, (), "is not a recording"),
    ],
)
def test_what_cannot_be_meant_is_said_with_a_remedy(
    text: str, init: str | None, inputs: tuple[str, ...], words: str
) -> None:
    with pytest.raises(UserError, match=words) as caught:
        parse_spec(text, init, inputs)
    assert caught.value.remedy
    assert "\n" not in str(caught.value)


def test_reading_the_argument_needs_no_torch() -> None:
    import subprocess
    import sys

    code = "import sys, tsrefactor.workers.pool; sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    root = Path(__file__).parents[2]
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0
