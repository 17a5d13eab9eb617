"""plain-module-list: forms, and what is left alone."""

import pytest

from tests.rules.texts import findings, rewritten, source
from tsrefactor.facts.observations import ClassObservations, Observations
from tsrefactor.facts.types import NONE
from tsrefactor.rules.plain_module_list import PlainModuleList

RULE = PlainModuleList()
HEAD = """\
import torch
from torch import nn


class Model(nn.Module):
    def __init__(self, n: int = 2):
        super().__init__()
"""
LOOP = ("for m in self.layers:", "    x = m(x)", "return x")
REGISTERED = ("for i, m in enumerate(self.layers):", "    self.add_module('layer%d' % i, m)")
OTHERS = ("for i, m in enumerate(others):",)
MADE = (
    "for i in range(n):",
    "    m = nn.Conv1d(4, 4, 1)",
    "    self.layers.append(m)",
    "    self.add_module(str(i), m)",
)
CONVS = "self.layers = [nn.Conv1d(4, 4, 1) for _ in range(n)]"


def model(init, body=LOOP):
    lines = "".join(f"        {line}\n" for line in init)
    return f"{HEAD}{lines}\n    def forward(self, x, m=None):\n" + "".join(f"        {line}\n" for line in body)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("self.layers = [nn.ReLU(), nn.Sigmoid()]", "self.layers = nn.ModuleList([nn.ReLU(), nn.Sigmoid()])"),
        ("self.layers = []", "self.layers = nn.ModuleList()"),
    ],
)
def test_layers_without_parameters(before, after, tmp_path):
    more = ("self.layers.append(nn.Sequential(nn.ReLU(), nn.MaxPool1d(2)))",)
    file = source(tmp_path / "model.py", model((before, *more)))
    assert rewritten(RULE, file) == model((after, *more))


@pytest.mark.parametrize(
    ("init", "body"),
    [
        ((CONVS,), LOOP),  # its parameters would be added
        (("self.layers = [nn.Dropout(), nn.ReLU()]",), LOOP),  # the mode would reach it
        (("self.layers = [nn.BatchNorm1d(4)]",), LOOP),
        (("self.layers = [1, 2]",), LOOP),
        (("self.layers = [nn.ReLU()]",), ("return self.layers[0](x)",)),
        (("self.layers = [nn.ReLU()]", "self.layers = [nn.Sigmoid()]"), LOOP),
        # what else the constructor does to it may put other modules into it
        (("self.layers = [nn.ReLU()]", "self.layers.extend([nn.Linear(4, 4)])"), LOOP),
        (("self.layers = [nn.ReLU()]", "self.layers.insert(0, nn.Linear(4, 4))"), LOOP),
        (("self.layers = [nn.ReLU()]", "self.layers[0] = nn.Linear(4, 4)"), LOOP),
        (("self.layers = [nn.ReLU()]", "self.all = self.layers + [nn.Linear(4, 4)]"), LOOP),
        (("self.layers = [nn.ReLU()]", "self.net = nn.Sequential(*self.layers)"), LOOP),
        # one more child would be seen
        (("self.layers = [nn.ReLU()]",), ("for m in self.children():", "    x = m(x)", *LOOP)),
        (("self.layers = [nn.ReLU()]", "self.n = len(list(self.modules()))"), LOOP),
        # no method that is compiled reads it
        (("self.layers = [nn.ReLU()]",), ("return x", "", "def loss(self, x):", *(f"    {line}" for line in LOOP))),
    ],
)
def test_left_alone(init, body, tmp_path):
    assert findings(RULE, source(tmp_path / "model.py", model(init, body))) == []


@pytest.mark.parametrize(
    "register",
    [
        REGISTERED,
        ("for i, m in enumerate(self.layers):", "    setattr(self, f'layer{i}', m)"),
    ],
)
def test_children_that_share_a_beginning(register, tmp_path):
    after = rewritten(RULE, source(tmp_path / "model.py", model((CONVS, *register))))
    assert "for name, m in self.named_children():\n            if name.startswith('layer'):\n" in after


