import pytest

from tests.rules.texts import findings, rewritten, source
from tsrefactor.rules.wrapper_drop import WrapperDrop

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
        ("(self, *args, **kw):\n        y = 2\n        return fn(self, *args, **kw) * y", "a `y` of its own"),
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
