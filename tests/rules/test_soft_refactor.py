import ast

import pytest
import torch  # noqa: F401  imported before the forks

from tests.rules.more_examples.soft_refactor import MORE
from tests.rules.proof import prove
from tests.rules.tracing import HEAD, document, findings, model, rewritten, trace_follows
from tsrefactor.rewrite import rewrite
from tsrefactor.rules import Settings
from tsrefactor.rules.hard_refactor import HardRefactor
from tsrefactor.rules.soft_refactor import SoftRefactor
from tsrefactor.source.file import SourceFile
from tsrefactor.vocabulary import Placement

RULE = [SoftRefactor()]
INNER, MODULE = Settings(placement=Placement.INNER), Settings(placement=Placement.MODULE)
SIGNS = "[(torch.ones(3),), (-torch.ones(3),), (torch.tensor([3.0, -1.0, 0.5, 2.0]),), (torch.zeros(0),)]"


def helper(text: str, settings: Settings = MODULE) -> str:
    """The header of the function that the rule adds."""
    changed = rewritten(RULE, text, settings).document.text
    lines = [line.strip() for line in changed.split("\n")]
    return lines[lines.index("@torch.jit.script_if_tracing") + 1]


MOVED = {
    "if": "if x.sum() > 0:\n    x = x * 2\nreturn x",
    "not bound before": "if x.sum() > 0:\n    y = x * 2\nelse:\n    y = x\nreturn y",
    "size inside": "n = x.shape[0]\nif x.sum() > 0:\n    x = x * n\nreturn x",
    "size of sizes": "n = x.shape[0]\nhalf = n // 2\ny = x + n\nif x.sum() > 0:\n    y = y[half:]\nreturn y + half",
    "number from data": "k = x.abs().sum().item()\nif k > 3:\n    x = x - k\nreturn x",
    "while": "y = x\nwhile y.abs().sum() > 1:\n    y = y * 0.5\nreturn y",
    "for rows": "total = torch.zeros(())\nfor row in x:\n    total = total + row * row\nreturn total",
    "for range of size": "total = torch.zeros(())\nfor i in range(x.shape[0]):\n    total = total + x[i]\nreturn total",
    "break": "y = x.sum()\nfor i in range(5):\n    y = y + 1\n    if y > 2:\n        break\nreturn y",
    "continue": "y = x.sum()\nfor i in range(5):\n    if y > 2:\n        continue\n    y = y + i\nreturn y",
    "list": "ys = []\nfor row in x.view(-1, 1):\n    ys.append(row * 2)\nys.append(x[:1])\nreturn torch.cat(ys)",
    "lists that become tensors": (
        "ys, zs = [], []\nfor row in x.view(-1, 1):\n    ys.append(row * 2)\n    zs.append(row)\nys = torch.cat(ys)\n"
        "zs = torch.cat(zs)\nreturn ys + zs"
    ),
    "a list that grows, and ends as a tensor": (
        "ys = []\nfor row in x.view(-1, 1):\n    ys += [row * 2]\nys = torch.cat([x[:1]] + ys)\nreturn ys"
    ),
    "count": "n = 0\ny = x.abs().sum()\nwhile y > 1:\n    y = y / 2\n    n += 1\nreturn y * n",
    "early return": "if x.sum() > 0:\n    return x * 2\ny = x - 1\nif y.sum() < -4:\n    y = y + 1\nreturn y",
    "both return": "if x.sum() > 0:\n    return x, x * 2\nelse:\n    return x - 1, x",
    "return in a loop": "for i in range(3):\n    x = x + 1\n    if x.sum() > 5:\n        return x\nreturn -x",
    "return in an if": "if self.training:\n    x = x + 1\nelse:\n    if x.sum() > 0:\n        return x\nreturn -x",
    "elif": "if self.training:\n    x = x + 1\nelif x.sum() > 0:\n    x = x - 1\nreturn x",
    "in place": "x = x.clone()\nif x.sum() > 0:\n    x[0] = 7.0\nreturn x",
    "view": "y = x.clone()\nx = y.view(-1)\nif y.sum() > 0:\n    x[0] = 7.0\nreturn y",
    "two results": "y = x\nif x.sum() > 0:\n    x = x * 2\n    y = y + 1\nreturn x, y",
    "and": "if x.sum() > 0 and not x.max() > 2:\n    x = x * 2\nreturn x",
    "no_grad": "with torch.no_grad():\n    if x.sum() > 0:\n        x = x * 2\nreturn x",
    "conditional expression": "y = x.sum() / 2 if x.sum() > 0 else x.sum()\nreturn y",
    "dtype": "kind = x.dtype\nif x.sum() > 0:\n    x = x.long().to(kind) + 1\nreturn x",
    "data and its size": "big = x[x > 0]\nif big.numel() > 1:\n    x = x + 1\nreturn x",
    "fixed number in a loop": "for i in range(3):\n    if x.sum() > i:\n        x = x - i\nreturn x",
    "nested": "y = x\nif x.sum() > 0:\n    while y.sum() > 1:\n        y = y * 0.5\nreturn y",
    "number bound twice": "k = x.shape[0]\nk = k + 1\nif x.sum() > 0:\n    x = x + k\nreturn x",
    "size of what is bound again": "n = x.shape[0]\nx = x[1:]\nif x.sum() > 0:\n    x = x * n\nreturn x",
    "number of what is updated": "x = x * 1\nk = x.sum().item()\nx.add_(1)\nif x.sum() > 0:\n    x = x * k\nreturn x",
    "size from before a loop": (
        "n = x.shape[0]\nfor i in range(3):\n    if x.sum() > 0:\n        x = x[:1] * n\nreturn x"
    ),
    "two blocks": "if x.sum() > 0:\n    x = x * 2\nx = x + 1\nif x.sum() > 9:\n    x = x - 3\nreturn x",
}


