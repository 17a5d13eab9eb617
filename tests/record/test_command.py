"""`tsrefactor record` and the replay of what it wrote, in real processes."""

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import tsrefactor.errors
from tsrefactor.errors import UserError
from tsrefactor.record.command import record
from tsrefactor.record.recording import load

ROOT = Path(tsrefactor.errors.__file__).resolve().parents[1]

NET = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(3, 4)
        self.seen = []

    def forward(self, x, scale=None):
        if scale is not None:
            x = x * scale
        self.seen.append(x.shape[0])
        return self.layer(x)
"""
MAIN = """
import sys
from net import *

if __name__ == "__main__":
    net = Net().eval()
    for rows in (1, 2, 5, 6):
        net(torch.ones(rows, 3), scale=0.5)
    nn.MSELoss()(torch.ones(1), torch.ones(1))
    print("out", sys.argv)
    print("err", file=sys.stderr)
    {end}
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.py").write_text(NET)

    def write(end="pass", name="main.py", text=MAIN):
        (tmp_path / name).write_text(text.replace("{end}", end))
        return tmp_path

    return write


def replay(folder, code):
    """Runs `code` after the imports in a process of its own; what it prints as JSON last."""
    text = textwrap.dedent(code)
    program = f"import json, torch\nfrom tsrefactor.record import replay\n{text}"
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, env=env, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_a_script_is_recorded_and_replayed(project, capfd):
    folder = project("sys.exit(7)")
    assert record("run.tsr", ["python", "main.py", "a"]) == 7
    output = capfd.readouterr()
    assert (output.out, output.err) == ("out ['main.py', 'a']\n", "err\n")
    recording = load("run.tsr")
    assert recording.command == ("python", "main.py", "a")
    (net,) = recording.modules
    assert (net.name, net.calls, net.training) == ("net.Net#1", 4, False)
    assert [one["args"][0]["tensor"] for one in net.inputs] == [[1, 3], [2, 3], [5, 3]]
    assert net.inputs[0]["kwargs"] == {"scale": {"value": 0.5}}
    functions = {function.qualname: function for function in recording.observations.functions.values()}
    assert {name: str(kind) for name, kind in functions["Net.forward"].arguments.items()} == {
        "self": "Module", "x": "Tensor", "scale": "float",
    }  # fmt: skip
    assert functions["Net.forward"].scripted
    (cls,) = recording.observations.classes.values()
    assert (cls.instances, str(cls.attributes["seen"])) == (1, "List[int]")

    (folder / "net.py").write_text(NET.replace("[]", "[-1]"))  # the source of today is what is run again
    found = replay(folder, """
        def function(case, tag):
            first, second = case.build(), case.build()
            inputs = case.inputs()
            first(*inputs[0].args, **inputs[0].kwargs)
            state = [first.seen, second.seen, first.training, torch.is_grad_enabled()]
            same = torch.equal(first.layer.weight, second.layer.weight)
            return [*state, same, [list(i.args[0].shape) for i in inputs], inputs[0].kwargs, tag]
        print(json.dumps(replay.run("run.tsr", "net.Net#1", function, {"tag": "t"})))
    """)  # fmt: skip
    assert found == [[-1, 1], [-1], False, True, True, [[1, 3], [2, 3], [5, 3]], {"scale": 0.5}, "t"]


def test_a_failing_command_leaves_its_recording(project, capfd):
    project("raise ValueError('broken')")
    assert record("run.tsr", ["python", "main.py"]) == 1
    error = capfd.readouterr().err
    assert error.count("File ") == 1
    assert 'main.py", line 12, in <module>' in error
    assert "ValueError: broken" in error
    assert len(load("run.tsr").modules) == 1


def test_ctrl_c_leaves_what_was_recorded(project, capfd):
    project("import os, signal; os.kill(os.getpid(), signal.SIGINT)")
    assert record("run.tsr", ["python", "main.py"]) == 130
    assert "KeyboardInterrupt" in capfd.readouterr().err
    assert len(load("run.tsr").modules) == 1


