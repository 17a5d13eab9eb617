"""global-constant: strings, devices, relatives, imported names; what it must not touch."""

from dataclasses import replace

import pytest

from tests.rules.proof import prove
from tests.rules.texts import diagnosis, findings, rewritten, source
from tsrefactor.rules import Example
from tsrefactor.rules.global_constant import GlobalConstant
from tsrefactor.vocabulary import Target

HEAD = "import torch\nfrom torch import nn\n\n"
MORE = {
    "a string and a device": Example(
        before=HEAD + 'MODE = "sum"\nDEVICE = torch.device("cpu")\n\n\nclass Model(nn.Module):\n'
        '    def forward(self, x):\n        x = x.to(DEVICE)\n        return x.sum() if MODE == "sum" else x\n',
        after="from typing import Final\n\n" + HEAD + 'MODE = "sum"\nDEVICE = torch.device("cpu")\n\n\n'
        "class Model(nn.Module):\n    MODE: Final[str] = MODE\n    DEVICE: Final[torch.device] = DEVICE\n\n"
        "    def forward(self, x):\n        x = x.to(self.DEVICE)\n"
        '        return x.sum() if self.MODE == "sum" else x\n',
        inputs="[(torch.rand(3, 4),)]",
        breaks=Target.SCRIPT,
        error="python value of type 'device'",
    ),
    "annotations of a base are repeated": Example(
        before=HEAD + "N = 3\n\n\nclass Base(nn.Module):\n    factor: float\n\n    def __init__(self):\n"
        "        super().__init__()\n        self.factor = 2.0\n\n\nclass Model(Base):\n    def forward(self, x):\n"
        "        return x * self.factor + N\n",
        after="from typing import Final\n\n" + HEAD + "N = 3\n\n\nclass Base(nn.Module):\n    factor: float\n\n"
        "    def __init__(self):\n        super().__init__()\n        self.factor = 2.0\n\n\nclass Model(Base):\n"
        "    N: Final[int] = N\n    factor: float\n\n    def forward(self, x):\n"
        "        return x * self.factor + self.N\n",
        inputs="[(torch.rand(3, 4),)]",
        breaks=Target.SCRIPT,
        error="python value of type 'int'",
    ),
    "a list of a method": Example(
        before=HEAD + "SIZES = [1, 2]\n\n\nclass Model(nn.Module):\n    def forward(self, x):\n"
        "        for size in SIZES:\n            x = x + size\n        return x\n",
        after="from typing import Final, List\n\n" + HEAD + "SIZES = [1, 2]\n\n\nclass Model(nn.Module):\n"
        "    SIZES: Final[List[int]] = SIZES\n\n    def forward(self, x):\n"
        "        for size in self.SIZES:\n            x = x + size\n        return x\n",
        inputs="[(torch.rand(3, 4),)]",
        breaks=Target.SCRIPT,
        error="python value of type 'list'",
    ),
}


@pytest.mark.parametrize("example", MORE.values(), ids=MORE)
def test_more(example, tmp_path):
    prove(GlobalConstant(), example, tmp_path)


USE = "\n\nclass Model(nn.Module):\n    def forward(self, x):\n        return x + K\n"


def about_k(tmp_path, text, type_="int"):
    file = source(tmp_path / "model.py", HEAD + text)
    told = diagnosis(file, "python-value-as-value", "+ K\n", type=type_)
    assert told.place is not None and told.place.column is not None
    return file, replace(told, place=replace(told.place, column=told.place.column + len("+ ")))


@pytest.mark.parametrize(
    "before",
    [
        "K = 1\nK = 2\n" + USE,
        "K = 1\nif torch.cuda.is_available():\n    K = 2\n" + USE,
        "K = 1\n\n\ndef change():\n    global K\n    K = 2\n" + USE,
        "for K in range(3):\n    pass\n" + USE,
    ],
)
def test_what_may_change_is_left_alone(tmp_path, before):
    assert findings(GlobalConstant(), *about_k(tmp_path, before)) == []


def test_a_name_that_the_class_uses_becomes_a_literal(tmp_path):
    text = "K = 1\n" + USE + "\n    def K(self):\n        return 2\n"
    assert "return x + 1\n" in rewritten(GlobalConstant(), *about_k(tmp_path, text))


def test_a_name_of_modules_and_of_other_bases_is_not_shadowed(tmp_path):
    body = "class Model(hub.Base):\n    def forward(self, x):\n        return x.to(device)\n"
    file = source(tmp_path / "model.py", HEAD + f"import hub\n\ndevice = torch.device('cpu')\n\n\n{body}")
    text = rewritten(GlobalConstant(), file, diagnosis(file, "python-value-as-value", "device)", type="device"))
    assert "    DEVICE: Final[torch.device] = device\n" in text and "x.to(self.DEVICE)" in text


def test_an_imported_constant_becomes_one_of_the_class(tmp_path):
    text = rewritten(GlobalConstant(), *about_k(tmp_path, "from settings import K  # fixed\n" + USE, "float"))
    assert "    K: Final[float] = K\n" in text and "return x + self.K\n" in text


def test_numbers_of_one_line_go_together(tmp_path):
    text = "K = 1\nLOW = -2.0\nSIZES = [3]\n" + USE.replace("x + K", "x * SIZES[0] + LOW + K")
    text = rewritten(GlobalConstant(), *about_k(tmp_path, text))
    assert "return x * SIZES[0] + self.LOW + self.K\n" in text


@pytest.mark.parametrize("use", ["x + helper(K)", "K.append(1)", "(x, K)"])
def test_a_list_that_may_be_kept_or_changed_is_left_alone(tmp_path, use):
    text = f"K = [1, 2]\n\n\ndef f(x):\n    return {use}\n"
    file = source(tmp_path / "model.py", HEAD + text)
    assert findings(GlobalConstant(), file, diagnosis(file, "python-value-as-value", use, type="list")) == []
