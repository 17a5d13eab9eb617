"""isinstance-type: every form against eager, and what is left alone."""

import numpy
import pytest
import torch
from torch.autograd import Variable

from tests.rules.texts import findings, rewritten, source
from tsrefactor.rules.isinstance_type import IsinstanceType

RULE = IsinstanceType()
HEAD = "from collections.abc import Sequence\n\nimport numpy as np\nimport torch\nfrom torch import nn\n"
HEAD += "from torch.autograd import Variable\n\n\n"


def model(expression):
    return (
        HEAD + "class Model(nn.Module):\n    def forward(self, x: torch.Tensor, y=None, n: int = 1):\n"
        f"        return {expression}\n"
    )


def made(tmp_path, expression):
    return rewritten(RULE, source(tmp_path / "model.py", model(expression))).partition("return ")[2].strip()


FORMS = [
    ("torch.is_tensor(x)", "isinstance(x, torch.Tensor)"),
    ("isinstance(x, Variable)", "isinstance(x, torch.Tensor)"),
    ("isinstance(x, (Variable, torch.Tensor))", "isinstance(x, torch.Tensor)"),
    ("isinstance(x, (list, torch.autograd.Variable))", "isinstance(x, (torch.Tensor, list))"),
    ("isinstance(x, torch.FloatTensor)", "(x.is_cpu and x.dtype == torch.float32)"),
    ("isinstance(x, torch.LongTensor)", "(x.is_cpu and x.dtype == torch.int64)"),
    ("isinstance(x.data, torch.cuda.HalfTensor)", "(x.data.is_cuda and x.data.dtype == torch.float16)"),
    ("isinstance(x, np.ndarray)", "False if torch.jit.is_scripting() else isinstance(x, np.ndarray)"),
    ("isinstance(x, (set, np.generic))", "False if torch.jit.is_scripting() else isinstance(x, (set, np.generic))"),
    ("isinstance(x, dict)", "False if torch.jit.is_scripting() else isinstance(x, dict)"),
    ("isinstance(n, Sequence)", "False if torch.jit.is_scripting() else isinstance(n, Sequence)"),
]


@pytest.mark.parametrize(("before", "after"), FORMS, ids=[before for before, _ in FORMS])
def test_eager_answers_the_same(tmp_path, before, after):
    assert made(tmp_path, before) == after
    known = {"torch": torch, "np": numpy, "Variable": Variable}
    exec("from collections.abc import Sequence", known)
    for x in (torch.rand(2), torch.ones(2).long(), torch.ones(2).half()):
        assert eval(before, {**known, "x": x, "n": 1}) == eval(after, {**known, "x": x, "n": 1})


def test_silent_answers_are_traps(tmp_path):
    text = model("isinstance(x, Variable), isinstance(x, torch.FloatTensor), torch.is_tensor(x)")
    assert [f.trap for f in findings(RULE, source(tmp_path / "model.py", text))] == [True, True, False]


@pytest.mark.parametrize(
    "expression",
    [
        "isinstance(x, torch.Tensor)",
        "isinstance(x, nn.Linear)",
        "isinstance(x, Model)",
        "isinstance(x, (list, tuple))",
        "isinstance(y, dict)",
        "isinstance([n], Sequence)",
        "isinstance(x, (np.ndarray, list))",
        "False if torch.jit.is_scripting() else isinstance(x, np.ndarray)",
        "isinstance(x, np.ndarray) if not torch.jit.is_scripting() else False",
    ],
)
def test_lookalikes_are_left_alone(tmp_path, expression):
    assert findings(RULE, source(tmp_path / "model.py", model(expression))) == []


def test_type_of_what_may_be_no_tensor_is_only_told(tmp_path):
    found = findings(RULE, source(tmp_path / "model.py", model("isinstance(self.table[0], torch.FloatTensor)")))
    assert [f.fixable for f in found] == [False] and "not known to be a tensor" in found[0].message
