"""A Python source file as bytes, text and tree, with nothing lost between them."""

from __future__ import annotations

import ast
import codecs
import io
import os
import re
import tokenize
import warnings
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Protocol

from tsrefactor.errors import UserError

MAX_BYTES = 20 * 2**20
"""The largest file that is read: a tree takes some hundred times its source in memory."""


class Positioned(Protocol):
    """An `ast` node that has a place: expressions, statements, arguments, keywords, aliases, handlers."""

    @property
    def lineno(self) -> int: ...
    @property
    def col_offset(self) -> int: ...
    @property
    def end_lineno(self) -> int | None: ...
    @property
    def end_col_offset(self) -> int | None: ...


@dataclass(frozen=True, eq=False)
class SourceFile:
    """One version of one file.

    ``path`` is absolute with symbolic links resolved; ``text`` is decoded, without the BOM, with its line endings as
    in the file; ``encoding`` is the one its coding comment names (`tokenize.detect_encoding`), ``utf-8`` with none;
    ``newline`` is the line ending that most lines have (``\\n``, ``\\r\\n`` or ``\\r``).
    """

    path: Path
    text: str
    encoding: str = "utf-8"
    bom: bool = False
    newline: str = "\n"

    @classmethod
    def read(cls, path: str | Path) -> SourceFile:
        """Reads and decodes a file.

        Raises UserError for a file that is missing, a folder, not a regular file, unreadable or over `MAX_BYTES`; whose
        encoding is unknown, is not one Python reads source in, or does not fit its bytes.
        """
        real, data = _read_bytes(path)
        encoding, bom = _encoding(data, path)
        body = data[len(codecs.BOM_UTF8) :] if bom else data
        text = _decode(body, encoding, path)
        return cls(real, text, encoding, bom, _newline(text))

    @cached_property
    def tree(self) -> ast.Module:
        """The syntax tree, not to be changed. Raises UserError where this interpreter cannot parse the text."""
        remedy = "correct the file, or exclude it"
        if "\0" in self.text:
            raise UserError("a null byte", remedy, self.path, _line_at(self.text, self.text.index("\0")))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # invalid escapes are the author's affair
                return ast.parse(self.text)
        except SyntaxError as error:
            raise UserError(f"syntax error: {error.msg}", remedy, self.path, error.lineno) from None
        except (RecursionError, MemoryError):
            raise UserError("nested too deeply to be parsed", "exclude the file", self.path) from None
        except ValueError as error:
            raise UserError(f"cannot be parsed: {error}", remedy, self.path) from None

    @cached_property
    def lines(self) -> list[str]:
        """The lines with their ends. Only ``\\r\\n``, ``\\r`` and ``\\n`` end one, as for Python (not a form feed)."""
        return list(io.StringIO(self.text, newline=""))

    @cached_property
    def _starts(self) -> list[int]:
        starts = [0]
        for line in self.lines:
            starts.append(starts[-1] + len(line))
        return starts

    def offset(self, line: int, byte_column: int) -> int:
        """The index into ``text`` of an `ast` position: 1-based line, column in UTF-8 bytes.

        Raises ValueError for a line that the file does not have.
        """
        if not 1 <= line <= len(self._starts):
            raise ValueError(f"{self.path} has no line {line}")
        start = self._starts[line - 1]
        if self.text.isascii() or line > len(self.lines) or self.lines[line - 1].isascii():
            return start + byte_column
        # Inside f-strings CPython before 3.12 gives columns that may cut a character in two: take its start.
        return start + len(self.lines[line - 1].encode()[:byte_column].decode(errors="ignore"))

    def column(self, line: int, byte_column: int) -> int:
        """The 1-based column in characters, as editors count, of an `ast` position. Raises ValueError as `offset`."""
        return self.offset(line, byte_column) - self.offset(line, 0) + 1

    def span(self, node: Positioned) -> tuple[int, int]:
        """Start and end of a node as indices into ``text``; a decorated definition starts at ``def`` or ``class``."""
        if node.end_lineno is None or node.end_col_offset is None:
            raise ValueError(f"{type(node).__name__} was not parsed from a file")
        return self.offset(node.lineno, node.col_offset), self.offset(node.end_lineno, node.end_col_offset)

    def segment(self, node: Positioned) -> str:
        """The source text of a node, without its decorators."""
        start, end = self.span(node)
        return self.text[start:end]

    def with_text(self, text: str) -> SourceFile:
        """The same file with another text: path, encoding, BOM and dominant line ending stay."""
        return replace(self, text=text)

    def encode(self) -> bytes:
        """The bytes of the file: those that were read, as long as the text is the one that was read.

        Raises UserError when the encoding cannot write the text, or when the text no longer names the encoding.
        """
        try:
            body = self.text.encode(self.encoding)
        except UnicodeEncodeError as error:
            line = _line_at(self.text, error.start)
            message = f"{self.text[error.start]!a} cannot be written in {self.encoding}"
            raise UserError(message, _SAVE_AS_UTF8, self.path, line) from None
        data = codecs.BOM_UTF8 + body if self.bom else body
        if self.encoding != "utf-8" and _encoding(data, self.path)[0] != self.encoding:
            raise UserError(f"the new text has lost its {self.encoding} coding comment", _SAVE_AS_UTF8, self.path)
        return data