@pytest.mark.parametrize("settings", [INNER, MODULE], ids=["inner", "module"])
@pytest.mark.parametrize("body", MOVED.values(), ids=MOVED)
def test_the_trace_follows_afterwards(body, settings, tmp_path):
    before = model(body)
    inputs = (
        SIGNS
        if "x[" not in body and "row" not in body and "v[" not in body
        else SIGNS.replace(", (torch.zeros(0),)", "")
    )
    assert not trace_follows(before, inputs, tmp_path)
    after = rewritten(RULE, before, settings).document.text
    assert trace_follows(after, inputs, tmp_path, script=settings is MODULE), after


NUMBERS = {
    "repeated list": "n = x.shape[0]\ny = torch.cat([self.bias] * n)\nreturn y[:n] * x",
    "root of a size": "n = x.shape[0]\nreturn x * int(math.sqrt(n))",
    "several in a tuple": "size = (int(x.shape[0] * 0.7), 2)\nreturn x.new_ones(size).sum() * x",
    "largest size": "return x.new_zeros(max(x.shape[0], 5))",
    "roll": "return torch.roll(x, x.shape[0] // 2, dims=0)",
    "comprehension": "return torch.stack([x[i] * i for i in range(x.shape[0])])",
    "item": "k = x.abs().sum().item()\nz = self.act(x)\nreturn z * k",
    "number of a number": "k = x.abs().sum().item()\nt = int(k) + 1\nz = self.act(x)\nreturn z * t",
    "split": "a, b = torch.cat([x, x]).split(x.shape[0])\nreturn a + b",
}


@pytest.mark.parametrize("settings", [INNER, MODULE], ids=["inner", "module"])
@pytest.mark.parametrize("body", NUMBERS.values(), ids=NUMBERS)
def test_the_trace_follows_numbers_afterwards(body, settings, tmp_path):
    before = model(body, "self.bias = nn.Parameter(torch.ones(1))\nself.act = nn.Tanh()")
    inputs = SIGNS.replace(", (torch.zeros(0),)", "").replace(
        "torch.tensor([3.0, -1.0, 0.5, 2.0])", "torch.arange(9.0)"
    )
    assert not trace_follows(before, inputs, tmp_path)
    after = rewritten(RULE, before, settings).document.text
    assert trace_follows(after, inputs, tmp_path), after