def test_children_of_one_beginning_without_others(tmp_path):
    init = ("self.layers = []", *(line.replace("str(i)", "'layer_%d' % i") for line in MADE))
    body = ("for i, m in enumerate(self.layers):", "    x = m(x) * (i < len(self.layers) - 1)", "return x")
    after = rewritten(RULE, source(tmp_path / "model.py", model(init, body)))
    assert "            self.add_module('layer_%d' % i, m)\n        self.num_layers = len(self.layers)\n" in after
    assert "for i, m in enumerate(self.children()):\n            x = m(x) * (i < self.num_layers - 1)\n" in after


def test_modules_that_are_registered_as_they_are_made(tmp_path):
    after = rewritten(RULE, source(tmp_path / "model.py", model(("self.layers = []", *MADE))))
    assert "for m in self.children():\n" in after


APPEND = "    self.layers.append(nn.Conv1d(4, 4, 1))"
EITHER = ("    if i > 0:", f"    {APPEND}", "    else:", f"    {APPEND}")


@pytest.mark.parametrize(
    ("loop", "appended", "added"),
    [
        ("for i in range(0, n):", (APPEND,), "self.layers[i]"),
        ("for i, _ in enumerate('ab'):", (APPEND,), "self.layers[i]"),
        ("for i in range(n):", (APPEND,), "self.layers[-1]"),
        ("for i in range(n):", EITHER, "self.layers[i]"),
        ("for i in range(len(self.layers)):", (), "self.layers[i]"),
    ],
)
def test_modules_that_are_registered_by_their_place(tmp_path, loop, appended, added):
    made = ("self.layers = []",) if appended else (CONVS,)
    init = (*made, loop, *appended, f"    self.add_module(str(i), {added})")
    assert "for m in self.children():\n" in rewritten(RULE, source(tmp_path / "model.py", model(init)))


@pytest.mark.parametrize(
    ("loop", "body"),
    [
        ("for i in range(1, n):", (APPEND, "    self.add_module(f'conv{i}', self.layers[i - 1])")),
        ("for i in range(1, n):", (APPEND, "    self.add_module(f'conv{i}', self.layers[i])")),
        ("for i in range(n):", (APPEND, "    self.add_module(f'conv{i}', self.layers[0])")),
        ("for i in range(n):", ("    self.add_module(f'conv{i}', self.layers[-1])", APPEND)),
        ("for i in range(n):", (*EITHER[:2], "    self.add_module(f'conv{i}', self.layers[-1])")),
        ("for i in range(n):", (APPEND, APPEND, "    self.add_module(f'conv{i}', self.layers[i])")),
    ],
)
def test_another_place_may_be_registered_twice_or_not_at_all(tmp_path, loop, body):
    found = findings(RULE, source(tmp_path / "model.py", model(("self.layers = []", loop, *body))))
    assert not any(f.fixable for f in found)


@pytest.mark.parametrize(
    ("init", "body"),
    [
        ((CONVS, *REGISTERED, "self.layer_norm = nn.LayerNorm(4)"), LOOP),
        ((CONVS, REGISTERED[0], "    self.add_module(str(i), m)", "self.out = nn.Conv1d(4, 4, 1)"), LOOP),
        # a name that begins as theirs, or with which theirs begin
        ((CONVS, *REGISTERED, *OTHERS, "    self.add_module(f'layer_out{i}', m)"), LOOP),
        ((CONVS, *REGISTERED, *OTHERS, "    self.add_module(f'lay{i}', m)"), LOOP),
        ((CONVS, *REGISTERED, *OTHERS, "    setattr(self, f'layers{i}', m)"), LOOP),
        ((CONVS, *REGISTERED, *OTHERS, "    self.add_module(module=m, name=f'layer{i}b')"), LOOP),
        ((CONVS, *REGISTERED, "self.layer_of = m"), LOOP),
        # one module twice, or one name
        (("shared = nn.Conv1d(4, 4, 1)", "self.layers = [shared for _ in range(n)]", *REGISTERED), LOOP),
        (("self.layers = [self.shared() for _ in range(n)]", *REGISTERED), LOOP),
        ((CONVS, REGISTERED[0], "    self.add_module(type(m).__name__, m)"), LOOP),
        ((CONVS, REGISTERED[0], "    self.add_module(f'layer{i // 2}', m)"), LOOP),
        ((CONVS, REGISTERED[0], "    self.add_module(str(i % 2), m)"), LOOP),
        ((CONVS, "for m in self.layers:", "    self.add_module('layer' + str(n), m)"), LOOP),
        # some of them are not registered
        ((CONVS, *REGISTERED, "self.layers.append(nn.Conv1d(4, 4, 1))"), LOOP),
        ((CONVS, "if n > 1:", *(f"    {line}" for line in REGISTERED)), LOOP),
        ((CONVS, REGISTERED[0], "    if i: continue", *REGISTERED[1:]), LOOP),
        (("self.layers = [nn.Conv1d(4, 4, 1)]", *MADE), LOOP),
        (
            (CONVS, *REGISTERED, "self.out = nn.Conv1d(4, 4, 1)"),
            ("for i, m in enumerate(self.layers):", "    x = m(x) * i", "return x"),
        ),
        ((CONVS, *REGISTERED), ("for m in self.layers:", "    y = m(x)", "return y")),
        ((CONVS, *REGISTERED), ("return x + torch.cat([x, *[k(x) for k in self.layers]])",)),
    ],
)
def test_children_that_cannot_be_told_apart_or_uses_that_are_no_loops(init, body, tmp_path):
    found = findings(RULE, source(tmp_path / "model.py", model(init, body)))
    assert [f.fixable for f in found] == [False]


