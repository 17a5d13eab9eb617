import pytest

from tests.rules.texts import findings, rewritten, source
from tsrefactor.rules.cuda_available import CudaAvailable

ASKS = "        if torch.cuda.is_available():\n            x = x.cuda()\n        return x\n"
MODEL = "import torch\nfrom torch import nn\n\n\nclass Model({base}):\n{init}    def forward(self, x):\n" + ASKS
INIT = "    def __init__(self):\n        super().__init__()\n\n"


def test_one_attribute_for_all_methods(tmp_path):
    more = "\n    def more(self, x):\n        return self.forward(x), self.other(x)\n\n    def other(self, x):\n" + ASKS
    text = MODEL.format(base="nn.Module", init=INIT) + more
    after = rewritten(
        CudaAvailable(), source(tmp_path / "m.py", text.replace("return x\n", "return self.other(x)\n", 1))
    )
    assert after.count("if self.cuda_is_available:") == 2
    assert after.count("self.cuda_is_available = torch.cuda.is_available()") == 1


def test_a_name_that_is_taken(tmp_path):
    init = INIT.rstrip() + "\n        self.cuda_is_available = 'no'\n\n"
    after = rewritten(CudaAvailable(), source(tmp_path / "m.py", MODEL.format(base="nn.Module", init=init)))
    assert "if self.cuda_is_available_2:" in after


@pytest.mark.parametrize(
    ("base", "init"), [("nn.Module", ""), ("nn.Module", INIT.replace("super().__init__()", "pass"))]
)
def test_advice_where_init_is_not_plain(base, init, tmp_path):
    [advice] = findings(CudaAvailable(), source(tmp_path / "m.py", MODEL.format(base=base, init=init)))
    assert not advice.fixable


def test_functions_and_constructors_are_left_alone(tmp_path):
    text = MODEL.format(
        base="nn.Module", init=INIT.replace("super().__init__()", "self.gpu = torch.cuda.is_available()")
    )
    place = "\n\ndef place(x):\n    if torch.cuda.is_available():\n        x = x.cuda()\n    return x\n"
    text = text.replace(ASKS, "        return place(x)\n") + place
    assert findings(CudaAvailable(), source(tmp_path / "m.py", text)) == []


def test_every_method_by_its_own_name_for_the_instance(tmp_path):
    text = (
        "import torch\nfrom torch import nn\n\n\nclass Model(nn.Module):\n    def __init__(self):\n"
        "        super().__init__()\n        self.fc = nn.Linear(2, 2)\n\n    def forward(this, x):\n"
        "        return this.fc(x) if torch.cuda.is_available() else x\n"
    )
    after = rewritten(CudaAvailable(), source(tmp_path / "m.py", text))
    assert "if this.cuda_is_available else x" in after and "        self.cuda_is_available = torch.cuda.is" in after


FUNCTION = """\
import torch
from torch import nn


def helper(n: int, x: torch.Tensor, mask=None):
    {}
    return x


class Model(nn.Module):
    def forward(self, x):
        return helper(2, x)
"""


@pytest.mark.parametrize(
    ("before", "wanted"),
    [
        ("d = 'cuda' if torch.cuda.is_available() else 'cpu'",
         "if torch.jit.is_scripting():\n        d = x.device\n    else:\n"
         "        d = 'cuda' if torch.cuda.is_available() else 'cpu'"),
        ("d = torch.device('cuda:0' if torch.cuda.is_available() else 'cpu')",
         "d = x.device if torch.jit.is_scripting() else "
         "torch.device('cuda:0' if torch.cuda.is_available() else 'cpu')"),
    ],
)  # fmt: skip
def test_functions_follow_the_tensor(tmp_path, before, wanted):
    text = FUNCTION.format(before + "\n    x = x + torch.ones(n, device=d)")
    assert wanted in rewritten(CudaAvailable(), source(tmp_path / "model.py", text))


@pytest.mark.parametrize(
    "code",
    [
        "if torch.cuda.is_available():\n        x = x.cuda()",
        "n = 2 if torch.cuda.is_available() else 3",
        "x = x + (1 if torch.cuda.is_available() else 0)",
    ],
)
def test_other_questions_of_functions(tmp_path, code):
    assert findings(CudaAvailable(), source(tmp_path / "model.py", FUNCTION.format(code))) == []
