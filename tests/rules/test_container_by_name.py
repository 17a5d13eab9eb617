"""container-by-name, and module-by-name beside other modules: what runs saw, and what stays as it is."""

import pytest

from tests.rules.texts import findings, source
from tsrefactor.facts.observations import ClassObservations, Observations
from tsrefactor.rules.container_by_name import ContainerByName
from tsrefactor.rules.module_by_name import ModuleByName

BODY = """\
import torch
from torch import nn


class Model(nn.Module):
    def __init__(self, depth):
        super().__init__()
        for i in range(depth):
            self.add_module(f"block{{i}}", nn.ModuleList([nn.Linear(4, 4)]))
            self.add_module(f"norm{{i}}", nn.LayerNorm(4))

    def forward(self, x: torch.Tensor, i: int):
        {}
        return x
"""
LIST, NORM = "torch.nn.modules.container.ModuleList", "torch.nn.modules.normalization.LayerNorm"


def found(rule, tmp_path, body, **children):
    file = source(tmp_path / "model.py", BODY.format(body.replace("\n", "\n        ")))
    seen = ClassObservations(str(file.path), "Model", 1, children={n: {kind} for n, kind in children.items()})
    return findings(rule, file, observations=Observations(classes={(seen.file, seen.qualname): seen}))


GET = 'block = getattr(self, f"block{i}")\n'


@pytest.mark.parametrize(
    "code",
    [
        GET + "for blk in block:\n    x = blk(x)\n    x = x + 1",
        GET + "for blk in block:\n    x = blk(x)\nx = blk(x)",
        GET + "for blk in block:\n    x = blk(x)\nn = len(block)",
        GET + "for blk in block:\n    y = blk(x)",
        GET + "i = i + 1\nfor blk in block:\n    x = blk(x)",
        'block = getattr(x, f"block{i}")\nfor blk in block:\n    x = blk(x)',
    ],
)
def test_other_uses_of_a_container(tmp_path, code):
    assert found(ContainerByName(), tmp_path, code, block0=LIST) == []


def test_names_that_no_run_saw(tmp_path):
    assert found(ContainerByName(), tmp_path, GET + "for blk in block:\n    x = blk(x)", norm0=NORM) == []


@pytest.mark.parametrize(
    ("children", "guarded"), [({"norm0": NORM, "block0": LIST}, True), ({"norm0": NORM, "norm1": NORM}, False)]
)
def test_names_are_listed_where_other_modules_are_unlike(tmp_path, children, guarded):
    [finding] = found(ModuleByName(), tmp_path, 'x = getattr(self, f"norm{i}")(x)', **children)
    method = finding.edits[0].pieces["method"]
    eager = "\n    if not torch.jit.is_scripting():\n        return getattr(self, name)(x)\n"
    assert (eager in method) == ("hasattr(self, 'norm0')" in method) == guarded
    assert ("named_children" in method) != guarded
