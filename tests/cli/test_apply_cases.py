"""``apply --cases``: facts and proofs from real runs."""

from tests.cli.conftest import MENDED, TRAP

ZOO = """\
import torch
from tsrefactor import Inputs, ModelCase
from model import Model


def cases():
    yield ModelCase("model", Model, lambda: [Inputs(torch.rand(3, 2)), Inputs(torch.rand(5, 2))])
"""

MODEL = """\
import torch


def rows(x):
    return torch.arange(len(x))


def never_run(x):
    return torch.arange(len(x))


class Model(torch.nn.Module):
    def forward(self, x):
        return rows(x) + 0.5 * x.sum()


class Other(torch.nn.Module):
    def forward(self, x):
        return never_run(x)
"""


def apply(run, *arguments):
    return run("apply", "model.py", "--rule", "len-to-shape", "--cases", "zoo.py", *arguments)


def test_a_case_speaks_for_what_it_ran(project, run):
    (project / "zoo.py").write_text(ZOO)
    (project / "model.py").write_text(MODEL)
    ended = apply(run)
    assert ended.code == 0
    assert (project / "model.py").read_text() == MODEL.replace("len(x)", "x.shape[0]", 1)
    assert apply(run).code == 0 and run("undo").code == 0
    assert (project / "model.py").read_text() == MODEL


def test_edits_that_no_case_ran_are_marked_or_left_out(project, run):
    (project / "zoo.py").write_text(ZOO)
    text = MODEL.replace("def never_run(x)", "def never_run(x: torch.Tensor)")
    (project / "model.py").write_text(text)
    ended = apply(run, "--diff")
    assert ended.code == 1 and ended.raw.count(b"\n+ ") == 2
    assert "not verified: model.py:9: len-to-shape: " in ended.err and "model.py:5" not in ended.err
    ended = apply(run, "--diff", "--require-verified")
    assert ended.code == 1 and ended.raw.count(b"\n+ ") == 1
    assert "backed out: model.py:9: len-to-shape: no case that passes runs it" in ended.err


def test_a_case_that_varies_from_build_to_build_still_proves(project, run):
    (project / "zoo.py").write_text(ZOO)
    seeded = "    def __init__(self):\n        super().__init__()\n        self.start = float(os.urandom(1)[0])\n\n"
    text = "import os\n" + MODEL.replace("class Model(torch.nn.Module):\n", "class Model(torch.nn.Module):\n" + seeded)
    text = text.replace("forward(self, x)", "forward(self, x, n='sum')").replace("0.5 * x.sum()", "self.start, n")
    (project / "model.py").write_text(text)  # neither script nor trace takes it: neither is compared with eager
    ended = apply(run)
    assert ended.code == 0 and "not the same in two runs" not in ended.err
    assert "return torch.arange(x.shape[0])" in (project / "model.py").read_text()


def test_an_edit_that_breaks_a_case_is_backed_out(project, run, monkeypatch):
    from tsrefactor.rules.len_to_shape import LenToShape
    from tsrefactor.source.edits import Replace

    whole = LenToShape.findings

    def findings(self, file, settings):
        yield from whole(self, file, settings)
        for function in file.functions:
            for call in function.calls("torch.full"):
                yield self.finding(call, "harm", Replace(call, "torch.zeros(1)"))

    monkeypatch.setattr(LenToShape, "findings", findings)
    (project / "zoo.py").write_text(ZOO)
    text = TRAP.replace("0.5 *", "torch.full((1,), 2.0) *")
    (project / "model.py").write_text(text)
    ended = apply(run)
    assert ended.code == 1
    assert ended.err.splitlines()[0] == "backed out: model.py:6: len-to-shape: it breaks model" or (
        "backed out: model.py:6: len-to-shape: it breaks model" in ended.err
    )
    assert (project / "model.py").read_text() == text.replace("len(x)", "x.shape[0]")


def test_a_case_that_does_not_run_is_an_error(project, run):
    (project / "zoo.py").write_text(ZOO)
    (project / "model.py").write_text(TRAP.replace("0.5 *", "x.gone *"))
    ended = apply(run)
    assert ended.code == 2
    assert "error: case model does not run: model.py:6: " in ended.err


def test_a_recording_gives_the_types(project, run):
    (project / "model.py").write_text(MODEL)
    (project / "use.py").write_text("import torch\nfrom model import Model\n\nModel()(torch.rand(3, 2))\n")
    ended = run("record", "-o", "r.tsr", "--", "python", "use.py")
    assert ended.code == 0 and ended.err.startswith("recorded in r.tsr: ")
    flags = ["model.py", "--rule", "len-to-shape", "--recording", "r.tsr"]
    assert run("apply", *flags, "--diff").raw.count(b"\n+ ") == 1
    assert run("apply", *flags).code == 0
    assert (project / "model.py").read_text() == MODEL.replace("len(x)", "x.shape[0]", 1)
    ended = run("apply", *flags, "--diff")
    assert ended.code == 0 and "changed since the recording, so without its facts: model.py: rows" in ended.err
    (project / "model.py").write_text(MENDED)


def test_record_passes_the_exit_code_on(project, run):
    (project / "use.py").write_text("import sys\nsys.exit(7)\n")
    assert run("record", "-o", "r.tsr", "python", "use.py", "-o", "x").code == 7
    assert (project / "r.tsr").exists() and not (project / "x").exists()
    assert run("record", "-o", "nowhere/r.tsr", "python", "use.py").code == 2
    assert run("record", "-o", "r.tsr", "no-such-program").code == 2
