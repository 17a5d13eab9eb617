import pytest
import torch  # noqa: F401  imported before the forks

from tests.rules.tracing import HEAD, findings, model, rewritten, same_in_eager, trace_follows
from tsrefactor.rules.hard_refactor import HardRefactor

RULE = [HardRefactor()]
SIGNS = (
    "[(torch.tensor([0.5, 1.5, 2.0]),), (torch.tensor([-0.5, -1.5]),), (torch.tensor([3.0, -1.0, 0.5, 2.0]),),"
    " (torch.tensor([0.7]),)]"
)

SELECTED = {
    "if else": "if x.sum() > 0:\n    y = -x\nelse:\n    y = x\nreturn y + 1",
    "no else": "if x.mean() > 0:\n    x = x * 2\nreturn x",
    "elif": "if x.sum() > 2:\n    y = x * 2.0\nelif x.sum() > 0:\n    y = x + 1.0\nelse:\n    y = x - 1.5\nreturn y",
    "not": "if not x.sum() > 0:\n    x = -x\nreturn x",
    "expression": "return (-x if x.max() > x.min() * 2 else x) + 1",
    "chain of expressions": "return -x if x.sum() > 2 else x if x.mean() > 0 else x * 3",
    "returns": "if x.sum() > 0:\n    return x.relu() + x\nreturn x - torch.abs(x)",
    "both return": "if x.sum() > 0:\n    return x\nelse:\n    return -x",
    "any": "if (x < 0).any():\n    x = -x\nreturn x",
    "named condition": "low = x < 0\nc = low.all()\nif c:\n    x = -x\nreturn x",
    "number": "if x.norm() > self.limit:\n    x = x * self.limit\nelse:\n    x = x * 0.5\nreturn x",
    "several": "y = x + 1\nif x.sum() > 0:\n    x = -x\n    y = -y\nreturn x, y",
    "functions": "if x.mean() > 1:\n    y = F.gelu(x) + torch.tanh(x)\nelse:\n    y = F.softplus(x) * 0.5\nreturn y",
    "divided by a constant": "if x.sum() > 0:\n    x = x / 2\nelse:\n    x = x / 3\nreturn x",
}


@pytest.mark.parametrize("body", SELECTED.values(), ids=SELECTED)
def test_where_selects_what_python_selects(body, tmp_path):
    before = model(body, "self.limit = 1.5\nself.w = nn.Parameter(torch.ones(1))")
    (found,) = findings(RULE, before)
    assert found.fixable and not found.presumed
    after = rewritten(RULE, before).document.text
    assert not trace_follows(before, SIGNS, tmp_path)
    assert trace_follows(after, SIGNS, tmp_path)
    assert same_in_eager(before, after, SIGNS, tmp_path)


