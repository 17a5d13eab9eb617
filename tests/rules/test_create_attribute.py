"""create-attribute: what `__init__` gets, and what it does not."""

import pytest

from tests.rules.proof import prove
from tests.rules.texts import diagnosis, findings, rewritten, source
from tsrefactor.rules.base import Example
from tsrefactor.rules.create_attribute import CreateAttribute
from tsrefactor.vocabulary import Target

RULE = CreateAttribute()
HEAD = "import torch\nfrom torch import nn\n\n\n"
INIT = "    def __init__(self):\n        super().__init__()\n"
WHY = "        # set by forward; here for TorchScript, which knows only the attributes that __init__ makes\n"

MORE = [
    # sizes, pairs and what may be None: their placeholders tell no type, or one that does not fit
    Example(
        before=HEAD
        + """\
class Model(nn.Module):
    def forward(self, x):
        self.size = x.size()  # for flops
        return x + 1

    def flops(self):
        return self.size[0] if hasattr(self, 'size') else 0
""",
        after=HEAD
        + """\
class Model(nn.Module):
    def forward(self, x):
        if not torch.jit.is_scripting():
            self.size = x.size()  # for flops
        return x + 1

    def flops(self):
        return self.size[0] if hasattr(self, 'size') else 0
""",
        inputs="[(torch.rand(2, 4),), (torch.rand(3, 4),)]",
        breaks=Target.SCRIPT,
        error="Tried to set nonexistent attribute: size",
    ),
    Example(
        before=HEAD
        + "class Model(nn.Module):\n"
        + INIT
        + """\

    def forward(self, x):
        self.shape = x.shape
        self.pair = (x.size(0), x * 2)
        self.last = x if x.size(0) > 2 else None
        return x + 1
""",
        after="from typing import List, Optional\n\n"
        + HEAD
        + "class Model(nn.Module):\n    shape: List[int]\n    last: Optional[torch.Tensor]\n\n"
        + INIT
        + WHY
        + """\
        self.shape = []
        self.pair = (0, torch.empty(0))
        self.last = None

    def forward(self, x):
        self.shape = x.shape
        self.pair = (x.size(0), x * 2)
        self.last = x if x.size(0) > 2 else None
        return x + 1
""",
        inputs="[(torch.rand(2, 4),), (torch.rand(3, 4),)]",
        breaks=Target.SCRIPT,
        error="Tried to set nonexistent attribute: shape",
        recorded=True,
    ),
]


@pytest.mark.parametrize("example", MORE, ids=range(len(MORE)))
def test_more(example, tmp_path):
    prove(RULE, example, tmp_path)


def model(forward: str, init: str = INIT, base: str = "nn.Module", rest: str = "") -> str:
    lines = "".join(f"        {line}\n" for line in forward.splitlines())
    return f"{HEAD}class Model({base}):\n{init}\n    def forward(self, x):\n{lines}{rest}"


def refusal(tmp_path, text):
    file = source(tmp_path / "model.py", text)
    told = diagnosis(file, "new-attribute", "self.h = ", attribute="h")
    found = findings(RULE, file, told)
    assert [(f.fixable, f.answers) for f in found] == [(False, told)]
    return found[0].message


def test_silent_without_a_diagnosis(tmp_path):
    assert findings(RULE, source(tmp_path / "model.py", model("self.h = torch.relu(x)\nreturn x"))) == []


@pytest.mark.parametrize(
    "line", ["hasattr(self, 'h')", "getattr(self, 'h', None)", "self.register_buffer('h', torch.zeros(1))"]
)
def test_not_where_the_file_asks_whether_it_exists(tmp_path, line):
    rest = f"\n    def other(self):\n        return {line}\n"
    assert "asks for it by name" in refusal(tmp_path, model("self.h = torch.relu(x)\nreturn self.h", rest=rest))


def test_not_where_the_file_deletes_it(tmp_path):
    assert "deletes" in refusal(tmp_path, model("self.h = torch.relu(x)\ny = self.h\ndel self.h\nreturn y"))


def test_not_where_nothing_tells_the_type(tmp_path):
    assert "type is not known" in refusal(tmp_path, model("self.h = self.odd(x)\nreturn x"))


def test_not_where_the_parent_comes_from_another_file(tmp_path):
    text = model("self.h = torch.relu(x)\nreturn self.h", init="", base="Base").replace(
        "\n\n\n", "\nfrom base import Base\n\n", 1
    )
    assert "no `__init__` of its own" in refusal(tmp_path, text)


def test_not_where_init_does_not_always_call_the_parent(tmp_path):
    init = "    def __init__(self, a):\n        if a:\n            super().__init__()\n"
    assert "no `__init__` of its own" in refusal(tmp_path, model("self.h = torch.relu(x)\nreturn self.h", init=init))


def test_what_set_up_code_creates_stays_as_it_is(tmp_path):
    rest = "\n    def reset(self):\n        self.n = 1\n"
    text = model("self.n = 2\nself.h = torch.relu(x)\nreturn x", rest=rest)
    file = source(tmp_path / "model.py", text)
    after = rewritten(RULE, file, diagnosis(file, "new-attribute", "self.h = ", attribute="h"))
    assert f"{WHY}        self.h = torch.empty(0)\n\n" in after
