import pytest

from tests.rules.tracing import findings, model, rewritten, same_in_eager, trace_follows
from tsrefactor.rules.constant_tensor import ConstantTensor

RULE = [ConstantTensor()]


@pytest.mark.parametrize(
    "expression",
    [
        "torch.tensor(x.shape[0])",  # a trace follows one size
        "torch.tensor([1, 2])",
        "torch.tensor([x.shape[0], 0.5])",  # TorchScript takes no list of both
        "torch.tensor(2.0)",
        "torch.tensor([x.dim(), 3])",
    ],
)
def test_left_alone(expression):
    assert findings(RULE, model(f"return x + {expression}")) == []


@pytest.mark.parametrize(
    ("call", "written"),
    [
        ("torch.tensor(ns)", "torch.stack([torch.full((), n) for n in ns])"),
        ("torch.tensor(ns, dtype=torch.int32)", "torch.stack([torch.full((), n, dtype=torch.int32) for n in ns])"),
        (
            "torch.as_tensor(ns, device=x.device)",
            "torch.stack([x.new_full((), n, dtype=torch.int64) for n in ns])",
        ),
    ],
)
def test_collected_sizes(call, written):
    after = rewritten(
        RULE, model(f"ns = []\nfor i in range(2):\n    ns.append(x.shape[i])\nreturn {call}")
    ).document.text
    assert f"return {written}\n" in after


EMPTY = """\
def __init__(self, limits=(0.2, 0.5), weight=2):
    super().__init__()
    self.limits, self.weight = limits, weight

def forward(self, x: torch.Tensor):
    ns = []
    for limit in self.limits:
        ns.append(x[x > limit].numel() * int(self.weight))
    return torch.tensor(ns, device=x.device)
"""


def test_a_list_may_be_empty_and_hold_floats_in_another_instance():
    text = model(EMPTY)
    after = rewritten(RULE, text).document.text
    full = "torch.stack([x.new_full((), n, dtype=torch.int64) for n in ns])"
    assert f"return {full} if ns else x.new_zeros(0, dtype=torch.float32)\n" in after
    after = rewritten(RULE, text.replace(", device=x.device", "")).document.text
    assert "return torch.stack([torch.full((), n) for n in ns]) if ns else torch.tensor(ns)\n" in after
    [found] = findings(RULE, text.replace("int(self.weight)", "self.weight"))
    assert not found.edits


GIVEN = """\
def forward(self, x: torch.Tensor):
    return self.scaled(x, x.shape[-2:])

def scaled(self, x: torch.Tensor, size: tuple[int, int]):
    h, w = size
    return x / torch.tensor([[w, h]])
"""


def test_sizes_in_lists_of_lists_that_a_call_gives_are_passed_as_tensors(tmp_path):
    text = model(GIVEN)
    after = rewritten(RULE, text).document.text
    assert "torch.tensor([[int(w), int(h)]])" in after
    assert "_tensor_w(torch.scalar_tensor(w, dtype=torch.long), torch.scalar_tensor(h, dtype=torch.long))" in after
    inputs = "[(torch.rand(3, 2),), (torch.rand(5, 2),)]"
    assert not trace_follows(text, inputs, tmp_path) and trace_follows(after, inputs, tmp_path)


UNPACKED = """\
def forward(self, x: torch.Tensor):
    h, w = x.shape[-2:]
    return self.scaled(x, (h, w))

def scaled(self, x, size: tuple):
    return x.reshape(1, *size) / torch.tensor([[[*size]]]).type_as(x).sum()
"""


def test_sizes_that_are_unpacked_are_put_into_tensors_one_by_one(tmp_path):
    text = model(UNPACKED)
    after = rewritten(RULE, text).document.text
    assert "torch.stack([torch.full((), n) for n in size]).view(1, 1, -1).type_as(x)" in after
    inputs = "[(torch.rand(3, 2),), (torch.rand(5, 2),)]"
    assert not trace_follows(text, inputs, tmp_path) and trace_follows(after, inputs, tmp_path)
    assert same_in_eager(text, after, inputs, tmp_path)
    assert findings(RULE, text.replace("(h, w)", "(h, 0.5)")) == []