REFUSED = {
    "`x.sum(0) > 0` is not surely one bool": "if x.sum(0) > 0:\n    y = -x\nelse:\n    y = x\nreturn y",
    "`x.sum()` is not surely one bool": "if x.sum():\n    y = -x\nelse:\n    y = x\nreturn y",
    "`x.any()` is not surely one bool": "if x.any():\n    y = -x\nelse:\n    y = x\nreturn y",
    "`x.max().item() > 1` is not surely": "if x.max().item() > 1:\n    y = -x\nelse:\n    y = x\nreturn y",
    "`torch.rand(3).sum() > 1` is not surely": "if torch.rand(3).sum() > 1:\n    y = -x\nelse:\n    y = x\nreturn y",
    "`x.log()` is not plain": "if x.min() > 0:\n    y = x.log()\nelse:\n    y = x\nreturn y",
    "`x.sqrt()` is not plain": "if x.min() > 0:\n    y = x.sqrt()\nelse:\n    y = x\nreturn y",
    "`x / x.norm()` is not plain": "if x.sum() > 0:\n    y = x / x.norm()\nelse:\n    y = x\nreturn y",
    "`1 / x` is not plain": "if x.sum() > 0:\n    y = 1 / x\nelse:\n    y = x\nreturn y",
    "`x ** 0.5` is not plain": "if x.sum() > 0:\n    y = x ** 0.5\nelse:\n    y = x\nreturn y",
    "`x[0]` is not plain": "if x.sum() > 0:\n    y = x[0]\nelse:\n    y = x\nreturn y",
    "`self.lin(x)` is not plain": "if x.sum() > 0:\n    y = self.lin(x)\nelse:\n    y = x\nreturn y",
    "`F.dropout(x)` is not plain": "if x.sum() > 0:\n    y = F.dropout(x)\nelse:\n    y = x\nreturn y",
    "`F.relu(x, True)` is not plain": "if x.sum() > 0:\n    y = F.relu(x, True)\nelse:\n    y = x\nreturn y",
    "`1.0` is not plain": "if x.sum() > 0:\n    y = 1.0\nelse:\n    y = x\nreturn y",
    "made of different tensors": "if x.sum() > 0:\n    y = x * self.w\nelse:\n    y = x\nreturn y",
    "only one of the sides carries a gradient": (
        "if x.sum() > 0:\n    y = torch.zeros_like(x)\nelse:\n    y = x\nreturn y"
    ),
    "y is updated in place": "if x.sum() > 0:\n    y = -x\nelse:\n    y = x\ny[0] = 1\nreturn y",
    "x is updated in place": "if x.sum() > 0:\n    y = -x\nelse:\n    y = x\nx.add_(1)\nreturn y",
    "y is updated in place, and": "if x.sum() > 0:\n    y = -x\nelse:\n    y = x\nself.act(y)\nreturn y",
    "a comment inside would be lost": "if x.sum() > 0:\n    y = -x  # flip\nelse:\n    y = x\nreturn y",
    "y may be unbound before it": "if x.sum() > 0:\n    y = -x\nreturn y",
    "depends on the other names": (
        "y = x + 0\nif x.sum() > 0:\n    x = -x\n    y = x + y\nelse:\n    x = x + x\n    y = x - y\nreturn y"
    ),
    "several names is hard to read": (
        "y = x + 0\nif x.sum() > 0:\n    x = -x\n    y = -y\nelif x.sum() < -3:\n    x = x * 2\n    y = y * 2\nreturn y"
    ),
}
INIT = "self.w = nn.Parameter(torch.ones(1))\nself.lin = nn.Linear(3, 3)\nself.act = nn.ReLU(inplace=True)"


@pytest.mark.parametrize("reason", REFUSED)
def test_refusals_give_their_reason(reason):
    found = findings(RULE, model(REFUSED[reason], INIT))
    assert [f for f in found if reason in f.message], [f.message for f in found]
    assert not any(f.fixable for f in found)


@pytest.mark.parametrize(
    "body",
    [
        "if x.shape[0] > 2:\n    x = -x\nreturn x",
        "if self.training:\n    x = -x\nreturn x",
        "if x.sum() > 0:\n    x = -x\n    print(x)\nreturn x",
        "if x.sum() > 0:\n    x -= 1\nreturn x",
        "if x.sum() > 0:\n    x, y = -x, x\nreturn x",
        "while x.sum() > 0:\n    x = x - 1\nreturn x",
    ],
)
def test_no_finding(body):
    assert findings(RULE, model(body)) == []


@pytest.mark.parametrize(
    ("body", "presumed"),
    [
        ("if x.sum() > 0:\n    x = x * 0.5\nreturn x", True),  # integers would become floats on one side only
        ("if x.sum() > 0:\n    x = x.tanh()\nelse:\n    x = x * 2\nreturn x", True),
        ("if x.mean() > 0:\n    x = x * 0.5\nreturn x", False),  # the mean of integers raises
        ("if x.sum() > 0:\n    x = x * 0.5\nelse:\n    x = x * 2.0\nreturn x", False),
        ("if x.sum() > 0:\n    x = x / 2\nelse:\n    x = x.tanh()\nreturn x", False),
    ],
)
def test_dtypes_that_agree_for_floats_only_are_presumed(body, presumed):
    (found,) = findings(RULE, model(body))
    assert found.presumed is presumed


def test_an_unknown_parameter_is_presumed():
    text = HEAD + "def f(x, y):\n    if torch.sum(x) > 0:\n        y = -y\n    return y\n"
    (found,) = findings(RULE, text)
    assert found.presumed


def test_the_comment_above_and_the_code_around_stay():
    before = model("y = x  # kept\n# why\nif x.sum() > 0:\n    y = -y\n\n# then\nreturn y")
    after = rewritten(RULE, before).document.text
    assert after == before.replace("if x.sum() > 0:\n            y = -y", "y = torch.where(x.sum() > 0, -y, y)")


def test_torch_is_spelled_as_the_file_spells_it():
    text = "import torch as th\n\n\ndef f(x: th.Tensor):\n    return -x if x.sum() > 0 else x\n"
    assert "return th.where(x.sum() > 0, -x, x)" in rewritten(RULE, text).document.text
