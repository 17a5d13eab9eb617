import pytest
import torch  # noqa: F401  imported before the forks

from tests.rules.proof import prove
from tests.rules.texts import findings, rewritten, source
from tsrefactor.rules import Example
from tsrefactor.rules.wrapper_drop import WrapperDrop
from tsrefactor.vocabulary import Target

HEAD = "import functools\nimport warnings\nimport torch\nfrom torch import nn\n\n\n"
MODEL = "\n\nclass Model(nn.Module):\n    @deco\n    def forward(self, x, y=1):\n        return x\n"


def decorated(wrapper, wraps="    @functools.wraps(fn)\n"):
    return HEAD + f"def deco(fn):\n{wraps}    def inner{wrapper}\n    return inner\n" + MODEL


@pytest.mark.parametrize(
    ("wrapper", "why"),
    [
        ("(self, x):\n        return fn(self, x)", "other parameters"),
        (
            "(self, *args, **kw):\n        args = args[1:]\n        return fn(self, *args, **kw)",
            "reads all its arguments",
        ),
        ("(self, *args, **kw):\n        return fn(self, *args)", "passes on other arguments"),
        (
            "(self, *args, **kw):\n        with torch.no_grad():\n            return fn(self, *args, **kw)",
            "plain statements",
        ),
        (
            "(self, *args, **kw):\n        warnings.warn('old')\n        return fn(self, *args, **kw)",
            "calls `warnings.warn`",
        ),
        (
            "(self, *args, **kw):\n        y = 2\n        return fn(self, *args, **kw) * y",
            "means something else by `y`",
        ),
        (
            "(self, *args, **kw):\n        self = self.other\n        return fn(self, *args, **kw)",
            "exchanges the module",
        ),
        ("(self, *args, **kw):\n        return 1", "does not call it"),
        ("(*args, **kw):\n        return fn(*args, **kw)", "gives the module no name"),
    ],
)
def test_wrapper_that_is_only_reported(wrapper, why, tmp_path):
    [advice] = findings(WrapperDrop(), source(tmp_path / "m.py", decorated(wrapper)))
    assert not advice.fixable
    assert why in advice.message


def test_wrapper_without_wraps_is_not_dropped(tmp_path):
    text = decorated("(self, *args, **kw):\n        return fn(self, *args, **kw)", wraps="")
    assert findings(WrapperDrop(), source(tmp_path / "m.py", text)) == []


def test_function_with_a_wrapper(tmp_path):
    text = HEAD + (
        "def deco(fn):\n    @functools.wraps(fn)\n    def inner(x, *args, **kwargs):\n"
        "        return fn(x.float(), *args, **kwargs)\n\n    return inner\n\n\n"
        "@deco\ndef scale(t, *, by: float):\n    return torch.mul(t, by)\n"
    )
    after = rewritten(WrapperDrop(), source(tmp_path / "m.py", text))
    assert after.endswith(
        "def _scale_impl(t, *, by: float):\n    return torch.mul(t, by)\n\n\n"
        "def scale(t, *, by: float):\n    # what `deco` does: TorchScript drops wrappers\n"
        "    return _scale_impl(t.float(), by=by)\n"
    )


LOSSES = """\
import functools

import torch


def weighted(fn):
    @functools.wraps(fn)
    def wrapper(pred, target, weight: float = 1.0, {own}**kwargs):
        \"""The mean of what is weighted.\"""
        loss = fn(pred, target, **kwargs)
        return (loss * weight).mean()

    return wrapper


@weighted
def smooth_loss(pred, target, {own_of_loss}beta: float = 1.0):
    # element by element
    return (pred - target).abs() / beta
"""
CALL = """

class Model(torch.nn.Module):
    def forward(self, x):
        return smooth_loss(x, x * 2, 0.5, beta=2.0) + smooth_loss(x, x + 1)
"""


def test_wrapper_with_parameters_of_its_own(tmp_path):
    before = LOSSES.format(own="", own_of_loss="")
    after = (
        before.replace("@weighted\ndef smooth_loss", "def _smooth_loss_impl")
        + "\n\ndef smooth_loss(pred, target, weight: float=1.0, beta: float=1.0):\n"
        + "    # what `weighted` does: TorchScript drops wrappers\n"
        + "    loss = _smooth_loss_impl(pred, target, beta=beta)\n    return (loss * weight).mean()\n"
    )
    inputs = "[(torch.rand(3),), (torch.rand(2, 2),)]"
    example = Example(before + CALL, after + CALL, inputs, Target.SCRIPT, error="at most|unexpected|argument")
    prove(WrapperDrop(), example, tmp_path)


@pytest.mark.parametrize(
    ("own", "own_of_loss", "why"),
    [
        ("beta: float = 1.0, ", "", "of the same names"),
        ("", "alpha: float, ", "takes other parameters"),
        ("", "*, ", "not all by position"),
    ],
)
def test_wrapper_whose_parameters_do_not_fit(own, own_of_loss, why, tmp_path):
    file = source(tmp_path / "m.py", LOSSES.format(own=own, own_of_loss=own_of_loss) + CALL)
    [advice] = findings(WrapperDrop(), file)
    assert not advice.fixable
    assert why in advice.message
