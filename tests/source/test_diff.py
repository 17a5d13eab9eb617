import re
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tsrefactor.errors import UserError
from tsrefactor.source.diff import changed_lines, display_path, unified
from tsrefactor.source.file import SourceFile

TOOLS = {"git": ["git", "apply", "-p1"], "patch": ["patch", "-p1", "-s"]}


def applied(tool: str, folder: Path, name: str, old: bytes, diff: bytes) -> bytes:
    """What a patch tool makes of a file."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(old)
    if diff:
        done = subprocess.run(TOOLS[tool], cwd=folder, input=diff, capture_output=True)
        assert done.returncode == 0, (done.stdout, done.stderr, diff)
        assert "Hunk" not in done.stdout.decode(), "applied at an offset"
    return path.read_bytes()


def source(text: str, encoding: str = "utf-8", bom: bool = False) -> SourceFile:
    return SourceFile(Path("m.py"), text, encoding, bom)


CASES = {
    "change": ("a\nb\nc\n", "a\nB\nc\n"),
    "two hunks": ("".join(f"{n}\n" for n in range(40)), "".join(f"{n}\n" for n in range(40) if n not in (3, 30))),
    "from empty": ("", "a\nb\n"),
    "to empty": ("a\nb\n", ""),
    "one line to empty": ("a", ""),
    "final newline lost": ("a\nb\n", "a\nb"),
    "final newline gained": ("a\nb", "a\nb\n"),
    "no final newline in context": ("a\nb\nc", "A\nb\nc"),
    "crlf": ("a\r\nb\r\nc\r\n", "a\r\nB\r\nc\r\n"),
    "crlf to lf": ("a\r\nb\r\n", "a\nb\n"),
    "lone cr": ("a\rb\rc\r", "a\rB\rc\r"),
    "form feed": ("a\n\x0cb\nc\n", "a\n\x0cB\nc\n"),
    "separators": ("a\x0b\x1c\x85\u2028b\nc\n", "a\x0b\x1c\x85\u2028b\nC\n"),
    "looks like a diff": ("-- a\n++ b\n@@ -1 +1 @@\n", "-- a\n++ c\n@@ -1 +1 @@\n\\ No newline at end of file\n"),
    "non-ascii": ("é\n漢\n", "é\n漢字\n"),
}


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize("name", CASES)
def test_tools_take_the_diff(tmp_path, tool, name):
    if shutil.which(tool) is None:
        pytest.skip(f"{tool} is not installed")
    old, new = CASES[name]
    assert applied(tool, tmp_path, "m.py", old.encode(), unified(source(old), new, "m.py")) == new.encode()


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize("encoding", ["iso-8859-1", "cp1252", "utf-8"])
def test_the_diff_is_in_the_files_encoding(tmp_path, tool, encoding):
    if shutil.which(tool) is None:
        pytest.skip(f"{tool} is not installed")
    old = source(f"# coding: {encoding}\nx = 'é'\n", encoding, bom=encoding == "utf-8")
    new = old.with_text(old.text.replace("x", "y"))
    diff = unified(old, new.text, "m.py")
    assert "é".encode(encoding) in diff
    assert applied(tool, tmp_path, "m.py", old.encode(), diff) == new.encode()


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize("name", ["my model.py", 'q"uote.py', "back\\slash.py", "tab\there.py", "é漢.py", "a b/c/d.py"])
def test_file_names(tmp_path, tool, name):
    if shutil.which(tool) is None:
        pytest.skip(f"{tool} is not installed")
    assert applied(tool, tmp_path, name, b"a\nb\n", unified(source("a\nb\n"), "a\nc\n", name)) == b"a\nc\n"


def test_several_files_in_one_stream(tmp_path):
    names = ["a.py", "b c.py", "d/e.py"]
    for name in names:
        applied("git", tmp_path, name, b"x\ny", b"")
    stream = b"".join(unified(source("x\ny"), "x\nz", name) for name in names)
    subprocess.run(["git", "apply"], cwd=tmp_path, input=stream, check=True)
    assert all((tmp_path / name).read_bytes() == b"x\nz" for name in names)


LINES = st.lists(st.sampled_from(["", "x = 1", "    return é", "\ty", "-a", "+b", "\\ No", "z\r", "\x0c"]), max_size=12)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(old=LINES, new=LINES, ends=st.tuples(st.booleans(), st.booleans()))
def test_git_apply_turns_any_text_into_any_other(tmp_path, old, new, ends):
    before, after = ("\n".join(lines) + "\n" * end for lines, end in zip((old, new), ends, strict=True))
    diff = unified(source(before), after, "m.py")
    assert applied("git", tmp_path, "m.py", before.encode(), diff) == after.encode()


@given(old=LINES, new=LINES)
def test_counts_what_the_diff_shows(old, new):
    before, after = "\n".join(old), "\n".join(new)
    hunks = unified(source(before), after, "m.py").partition(b"\n@@ ")[2]
    assert changed_lines(before, after) == len(re.findall(rb"\n[-+]", hunks))


def test_equal_texts_give_no_diff():
    assert unified(source("a\n"), "a\n", "m.py") == b""
    assert changed_lines("a\n", "a\n") == 0


def test_text_outside_the_encoding_is_refused():
    with pytest.raises(UserError, match="cannot be written"):
        unified(source("# coding: latin-1\n", "iso-8859-1"), "# coding: latin-1\n'漢'\n", "m.py")


def test_frequent_lines_do_not_grow_the_diff():
    text = "".join(f"x{n} = {n}\n\n\n" for n in range(300))
    assert changed_lines(text, "import torch\n" + text.replace("x150 =", "y =")) == 3


def test_display_path(tmp_path, monkeypatch):
    (tmp_path / "a").mkdir()
    (tmp_path / "link").symlink_to("a")
    monkeypatch.chdir(tmp_path / "a")
    assert display_path(tmp_path / "a/b c.py") == "b c.py"
    assert display_path(tmp_path / "link/m.py") == "m.py"
    assert display_path(tmp_path / "m.py") == "../m.py"
    assert display_path("x/m.py", tmp_path) == "a/x/m.py"


def test_git_applies_it_in_a_subfolder_of_a_work_tree(tmp_path):
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    folder = tmp_path / "sub"
    folder.mkdir()
    (folder / "m.py").write_text("a = 1\nb = 2\n")
    old = SourceFile.read(folder / "m.py")
    diff = unified(old, "a = 1\nb = 3\n", "m.py")
    subprocess.run(["git", "apply"], input=diff, cwd=folder, check=True)
    assert (folder / "m.py").read_text() == "a = 1\nb = 3\n"
