import ast
import os
import warnings
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tsrefactor.errors import UserError
from tsrefactor.source import file as file_module
from tsrefactor.source.file import SourceFile


def read(tmp_path: Path, data: bytes) -> SourceFile:
    path = tmp_path / "m.py"
    path.write_bytes(data)
    return SourceFile.read(path)


READABLE = {
    "empty": (b"", "utf-8", False, "\n"),
    "no final newline": (b"x = 1", "utf-8", False, "\n"),
    "bom": (b"\xef\xbb\xbfx = 1\n", "utf-8", True, "\n"),
    "bom and comment": (b"\xef\xbb\xbf# coding: utf-8\r\nx = 1\r\n", "utf-8", True, "\r\n"),
    "crlf": (b"if x:\r\n\ty = 1\r\n", "utf-8", False, "\r\n"),
    "mostly crlf": (b"a\r\nb\r\nc\n", "utf-8", False, "\r\n"),
    "mostly lf": (b"a\nb\nc\r\n", "utf-8", False, "\n"),
    "lone cr": (b"x = 1\ry = 2\r", "utf-8", False, "\r"),
    "latin-1": (b"# -*- coding: latin-1 -*-\nx = '\xe9'\n", "iso-8859-1", False, "\n"),
    "comment after lone cr": (b"#!python\r# coding: latin-1\rx = '\xe9'\r", "iso-8859-1", False, "\r"),
    "cp1252": (b"# coding: cp1252\nx = '\x80'\n", "cp1252", False, "\n"),
    "form feed": (b"x = 1\n\x0cy = 2\n", "utf-8", False, "\n"),
    "utf-8": ("x = 'é漢😀'\n".encode(), "utf-8", False, "\n"),
}


@pytest.mark.parametrize("name", READABLE)
def test_reads_and_gives_back_every_byte(tmp_path, name):
    data, encoding, bom, newline = READABLE[name]
    file = read(tmp_path, data)
    assert (file.encoding, file.bom, file.newline) == (encoding, bom, newline)
    assert file.encode() == data
    assert not file.text.startswith("\ufeff")
    assert "".join(file.lines) == file.text
    assert isinstance(file.tree, ast.Module)


