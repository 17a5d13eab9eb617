import os
import sysconfig
from pathlib import Path

import pytest

from tsrefactor.errors import UserError
from tsrefactor.source.walk import is_installed, python_files


def tree(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x = 1\n")


def found(root: Path, *paths: str, exclude: tuple[str, ...] = ()) -> list[str]:
    files = python_files([root / path for path in paths or (".",)], exclude)
    assert all(file.is_absolute() for file in files)
    return [file.relative_to(root.resolve()).as_posix() for file in files]


def test_walks_folders_without_hidden_and_installed_files(tmp_path):
    tree(tmp_path, "b.py", "a/c.py", "a/d.pyi", "a/e.txt", ".hidden.py", ".git/x.py", "A.py")
    tree(tmp_path, "lib/site-packages/p.py", "dist-packages/q.py", "env/bin/tool.py", "env/pyvenv.cfg")
    assert found(tmp_path) == ["A.py", "a/c.py", "b.py"]


def test_a_named_hidden_or_installed_folder_is_walked(tmp_path):
    tree(tmp_path, ".work/x.py", "site-packages/pkg/y.py", "env/z.py", "env/pyvenv.cfg")
    assert found(tmp_path, ".work", "site-packages/pkg", "env") == [".work/x.py", "env/z.py", "site-packages/pkg/y.py"]


@pytest.mark.parametrize(
    ("glob", "left"),
    [
        ("build", ["a/old/m.py", "a/x.py", "a/x_pb2.py", "s/t/u/gen.py", "s/gen.py"]),
        ("build/", ["a/old/m.py", "a/x.py", "a/x_pb2.py", "s/t/u/gen.py", "s/gen.py"]),
        ("*_pb2.py", ["a/build/b.py", "a/old/m.py", "a/x.py", "s/t/u/gen.py", "s/gen.py"]),
        ("a/old", ["a/build/b.py", "a/x.py", "a/x_pb2.py", "s/t/u/gen.py", "s/gen.py"]),
        ("a/*", ["s/t/u/gen.py", "s/gen.py"]),
        ("a/**", ["s/t/u/gen.py", "s/gen.py"]),
        ("s/**/gen.py", ["a/build/b.py", "a/old/m.py", "a/x.py", "a/x_pb2.py"]),
        ("**/gen.py", ["a/build/b.py", "a/old/m.py", "a/x.py", "a/x_pb2.py"]),
        ("GEN.py", ["a/build/b.py", "a/old/m.py", "a/x.py", "a/x_pb2.py", "s/t/u/gen.py", "s/gen.py"]),
    ],
)
def test_exclude(tmp_path, glob, left):
    tree(tmp_path, "a/x.py", "a/x_pb2.py", "a/build/b.py", "a/old/m.py", "s/gen.py", "s/t/u/gen.py")
    assert found(tmp_path, exclude=(glob,)) == sorted(left)


def test_exclude_takes_an_absolute_path(tmp_path):
    tree(tmp_path, "a/x.py", "b/a/x.py")
    assert found(tmp_path, exclude=(str(tmp_path / "a"),)) == ["b/a/x.py"]


def test_a_named_file_is_taken_though_excluded(tmp_path):
    tree(tmp_path, "x.py")
    assert found(tmp_path, "x.py", exclude=("x.py",)) == ["x.py"]


def test_each_file_once(tmp_path):
    tree(tmp_path, "a/x.py", "y.py")
    (tmp_path / "link.py").symlink_to("y.py")
    assert found(tmp_path, "a", ".", "a/x.py", "link.py") == ["a/x.py", "y.py"]


def test_links_neither_loop_nor_lead_out(tmp_path):
    tree(tmp_path, "in/x.py", "out/y.py")
    (tmp_path / "in/loop").symlink_to(tmp_path / "in")
    (tmp_path / "in/away").symlink_to(tmp_path / "out")
    (tmp_path / "in/dangling.py").symlink_to("nowhere")
    os.mkfifo(tmp_path / "in/pipe.py")
    assert found(tmp_path, "in") == ["in/x.py"]
    assert found(tmp_path, "in/away") == ["out/y.py"], "a named link is followed"


def test_a_link_to_a_file_elsewhere_is_followed_only_where_it_is_named(tmp_path):
    tree(tmp_path, "in/a/x.py", "out/y.py", "inner/z.py")
    (tmp_path / "in/y.py").symlink_to("../out/y.py")
    (tmp_path / "in/z.py").symlink_to("../inner/z.py")
    (tmp_path / "in/alias.py").symlink_to("a/x.py")
    (tmp_path / "link").symlink_to("in")
    assert found(tmp_path, "in") == found(tmp_path, "link") == ["in/a/x.py"]
    assert found(tmp_path, "in/y.py") == ["out/y.py"]


def test_relative_paths(tmp_path, monkeypatch):
    tree(tmp_path, "a/x.py")
    monkeypatch.chdir(tmp_path / "a")
    assert python_files(["."], ["a"]) == [(tmp_path / "a/x.py").resolve()], "only what lies below is excluded"


def test_a_folder_without_python_holds_nothing(tmp_path):
    assert python_files([tmp_path]) == []


@pytest.mark.parametrize(
    ("name", "message"),
    [("missing", "no such file or folder"), ("x.txt", "not a .py file"), ("x.pyi", "not a .py file")],
)
def test_refuses_other_paths(tmp_path, name, message):
    tree(tmp_path, "x.txt", "x.pyi")
    with pytest.raises(UserError, match=message) as caught:
        python_files([tmp_path / name])
    assert str(caught.value.file) == str(tmp_path / name)
    assert caught.value.remedy


def test_refuses_a_folder_it_cannot_list(tmp_path):
    (tmp_path / "a").mkdir(mode=0)
    if os.access(tmp_path / "a", os.R_OK):
        pytest.skip("root lists everything")
    with pytest.raises(UserError, match="cannot be listed"):
        python_files([tmp_path])
    assert python_files([tmp_path], exclude=["a"]) == []


def test_installed_files(tmp_path):
    import hypothesis

    assert is_installed(Path(hypothesis.__file__))
    assert is_installed(Path(sysconfig.get_path("stdlib")) / "ast.py")
    assert not is_installed(tmp_path / "model.py")
