"""Models that nothing can be done for, beside one that is mended: each has a verdict and a reason."""

from __future__ import annotations

import json

CASES = '''\
import linecache, sys, types
import torch
from tsrefactor import Inputs, ModelCase

sys.path += ["src", "elsewhere"]
import lib, models

TEXT = """
import torch

class Made(torch.nn.Module):
    def forward(self, x, scale=0.5):
        return x * scale
"""
made = {"__name__": "made"}
exec(TEXT, made)
cell = types.ModuleType("cell")  # as a notebook runs its cells
linecache.cache["<ipython-input-1>"] = (len(TEXT), None, TEXT.splitlines(True), "<ipython-input-1>")
exec(compile(TEXT, "<ipython-input-1>", "exec"), cell.__dict__)


def cases():
    classes = {
        "exec": made["Made"], "notebook": cell.Made, "elsewhere": lib.Elsewhere, "varying": models.Varying,
        "fine": models.Fine,
    }
    for name, cls in classes.items():
        yield ModelCase(name, cls, lambda: [Inputs(torch.ones(2, 2))])
'''
MODEL = "import torch\n\n\nclass {}(torch.nn.Module):\n    def forward(self, x, scale=0.5):\n        return x * scale\n"
VARYING = """

class Varying(torch.nn.Module):
    def forward(self, x, scale=0.5):
        noise = 1.0 if torch.jit.is_scripting() else float(int.from_bytes(__import__("os").urandom(2), "little"))
        return x * scale + noise
"""


def test_what_cannot_be_rewritten_is_left_alone_with_a_reason_and_the_rest_goes_on(project, run):
    for folder in ("src", "elsewhere"):
        (project / folder).mkdir()
    (project / "elsewhere" / "lib.py").write_text(MODEL.format("Elsewhere"))
    (project / "src" / "models.py").write_text(MODEL.format("Fine") + VARYING)
    (project / "cases.py").write_text(CASES)
    (project / "pyproject.toml").write_text('[tool.tsrefactor]\nsrc = ["src"]\n')
    assert run("migrate", "cases.py", "--report", "r.json").code == 1
    cases = {case["name"]: case for case in json.loads((project / "r.json").read_text())["cases"]}
    assert {name: case["status"] for name, case in cases.items()} == {
        "exec": "failed", "notebook": "failed", "elsewhere": "failed", "varying": "migrated", "fine": "migrated",
    }  # fmt: skip
    no_source = "Made has no source file, as in a notebook or after exec: it is left alone"
    assert cases["exec"]["notes"] == cases["notebook"]["notes"] == [no_source]
    assert cases["elsewhere"]["notes"] == ["Elsewhere is defined in elsewhere/lib.py, outside of src: it is left alone"]
    assert cases["varying"]["notes"] == ["eager results vary from run to run: compared in shape and dtype only"]
    assert cases["varying"]["after"]["reload"]["verdict"] == "pass" and cases["fine"]["notes"] == []
    assert (project / "elsewhere" / "lib.py").read_text() == MODEL.format("Elsewhere")
    assert (project / "src" / "models.py").read_text().count("scale: float = 0.5") == 2
