import json
from pathlib import Path

import pytest

from tsrefactor.errors import UserError
from tsrefactor.source import journal
from tsrefactor.source.file import SourceFile

ODD = {
    "crlf.py": b"x = 1\r\n",
    "bom.py": b"\xef\xbb\xbfx = 1\n",
    "latin.py": b"# coding: latin-1\nx = '\xe9'\n",
    "open end.py": b"x = 1",
    "empty.py": b"",
    "cr.py": b"x = 1\ry\x0c = 2\r",
}


@pytest.fixture
def root(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def rewrite(files: dict[str, bytes], addition: str = "\nz = 2\n", root: str = ".") -> journal.Run | None:
    pending = journal.begin(["tsrefactor", "apply"], root)
    for name, data in files.items():
        path = Path(name)
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_bytes(data)
        file = SourceFile.read(path)
        pending.add(file, file.text + addition)
    run, refused = pending.commit()
    assert not refused
    return run


def contents(files: dict[str, bytes]) -> dict[str, bytes]:
    return {name: Path(name).read_bytes() for name in files}


def test_undo_gives_every_byte_back(root):
    run = rewrite(ODD)
    assert contents(ODD) == {name: data + b"\nz = 2\n" for name, data in ODD.items()}
    assert run is not None and run.command == ("tsrefactor", "apply")
    restored = journal.undo()
    assert contents(ODD) == ODD
    assert sorted(path.name for path in restored) == sorted(ODD)
    assert (root / ".tsrefactor/.gitignore").read_text() == "*\n"


def test_undo_twice_has_nothing_to_undo(root):
    run = rewrite({"a.py": b"x"})
    journal.undo()
    with pytest.raises(UserError, match="nothing to undo"):
        journal.undo()
    with pytest.raises(UserError, match="has been undone already"):
        journal.undo(run.id)


def test_undo_without_a_journal(root):
    with pytest.raises(UserError, match="nothing to undo"):
        journal.undo()
    with pytest.raises(UserError, match="no run 7; runs that can be undone: none"):
        journal.undo("7")


def test_runs_are_numbered_and_undone_from_the_last(root):
    for name in "abcdefghijk":
        rewrite({f"{name}.py": b"x"})
    assert [run.id for run in journal.runs()] == [str(n) for n in range(1, 12)]
    assert [path.name for path in journal.undo()] == ["k.py"]
    assert [path.name for path in journal.undo()] == ["j.py"]
    assert [path.name for path in journal.undo("3")] == ["c.py"]
    assert [run.id for run in journal.runs() if run.undone] == ["3", "10", "11"]


def test_an_earlier_run_of_a_file_waits_for_the_later(root):
    first = rewrite({"a.py": b"x"})
    file = SourceFile.read("a.py")
    pending = journal.begin(["tsrefactor"])
    pending.add(file, file.text + "w = 3\n")
    pending.commit()
    with pytest.raises(UserError, match="changed after run 1"):
        journal.undo(first.id)
    journal.undo()
    journal.undo()
    assert Path("a.py").read_bytes() == b"x"


def test_a_file_changed_since_refuses_all(root):
    run = rewrite(ODD)
    before = contents(ODD)
    for name in ODD:
        Path(name).write_bytes(b"mine")
        with pytest.raises(UserError, match=f"changed after run {run.id}") as caught:
            journal.undo()
        assert Path(str(caught.value.file)).name == name
        assert contents(ODD) == before | {name: b"mine"}
        Path(name).write_bytes(before[name])
    Path("bom.py").unlink()
    with pytest.raises(UserError, match="cannot undo run"):
        journal.undo()
    assert Path("crlf.py").read_bytes() == before["crlf.py"]


def test_a_read_only_file_refuses_all(root):
    rewrite({"a.py": b"x", "b.py": b"y"})
    Path("b.py").chmod(0o444)
    with pytest.raises(UserError, match="read-only"):
        journal.undo()
    assert Path("a.py").read_bytes() == b"x\nz = 2\n"


def test_an_interrupted_run_can_be_undone(root, monkeypatch):
    files = {"a.py": b"x", "b.py": b"y", "c.py": b"z"}
    write_file = journal.write_file

    def stopped(old: SourceFile, new_text: str) -> None:
        if old.path.name == "b.py":
            raise KeyboardInterrupt
        write_file(old, new_text)

    monkeypatch.setattr(journal, "write_file", stopped)
    with pytest.raises(KeyboardInterrupt):
        rewrite(files)
    assert Path("a.py").read_bytes() != b"x"
    assert [path.name for path in journal.undo()] == ["a.py"]
    assert contents(files) == files


def test_a_run_interrupted_before_its_record_is_none(root):
    (root / ".tsrefactor/runs/1/before").mkdir(parents=True)
    assert journal.runs() == []
    assert rewrite({"a.py": b"x"}).id == "2"


def test_a_file_refused_while_writing_does_not_stop_the_others(root):
    for name in ("a.py", "b.py"):
        Path(name).write_bytes(b"x")
    pending = journal.begin(["tsrefactor"])
    for name in ("a.py", "b.py"):
        pending.add(SourceFile.read(name), "y")
    Path("a.py").write_bytes(b"mine")
    run, refused = pending.commit()
    assert run is not None
    assert [Path(str(error.file)).name for error in refused] == ["a.py"]
    assert contents({"a.py": b"", "b.py": b""}) == {"a.py": b"mine", "b.py": b"y"}


def test_a_run_that_wrote_nothing_is_not_kept(root):
    Path("a.py").write_bytes(b"x")
    pending = journal.begin(["tsrefactor"])
    assert pending.commit() == (None, [])
    pending.add(SourceFile.read("a.py"), "y")
    Path("a.py").chmod(0o444)
    run, refused = pending.commit()
    assert run is None and len(refused) == 1
    assert journal.runs() == []


def test_add_refuses_at_once(root):
    Path("a.py").write_bytes(b"# coding: latin-1\n")
    file = SourceFile.read("a.py")
    pending = journal.begin(["tsrefactor"])
    with pytest.raises(UserError, match="cannot be written in"):
        pending.add(file, "# coding: latin-1\n'漢'\n")
    file.path.chmod(0o444)
    with pytest.raises(UserError, match="read-only"):
        pending.add(file, "# coding: latin-1\nx = 1\n")
    assert pending.commit() == (None, [])


def test_a_moved_project_takes_its_journal_along(root, monkeypatch):
    (root / "old").mkdir()
    monkeypatch.chdir(root / "old")
    rewrite({"pkg/a.py": b"x"})
    monkeypatch.chdir(root)
    (root / "old").rename(root / "new")
    assert journal.undo(root="new") == [(root / "new/pkg/a.py").resolve()]
    assert (root / "new/pkg/a.py").read_bytes() == b"x"


def test_a_file_outside_the_folder(root, monkeypatch):
    (root / "in").mkdir()
    rewrite({"a.py": b"x"}, root="in")
    journal.undo(root="in")
    assert Path("a.py").read_bytes() == b"x"


def test_a_damaged_journal_restores_nothing(root):
    rewrite({"a.py": b"x"})
    (kept,) = (root / ".tsrefactor/runs/1/before").iterdir()
    kept.write_bytes(b"other")
    with pytest.raises(UserError, match="journal is damaged"):
        journal.undo()
    assert Path("a.py").read_bytes() == b"x\nz = 2\n"
    for text in ("{", "[]", json.dumps({"id": "1"})):
        (root / ".tsrefactor/runs/1/run.json").write_text(text)
        with pytest.raises(UserError, match="not a run"):
            journal.runs()


def test_no_journal_no_writing(root):
    (root / ".tsrefactor").write_text("in the way")
    Path("a.py").write_bytes(b"x")
    pending = journal.begin(["tsrefactor"])
    pending.add(SourceFile.read("a.py"), "y")
    with pytest.raises(UserError, match="no journal can be kept"):
        pending.commit()
    assert Path("a.py").read_bytes() == b"x"