def test_a_command_that_leaves_no_recording(project):
    project("import os; os._exit(0)")
    with pytest.raises(UserError, match="left with exit code 0 before its recording could be written"):
        record("run.tsr", ["python", "main.py"])
    assert not Path("run.tsr").exists()


def test_a_pytest_run_is_recorded_and_replayed(project, capfd):
    tests = """
        import torch
        from net import Net

        def test_fails():
            Net()(torch.ones(2, 3))
            assert False

        def test_passes():
            assert Net().eval()(torch.ones(3, 3)).shape == (3, 4)
            open("late", "w").close()
    """
    folder = project(name="test_net.py", text=textwrap.dedent(tests))
    (folder / "json.py").write_text("raise RuntimeError('shadowed')")
    assert record("run.tsr", ["python", "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_net.py"]) == 1
    assert "1 failed, 1 passed" in capfd.readouterr().out
    recording = load("run.tsr")
    modes = {module.name: module.training for module in recording.modules}
    assert modes == {"net.Net#1": True, "net.Net#2": False}
    assert "test_passes" in {function.qualname for function in recording.observations.functions.values()}
    (folder / "json.py").unlink()
    (folder / "late").unlink()
    found = replay(folder, """
        def function(case):
            return [case.build().training, [list(i.args[0].shape) for i in case.inputs()]]
        print(json.dumps(replay.run("run.tsr", "net.Net#1", function, {})))
    """)  # fmt: skip
    assert found == [True, [[2, 3]]]
    assert not (folder / "late").exists()  # the session was stopped, not only the test


def test_a_case_that_is_not_called_again(project):
    folder = project()
    record("run.tsr", ["python", "main.py"])
    (folder / "main.py").write_text("raise ValueError('changed')\n")
    found = replay(folder, """
        from tsrefactor.errors import UserError
        said = []
        for name in ("net.Net#1", "net.Net#2"):
            try:
                replay.run("run.tsr", name, lambda case: case, {})
            except UserError as error:
                said.append(str(error))
        said.append(replay.run("run.tsr", None, lambda cases: sorted(cases), {}))
        print(json.dumps(said))
    """)  # fmt: skip
    gone, unknown, none = found
    assert "the command did not call net.Net#1 again (it raised ValueError: changed); record it again" in gone
    assert "has no case named 'net.Net#2'; use one of net.Net#1" in unknown
    assert none == []


def test_a_module_that_cannot_be_copied_is_taken_live(project):
    folder = project(
        name="main.py",
        text="""
from net import *
class Odd(Net):
    def __init__(self):
        super().__init__()
        self.graph = self.layer.weight * 2
odd = Odd()
for rows in (1, 2):
    odd(torch.ones(rows, 3))
""",
    )
    record("run.tsr", ["python", "main.py"])
    found = replay(folder, """
        def function(case):
            return [case.build() is case.build(), case.build().seen, [list(i.args[0].shape) for i in case.inputs()]]
        print(json.dumps(replay.run("run.tsr", "__main__.Odd#1", function, {})))
    """)  # fmt: skip
    assert found == [True, [], [[1, 3]]]


@pytest.mark.parametrize(
    ("output", "says"),
    [("no/run.tsr", "folder does not exist"), (".", "is a folder")],
)
def test_an_output_that_cannot_be_written_is_said_before_the_run(project, output, says):
    project("open('ran', 'w')")
    with pytest.raises(UserError, match=says):
        record(output, ["python", "main.py"])
    assert not Path("ran").exists()


def test_the_recording_process_needs_no_torch():
    code = "import sys, tsrefactor.record.command, tsrefactor.record.recording; sys.exit('torch' in sys.modules)"
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    assert subprocess.run([sys.executable, "-c", code], env=env, check=False).returncode == 0