REFUSED = {
    "utf-16": ("x = 1\n".encode("utf-16"), None, "UTF-16"),
    "unknown encoding": (b"# coding: klingon\nx = 1\n", None, "unknown encoding: klingon"),
    "not source": (b"# coding: utf-16-le\nx = 1\n", 1, "utf-16-le"),
    "not text": (b"\n# coding: hex\nx = 1\n", 2, "hex"),
    "never decodes": (b"# coding: undefined\n", 1, "undefined"),
    "lossy": (b"# coding: unicode_escape\nx = '\\x41'\n", None, "unicode_escape"),
    "bom against comment": (b"\xef\xbb\xbf# coding: latin-1\n", None, "BOM"),
    "undecodable, first line": (b"x = '\xff'\n", 1, "byte 0xff is not utf-8"),
    "undecodable, later": (b"x = 1\r\n\ry = '\xe9'\n", 3, "byte 0xe9 is not utf-8"),
    "undecodable in its encoding": (b"# coding: cp1252\n\nx = '\x81'\n", 3, "byte 0x81"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refuses_what_python_cannot_decode(tmp_path, name):
    data, line, message = REFUSED[name]
    with pytest.raises(UserError) as caught:
        read(tmp_path, data)
    assert caught.value.line == line
    assert str(caught.value.file) == str(tmp_path / "m.py")
    assert message in caught.value.message
    assert caught.value.remedy


def test_refuses_what_is_no_readable_file(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "pipe.py")
    (tmp_path / "loop.py").symlink_to(tmp_path / "loop.py")
    (tmp_path / "big.py").write_bytes(b"#" * 5000)
    monkeypatch.setattr(file_module, "MAX_BYTES", 4096)
    for name, message in (
        ("missing.py", "no such file"),
        (".", "is a folder"),
        ("pipe.py", "not a regular file"),
        ("loop.py", "cannot be read"),
        ("big.py", "the limit is"),
    ):
        with pytest.raises(UserError, match=message) as caught:
            SourceFile.read(tmp_path / name)
        assert caught.value.remedy


def test_refuses_an_unreadable_file(tmp_path):
    path = tmp_path / "m.py"
    path.write_text("x = 1\n")
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("root reads everything")
    with pytest.raises(UserError, match="cannot be read"):
        SourceFile.read(path)


def test_a_link_is_read_at_its_target(tmp_path):
    (tmp_path / "real.py").write_text("x = 1\n")
    (tmp_path / "link.py").symlink_to("real.py")
    assert SourceFile.read(tmp_path / "link.py").path == (tmp_path / "real.py").resolve()


BROKEN = {
    "syntax": (b"x = 1\ndef f(:\n", 2, "syntax error: "),
    "null byte": (b"x = 1\r\ny\0 = 2\r\n", 2, "null byte"),
    "nested brackets": (b"x = " + b"(" * 300 + b")" * 300, 1, "too many nested"),
    "nested operators": (b"x = " + b"-" * 100_000 + b"1", None, "nested too deeply"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_tree_that_cannot_be_had(tmp_path, name):
    data, line, message = BROKEN[name]
    file = read(tmp_path, data)
    with pytest.raises(UserError, match=message) as caught:
        _ = file.tree
    assert caught.value.line == line


def test_parsing_does_not_warn_of_the_authors_escapes(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read(tmp_path, b"x = '\\d'\n").tree.body


def test_spans_leave_decorators_out(tmp_path):
    file = read(tmp_path, b"@wrap\nclass A:\n    @property\n    def f(self):\n        return 1\n")
    cls = file.tree.body[0]
    assert isinstance(cls, ast.ClassDef)
    assert file.segment(cls).startswith("class A:")
    assert file.segment(cls.body[0]) == "def f(self):\n        return 1"


def test_offsets_count_characters(tmp_path):
    file = read(tmp_path, "x = 'é漢😀' + y\n\tz".encode())
    assert file.text[file.offset(1, 16) :] == "+ y\n\tz"
    assert file.column(1, 16) == 11
    assert file.offset(1, 6) == file.offset(1, 5), "inside a character: its start"
    assert file.offset(2, 2) == len(file.text)
    for line in (0, 4):
        with pytest.raises(ValueError, match=f"no line {line}"):
            file.offset(line, 0)


def test_a_synthetic_node_has_no_span(tmp_path):
    with pytest.raises((ValueError, AttributeError)):
        read(tmp_path, b"").span(ast.Pass())
    with pytest.raises(ValueError, match="Pass was not parsed"):
        read(tmp_path, b"").span(ast.Pass(lineno=1, col_offset=0))


TOKENS = st.sampled_from(["x", "é", "漢", "'😀'", "(y,)", "1.5", "(lambda: é)", "[x for x in 漢]", '"""a\nb"""'])
ENDS = st.sampled_from(["\n", "\r\n", "\r", "\n\x0c", "  # é\n", "\n\n", ";"])


@given(st.lists(st.tuples(TOKENS, ENDS), min_size=1, max_size=8))
def test_segments_parse_to_their_nodes(statements):
    text = "".join(f"{a} + {a}{end}" for a, end in statements)
    file = SourceFile(Path("m.py"), text)
    for node in ast.walk(file.tree):
        if isinstance(node, ast.expr) and not isinstance(node, ast.Tuple):
            again = ast.parse(f"({file.segment(node)})", mode="eval").body
            assert ast.dump(again).replace("Store", "Load") == ast.dump(node).replace("Store", "Load")


def test_new_text_keeps_encoding_bom_and_newline(tmp_path):
    file = read(tmp_path, b"\xef\xbb\xbfx = 1\r\n")
    new = file.with_text("x = 2\r\n")
    assert new.encode() == b"\xef\xbb\xbfx = 2\r\n"
    assert (new.newline, new.path) == (file.newline, file.path)
    assert file.tree.body[0] is not new.tree.body[0]


def test_text_that_the_encoding_cannot_write(tmp_path):
    file = read(tmp_path, b"# coding: latin-1\nx = 1\n")
    with pytest.raises(UserError, match="cannot be written in iso-8859-1") as caught:
        file.with_text("# coding: latin-1\n\nx = '漢'\n").encode()
    assert caught.value.line == 3
    with pytest.raises(UserError, match="lost its iso-8859-1 coding comment"):
        file.with_text("import torch\nimport os\n# coding: latin-1\nx = 1\n").encode()