REFUSED = {
    "it calls self.lin": "if x.sum() > 0:\n    x = self.lin(x)\nreturn x",
    "it calls helper, and there it assigns self.temperature": "if x.sum() > 0:\n    x = self.helper(x)\nreturn x",
    "it calls self.parts.act": "if x.sum() > 0:\n    x = self.parts.act(x)\nreturn x",
    "it assigns self.seen": "if x.sum() > 0:\n    self.seen = x\nreturn x",
    "it updates self.count": "if x.sum() > 0:\n    self.count.add_(1)\n    x = x + 1\nreturn x",
    "it assigns self.odd[0]": "if x.sum() > 0:\n    self.odd[0] = 1\n    x = x + 1\nreturn x",
    "it needs self.rare, which not every instance has": (
        "if x.sum() > 0:\n    if x.dim() > 2 and self.rare.any():\n        x = x + 1\nreturn x"
    ),
    "it needs self.late, which not every instance has": (  # only helper sets it
        "if x.sum() > 0:\n    if x.dim() > 2 and self.late.any():\n        x = x + 1\nreturn x"
    ),
    "it needs self.made, which not every instance has": "if x.sum() > 0:\n    x = self.made(x)\nreturn x",
    "it needs self.maybe, which not every instance has": (  # None is a value of it
        "if x.sum() > 0:\n    x = F.linear(x, x, self.maybe)\nreturn x"
    ),
    "it needs self.temperature, which changes after construction": (
        "if x.sum() > self.temperature:\n    x = x + 1\nreturn x"
    ),
    "it needs self.odd, which is not known to be a tensor or a number": (
        "if x.sum() > self.odd:\n    x = x + 1\nreturn x"
    ),
    "it uses self itself": "if x.sum() > 0:\n    x = F.relu(x, self)\nreturn x",
    "it prints": "if x.sum() > 0:\n    print('large')\n    x = x + 1\nreturn x",
    "it yields": "if x.sum() > 0:\n    x = x + 1\n    yield x\nreturn",
    "it holds a `try`": "if x.sum() > 0:\n    try:\n        x = x + 1\n    except E:\n        pass\nreturn x",
    "it holds a lambda": "if x.sum() > 0:\n    x = F.pad(x, lambda: 1)\nreturn x",
    "it defines a function": "if x.sum() > 0:\n    def g():\n        pass\n    x = x + 1\nreturn x",
    "it imports": "if x.sum() > 0:\n    import os\n    x = x + 1\nreturn x",
    "it declares a global": "global g\nif x.sum() > 0:\n    global h\n    x = x + 1\nreturn x",
    "it holds a dictionary": "if x.sum() > 0:\n    d = {'a': x}\n    x = d['a']\nreturn x",
    "it formats a string": "if x.sum() > 0:\n    name = f'{x}'\n    x = x + 1\nreturn x",
    "it unpacks with `*`": "if x.sum() > 0:\n    x = x.view(*x.shape)\nreturn x",
    "it filters in a comprehension": "if x.sum() > 0:\n    x = torch.stack([r for r in x if r > 0])\nreturn x",
    "it has an `else` to a loop": "while x.sum() > 0:\n    x = x - 1\nelse:\n    x = x + 1\nreturn x",
    "it holds `with open('f')`": "if x.sum() > 0:\n    with open('f'):\n        x = x + 1\nreturn x",
    "it joins a size and a tuple in `x.shape + (1,)`": "if x.sum() > 0:\n    x = x.view(x.shape + (1,))\nreturn x",
    "it deletes a name": "y = x\nif x.sum() > 0:\n    del y\n    x = x + 1\nreturn x",
    "it calls x.numpy": "if x.sum() > 0:\n    x = torch.tensor(x.numpy())\nreturn x",
    "it calls outside, which may not be TorchScript": "if x.sum() > 0:\n    x = outside(x)\nreturn x",
    "it calls scaled, whose parameter by is not annotated": "if x.sum() > 0:\n    x = scaled(x)\nreturn x",
    "it calls noisy, and there it prints": "if x.sum() > 0:\n    x = noisy(x)\nreturn x",
    "it reads OUTSIDE from outside the function": "if x.sum() > 0:\n    x = x + OUTSIDE\nreturn x",
    "it reads the global TABLE": "if x.sum() > 0:\n    x = x + TABLE[0]\nreturn x",
    "y may be unbound after it": "if x.sum() > 0:\n    y = x\nreturn y",
    "nothing uses what it computes": "if x.sum() > 0:\n    y = x\nreturn x",
    "its result n is not a tensor, and with what uses that, it calls self.lin": (
        "n = 0\nif x.sum() > 0:\n    n = 1\nreturn self.lin(x) * n"
    ),
    "its result n is not a tensor": "n = 1\ng = lambda: n\nif x.sum() > 0:\n    n = 2\nreturn x",
    "y is not of one type all through it": "y = 0\nfor r in x:\n    y = y + r\nreturn x + y",
    "it needs k, which is a number taken from a tensor": (
        "k = 1\nfor i in range(3):\n    if x.sum() > 0:\n        x = x + k\n    k = int(x.sum())\nreturn x"
    ),
    "it needs q, which is not known to be a tensor": "q = outside(x)\nif x.sum() > 0:\n    x = x + q\nreturn x",
    "it returns early, and in the rest of the function it calls self.lin": (
        "if x.sum() > 0:\n    return x\nreturn self.lin(x)"
    ),
    "it returns on some paths, and the function's end returns nothing": "if x.sum() > 0:\n    return x\nx = x + 1",
    "what it returns is not known to be tensors only": "if x.sum() > 0:\n    return None\nreturn x",
    "it returns different numbers of tensors": "if x.sum() > 0:\n    return x, x\nreturn x, x, x",
    "it jumps out of a block that cannot move": (
        "for r in [1]:\n    try:\n        if x.sum() > 0:\n            break\n    finally:\n        pass\nreturn x"
    ),
    "it holds a string over several lines": (
        "if x.sum() > 0:\n    assert x.dim(), '''a\n    b'''\n    x = x + 1\nreturn x"
    ),
    "it shares its line with other code": "y = x; y = y * 2 if y.sum() > 0 else outside[0]\nreturn y",
}
INIT = """\
self.lin = nn.Bilinear(3, 3, 3)
self.parts = nn.ModuleDict()
self.odd = make()
self.temperature = 1.0
self.register_buffer('count', torch.zeros(1))
if self.odd:
    self.register_buffer('rare', torch.zeros(1))
    self.maybe = nn.Parameter(torch.zeros(3))"""
