from __future__ import annotations

import re
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tsrefactor.errors import UserError
from tsrefactor.workers.pool import Workers
from tsrefactor.workers.spec import parse_spec

from .support import task, write

HEAD = "from tsrefactor.cases import ModelCase\n"
PLAIN = "def cases():\n    yield ModelCase('plain', lambda: None, list)\n"
NET = """
    import torch

    class Net(torch.nn.Module):
        def __init__(self, width, depth=1):
            super().__init__()
            self.width = (width, depth)

    class Outer:
        class Inner(Net):
            pass
"""


@pytest.fixture(scope="module")
def workers(folder: Path) -> Iterator[Workers]:
    write(folder, {"zoo.py": HEAD + PLAIN, "random_name/beside.py": "VALUE = 1", "net.py": NET})
    write(folder, {"nets/__init__.py": "", "nets/part.py": NET, "nets/net.py": "from .part import Net, Outer"})
    with Workers(parse_spec("zoo.py"), jobs=2) as workers:
        yield workers


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("import os\nos.nothing\n", "{file}:2: CASES raised AttributeError"),
        ("def cases(:\n", "{file}:1: CASES raised SyntaxError"),
        ("\nimport no_such_package.part\n", "{file}:2: CASES raised ModuleNotFoundError"),
        ("import sys\nsys.exit('stop')\n", "{file}:2: CASES raised SystemExit: stop"),
        ("\x00", "CASES raised"),
        ("", "{file}: has no function cases()"),
        ("cases = 3", "{file}: has no function cases()"),
        ("def cases():\n    pass\n", "{file}:1: cases() returned None"),
        ("def cases():\n    return 'abc'\n", "{file}:1: cases() returned a str"),
        ("def cases(n):\n    pass\n", "CASES raised TypeError"),
        ("def cases():\n    return []\n", "{file}:1: cases() yields no case"),
        (HEAD + "def cases():\n    yield from ()\n", "{file}:2: cases() yields no case"),
        (HEAD + PLAIN + "    yield 3\n", "{file}:4: cases() gave a int, not a ModelCase"),
        (HEAD + PLAIN + "    yield ModelCase('plain', list, list)\n", "{file}:4: two cases are named 'plain'"),
        (HEAD + PLAIN + "    yield ModelCase(3, list, list)\n", "{file}:4: a case's name is 3"),
        (HEAD + PLAIN + "    yield ModelCase('b', None, list)\n", "{file}:4: build of case 'b' is None"),
        (HEAD + PLAIN + "    yield ModelCase('b', list, [])\n", "{file}:4: inputs of case 'b' is a list"),
        (HEAD + PLAIN + "    yield ModelCase('b', list, list, 'jit')\n", "{file}:4: case 'b' has target 'jit'"),
        (HEAD + PLAIN + "    1 / 0\n", "{file}:4: CASES raised ZeroDivisionError"),
        (HEAD + PLAIN + "    yield ModelCase()\n", "{file}:4: CASES raised TypeError"),
    ],
)
def test_a_bad_file_is_blamed_at_its_line_with_a_remedy(
    workers: Workers, folder: Path, request: pytest.FixtureRequest, text: str, words: str
) -> None:
    file = f"bad_{request.node.callspec.indices['text']}.py"
    (folder / file).write_text(text)
    answer = workers.run(task("loading", text=file)).value
    assert isinstance(answer, str) and "\n" not in answer
    assert words.format(file=file) in answer and "; " in answer


def test_a_bad_file_ends_case_names(workers_for: Callable[..., Workers], folder: Path) -> None:
    write(folder, {"raises.py": "import os\nprint('garbage')\nos.nothing\n"})
    with pytest.raises(UserError) as caught:
        workers_for("raises.py").case_names()
    assert (caught.value.file, caught.value.line) == ("raises.py", 3)
    assert caught.value.remedy == "mend it; `python raises.py` shows the traceback"


