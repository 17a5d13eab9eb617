"""len-to-shape: only what is a tensor for sure is rewritten safely; weak evidence is presumed, anything else left."""

import pytest

from tests.rules.texts import findings, source
from tests.rules.tracing import model, trace_follows
from tests.rules.tracing import rewritten as traced_rewrite
from tsrefactor.rules.len_to_shape import LenToShape

RULE = LenToShape()
HEAD = """\
import torch
import torch.nn.functional as F
from torch import nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 4)
        self.pool = nn.MaxPool2d(2, return_indices=True)
        self.same = nn.Identity()
        self.block = make()

"""


def verdicts(tmp_path, body: str, parameters: str = "self, x: torch.Tensor", head: str = HEAD) -> list[str]:
    """For each `len` found: ``safe`` or ``presumed``."""
    lines = "".join(f"        {line}\n" for line in body.splitlines())
    file = source(tmp_path / "model.py", f"{head}    def forward({parameters}):\n{lines}")
    return ["presumed" if f.presumed else "safe" for f in findings(RULE, file)]


def test_what_has_a_length_is_not_none(tmp_path):
    assert verdicts(tmp_path, "return len(x)", "self, x: 'torch.Tensor | None' = None") == ["safe"]


@pytest.mark.parametrize(
    "body",
    [
        "return len(x)",
        "x = x + 1\nreturn len(x)",
        "for i in range(3):\n    y = x * 2\n    x = y + i\nreturn len(x)",
        "x = F.relu(x)\nx = self.linear(x)\nreturn len(x)",
        "return [len(row) for row in x]",
        "return [len(x) for row in x]",
        "y = torch.atleast_1d(x)\nreturn len(y)",
    ],
)
def test_tensor_for_sure(body, tmp_path):
    assert verdicts(tmp_path, body) == ["safe"]


@pytest.mark.parametrize(
    "body",
    [
        "x = x.tolist()\nreturn len(x)",
        "x = [x, x]\nreturn len(x)",
        "for x in ['abc']:\n    n = len(x)\nreturn n",
        "for i, (x, y) in enumerate(self.pairs):\n    n = len(x)\nreturn n",
        "with self.scope(x) as x:\n    return len(x)",
        "with self.scope(x) as (x, y):\n    return len(x)",
        "import x\nreturn len(x)",
        "try:\n    pass\nexcept ValueError as x:\n    return len(x)",
        "a, *x = x.unbind(0)\nreturn len(x)",
        "y = torch.relu(x)\ny = foo(y)\nreturn len(y)",
        "y = self.block(x)\nreturn len(y)",
        "return [len(x) for x in ['a', 'bb']]",
        "return [len(x) for xs in self.lists for x in xs]",
        "len = max\nreturn len(x)",
        "if isinstance(x, list):\n    return len(x)",
        "y = x.relu()\nif isinstance(y, (list, tuple)):\n    return len(y)",
        "y = torch.nonzero(x, as_tuple=True)\nreturn len(y)",
        "y = self.pool(x)\nreturn len(y)",
        "y = F.max_pool2d(x, 2, 2, 0, 1, False, True)\nreturn len(y)",
        "y = torch.atleast_2d(x, x)\nreturn len(y)",
        "y = torch.atleast_2d([x, x])\nreturn len(y)",
        "y = torch.lobpcg(x)\nreturn len(y)",
        "y = torch.lu(x)\nreturn len(y)",
        "y = torch.linalg.lu_factor_ex(x)\nreturn len(y)",
        "y = torch.unique_consecutive(x)\nreturn len(y)",
        "y = self.same([x])\nreturn len(y)",
        "d = {'a': x, 'b': foo()}\nreturn len(d['b'])",
        "for k in {'a': x}:\n    n = len(k)\nreturn n",
        "for k in (x, 'a'):\n    n = len(k)\nreturn n",
        "xs = [x]\nxs.append(foo())\nreturn len(xs[0])",
        "y = 'shape %s' % x\nreturn len(y)",
        "y = x or foo()\nreturn len(y)",
    ],
)
def test_never_safe_where_it_may_be_something_else(body, tmp_path):
    assert "safe" not in verdicts(tmp_path, body)


@pytest.mark.parametrize(
    "use",
    ["x.cuda()", "x.float()", "x.data", "x.device", "x.size", "x.shape[0]", "x.dtype", "x.cpu()", "x.T", "x.view(2)",
     "x.sum()", "x.reshape(2)", "x.tolist()", "x.argmax()"],
)  # fmt: skip
def test_uses_that_arrays_images_and_modules_allow_are_only_presumption(use, tmp_path):
    assert verdicts(tmp_path, f"y = {use}\nreturn len(x)", "self, x") == ["presumed"]


@pytest.mark.parametrize("use", ["x.unsqueeze(0)", "x.permute(1, 0)", "x.masked_fill(m, 0)", "F.relu(x)", "x.size(0)"])
def test_uses_that_only_a_tensor_allows(use, tmp_path):
    assert verdicts(tmp_path, f"y = {use}\nreturn len(x)", "self, x") == ["safe"]


def test_uses_after_rebinding_say_nothing_of_the_parameter(tmp_path):
    body = "n = len(x)\nx = torch.stack(x)\nreturn x.unsqueeze(0), n"
    assert "safe" not in verdicts(tmp_path, body, "self, x")


def test_uses_under_a_test_of_the_kind_say_nothing(tmp_path):
    body = "if torch.is_tensor(x):\n    return x.unsqueeze(0)\nreturn len(x)"
    assert "safe" not in verdicts(tmp_path, body, "self, x")


@pytest.mark.parametrize(
    "shadow", ["def len(x):\n    return 0\n\n\n", "from sizes import len\n\n\n", "len = max\n\n\n"]
)
def test_another_len_is_left_alone(shadow, tmp_path):
    head = HEAD.replace("class Model", shadow + "class Model")
    assert verdicts(tmp_path, "return len(x)", head=head) == []


def test_len_as_a_parameter_is_left_alone(tmp_path):
    assert verdicts(tmp_path, "return len(x)", "self, x: torch.Tensor, len") == []


@pytest.mark.parametrize(
    ("value", "expected"),
    [("torch.relu(x)", ["safe"]), ("foo(x)", []), ("[x]", []), ("foo(self.kept)", [])],
)
def test_attribute_is_what_everything_assigned_to_it_is(value, expected, tmp_path):
    assert verdicts(tmp_path, f"self.kept = x * 2\nself.kept = {value}\nreturn len(self.kept)") == expected


def test_numel_of_a_tensor_is_asked_of_the_tensor(tmp_path):
    before = model("return x / (torch.numel(x) / x.size(0))")
    after = traced_rewrite([RULE], before).document.text
    assert "x / (x.numel() / x.size(0))" in after
    inputs = "[(torch.rand(2, 3),), (torch.rand(5, 4),)]"
    assert trace_follows(after, inputs, tmp_path) and not trace_follows(before, inputs, tmp_path)
