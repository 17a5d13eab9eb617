import os
import stat
from pathlib import Path

import pytest

from tsrefactor.errors import UserError
from tsrefactor.source import write as write_module
from tsrefactor.source.file import SourceFile
from tsrefactor.source.write import check_writable, write_bytes, write_file


def source(path: Path, data: bytes = b"x = 1\n") -> SourceFile:
    path.write_bytes(data)
    return SourceFile.read(path)


@pytest.mark.parametrize(
    "data",
    [b"x = 1\r\n\ty\r\n", b"\xef\xbb\xbfx = 1\n", b"# coding: latin-1\nx = '\xe9'\n", b"x = 1", b"", b"x = 1\ry\x0c\n"],
)
def test_all_that_was_there_survives(tmp_path, data):
    file = source(tmp_path / "m.py", data)
    write_file(file, file.text + "z = 2")
    assert (tmp_path / "m.py").read_bytes() == data + b"z = 2"
    assert os.listdir(tmp_path) == ["m.py"], "no temporary file stays"


@pytest.mark.parametrize("mode", [0o644, 0o755, 0o600])
def test_mode_bits_stay(tmp_path, mode):
    file = source(tmp_path / "m.py")
    file.path.chmod(mode)
    write_file(file, "x = 2\n")
    assert stat.S_IMODE(file.path.stat().st_mode) == mode


def test_a_new_file_obeys_the_umask(tmp_path):
    before = os.umask(0o027)
    try:
        write_bytes(tmp_path / "new.json", b"{}")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "new.json").stat().st_mode) == 0o640


def test_a_link_stays_a_link(tmp_path):
    source(tmp_path / "real.py")
    (tmp_path / "link.py").symlink_to("real.py")
    write_file(SourceFile.read(tmp_path / "link.py"), "x = 2\n")
    write_bytes(tmp_path / "link.py", (tmp_path / "real.py").read_bytes() + b"y = 3\n")
    assert (tmp_path / "link.py").is_symlink()
    assert (tmp_path / "real.py").read_text() == "x = 2\ny = 3\n"


def refused(file: SourceFile, new_text: str, message: str) -> None:
    before = file.path.read_bytes() if file.path.exists() else None
    with pytest.raises(UserError, match=message) as caught:
        write_file(file, new_text)
    assert caught.value.remedy and caught.value.file
    assert (file.path.read_bytes() if file.path.exists() else None) == before
    assert not [name for name in os.listdir(file.path.parent) if name.endswith(".tmp")]


def test_a_read_only_file_is_refused(tmp_path):
    file = source(tmp_path / "m.py")
    file.path.chmod(0o444)
    refused(file, "x = 2\n", "is read-only")
    with pytest.raises(UserError, match="is read-only"):
        check_writable(file)


def test_a_read_only_folder_is_refused(tmp_path):
    (tmp_path / "a").mkdir()
    file = source(tmp_path / "a/m.py")
    (tmp_path / "a").chmod(0o555)
    refused(file, "x = 2\n", "the folder is read-only")
    with pytest.raises(UserError, match="the folder is read-only"):
        write_bytes(tmp_path / "a/new.py", b"")


def test_a_file_that_changed_or_went_is_refused(tmp_path):
    file = source(tmp_path / "m.py")
    file.path.write_text("x = 3\n")
    refused(file, "x = 2\n", "changed by another program")
    file.path.unlink()
    refused(file, "x = 2\n", "cannot be read again")


def test_what_cannot_be_encoded_is_refused(tmp_path):
    file = source(tmp_path / "m.py", b"# coding: latin-1\n")
    refused(file, "# coding: latin-1\nx = '漢'\n", "cannot be written in iso-8859-1")


def test_a_full_disk_leaves_the_old_file(tmp_path, monkeypatch):
    file = source(tmp_path / "m.py")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(write_module.os, "fsync", full)
    refused(file, "x = 2\n", "No space left on device")


def test_a_missing_folder_is_refused(tmp_path):
    with pytest.raises(UserError, match="cannot be written"):
        write_bytes(tmp_path / "none/m.json", b"")


def test_a_long_name(tmp_path):
    file = source(tmp_path / ("m" * 250 + ".py"))
    write_file(file, "x = 2\n")
    assert file.path.read_text() == "x = 2\n"
