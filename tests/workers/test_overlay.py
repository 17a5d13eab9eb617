from __future__ import annotations

import os
import re
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tsrefactor.workers.pool import Workers
from tsrefactor.workers.spec import parse_spec

from .support import task, write

MODEL = """
    import torch

    class Model(torch.nn.Module):
        def forward(self, x):
            return x * 2
"""
REWRITTEN = MODEL.replace("x * 2", "x * 3")

FILES = {
    "zoo.py": """
        import importlib.util, inspect, os, runpy, sys
        from tsrefactor.cases import ModelCase
        import imported
        from package.imported import VALUE
        import heavy

        ZOO_VALUE = "old"
        here = os.path.dirname(os.path.abspath(__file__))

        def lazily():
            import lazy
            return lazy.Model()

        def from_package():
            from package.lazy import VALUE
            return VALUE

        def from_location():
            spec = importlib.util.spec_from_file_location("anything", os.path.join(here, "lazy.py"))
            module = sys.modules["anything"] = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            return module.Model

        def through_a_link():
            sys.path.insert(0, os.path.join(here, "linked"))
            import lazy
            return lazy.Model

        def upset():
            sys.meta_path[:] = [finder for finder in sys.meta_path if "PathFinder" in repr(finder)]
            sys.path[:] = [os.path.relpath(here, "/")] + [p for p in sys.path if "python3" in p]
            sys.path_importer_cache.clear()
            os.chdir("/")
            return lazily()

        def cleared():
            import linecache, lazy
            linecache.clearcache()
            linecache.checkcache()
            return lazy.Model

        def cases():
            yield ModelCase("plain", lambda: None, list)
            yield ModelCase("lazy", lazily, list)
            yield ModelCase("lazy in package", from_package, list)
            yield ModelCase("from location", from_location, list)
            yield ModelCase("through a link", through_a_link, list)
            yield ModelCase("run", lambda: runpy.run_path(os.path.join(here, "script.py"))["VALUE"], list)
            yield ModelCase("upset", upset, list)
            yield ModelCase("cleared", cleared, list)
            yield ModelCase("imported", lambda: imported.Model(), list)
            yield ModelCase("values", lambda: (VALUE, ZOO_VALUE, imported.registry()), list)
            yield ModelCase("on disk", lambda: open(os.path.join(here, "lazy.py")).read(), list)
            yield ModelCase("heavy", lambda: (os.getppid(), heavy.PID), list)
    """,
    "imported.py": MODEL
    + """
    import heavy
    heavy.REGISTRY.append("imported")

    def registry():
        return list(heavy.REGISTRY)
""",
    "lazy.py": MODEL,
    "script.py": "VALUE = 'old'",
    "package/__init__.py": "from .inner import PART",
    "package/inner.py": "PART = 'old'",
    "package/imported.py": "from . import PART\nVALUE = PART",
    "package/lazy.py": "from .inner import PART\nfrom .other import OTHER\nVALUE = PART + ' ' + OTHER",
    "package/other.py": "OTHER = 'old other'",
    "lib/site-packages/heavy.py": "import os\nPID = os.getpid()\nREGISTRY = []",
}


@pytest.fixture(scope="module")
def workers(folder: Path, patch: pytest.MonkeyPatch) -> Iterator[Workers]:
    write(folder, FILES)
    (folder / "linked").mkdir()
    (folder / "linked" / "lazy.py").symlink_to(folder / "lazy.py")
    patch.setenv("PYTHONPATH", str(folder / "lib" / "site-packages"), prepend=os.pathsep)
    with Workers(parse_spec("zoo.py"), jobs=2) as workers:
        yield workers


@pytest.mark.parametrize("case", ["lazy", "upset", "cleared", "from location", "through a link"])
def test_every_route_to_a_file_gives_the_new_text(workers: Workers, folder: Path, case: str) -> None:
    result = workers.run(task("source_of_class", case, {folder / "lazy.py": REWRITTEN}))
    assert result.failure is None, result
    assert "x * 3" in result.value and "x * 2" not in result.value
    assert "x * 2" in workers.run(task("source_of_class", case)).value


def test_torchscript_compiles_the_new_text(workers: Workers, folder: Path) -> None:
    assert workers.run(task("scripted", "lazy")).value == 4.0
    for case, file in (("lazy", "lazy.py"), ("imported", "imported.py")):
        text = FILES[file].replace("x * 2", "x * 3")
        assert workers.run(task("scripted", case, {folder / file: text})).value == 6.0


@pytest.mark.parametrize(("case", "file"), [("lazy", "lazy.py"), ("imported", "imported.py")])
def test_errors_are_located_in_the_original_path_at_the_new_line(
    workers: Workers, folder: Path, case: str, file: str
) -> None:
    text = "# one more line\n" + textwrap.dedent(FILES[file]).replace("return x * 2", "return x.no_such_thing")
    words = workers.run(task("scripted", case, {folder / file: text})).value
    line = text.splitlines().index("        return x.no_such_thing") + 1
    assert re.search(rf'File "{re.escape(str(folder / file))}", line {line}\b', words)