OTHERS = """\

def helper(self, x):
    self.temperature = 2.0
    self.late = torch.zeros(3)
    self.made = nn.Linear(3, 3)
    self.maybe = None
    return x"""
BEFORE = """\
TABLE = [1, 2]


def scaled(x, by=2):
    return x * by


def noisy(x):
    print('called')
    return x


"""


@pytest.mark.parametrize("reason", REFUSED)
def test_refusals_give_their_reason(reason):
    text = model(
        "def forward(self, x: torch.Tensor):\n    " + REFUSED[reason].replace("\n", "\n    ") + "\n" + OTHERS,
        INIT,
        BEFORE,
    )
    if "over several" in reason or "shares" in reason:
        text = text.replace("outside[0]", "y / 3")
    found = findings(RULE, text)
    assert [f for f in found if f.message.endswith(f"it cannot move into a function: {reason}")], [
        f.message for f in found
    ]
    assert not any(f.fixable for f in found)


@pytest.mark.parametrize(
    "body",
    [
        "if x.sum() > 0:\n    raise ValueError('positive')\nreturn x",
        "assert x.sum() > 0\nreturn x",
        "if x.shape[0] != 3:\n    warnings.warn('size')\nreturn x",
        "if self.training:\n    x = x * 2\nreturn x",
        "if x.dim() == 3:\n    x = x[0]\nreturn x",
        "if x is not None:\n    x = x + 1\nreturn x",
        "for i in range(3):\n    x = x + 1\nreturn x",
        "n, m = x.shape\ny = outside(x, n // 2)\ny = y.view(n, m)\nreturn y.reshape(n, m)",
        "return x[: x.shape[0] // 2] / x.shape[0]",
    ],
)
def test_no_finding(body):
    assert findings(RULE, model(body)) == []


@pytest.mark.parametrize(
    ("body", "header"),
    [
        ("if x.sum() > self.bound:\n    x = x + self.bias\nreturn x", "def _update_x(x, bias, bound: float):"),
        ("if x.sum() > 0 and self.training:\n    x = x + 1\nreturn x", "def _update_x(x, training: bool):"),
        ("bias = x * 2\nif x.sum() > 0:\n    x = bias + self.bias\nreturn x", "def _update_x(x, bias, own_bias):"),
        ("if x.sum() > LIMIT:\n    x = x + 1\nreturn x", "def _update_x(x, LIMIT: float):"),
        ("y = x + 1\nif y.sum() > 0:\n    z = y\nelse:\n    z = x\nreturn z", "def _compute_z(y, x):"),
        ("_update_x = x\nif x.sum() > 0:\n    x = x * 2\nreturn x + _update_x", "def _update_x_2(x):"),
    ],
)
def test_parameters_and_names(body, header):
    text = model(body, "self.bound = 1.5\nself.bias = nn.Parameter(torch.ones(3))", "LIMIT = 2.5\n\n\n")
    assert helper(text) == header


