"""The recording file: written whole, read without executing, refused when it is none, told from another version."""

import json
import textwrap

import pytest

from tsrefactor.errors import UserError
from tsrefactor.facts.observations import ClassObservations, FunctionObservations, Observations, source_digest
from tsrefactor.facts.types import INT, TENSOR, list_of
from tsrefactor.record.recording import ModuleRecord, Recording, load, stale

TEXT = textwrap.dedent("""
    class Net:
        def __init__(self):
            self.x = 1

        def forward(self, x):
            if x:
                return 1
            return 2

    def gone():
        return 0
""")


def observed(path):
    """Observations of TEXT as if recorded from `path`."""
    lines = TEXT.splitlines(keepends=True)
    result = Observations()
    for qualname, first, last in (("Net.__init__", 3, 4), ("Net.forward", 6, 9), ("gone", 11, 12)):
        seen = FunctionObservations(str(path), qualname, first, source_digest(lines[first - 1 : last]), 1, True)
        seen.arguments, seen.returns, seen.lines = {"x": TENSOR}, list_of(INT), {last}
        result.functions[seen.file, qualname, first] = seen
    result.classes[str(path), "Net"] = ClassObservations(str(path), "Net", 1, ("m.Net",), {"x": INT})
    return result


@pytest.fixture
def recording(tmp_path):
    module = ModuleRecord("m.Net#1", "m.Net", False, 7, [{"args": [{"value": 1}], "kwargs": {}}])
    command = ("python", "x.py")
    return Recording(command, str(tmp_path), "3.11", "2.13", "0.1.0", observed(tmp_path / "net.py"), [module])


def test_what_is_saved_is_loaded(recording, tmp_path):
    path = tmp_path / "run.tsr"
    recording.save(path)
    assert load(path) == recording
    assert [entry.name for entry in tmp_path.iterdir()] == ["run.tsr"]
    assert json.loads(path.read_text())["version"] == 1


def test_saving_where_nothing_can_be_written(recording, tmp_path):
    with pytest.raises(UserError, match=r"cannot be written: .*; give -o"):
        recording.save(tmp_path / "no" / "run.tsr")
    (tmp_path / "folder.tsr").mkdir()
    with pytest.raises(UserError):
        recording.save(tmp_path / "folder.tsr")
    assert [entry.name for entry in tmp_path.iterdir()] == ["folder.tsr"]


def broken(change):
    def apply(text):
        data = json.loads(text)
        change(data)
        return json.dumps(data)

    return apply


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda text: text[: len(text) // 2], "not JSON"),
        (lambda text: "\x00", "not JSON"),
        (lambda text: "[" * 100_000, "not JSON"),
        (lambda text: "[1]", "has no version"),
        (broken(lambda data: data.update(version=2)), "has version 2"),
        (broken(lambda data: data.pop("observations")), "observations"),
        (broken(lambda data: data.update(command="rm -rf")), "command"),
        (broken(lambda data: data.update(command=[])), "command"),
        (broken(lambda data: data["observations"]["functions"][0].update(lines="12")), "functions.0.lines"),
        (broken(lambda data: data["observations"]["functions"][0]["arguments"].update(x=1)), "arguments"),
        (broken(lambda data: data["modules"][0].pop("class")), "modules.0.class"),
    ],
)
def test_what_is_no_recording(recording, tmp_path, spoil, says):
    path = tmp_path / "run.tsr"
    recording.save(path)
    path.write_text(spoil(path.read_text()))
    with pytest.raises(UserError) as raised:
        load(path)
    assert str(raised.value).startswith(f"{path}: ")
    assert says in str(raised.value)
    assert "tsrefactor record" in raised.value.remedy


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(UserError, match="No such file"):
        load(tmp_path / "none.tsr")


def test_nothing_is_stale_while_the_text_stands(tmp_path):
    path = tmp_path / "net.py"
    path.write_text(TEXT)
    assert stale(observed(path)) == (observed(path), [])


def test_moved_functions_keep_their_facts_and_changed_ones_lose_them(tmp_path):
    path = tmp_path / "net.py"
    before = observed(path)
    path.write_text("# one\n# two\n" + TEXT.replace("return 0", "return 5"))
    fresh, gone = stale(before)
    assert gone == [(str(path), "gone")]
    assert set(fresh.functions) == {(str(path), "Net.__init__", 5), (str(path), "Net.forward", 8)}
    assert fresh.functions[str(path), "Net.forward", 8].lines == {11}
    assert set(fresh.classes) == {(str(path), "Net")}
    assert before == observed(path)


def test_a_class_goes_with_its_constructor(tmp_path):
    path = tmp_path / "net.py"
    path.write_text(TEXT.replace("self.x = 1", "self.x = 2"))
    assert stale(observed(path))[1] == [(str(path), "Net"), (str(path), "Net.__init__")]
    path.write_text(TEXT.replace("class Net", "class Other"))
    assert (str(path), "Net") in stale(observed(path))[1]


@pytest.mark.parametrize("text", [None, "def broken(:\n", "# coding: no-such-codec\n"])
def test_files_that_are_gone_or_no_longer_python(tmp_path, text):
    path = tmp_path / "net.py"
    if text is not None:
        path.write_text(text)
    fresh, gone = stale(observed(path))
    assert fresh == Observations()
    assert len(gone) == 4
