"""soft-refactor where a block calls layers with weights, methods that read `self`, and layers of the file's classes."""

import pytest
import torch  # noqa: F401  imported before the forks

from tests.rules.tracing import findings, model, rewritten, same_in_eager, trace_follows
from tsrefactor.rules import Settings
from tsrefactor.rules.soft_refactor import SoftRefactor
from tsrefactor.vocabulary import Placement

RULE, MODULE = [SoftRefactor()], Settings(placement=Placement.MODULE)
INIT = """\
n, bias, eps = 4, False, 1e-3
self.lin = nn.Linear(4, n)
self.bare = nn.Linear(n, 4, bias=bias)
self.conv = nn.Conv1d(1, 2, 3, padding=n // 4, bias=False)
self.norm = nn.LayerNorm(4, eps=eps)
self.groups = nn.GroupNorm(2, 4)
self.drop = nn.Dropout(0.0)
self.table = nn.Embedding(5, 4, padding_idx=0)
self.gru = nn.GRUCell(4, 4, bias=False)
self.lstm = nn.LSTMCell(4, 4)"""
LOOP = """\
outs = []
for t in range(x.size(0)):
    y = self.drop(self.bare(F.relu(self.lin(x[t]))))
    y = y + self.conv(y.unsqueeze(1)).mean(1)
    outs.append(self.groups(y) + self.table(x[t].argmax(1)))
return torch.stack(outs)"""
CELLS = """\
h = torch.zeros(x.size(1), 4)
c = h + 1
for row in x:
    h, c = self.lstm(self.gru(self.norm(row), h), (h, c))
return h + c"""
ROWS = "[(torch.randn(n, 2, 4),) for n in (3, 1, 6)]"


def test_layers_with_weights_are_called_as_functions(tmp_path):
    before = model(LOOP, INIT)
    after = rewritten(RULE, before, MODULE).document.text
    assert "F.linear(F.relu(F.linear(x[t], lin_weight, lin_bias)), bare_weight, bare_bias)" in after
    assert "padding=conv_padding)" in after and "conv_bias" not in after
    assert "conv_padding: Tuple[int]" in after and "bare_bias: Optional[torch.Tensor]" in after
    assert not trace_follows(before, ROWS, tmp_path)
    assert trace_follows(after, ROWS, tmp_path, script=True), after
    assert same_in_eager(before, after, ROWS, tmp_path)


def test_cells_are_presumed_to_be_given_a_batch(tmp_path):
    before = model(CELLS, INIT)
    after = rewritten(RULE, before, MODULE).document.text
    assert trace_follows(after, ROWS, tmp_path, script=True), after
    assert same_in_eager(before, after, ROWS, tmp_path)
    (found,) = findings(RULE, before, MODULE)
    assert found.presumed and found.caveat is not None and "hooks" in found.caveat


METHODS = """\
def step(self, x, h):
    return torch.tanh(self.lin(x) + h @ self.mix) * self.scale

def forward(self, x: torch.Tensor):
    h = torch.zeros(x.size(1), 4)
    for t in range(x.size(0)):
        h = self.step(x[t], h) + self.cell(x[t], h)
    while h.sum() > 1:
        h = self.step(h, h) - 1
    return self.step(h, h)
"""
CELL = """\
class Cell(nn.Module):
    def __init__(self, size=4, bias=True):
        super().__init__()
        self.lin = nn.Linear(size, size, bias=bias)
        self.size = size

    def forward(self, x, h):
        # the old state fades
        return self.lin(x) + h / self.size


"""
STATE = "self.lin = nn.Linear(4, 4)\nself.mix = nn.Parameter(torch.eye(4))\nself.scale = 0.5\nself.cell = Cell(4)"


def test_methods_and_layers_of_the_file_become_functions_of_what_they_read(tmp_path):
    before = model(METHODS, STATE, CELL)
    after = rewritten(RULE, before, MODULE).document.text
    assert after.count("\ndef _step(x, h, lin_weight, lin_bias, mix, scale: float):\n") == 1
    assert "        return _step(x, h, self.lin.weight, self.lin.bias, self.mix, self.scale)\n" in after
    assert "_cell_forward(x[t], h, cell_lin_weight, cell_lin_bias, cell_size)" in after
    assert trace_follows(after, ROWS, tmp_path, script=True), after
    assert same_in_eager(before, after, ROWS, tmp_path)


def test_a_second_run_calls_the_functions_that_the_first_has_made():
    after = rewritten(RULE, model(METHODS, STATE, CELL), MODULE).document.text
    again = after.replace(
        "return self.step(h, h)", "while h.sum() < -1:\n            h = self.step(h, h) + 1\n        return h"
    )
    text = rewritten(RULE, again, MODULE).document.text
    assert "h = _step(h, h, lin_weight, lin_bias, mix, scale) + 1" in text and "_step_2" not in text


