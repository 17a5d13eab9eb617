import pytest

from tests.rules.proof import prove
from tests.rules.texts import findings, rewritten, source
from tsrefactor.facts.diagnosis import Diagnosis
from tsrefactor.rules import Example
from tsrefactor.rules.autograd_function import AutogradFunction
from tsrefactor.vocabulary import Target

CALL = Diagnosis("export-python-call", "", names={"function": "Fn"})
HEAD = "import torch\nfrom torch import nn\n\n\nclass Fn(torch.autograd.Function):\n"
MODEL = "\n\nclass Model(nn.Module):\n    def forward(self, x):\n        return Fn.apply(x)\n"


@pytest.mark.parametrize(
    ("forward", "why"),
    [
        ("    @staticmethod\n    def forward(ctx, x):\n        x += 1\n        return x\n", "writes to its input"),
        ("    @staticmethod\n    def forward(ctx, x):\n        x.add_(1)\n        return x\n", "writes to its input"),
        (
            "    @staticmethod\n    def forward(ctx, x):\n        return x if ctx.needs_input_grad[0] else -x\n",
            "needs `ctx`",
        ),
        (
            "    @staticmethod\n    def forward(ctx, x):\n        ctx.n = ctx.m = 1\n        return x * ctx.n\n",
            "needs `ctx`",
        ),
        ("    @classmethod\n    def forward(cls, ctx, x):\n        return x * cls.n\n", "needs `cls`"),
        ("    @staticmethod\n    def forward(ctx, x, *rest):\n        return x\n", "other than plain arguments"),
        ("    @staticmethod\n    @wrapped\n    def forward(ctx, x):\n        return x\n", "no plain static"),
        ("    @staticmethod\n    def forward(ctx, x, n):\n        return x * n\n", "leave out `n`"),
    ],
)
def test_forward_that_cannot_stand_for_it(forward, why, tmp_path):
    [advice] = findings(AutogradFunction(), source(tmp_path / "m.py", HEAD + forward + MODEL), CALL)
    assert not advice.fixable
    assert why in advice.message


def test_other_python_functions_are_left_alone(tmp_path):
    text = "import torch\nfrom torch import nn\n\n\nclass Fn:\n    pass\n" + MODEL
    assert findings(AutogradFunction(), source(tmp_path / "m.py", text), CALL) == []


def made(text, tmp_path):
    return rewritten(AutogradFunction(), source(tmp_path / "m.py", text), CALL)


def test_a_class_method_that_does_not_use_its_class(tmp_path):
    forward = "    @classmethod\n    def forward(cls, ctx, x, n=2):\n        return x * n\n"
    assert "        return Fn.apply(x)\n    n = 2\n    return x * n\n" in made(HEAD + forward + MODEL, tmp_path)


def test_the_casts_of_custom_fwd_are_told(tmp_path):
    head = HEAD.replace("import torch\n", "import torch\nfrom torch.cuda.amp import custom_fwd\n", 1)
    forward = "    @staticmethod\n    @custom_fwd\n    def forward(ctx, x):\n        return x.exp()\n"
    [finding] = findings(AutogradFunction(), source(tmp_path / "m.py", head + forward + MODEL), CALL)
    assert finding.fixable and "autocast" in (finding.caveat or "")


MORE = Example(
    before=HEAD
    + """\
    @staticmethod
    def forward(ctx, x):
        ctx.x = x
        ctx.scale = x.abs().max()
        ctx.sign = torch.sign(x)
        x = ctx.x / ctx.scale  # to one
        return x.round() * ctx.scale

    @staticmethod
    def backward(ctx, grad):
        return grad * ctx.sign
"""
    + MODEL,
    after=HEAD
    + """\
    @staticmethod
    def forward(ctx, x):
        ctx.x = x
        ctx.scale = x.abs().max()
        ctx.sign = torch.sign(x)
        x = ctx.x / ctx.scale  # to one
        return x.round() * ctx.scale

    @staticmethod
    def backward(ctx, grad):
        return grad * ctx.sign


def _fn(x):
    # scripted, without the backward of Fn: TorchScript cannot save a call of it
    if not torch.jit.is_scripting():
        return Fn.apply(x)
    x_2 = x
    scale = x.abs().max()
    x = x_2 / scale  # to one
    return x.round() * scale
"""
    + MODEL.replace("Fn.apply(x)", "_fn(x)"),
    inputs="[(torch.rand(2, 4),), (torch.rand(3, 4),)]",
    breaks=Target.SCRIPT,
    outcome="pass",  # but it cannot be saved
    error="Could not export Python function call",
)