def test_relative_imports_inside_a_package(workers: Workers, folder: Path) -> None:
    overlay = {folder / "package/other.py": "OTHER = 'new other'"}
    assert workers.run(task("built", "lazy in package", overlay)).value == "old new other"
    overlay[folder / "package/inner.py"] = "PART = 'new'"
    assert workers.run(task("built", "lazy in package", overlay)).value == "new new other"


def test_what_cases_imported_and_cases_itself_are_imported_anew(workers: Workers, folder: Path) -> None:
    overlay = {folder / "package/inner.py": "PART = 'new'"}
    assert workers.run(task("built", "values", overlay)).value == ("new", "old", ["imported"])
    overlay = {folder / "zoo.py": FILES["zoo.py"].replace('ZOO_VALUE = "old"', 'ZOO_VALUE = "new"')}
    assert workers.run(task("built", "values", overlay)).value == ("old", "new", ["imported"])
    assert workers.run(task("built", "values")).value == ("old", "old", ["imported"])


def test_installed_packages_are_imported_once_the_users_files_each_time(workers: Workers, folder: Path) -> None:
    with_cases, heavy = workers.run(task("built", "heavy")).value
    assert heavy == with_cases
    overlay = {folder / "imported.py": FILES["imported.py"]}
    first, second = (workers.run(task("built", "heavy", overlay)).value for _ in range(2))
    assert first == second
    assert first[0] == first[1] != with_cases


def test_a_rewrite_of_equal_size_and_time_does_not_meet_old_bytecode(workers: Workers, folder: Path) -> None:
    import py_compile

    py_compile.compile(str(folder / "lazy.py"), invalidation_mode=py_compile.PycInvalidationMode.TIMESTAMP)
    py_compile.compile(str(folder / "imported.py"), invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
    assert len(REWRITTEN) == len(MODEL)
    assert workers.run(task("scripted", "lazy", {folder / "lazy.py": REWRITTEN})).value == 6.0
    text = FILES["imported.py"].replace("x * 2", "x * 3")
    assert workers.run(task("scripted", "imported", {folder / "imported.py": text})).value == 6.0


def test_runpy_reads_the_new_text(workers: Workers, folder: Path) -> None:
    assert workers.run(task("built", "run", {folder / "script.py": "VALUE = 'new'"})).value == "new"


def test_reading_the_file_as_data_reads_the_disk(workers: Workers, folder: Path) -> None:
    text = workers.run(task("built", "on disk", {folder / "lazy.py": REWRITTEN})).value
    assert "x * 2" in text


def test_the_disk_is_left_alone(workers: Workers, folder: Path) -> None:
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    workers.run(task("built", "values", {folder / "zoo.py": FILES["zoo.py"] + "\n# more\n"}))
    workers.run(task("scripted", "lazy", {folder / "lazy.py": REWRITTEN}))
    assert before == {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("# -*- coding: latin-1 -*-\nVALUE = 'é'", "é"),
        ("\ufeffVALUE = 'é'\r\n", "é"),
        ("VALUE = '''a\r\nb'''", "a\nb"),
        ("VALUE = 'no final newline'  # \f", "no final newline"),
    ],
)
def test_encodings_and_line_endings(workers: Workers, folder: Path, text: str, value: str) -> None:
    overlay = {str(folder / "package/other.py"): "OTHER = ''", str(folder / "package/lazy.py"): text}
    result = workers.run(task("built", "lazy in package", {Path(p): t for p, t in overlay.items()}))
    assert result.value == value


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("import torch\nraise ValueError('broken')", "imported.py:2: CASES raised ValueError: broken"),
        ("def f(:\n", "imported.py:1: CASES raised SyntaxError: invalid syntax"),
    ],
)
def test_a_rewrite_that_breaks_the_import_is_an_error_with_its_place(
    workers: Workers, folder: Path, text: str, words: str
) -> None:
    result = workers.run(task("built", "imported", {folder / "imported.py": text}))
    assert result.failure == "error"
    assert words in result.message


def test_the_time_of_importing_anew_is_allowed_for(workers_for: Callable[..., Workers], folder: Path) -> None:
    slow = "import time; time.sleep(0.5)\nfrom tsrefactor.cases import ModelCase\n"
    slow += "def cases():\n    yield ModelCase('plain', lambda: 1, list)\n"
    write(folder, {"slow.py": slow})
    workers = workers_for("slow.py")
    assert workers.run(task("built", overlay={folder / "slow.py": slow}, seconds=0.3)).value == 1
