import importlib.util
from pathlib import Path

import pytest
import torch

from tests.forked import forked
from tests.rules.tracing import findings, model, rewritten
from tsrefactor.rules import Settings
from tsrefactor.rules.device_follow import DeviceFollow
from tsrefactor.vocabulary import Placement

RULE = [DeviceFollow()]
INNER, MODULE = Settings(placement=Placement.INNER), Settings(placement=Placement.MODULE)
INIT = "self.w = nn.Parameter(torch.ones(3))\nself.dev = torch.device('cpu')"

WRITTEN = {
    "torch.zeros(2, x.size(0), device=x.device)": "x.new_zeros(2, x.size(0), dtype=torch.float32)",
    "torch.zeros(x.shape, dtype=x.dtype, device=x.device)": "x.new_zeros(x.shape)",
    "torch.ones(3, dtype=torch.long, device=x.device)": "x.new_ones(3, dtype=torch.long)",
    "torch.full((3,), 2, device=x.device)": "x.new_full((3,), 2, dtype=torch.int64)",
    "torch.full((3,), 0.5, dtype=x.dtype, device=x.device)": "x.new_full((3,), 0.5)",
    "torch.empty(3, device=self.w.device)": "self.w.new_empty(3, dtype=torch.float32)",
}


@pytest.mark.parametrize("written", WRITTEN)
def test_methods_of_a_tensor(written):
    after = rewritten(RULE, model(f"return x + {written}", INIT)).document.text
    assert f"return x + {WRITTEN[written]}\n" in after


@pytest.mark.parametrize("number", ["self.k", "self.rate"])
def test_a_number_may_be_of_another_type_in_another_instance(number):
    init = "def __init__(self, k=2, rate=0.5):\n    super().__init__()\n    self.k, self.rate = k, rate\n\n"
    body = f"def forward(self, x: torch.Tensor):\n    return x + torch.full((3,), {number}, device=x.device)"
    assert ".new_full(" not in rewritten(RULE, model(init + body)).document.text


MOVED = [
    "x * torch.arange(x.shape[0], device=x.device)",
    "x + torch.linspace(0, 1, x.shape[0], device=x.device)",
    "x + torch.tensor(2.0, device=x.device)",
    "x + torch.eye(x.shape[0]).to(x.device).sum()",
    "x + torch.zeros(x.shape[0], device=x.device)",
]


@pytest.mark.parametrize("settings", [INNER, MODULE], ids=["inner", "module"])
@pytest.mark.parametrize("expression", MOVED)
def test_a_trace_follows_to_another_device(expression, settings, tmp_path):
    before = model(f"return {expression}", INIT)
    after = rewritten(RULE, before, settings).document.text
    for text, follows in ((before, False), (after, True)):
        path = tmp_path / "model.py"
        path.write_text(text)
        assert forked(_traced_on_meta, path) is follows


def _traced_on_meta(path: Path) -> bool:
    """Whether a trace made on the CPU holds no device, and gives tensors without content for such ones."""

    spec = importlib.util.spec_from_file_location("on_meta", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    trace = torch.jit.trace(module.Model(), torch.rand(3), check_trace=False)
    graph = trace.inlined_graph
    held = [n for n in graph.findAllNodes("prim::Constant") if str(n.output().type()) == "Device"]
    try:
        moved = trace(torch.rand(5, device="meta")).is_meta
    except RuntimeError:  # of two devices
        moved = False
    return moved and not held


@pytest.mark.parametrize(
    "expression",
    [
        "x + torch.zeros(3, device=self.dev)",
        "x + torch.zeros(3, device='cpu')",
        "x + torch.zeros(3)",
        "x.to(torch.float16)",
        "x + torch.zeros_like(x, device=x.device)",
    ],
)
def test_left_alone(expression):
    assert findings(RULE, model(f"return {expression}", INIT)) == []


def test_another_default_dtype():
    text = model("return x + torch.zeros(3, device=x.device)", before="torch.set_default_dtype(torch.float64)\n\n\n")
    assert "new_zeros" not in rewritten(RULE, text).document.text
