"""Which functions rules look at when nothing was run."""

import textwrap

import pytest

from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.observations import FunctionObservations, Observations
from tsrefactor.source.document import Document
from tsrefactor.source.file import SourceFile

HEAD = "import torch\nfrom torch import nn\nfrom elsewhere import Base\n"


@pytest.fixture
def document(tmp_path):
    def make(text):
        path = tmp_path / "m.py"
        path.write_text(HEAD + textwrap.dedent(text))
        return Document(SourceFile.read(path))

    return make


@pytest.fixture
def seen(document):
    def names(text):
        return " ".join(sorted(f.qualname for f in FileFacts(document(text)).functions))

    return names


MODEL = """
def helper(x):
    return deeper(x)

def deeper(x):
    return torch.relu(x)

def convert(weights):
    return {k: torch.as_tensor(v) for k, v in weights.items()}

@torch.jit.ignore
def ignored(x):
    return torch.relu(x)

@torch.jit.script
def scripted(x):
    return scripted_too(x)

def scripted_too(x):
    return x

class Block(nn.Module):
    def __init__(self, n=init(3)):
        super().__init__()
        self.reset()

    def reset(self):
        torch.nn.init.zeros_(self.w)

    def forward(self, x):
        return ignored(x)

    def encode(self, x):
        return x

    @property
    def width(self):
        return 3

    @torch.jit.export
    def decode(self, x):
        return self.lookup(x)

    def lookup(self, x):
        return x

class Net(nn.Module):
    def forward(self, x):
        return self.head(helper(self.block.encode(x)))

    @staticmethod
    def head(x):
        return x

    @torch.jit.unused
    def skipped(self, x):
        return x

    @classmethod
    def from_pretrained(cls, name):
        return torch.load(name)

    @torch.no_grad()
    def sample(self, n):
        return self(torch.randn(n))
"""


def test_what_a_forward_and_jit_decorated_functions_lead_to(seen):
    assert seen(MODEL) == (
        "Block.decode Block.encode Block.forward Block.lookup Block.width Net.forward Net.head "
        "deeper helper scripted scripted_too"
    )


def test_methods_of_a_class_whose_forward_is_elsewhere(seen):
    text = """
    class Mixin(nn.Module):
        def encode(self, x):
            return x

        @classmethod
        def load(cls):
            return cls()
    """
    assert seen(text) == "Mixin.encode"
    heir = """
    class Net(Mixin):
        def forward(self, x):
            return x
    """
    assert seen(text + heir) == "Net.forward"
    assert seen(text + heir.replace("return x", "return self.encode(x)")) == "Mixin.encode Net.forward"
    assert seen("class Net(Base):\n    def forward(self, x):\n        return x\n") == "Net.forward"
    assert seen("class Plain(Base):\n    def run(self, x):\n        return x\n") == ""


@pytest.mark.parametrize(
    ("place", "kept"),
    [
        ("ACTS = {'swish': swish}", True),
        ("ACTS = {'swish': swish()}", False),
        ("fast = torch.jit.script(swish)", True),
        ("if __name__ == '__main__':\n    swish()", False),
    ],
)
def test_a_function_that_is_kept_for_modules(seen, place, kept):
    text = f"def swish(x):\n    return x * torch.sigmoid(x)\n\n{place}\n\nclass Net(nn.Module):\n"
    assert seen(text + "    def forward(self, x):\n        return x\n") == "Net.forward" + " swish" * kept


@pytest.mark.parametrize(
    ("init", "kept"),
    [
        ("def __init__(self):\n        self.act = swish", True),
        ("def __init__(self, act=swish):\n        self.act = act", True),
        ("def __init__(self):\n        self.net = Lambda(swish)", True),
        ("def __init__(self):\n        self.width = swish(3)", False),
        ("def __init__(self):\n        self.apply(swish)", False),
    ],
)
def test_a_function_that_a_module_keeps(seen, init, kept):
    text = f"def swish(x):\n    return x * torch.sigmoid(x)\n\nclass Net(nn.Module):\n    {init}\n\n"
    assert seen(text + "    def forward(self, x):\n        return self.act(x)\n") == "Net.forward" + " swish" * kept


def test_a_file_without_modules_holds_helpers(seen):
    text = """
    def iou(a: torch.Tensor, b):
        return area(a)

    def area(a):
        return a

    def unseen(x):
        return x

    def train(model, x):
        torch.relu(model(x)).backward()

    def optimizer(model):
        return torch.optim.SGD(model.parameters(), 0.1)

    def save(model):
        torch.save(model, "m.pt")

    class Fn(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return torch.relu(x)
    """
    assert seen(text) == "area iou"


def test_what_a_run_entered_below_a_forward_is_seen(document):
    d = document(MODEL)
    path = str(d.source.path)
    line = d.source.text[: d.source.text.index("def convert")].count("\n") + 1
    run = FunctionObservations(path, "convert", line, scripted=True)
    names = [f.qualname for f in FileFacts(d, Observations({(path, "convert", line): run})).functions]
    assert "convert" in names
