"""no-grad-decorator: where the body goes under `with`, and what is left alone."""

import pytest

from tests.rules.proof import prove
from tests.rules.texts import findings, rewritten, source
from tsrefactor.rules import Example
from tsrefactor.rules.no_grad_decorator import NoGradDecorator
from tsrefactor.vocabulary import Target

RULE = NoGradDecorator()
HEAD = "import functools\n\nimport torch\nfrom torch import nn\n\n\n"
HELPER = Example(
    before=HEAD
    + """\
@torch.no_grad()
def shrink(x, by: int = 2):
    # halves, as a rule
    if by > 1:
        return torch.div(x, by)

    return x


class Model(nn.Module):
    @torch.autocast('cpu', enabled=False)
    def forward(self, x):
        return torch.relu(shrink(x))
""",
    after=HEAD
    + """\
def shrink(x, by: int = 2):
    with torch.no_grad():
        # halves, as a rule
        if by > 1:
            return torch.div(x, by)

        return x


class Model(nn.Module):
    def forward(self, x):
        with torch.autocast('cpu', enabled=False):
            return torch.relu(shrink(x))
""",
    inputs="[(torch.rand(2, 3),), (torch.rand(4, 3),)]",
    breaks=Target.SCRIPT,
)


def test_function_of_the_file_and_autocast(tmp_path):
    prove(RULE, HELPER, tmp_path)


def model(decorators, body="return x * 2"):
    lines = "".join(f"    {d}\n" for d in decorators)
    return HEAD + f"class Model(nn.Module):\n{lines}    def forward(self, x):\n        {body}\n"


def test_decorator_without_a_call(tmp_path):
    after = rewritten(RULE, source(tmp_path / "model.py", model(["@torch.no_grad"])))
    assert after == model([], "with torch.no_grad():\n            return x * 2")


def test_decorator_above_stays(tmp_path):
    after = rewritten(RULE, source(tmp_path / "model.py", model(["@functools.wraps(abs)", "@torch.no_grad()"])))
    assert after == model(["@functools.wraps(abs)"], "with torch.no_grad():\n            return x * 2")


def test_it_is_a_trap(tmp_path):
    assert [f.trap for f in findings(RULE, source(tmp_path / "model.py", model(["@torch.no_grad()"])))] == [True]


@pytest.mark.parametrize(
    ("decorators", "body"),
    [
        (["@torch.no_grad()", "@functools.wraps(abs)"], "return x"),
        (["@torch.no_grad()"], "yield x"),
        (["@torch.enable_grad()"], "return x"),
        (["@torch.inference_mode()"], "return x"),
        (["@torch.autocast"], "return x"),
        (["@no_grad()"], "return x"),
        ([], "with torch.set_grad_enabled(self.training):\n            return x"),
        ([], "with torch.set_grad_enabled(True):\n            return x"),
    ],
)
def test_lookalikes_are_left_alone(tmp_path, decorators, body):
    assert findings(RULE, source(tmp_path / "model.py", model(decorators, body))) == []


def test_body_on_the_line_of_the_header(tmp_path):
    text = model(["@torch.no_grad()"]).replace(":\n        return x * 2", ": return x * 2")
    assert [f.fixable for f in findings(RULE, source(tmp_path / "model.py", text))] == [False]