def test_an_optional_tensor_is_annotated():
    text = model(
        """\
def forward(self, x, mask=None):
    if x.sum() > 0:
        if mask is not None:
            x = x * mask
    return x + 1 if mask is None else x.view(mask.shape)"""
    )
    result = rewritten(RULE, text, MODULE).document.text
    assert "def _update_x(x, mask: Optional[torch.Tensor]):" in result
    assert "from typing import Optional" in result


def test_a_number_that_a_call_takes_from_data_is_refused_and_an_unknown_one_presumed():
    body = """\
def cut(self, x: torch.Tensor, n: int):
    if x.sum() > 0:
        x = x * n
    return x

def forward(self, x: torch.Tensor):
    return self.cut(x, GIVEN)"""
    taken = findings(RULE, model(body.replace("GIVEN", "int(x.max())")))
    assert "it needs n, which is a number taken from a tensor where cut is called" in taken[0].message
    assert [f.presumed for f in findings(RULE, model(body.replace("GIVEN", "3")))] == [False]
    assert [f.presumed for f in findings(RULE, model(body.replace("GIVEN", "NUMBER")))] == [True]


def test_a_parameter_that_nothing_speaks_for_is_presumed_a_tensor():
    (found,) = findings(RULE, model("def forward(self, x):\n    if x > 0:\n        x = x * 2\n    return x"))
    assert found.presumed and found.fixable
    (found,) = findings(
        RULE, model("def forward(self, x: torch.Tensor):\n    if x > 0:\n        x = x * 2\n    return x")
    )
    assert not found.presumed


def test_comments_and_formatting_stay():
    body = """\
y = x  # the input

# about the block
if x.sum() > 0:  # positive?
    # inside

    y = y + torch.stack([x,
                         x]).sum(0)   # odd   spacing
    # the block's end
# about the end
return y"""
    for settings in (INNER, MODULE):
        before = model(body)
        after = rewritten(RULE, before, settings).document.text
        for comment in (
            "# the input",
            "# about the block",
            "# positive?",
            "# inside",
            "# odd   spacing",
            "# the block's end",
            "# about the end",
        ):
            assert after.count(comment) == 1, after
        assert "torch.stack([x,\n" in after


def test_what_only_the_block_needed_moves_with_it():
    body = "y = x + 1\nn = x.shape[0]\nz = y - 1\nif z.sum() > 0:\n    z = z * n\nreturn z"
    assert rewritten(RULE, model(body), MODULE).document.text.count("n = x.shape[0]") == 1
    for about in ("\nn = x.shape[0]", "# rows\nn = x.shape[0]", "n = x.shape[0]  # rows"):  # which could go astray
        after = rewritten(RULE, model(body.replace("n = x.shape[0]", about)), MODULE).document.text
        assert after.count("n = x.shape[0]") == 2
        assert after.count("# rows") == about.count("# rows")
    assert rewritten(RULE, model(body + " + n"), MODULE).document.text.count("n = x.shape[0]") == 2


def test_a_definition_is_not_repeated_where_its_operands_have_changed():
    body = "n = x.shape[0]\nx = x[1:]\nif x.sum() > 0:\n    x = x * n\nreturn x"
    after = rewritten(RULE, model(body), MODULE).document.text
    assert "_update_x(x):\n    n = x.shape[0]\n    x = x[1:]\n    if" in after  # what changes them moves along
    far = "n = x.shape[0]\n" + "x = x[1:]\n" * 9 + "if x.sum() > 0:\n    x = x * n\nreturn x"
    assert "_update_x(x, n):\n" in rewritten(RULE, model(far), MODULE).document.text  # else the size is passed


def test_a_size_is_passed_as_a_tensor_where_not_only_a_trace_calls():
    body = "n = x.shape[0]\nfor i in range(3):\n    if x.sum() > 0:\n        x = x[:1] * n\nreturn x"
    assert "_update_x(x, n)\n" in rewritten(RULE, model(body), INNER).document.text
    after = rewritten(RULE, model(body), MODULE).document.text
    assert "_update_x(x, torch.scalar_tensor(n, dtype=torch.long))\n" in after


