import shutil
import subprocess
from pathlib import Path

import pytest

from tsrefactor.errors import UserError
from tsrefactor.source.git import dirty

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


def git(folder: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=t", "-c", "user.email=t@t", "-c", "protocol.file.allow=always"]
    subprocess.run(["git", "-C", str(folder), *identity, *arguments], check=True, capture_output=True)


def repository(folder: Path, *names: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    git(folder, "init", "-q")
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"# {name}\n")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "--allow-empty", "-m", "first")
    return folder


def names(root: Path, *files: str) -> set[str]:
    return {path.relative_to(root).as_posix() for path in dirty([root / name for name in files])}


def test_each_kind_of_change(tmp_path):
    root = repository(tmp_path / "r", "clean.py", "changed.py", "staged.py", "moved.py", "sub/clean.py")
    (root / "changed.py").write_text("x\n")
    (root / "staged.py").write_text("x\n")
    git(root, "add", "staged.py")
    git(root, "mv", "moved.py", "new place.py")
    (root / "untracked.py").write_text("")
    (root / "new/deep").mkdir(parents=True)
    (root / "new/deep/m.py").write_text("")
    (root / ".gitignore").write_text("ignored.py\n")
    (root / "ignored.py").write_text("")
    files = ["clean.py", "changed.py", "staged.py", "new place.py", "sub/clean.py", "untracked.py", "new/deep/m.py"]
    assert names(root, *files, "ignored.py") == {*files} - {"clean.py", "sub/clean.py"}
    assert names(root, "new/deep/m.py") == {"new/deep/m.py"}
    assert names(root, "clean.py", "sub/clean.py") == set()


def test_odd_names(tmp_path):
    odd = ["a b.py", "é漢.py", 'q"uote.py', "new\nline.py", "*.py", "[x].py", ":(top)m.py"]
    root = repository(tmp_path / "a [b] é", *odd, "x.py")
    assert names(root, *odd) == set()
    for name in odd:
        (root / name).write_text("changed\n")
        assert names(root, *odd) == {name}
        git(root, "checkout", "--", ".")


def test_a_repository_without_a_commit(tmp_path):
    git(tmp_path, "init", "-q")
    (tmp_path / "m.py").write_text("")
    assert names(tmp_path, "m.py") == {"m.py"}


def test_outside_of_git(tmp_path):
    (tmp_path / "m.py").write_text("")
    assert dirty([tmp_path / "m.py"]) == set()
    assert dirty([]) == set()
    (tmp_path / ".git").mkdir()
    assert dirty([tmp_path / "m.py"]) == set(), "no repository, whatever the folder is called"


def test_without_git(tmp_path, monkeypatch):
    root = repository(tmp_path)
    (root / "m.py").write_text("")
    monkeypatch.setenv("PATH", "")
    assert dirty([root / "m.py"]) == set()


def test_submodules_and_worktrees_are_asked_themselves(tmp_path):
    library = repository(tmp_path / "library", "lib.py", "clean.py")
    root = repository(tmp_path / "main", "m.py")
    git(root, "submodule", "add", "-q", str(library), "vendor")
    git(root, "commit", "-q", "-m", "vendor")
    git(root, "worktree", "add", "-q", str(tmp_path / "other"), "-b", "other")
    (root / "vendor/lib.py").write_text("changed\n")
    (tmp_path / "other/m.py").write_text("changed\n")
    files = [root / "m.py", root / "vendor/lib.py", root / "vendor/clean.py", tmp_path / "other/m.py"]
    assert dirty(files) == {root / "vendor/lib.py", tmp_path / "other/m.py"}


def test_links_and_relative_paths(tmp_path, monkeypatch):
    root = repository(tmp_path / "r", "m.py", "n.py")
    (root / "m.py").write_text("changed\n")
    (tmp_path / "link.py").symlink_to(root / "m.py")
    monkeypatch.chdir(root)
    given = [Path("m.py"), Path("n.py"), tmp_path / "link.py"]
    assert dirty(given) == {Path("m.py"), tmp_path / "link.py"}


def test_a_hook_does_not_mislead_it(tmp_path, monkeypatch):
    root, other = repository(tmp_path / "a", "m.py"), repository(tmp_path / "b", "m.py")
    (root / "m.py").write_text("changed\n")
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(other / ".git/index"))
    assert dirty([root / "m.py"]) == {root / "m.py"}


def test_a_git_that_will_not_answer_is_an_error(tmp_path):
    root = repository(tmp_path / "r", "m.py")
    (root / ".git/config").write_text("[core\n")
    with pytest.raises(UserError, match=r"git status: .*bad config") as caught:
        dirty([root / "m.py"])
    assert "--allow-dirty" in caught.value.remedy