ONE = "for i in range(x.size(0)):\n    x = x + self.layer(x)\nreturn x"
REFUSED = {
    "the weights' hooks": ("self.layer = nn.Linear(4, 4)\nnn.utils.weight_norm(self.layer)", ONE),
    "made twice": ("self.layer = nn.Linear(4, 4)\nif make():\n    self.layer = nn.Linear(4, 4, False)", ONE),
    "statistics": ("self.layer = nn.BatchNorm1d(4)", ONE),
    "another padding": ("self.layer = nn.Conv1d(4, 4, 3, padding=1, padding_mode='circular')", ONE),
    "padding that may be text": ("self.layer = nn.Conv1d(4, 4, 3, padding=make())", ONE),
    "rows that are changed": ("self.layer = nn.Embedding(4, 4, max_norm=1.0)", ONE),
    "not in every instance": (
        "if make():\n    self.layer = nn.Linear(4, 4)",
        ONE.replace("    x =", "    if i > 2:\n        x ="),
    ),
    "a state that starts inside": ("self.layer = nn.GRUCell(4, 4)", ONE),
}


@pytest.mark.parametrize(("init", "body"), REFUSED.values(), ids=REFUSED)
def test_layers_that_are_more_than_a_function_keep_the_block(init, body):
    found = findings(RULE, model(body, init), MODULE)
    assert not any(f.fixable for f in found) and "self.layer" in found[0].message


@pytest.mark.parametrize(
    "elsewhere",
    [
        "def build(net):\n    nn.utils.spectral_norm(net.layer)\n    return net\n",
        "from torch.nn.utils import weight_norm as wn\n",
        "import torch.nn.utils.parametrize as P\n",
        "def shrink(net):\n    from torch.nn.utils import prune\n    prune.l1_unstructured(net.layer, 'weight', 0.5)\n",
        "def probe(net, seen):\n    net.layer.register_forward_hook(lambda m, i, o: seen.append(o))\n",
        "def small(net):\n    return torch.ao.quantization.quantize_dynamic(net, {nn.Linear})\n",
        "def strip(net):\n    net._modules['layer'] = nn.Identity()\n",
        "def strip(net):\n    net.set_submodule('layer', nn.Identity())\n",
    ],
)
def test_what_changes_weights_anywhere_in_the_file_keeps_the_block(elsewhere):
    plain = model(ONE, "self.layer = nn.Linear(4, 4)")
    assert all(f.fixable for f in findings(RULE, f"{plain}\n\ntorch.nn.utils.clip_grad_norm_([], 1.0)\n", MODULE))
    assert not any(f.fixable for f in findings(RULE, f"{plain}\n\n{elsewhere}", MODULE))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("def forward(self, x, h)", "def forward(self, x, h, *more)"),
        ("h / self.size", "h / self.size + self.other(h)"),
        ("return self.lin", "self.size = 3\n        return self.lin"),
        ("(nn.Module)", "(nn.Linear)"),
    ],
)
def test_classes_that_do_more_than_compute_keep_the_block(old, new):
    found = findings(RULE, model(METHODS, STATE, CELL.replace(old, new, 1)), MODULE)
    assert [f for f in found if not f.fixable and ("self.cell" in f.message or "forward, and" in f.message)]


LISTS = """\
self.cells = nn.ModuleList([Cell(4, bias=i > 0) for i in range(2)])
self.grus = nn.ModuleList()
for _ in range(2):
    self.grus.append(nn.GRUCell(4, 4))"""
LAYERED = """\
for i, cell in enumerate(self.cells):
    h = torch.zeros(x.size(1), 4)
    outs = []
    for t in range(x.size(0)):
        h = self.grus[i](x[t], h) + cell(x=x[t], h=h + 1)
        outs.append(h)
    x = torch.stack(outs)
return x"""


def test_layers_of_a_list_become_functions_of_the_weights_of_the_one_that_is_called(tmp_path):
    before = model(LAYERED, LISTS, CELL)
    after = rewritten(RULE, before, MODULE).document.text
    assert "h = torch.gru_cell(x[t], h, gru_weight_ih, " in after
    assert "_cell_forward(x=x[t], h=h + 1, lin_weight=cell_lin_weight, lin_bias=cell_lin_bias, size=cell_size)" in after
    assert "self.grus[i].weight_ih" in after and "cell.lin.weight" in after
    assert not trace_follows(before, ROWS, tmp_path)
    assert trace_follows(after, ROWS, tmp_path, script=False), after
    assert same_in_eager(before, after, ROWS, tmp_path)