GROUPS = """\
def forward(self, x: torch.Tensor, w: torch.Tensor):
    b, c, h = x.shape
    x = x.reshape(1, b * c, h)
    if self.padding > 1:
        y = F.conv1d(x, w, padding=self.padding, groups=b * c)
    else:
        y = F.conv1d(x, w, groups=b * c)
    return y.view(b, c, -1)
"""


@pytest.mark.parametrize("padding", [1, 2])
@pytest.mark.parametrize("settings", [INNER, MODULE], ids=["inner", "module"])
def test_groups_that_are_a_size_follow_it(settings, padding, tmp_path):
    before = model(GROUPS, f"self.padding = {padding}")
    inputs = "[(torch.rand(b, c, 5), torch.rand(b * c, 1, 3)) for b, c in ((2, 3), (3, 3), (2, 5))]"
    after = rewritten(RULE, before, settings).document.text
    assert not trace_follows(before, inputs, tmp_path)
    assert trace_follows(after, inputs, tmp_path, script=settings is MODULE), after
    assert after.count("@torch.jit.script_if_tracing") == (2 if settings is INNER else 1)


SIZES = """\
def masked(self, x: torch.Tensor, n: int):
    mask = torch.ones(n, n)
    for i in range(n):
        mask[i, n - 1 - i] = 0
    return mask

def forward(self, x: torch.Tensor):
    return self.masked(x, x.shape[0]) + self.masked(x, 2).sum()
"""


@pytest.mark.parametrize("settings", [INNER, MODULE], ids=["inner", "module"])
def test_a_parameter_that_is_given_a_size_is_passed_as_a_tensor(settings, tmp_path):
    after = rewritten(RULE, model(SIZES), settings).document.text
    assert "_update_mask(mask, torch.scalar_tensor(n, dtype=torch.long))\n" in after
    inputs = "[(torch.rand(3),), (torch.rand(5),)]"
    assert trace_follows(after, inputs, tmp_path, script=settings is MODULE), after
    taken = model(SIZES.replace("x.shape[0]", "int(x.max())"))
    assert findings(RULE, taken, settings)[0].message.endswith(
        "which is a number taken from a tensor where masked is called"
    )


def test_a_list_that_the_function_gives_as_a_tensor_moves_as_a_whole():
    body = "ys = []\nfor row in x:\n    ys.append(row * 2)\nys = torch.cat(ys)\nreturn self.act(ys)"
    after = rewritten(RULE, model(body, "self.act = nn.Tanh()"), MODULE).document.text
    assert (
        "    def forward(self, x: torch.Tensor):\n        ys = _compute_ys(x)\n        return self.act(ys)\n" in after
    )
    again = body.replace("return", "for row in x:\n    ys = [row]\nreturn")
    assert findings(RULE, model(again), MODULE)


LAYERS = """\
def forward(self, x: torch.Tensor):
    loss = torch.zeros(())
    for i in range(x.size(0)):
        loss = loss + self.l1(x[i], x[0]) + self.act(x[i]).sum() - self.l1(x[i].relu(), target=x[0])
    return loss
"""


@pytest.mark.parametrize("settings", [INNER, MODULE], ids=["inner", "module"])
def test_layers_without_parameters_are_called_as_functions(settings, tmp_path):
    before = model(LAYERS, "self.l1 = nn.L1Loss(reduction='sum')\nself.act = nn.Tanh()")
    after = rewritten(RULE, before, settings).document.text
    assert "F.l1_loss(x[i].relu(), target=x[0], reduction='sum')" in after and "torch.tanh(x[i])" in after
    inputs = "[(torch.rand(3, 2),), (torch.rand(5, 2),)]"
    assert trace_follows(after, inputs, tmp_path, script=settings is MODULE), after
    (found,) = findings(RULE, before, settings)
    assert found.caveat is not None and "`self.l1`, `self.act`" in found.caveat


@pytest.mark.parametrize(
    "init",
    [
        "self.l1 = nn.L1Loss(reduction=KIND)",  # what that is, the function would have to be given
        "self.l1 = nn.L1Loss()\nself.l1 = nn.MSELoss()",
        "self.l1 = nn.Bilinear(2, 2, 1)",
        "self.l1 = make()",
    ],
)
def test_other_layers_keep_a_block_where_it_is(init):
    body = LAYERS.replace(" + self.act(x[i]).sum()", "")
    (found,) = findings(RULE, model(body, init), MODULE)
    assert found.message.endswith("it calls self.l1")
    for layer in ("nn.ReLU(inplace=True)", "nn.ReLU(True)", "nn.Dropout(inplace=True)", "nn.RReLU()"):
        (found,) = findings(RULE, model(LAYERS, f"self.l1 = nn.L1Loss()\nself.act = {layer}"), MODULE)
        assert "self.act" in found.message and not found.fixable, layer


