"""Rewritten source, served in place of the files on disk.

The text is swapped where every route to a source file ends, not in a finder of our own. `import`, relative imports,
`importlib.util.spec_from_file_location`, other people's finders and loaders built on SourceFileLoader, and `runpy` all
read source through ``open_code``; so whatever user code does to ``sys.path`` or ``sys.meta_path`` afterwards, a file is
told by its real path. Modules keep their original ``__file__``, hence error locations do too. Bytecode is bypassed (a
``.pyc`` is trusted by second and size, which a rewrite may share with the original) by giving the loader no time
stamp. `linecache`, through which `inspect.getsource` and TorchScript read, gets the same text, in entries without a
time stamp, which ``checkcache`` keeps. ``open(__file__)`` still reads the disk.
"""

from __future__ import annotations

import _io
import io
import linecache
import os
import tokenize
from importlib.machinery import SourceFileLoader
from typing import Any

_texts: dict[str, str] = {}
_opened: set[str] = set()


def install() -> None:
    """Puts the hooks in place, once per process tree. Until `serve`, they only note which files are loaded."""
    read_stats, open_code, update = SourceFileLoader.path_stats, io.open_code, linecache.updatecache

    def path_stats(self: SourceFileLoader, path: Any) -> Any:
        real = os.path.realpath(path)
        _opened.add(real)
        if real in _texts:
            raise OSError(f"{path} is served from memory")  # what the loader takes for "no bytecode"
        return read_stats(self, path)

    def open_served(path: str) -> Any:
        real = os.path.realpath(path)
        _opened.add(real)
        return io.BytesIO(_encoded(_texts[real])) if real in _texts else open_code(path)

    def updatecache(filename: str, module_globals: Any = None) -> list[str]:
        text = _texts.get(os.path.realpath(filename)) if filename else None
        if text is None:
            return update(filename, module_globals)
        lines = _lines(text)
        linecache.cache[filename] = (len(text), None, lines, filename)
        return lines

    SourceFileLoader.path_stats = path_stats  # type: ignore[method-assign]
    _io.open_code = io.open_code = open_served
    linecache.updatecache = updatecache


def serve(texts: dict[str, str]) -> None:
    """From now on, files with a real path in ``texts`` read as the text there; modules already loaded stay."""
    _texts.update({os.path.realpath(path): text for path, text in texts.items()})
    for filename in list(linecache.cache):
        if os.path.realpath(filename) in _texts:
            del linecache.cache[filename]


def opened() -> set[str]:
    """Real paths of the files whose code was loaded since `install`."""
    return set(_opened)


def _encoded(text: str) -> bytes:
    """As the file would hold it: the compiler reads the encoding from the text's own coding line."""
    encoding, _ = tokenize.detect_encoding(io.BytesIO(text.encode("utf-8", "surrogatepass")).readline)
    return text.encode("utf-8" if encoding == "utf-8-sig" else encoding)


def _lines(text: str) -> list[str]:
    lines = list(io.StringIO(text.removeprefix("\ufeff"), newline=None))
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += "\n"
    return lines