@pytest.mark.parametrize("body", ["raise ValueError('no')", "yield 1 / 0"])
def test_the_remedy_for_cases_that_raise_shows_the_traceback(workers: Workers, folder: Path, body: str) -> None:
    write(folder, {"raises_later.py": f"def cases():\n    {body}\n"})
    answer = workers.run(task("loading", text="raises_later.py")).value
    assert answer.endswith("; mend it; `list(cases())` in `python -i raises_later.py` shows the traceback")
    done = subprocess.run(
        [sys.executable, "-i", "raises_later.py"],
        input="list(cases())\n", cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "Traceback" in done.stderr and 'raises_later.py", line 2' in done.stderr


@pytest.mark.parametrize(
    ("text", "words", "seconds"),
    [
        ("import os\nprint('so long')\nos._exit(3)\n", "exit status 3, as os._exit(3) does, after 'so long'", 60.0),
        ("import os\nos.abort()\n", "SIGABRT", 60.0),
        (
            "import time\ntime.sleep(1000)\n",
            "took more than 0.5 s; let it do less on import, or raise `import-timeout`",
            0.5,
        ),
    ],
)
def test_a_file_whose_import_never_ends_well_is_no_hang(
    workers_for: Callable[..., Workers], folder: Path, text: str, words: str, seconds: float
) -> None:
    write(folder, {"ends.py": text})
    with pytest.raises(UserError, match=re.escape(words)) as caught:
        workers_for("ends.py", import_seconds=seconds).case_names()
    assert caught.value.file == "ends.py" and caught.value.remedy


@pytest.mark.parametrize("silent", [0.0, 60.0])
def test_an_import_that_takes_long_is_told(
    workers_for: Callable[..., Workers], folder: Path, monkeypatch: pytest.MonkeyPatch, silent: float
) -> None:
    write(folder, {"slow.py": HEAD + "import time\ntime.sleep(0.2)\n" + PLAIN})
    monkeypatch.setattr("tsrefactor.workers.pool._SILENT_SECONDS", silent)
    told: list[str] = []
    assert workers_for("slow.py::plain", tell=told.append).case_names() == [("plain", None)]
    assert told == ([] if silent else ["importing slow.py…"])


def test_torch_missing_is_said_with_the_remedy(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(folder, {"fake/torch/__init__.py": "raise ImportError('libtorch.so: not found')", "zoo.py": HEAD + PLAIN})
    monkeypatch.setenv("PYTHONPATH", str(folder / "fake"))
    with (
        Workers(parse_spec("zoo.py"), jobs=1) as workers,
        pytest.raises(UserError, match=r"libtorch\.so: not found") as e,
    ):
        workers.case_names()
    assert e.value.remedy == "pip install torch"
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError, match="torch is not installed"), Workers(parse_spec("zoo.py"), jobs=1):
        pass


def test_one_case_by_name(workers: Workers, folder: Path) -> None:
    write(folder, {"two.py": HEAD + PLAIN + "    yield ModelCase('net::2', list, list)\n"})
    assert workers.run(task("loading", text="two.py")).value == ["plain", "net::2"]
    assert workers.run(task("loading", text="two.py::net::2")).value == ["net::2"]
    answer = workers.run(task("loading", text="two.py::net::3")).value
    assert answer == "two.py: has no case named 'net::3'; did you mean net::2?"


def test_imports_are_found_beside_the_file_and_in_the_current_folder(workers: Workers, folder: Path) -> None:
    text = "import sys, beside, net\nassert sys.argv == [__file__]\n" + HEAD + PLAIN
    write(folder, {"random_name/zoo-2.py": text, "random_name/types.py": HEAD + PLAIN})
    assert workers.run(task("loading", text="random_name/zoo-2.py")).value == ["plain"]
    assert workers.run(task("loading", text="random_name/types.py")).value == ["plain"]


@pytest.mark.parametrize("text", ["net:Net", "net.py:Net", "net:Outer.Inner", "nets.net:Net", "nets/net.py:Net"])
def test_a_class_is_a_case(workers_for: Callable[..., Workers], folder: Path, text: str) -> None:
    write(folder, {"zoo.py": HEAD + PLAIN, "net.py": NET})
    write(folder, {"nets/__init__.py": "", "nets/part.py": NET, "nets/net.py": "from .part import Net, Outer"})
    spec = parse_spec(text, "8, depth=2", ["2,3", "int64:1,16", "bool:", "float16:2"])
    with Workers(spec, jobs=1) as workers:
        name = text.rpartition(":")[2]
        assert workers.case_names() == [(name, None)]
        width, training, arguments = workers.run(task("described", name)).value
    assert (width, training) == ((8, 2), False)
    assert arguments == [
        ("torch.float32", (2, 3)),
        ("torch.int64", (1, 16)),
        ("torch.bool", ()),
        ("torch.float16", (2,)),
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("net:Nat", "net.py: has no class Nat; did you mean Net?"),
        ("no_such_module:Net", "CASES raised ModuleNotFoundError"),
        ("bad.py:Net", "bad.py:1: CASES raised ZeroDivisionError"),
        ("net:Net.training_mode", "has no class Net.training_mode"),
        ("nets:__name__", "nets:__name__ is a str, not a class"),
    ],
)
def test_a_class_that_is_not_there(workers: Workers, folder: Path, text: str, words: str) -> None:
    (folder / "bad.py").write_text(textwrap.dedent("1 / 0"))
    answer = workers.run(task("loading", text=text, inputs=["1"])).value
    assert words in answer and "; " in answer