LOOPED = "for t in range(x.size(0)):\n    x = x + self.parts[0](x)\nreturn x"
ODD_LISTS = {
    "unlike layers": ("self.parts = nn.ModuleList([nn.Linear(4, 4), nn.Linear(4, 4, bias=False)])", LOOPED),
    "unlike classes": ("self.parts = nn.ModuleList([nn.Linear(4, 4), nn.LayerNorm(4)])", LOOPED),
    "filled otherwise": ("self.parts = nn.ModuleList([nn.Linear(4, 4)])\nself.parts.extend(make())", LOOPED),
    "a layer changed": ("self.parts = nn.ModuleList([nn.Linear(4, 4)])\nself.parts[0] = make()", LOOPED),
    "another one in each turn": (
        "self.parts = nn.ModuleList([nn.Linear(4, 4)])",
        "for t in range(x.size(0)):\n    for i in range(1):\n        x = x + self.parts[i](x)\nreturn x",
    ),
    "a loop over them inside": (
        "self.parts = nn.ModuleList([nn.Linear(4, 4)])",
        "for t in range(x.size(0)):\n    for part in self.parts:\n        x = x + part(x)\nreturn x",
    ),
}


@pytest.mark.parametrize(("init", "body"), ODD_LISTS.values(), ids=ODD_LISTS)
def test_layers_of_which_more_than_one_may_be_meant_keep_the_block(init, body):
    found = findings(RULE, model(body, init), MODULE)
    assert found and not any(f.fixable for f in found)


def test_a_name_that_was_a_size_before_is_a_tensor_where_its_life_says_so():
    used = "b, h = x.shape\nh = torch.zeros(b)\nfor row in x:\n    h = h + row.sum()\nreturn h"
    assert findings(RULE, model(used), MODULE)[0].fixable
    assert not findings(RULE, model(used.replace("h = torch", "if b > 2:\n    h = torch")), MODULE)[0].fixable


RECURRENT = "self.gru = nn.GRU(4, 4, 2, batch_first=True, dropout=0)\nself.rnn = nn.RNN(input_size=4, hidden_size=4)"
STEPS = """\
h = torch.zeros(2, x.size(1), 4)
c = h[1:] - 1
outs = []
for t in range(x.size(0)):
    y, h = self.gru(x[t].unsqueeze(1), h)
    y, c = self.rnn(y.transpose(0, 1), c)
    outs.append(y[0])
return torch.stack(outs)"""


def test_recurrent_layers_that_take_one_step_are_called_as_functions(tmp_path):
    before = model(STEPS, RECURRENT)
    after = rewritten(RULE, before, MODULE).document.text
    assert "y, h = torch.gru(x[t].unsqueeze(1), h, gru_weights, True, 2, 0.0, gru_training, False, True)" in after
    assert "y, c = torch.rnn_tanh(y.transpose(0, 1), c, rnn_weights, True, 1, " in after
    assert trace_follows(after, ROWS, tmp_path, script=True), after
    assert same_in_eager(before, after, ROWS, tmp_path)
    assert findings(RULE, before, MODULE)[0].presumed  # that a batch is given


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("nn.RNN(", "nn.RNN(nonlinearity='relu', "),
        ("nn.RNN(", "nn.LSTM("),  # `torch.lstm` checks no sizes
        ("self.gru(x[t].unsqueeze(1), h)", "self.gru(x[t].unsqueeze(1))"),
    ],
)
def test_recurrent_layers_of_another_form_keep_the_block(old, new):
    assert not any(f.fixable for f in findings(RULE, model(STEPS, RECURRENT).replace(old, new), MODULE))


HEAD = (
    "self.layer = nn.Sequential(nn.Linear(4, 4, bias=False), nn.ReLU(inplace=True), nn.Dropout(0.0), nn.Linear(4, 4))"
)


def test_a_short_sequential_becomes_the_functions_of_its_layers(tmp_path):
    before = model(ONE, HEAD)
    after = rewritten(RULE, before, MODULE).document.text
    assert (
        "F.linear(F.dropout(F.relu(F.linear(x, layer_0_weight), inplace=True), layer_2_p, layer_2_training),"
        " layer_3_weight, layer_3_bias)"
    ) in after
    assert trace_follows(after, ROWS, tmp_path, script=True), after
    assert same_in_eager(before, after, ROWS, tmp_path)


@pytest.mark.parametrize(
    "init",
    [
        HEAD.replace("nn.Dropout(0.0)", "nn.BatchNorm1d(4)"),
        HEAD.replace("nn.Dropout(0.0)", "nn.Tanh(), nn.Tanh()"),
        HEAD.replace("nn.Dropout(0.0)", "*make()"),
        f"{HEAD}\nself.layer.append(make())",
        f"{HEAD}\nself.layer[1] = make()",
        "self.layer = nn.Sequential(nn.ReLU(inplace=True), nn.Linear(4, 4))",
    ],
)
def test_a_sequential_of_other_layers_keeps_the_block(init):
    assert not any(f.fixable for f in findings(RULE, model(ONE, init), MODULE))