_SAVE_AS_UTF8 = "save the file as UTF-8"
_LINE = re.compile(rb"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")


def _read_bytes(path: str | Path) -> tuple[Path, bytes]:
    """The resolved path of a regular file and what it holds."""
    try:
        real = Path(os.path.realpath(path, strict=True))
        if real.is_dir():
            raise UserError("is a folder", "name a file", path)
        if not real.is_file():
            raise UserError("is not a regular file", "exclude it", path)
        if (size := real.stat().st_size) > MAX_BYTES:
            raise UserError(f"has {size / 2**20:.0f} MiB, the limit is {MAX_BYTES / 2**20:.0f}", "exclude it", path)
        return real, real.read_bytes()
    except FileNotFoundError:
        raise UserError("no such file", "check the path", path) from None
    except OSError as error:
        raise UserError(f"cannot be read: {error.strerror or error}", "check its permissions", path) from None


def _encoding(data: bytes, path: str | Path) -> tuple[str, bool]:
    """The encoding of a source file, in the form `tokenize` names it, and whether it starts with a UTF-8 BOM."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise UserError("is in UTF-16 or UTF-32, which Python does not read", _SAVE_AS_UTF8, path)
    lines = _LINE.finditer(data)  # not BytesIO: for the compiler a lone \r ends the line of a coding comment, too
    try:
        encoding, read = tokenize.detect_encoding(lambda: next(lines).group())
    except SyntaxError as error:
        try:
            data.decode("utf-8")
        except UnicodeDecodeError as undecodable:
            raise _undecodable(undecodable, data, path) from None
        if data.startswith(codecs.BOM_UTF8):
            raise UserError("a UTF-8 BOM, but another coding comment", "remove one of them", path) from None
        raise UserError(f"coding comment: {error.msg}", "name an encoding that Python knows", path) from None
    bom = encoding == "utf-8-sig"
    encoding = "utf-8" if bom else encoding
    if not _writes_ascii(encoding):
        message = f"Python reads no source in the encoding {encoding} of its coding comment"
        raise UserError(message, _SAVE_AS_UTF8, path, len(read) or 1)
    return encoding, bom


def _writes_ascii(encoding: str) -> bool:
    """Whether text in it can be Python source; ``utf-16``, ``hex`` and ``undefined`` are codecs, too."""
    try:
        return "#".encode(encoding) == b"#"
    except (LookupError, UnicodeError):
        return False


def _decode(data: bytes, encoding: str, path: str | Path) -> str:
    """The text; refused where encoding it again would not give the same bytes (``utf-7`` and its like)."""
    try:
        text = data.decode(encoding)
        lossless = encoding == "utf-8" or text.encode(encoding) == data
    except UnicodeDecodeError as error:
        raise _undecodable(error, data, path) from None
    except UnicodeError:
        lossless = False
    if not lossless:
        raise UserError(f"cannot be read and written again in {encoding} without a change", _SAVE_AS_UTF8, path)
    return text


def _undecodable(error: UnicodeDecodeError, data: bytes, path: str | Path) -> UserError:
    line = len(data[: error.start].splitlines()) + data[: error.start].endswith((b"\n", b"\r"))
    message = f"byte 0x{data[error.start]:02x} is not {error.encoding}"
    return UserError(message, f"{_SAVE_AS_UTF8}, or name its encoding in a coding comment", path, max(line, 1))


def _line_at(text: str, index: int) -> int:
    """The 1-based line of a character."""
    before = text[:index]
    return 1 + before.count("\n") + before.count("\r") - before.count("\r\n")


def _newline(text: str) -> str:
    """The line ending that most lines have; ``\\n`` where none is ahead."""
    crlf = text.count("\r\n")
    counts = {"\n": text.count("\n") - crlf, "\r\n": crlf, "\r": text.count("\r") - crlf}
    return max(counts, key=lambda end: counts[end])