@pytest.mark.parametrize(
    "more",
    [
        "class Other(Model):\n    def __init__(self):\n        self.add_module('l1', nn.MSELoss())\n",
        "def swap(model):\n    model.l1 = nn.MSELoss()\n",
        "def swap(model, key):\n    setattr(model, key, nn.MSELoss())\n",
    ],
)
def test_a_layer_that_the_file_may_replace_is_not_called_as_a_function(more):
    text = model(LAYERS.replace(" + self.act(x[i]).sum()", ""), "self.l1 = nn.L1Loss()") + f"\n\n{more}"
    found = findings(RULE, text, MODULE)[0]
    assert not found.fixable and found.message.endswith("it calls self.l1")


def test_a_layer_of_an_argument_in_parentheses_stays():
    body = LAYERS.replace("self.act(x[i])", "self.act((x[i]))")
    (found,) = findings(RULE, model(body, "self.l1 = nn.L1Loss()\nself.act = nn.LeakyReLU(0.2)"), MODULE)
    assert "parentheses" in found.message and not found.fixable


def test_lists_of_tensors_are_passed(tmp_path):
    body = "parts = [self.act(x), self.act(-x)]\nif x.sum() > 0:\n    x = x + parts[0] - parts[1]\nreturn x"
    after = rewritten(RULE, model(body, "self.act = nn.Tanh()"), MODULE).document.text
    assert "parts: List[torch.Tensor])" in after
    assert trace_follows(after, SIGNS, tmp_path, script=True), after


def test_helpers_of_one_round_have_names_of_their_own():
    after = rewritten(RULE, model(MOVED["two blocks"]), MODULE).document.text
    names = [n.name for n in ast.parse(after).body if isinstance(n, ast.FunctionDef)]
    assert sorted(names) == ["_update_x", "_update_x_2"]


def test_crlf_and_tabs_survive():
    text = model("if x.sum() > 0:\n    x = x * 2  # twice\nreturn x").replace("    ", "\t").replace("\n", "\r\n")
    source = SourceFile(document(text).source.path, text, "utf-8", False, "\r\n")
    for settings in (INNER, MODULE):
        result = rewrite(type(document(text))(source), RULE, settings)
        assert result.refused == []
        assert "\n" not in result.document.text.replace("\r\n", "")
        assert "\tx = x * 2  # twice" in result.document.text
        assert "    " not in result.document.text.replace("  # twice", "")


def test_functions_outside_classes_and_decorated_ones():
    text = HEAD + "def clip(x: torch.Tensor):\n    if x.sum() > 0:\n        x = x * 2\n    return x\n"
    assert "def _update_x(x):" in rewritten(RULE, text, MODULE).document.text
    assert findings(RULE, text.replace("def clip", "@torch.jit.script\ndef clip")) == []


def test_both_rules_together_prefer_where():
    both = [HardRefactor(), SoftRefactor()]
    text = model(
        "if x.sum() > 0:\n    x = -x\ny = -x if x.sum() < 3 else x\nwhile y.sum() > 2:\n    y = y - 1\nreturn y"
    )
    for settings in (INNER, MODULE):
        for rules in (both, both[::-1]):
            after = rewritten(rules, text, settings).document.text
            assert after.count("torch.where(") == 2
            assert after.count("script_if_tracing") == 1


def test_a_selection_in_an_expression_is_left_to_hard_refactor():
    (found,) = findings(RULE, model("y = -x if x.sum() > 0 else x\nreturn y"))
    assert not found.fixable
    assert "hard-refactor" in found.message


SCALED = "def scaled(self, row, by=2):\n    return row * by\n\n"
LOOP = """def forward(self, x: torch.Tensor):
    x = x + 1
    for i in range(x.shape[0]):
        x[i] = self.scaled(x[i])
    return x"""