def test_what_it_reads_back_becomes_a_local_name(tmp_path):
    prove(AutogradFunction(), MORE, tmp_path)


@pytest.mark.parametrize(
    ("parameters", "rest", "why"),
    [
        ("x, n=2", "", "with more arguments elsewhere"),
        ("x", "\n\nclass Other(nn.Module):\n    act = fn\n", "a class holds its `apply`"),
    ],
)
def test_an_alias_that_is_called_otherwise(parameters, rest, why, tmp_path):
    head = (
        HEAD + f"    @staticmethod\n    def forward(ctx, {parameters}):\n        return x.sign()\n\n\nfn = Fn.apply\n"
    )
    text = head + MODEL.replace("Fn.apply(x)", "fn(x)") + rest
    [advice] = findings(AutogradFunction(), source(tmp_path / "m.py", text), CALL)
    assert not advice.fixable and why in advice.message


def test_functions_whose_names_differ_in_case_only(tmp_path):
    forward = "    @staticmethod\n    def forward(ctx, x):\n        return x.sign()\n"
    text = (
        HEAD
        + forward
        + "\n\nclass fn(torch.autograd.Function):\n"
        + forward
        + MODEL.replace(")\n", ") + fn.apply(x)\n")
    )
    text = text.replace("(nn.Module) + fn.apply(x)", "(nn.Module)").replace("(self, x) + fn.apply(x)", "(self, x)")
    other = Diagnosis("export-python-call", "", names={"function": "fn"})
    after = rewritten(AutogradFunction(), source(tmp_path / "m.py", text), CALL, other)
    assert after.rstrip().endswith("return _fn(x) + _fn_2(x)")


INNER = """\
import torch
import torch.nn.functional as F
from torch import nn


class Swish(nn.Module):
    class F(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * F.relu6(x)

        @staticmethod
        def backward(ctx, grad_output):
            return grad_output

    def forward(self, x):
        return self.F.apply(x)
{helper}

class Model(Swish):{heir}
    pass
"""
HELPER = """

def _swish(x):
    # scripted, without the backward of F: TorchScript cannot save a call of it
    if not torch.jit.is_scripting():
        return Swish.F.apply(x)
    return x * F.relu6(x)
"""


def test_a_class_inside_that_of_a_module(tmp_path):
    before = INNER.format(helper="", heir="")
    after = INNER.format(helper=HELPER, heir="").replace("return self.F.apply(x)", "return _swish(x)")
    error = "type object 'F' has no attribute '__globals__'"
    prove(AutogradFunction(), Example(before, after, "[(torch.randn(2, 4),)]", Target.SCRIPT, error=error), tmp_path)


def test_an_heir_with_another_inner_class_is_left_alone(tmp_path):
    told = Diagnosis("python-attribute", "", names={"type": "F", "attribute": "__globals__", "owner": "m.Swish"})
    text = INNER.format(helper="", heir="\n    F = None")
    [advice] = findings(AutogradFunction(), source(tmp_path / "m.py", text), told)
    assert not advice.fixable and "subclass" in advice.message


@pytest.mark.parametrize("more", ["", "        if fn is not None:\n            self.Double = fn\n"])
def test_an_instance_may_have_another_function_of_its_name(more, tmp_path):
    text = (
        "import torch\nfrom torch import nn\n\n\nclass Model(nn.Module):\n"
        "    class Double(torch.autograd.Function):\n        @staticmethod\n        def forward(ctx, x):\n"
        "            return x * 2\n\n    def __init__(self, fn=None):\n        super().__init__()\n" + more + "\n"
        "    def forward(self, x):\n        return self.Double.apply(x)\n"
    )
    told = Diagnosis("python-attribute", "", names={"owner": "m.Model", "type": "Double"})
    [found] = findings(AutogradFunction(), source(tmp_path / "m.py", text), told)
    assert found.fixable is not bool(more)