def test_a_parent_from_elsewhere_may_have_children(tmp_path):
    text = model((CONVS, *REGISTERED)).replace("(nn.Module)", "(Base)")
    assert [f.fixable for f in findings(RULE, source(tmp_path / "model.py", text))] == [False]


def test_what_one_instance_held_says_nothing_of_the_others(tmp_path):
    text = model((CONVS, *REGISTERED, "self.layer_norm = norm")).replace("n: int = 2", "norm, n: int = 2")
    file = source(tmp_path / "model.py", text)
    seen = ClassObservations(str(file.path), "Model", 1, attributes={"layer_norm": NONE})
    observations = Observations(classes={(str(file.path), "Model"): seen})
    assert [f.fixable for f in findings(RULE, file, observations=observations)] == [False]


@pytest.mark.parametrize("name", ["'layer' + str(i + 1)", "'layer{}'.format(i)", "'layer%d' % (i,)", "f'layer{i}'"])
def test_names_that_count(name, tmp_path):
    init = (CONVS, REGISTERED[0], f"    self.add_module({name}, m)", "self.layer_count = n")
    assert "name.startswith('layer')" in rewritten(RULE, source(tmp_path / "model.py", model(init)))


@pytest.mark.parametrize(
    ("body", "after"),
    [
        (("for m in self.layers:", "    x = m(x) / len(self.layers)", "return x"), "x = m(x) / self.num_layers\n"),
        (("return sum([k(x) / len(self.layers) for k in self.layers])",), "outputs.append(k(x) / self.num_layers)\n"),
    ],
)
def test_the_length_inside_a_loop(body, after, tmp_path):
    init = (CONVS, *REGISTERED, "self.out = nn.Conv1d(4, 4, 1)")
    text = rewritten(RULE, source(tmp_path / "model.py", model(init, body)))
    assert after in text and "self.num_layers = len(self.layers)\n" in text


AVERAGE = """\
class Average(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.size = size
        self.pool = nn.AvgPool1d(size, stride=1)
        {}

    def forward(self, x):
        front = x[:, :, :1].repeat(1, 1, self.size - 1)
        return self.pool(torch.cat([front, x], -1))


"""


@pytest.mark.parametrize(
    ("line", "has_state"),
    [
        ("self.scale = 2.0", False),
        ("self.bias = nn.Parameter(torch.zeros(1))", True),
        ("self.register_buffer('bias', torch.zeros(1))", True),
        ("self.drop = nn.Dropout()", True),
        ("self.inner = inner", True),
        ("self.first = self.training", True),
    ],
)
def test_modules_of_the_file_that_hold_no_state(tmp_path, line, has_state):
    text = model(("self.layers = [Average(size) for size in (2, 3)]",))
    text = text.replace("class Model", AVERAGE.format(line) + "class Model")
    assert ("nn.ModuleList([Average" in rewritten(RULE, source(tmp_path / "model.py", text))) is not has_state