OWN = {
    "reads self": (SCALED.replace("row * by", "row * self.bias"), ""),
    "passes self on": (SCALED.replace("row * by", "helper(self, row)"), ""),
    "calls a layer that it cannot": (SCALED.replace("row * by", "self.norm(row)"), ""),
    "gives nothing": (SCALED.replace("return row * by", "row.mul_(by)"), ""),
    "is decorated": (f"@torch.no_grad()\n{SCALED}", ""),
    "takes any number": (SCALED.replace("by=2", "*by"), ""),
    "has a default that is made": (SCALED.replace("by=2", "by=[2]"), ""),
    "is given another type": (SCALED + "def more(self, x):\n    return self.scaled(x, 0.5)\n\n", ""),
    "is overridden": (SCALED, "\n\nclass Other(Model):\n    def scaled(self, row, by=2):\n        return row"),
    "is an attribute elsewhere": (SCALED + "def swap(self, f):\n    self.scaled = f\n\n", ""),
}


@pytest.mark.parametrize(("methods", "after"), OWN.values(), ids=OWN)
def test_a_method_that_is_more_than_a_computation_keeps_its_block_in_place(methods, after):
    text = (
        model("def used(self):\n    return 0\n\n" + methods + LOOP, "self.bias = 1.0\nself.norm = nn.BatchNorm1d(3)")
        + after
    )
    assert [f.fixable for f in findings(RULE, text, MODULE)] == [False]


def test_two_blocks_share_the_function_of_a_method():
    more = LOOP.replace("    return x", "    while x.sum() > 9:\n        x = self.scaled(x, 0)\n    return self.act(x)")
    more = more.replace("    while", "    x = self.act(x)\n    while")
    text = rewritten(RULE, model("def used(self):\n    return 0\n\n" + SCALED + more, "self.act = nn.ReLU()"), MODULE)
    assert text.document.text.count("def _scaled(row, by: int = 2):") == 1
    assert text.document.text.count("script_if_tracing") == 2


BESIDE_LAYERS = {
    "float": "return self.act(x) * float(x.max())",
    "index": "k = int(x.abs().sum()) % 3\nreturn self.act(self.act(x))[k]",
    "largest of an item": "y = x.abs()\nloss = self.act(x).sum() / max(y.sum().item(), 1)\nreturn loss",
}
STAYING = {
    "draws before": "return torch.rand_like(x) * self.act(x) * x.max().item()",
    "called on one side only": "return (self.act(x) if self.training else x) * x.max().item()",
    "two layers": "return self.act(x) * self.other(x) * x.max().item()",
    "of the number": "return self.act(x, x.max().item())",
    "beside more that cannot move": "return self.act(x) * self.bias_of(x) * x.max().item()",
}


@pytest.mark.parametrize("body", BESIDE_LAYERS.values(), ids=BESIDE_LAYERS)
def test_a_number_that_meets_a_layer_moves_with_the_result(body, tmp_path):
    before = model(body, "self.act = nn.ReLU()")
    inputs = "[(torch.ones(3),), (torch.tensor([3.0, -1.0, 0.5]),), (torch.arange(4.0),)]"
    assert not trace_follows(before, inputs, tmp_path)
    assert trace_follows(rewritten(RULE, before, MODULE).document.text, inputs, tmp_path, script=True)


UNTRACED = [
    "if torch.jit.is_tracing():\n    y = x\nelif x.sum() > 0:\n    y = self.act(x)\nelse:\n    y = -x\nreturn y",
    "if torch.jit.is_tracing() or x.sum() > 0:\n    x = self.act(x)\nreturn x",
    "if not torch.jit.is_tracing() and x.sum() > 0:\n    x = self.act(x)\nreturn x",
]


def test_what_a_trace_does_not_ask_is_no_finding():
    assert [findings(RULE, model(body, "self.act = nn.ReLU()")) for body in UNTRACED] == [[], [], []]
    asked = UNTRACED[1].replace("torch.jit.is_tracing() or", "self.training or")
    assert len(findings(RULE, model(asked, "self.act = nn.ReLU()"))) == 1


@pytest.mark.parametrize("body", STAYING.values(), ids=STAYING)
def test_a_layer_stays_where_its_place_matters(body):
    text = model(body, "self.act = nn.PReLU()\nself.other = nn.PReLU()\nself.bias_of = nn.PReLU()")
    assert not any(f.fixable for f in findings(RULE, text, MODULE))


@pytest.mark.parametrize("example", MORE.values(), ids=MORE)
def test_more_examples(example, tmp_path):
    prove(SoftRefactor(), example, tmp_path)
