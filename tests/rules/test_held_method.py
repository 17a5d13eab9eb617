"""held-method: what stays."""

import pytest

from tests.rules.proof import prove
from tests.rules.texts import findings, rewritten, source
from tsrefactor.rules import Example
from tsrefactor.rules.held_method import HeldMethod
from tsrefactor.vocabulary import Target

HEAD = """\
import torch.nn.functional as F
from torch import nn


"""


def model(init: str, method: str, rest: str = "") -> str:
    lines = "".join(f"        {line}\n" for line in init.splitlines())
    return (
        f"{HEAD}class Model(nn.Module):\n    def __init__(self, c: bool):\n        super().__init__()\n{lines}\n"
        f"{method}\n\n    def forward(self, x):\n        return self.f(x) + self.f(x, 2.0)\n{rest}"
    )


def test_static_over_several_lines(tmp_path):
    header, body = (
        "def scaled(\n        self,\n        x,\n        by: float = 3.0,\n    ):",
        "return x * by  # as asked",
    )
    before = model("self.f = self.scaled if c else F.relu", f"    {header}\n        {body}")
    after = rewritten(HeldMethod(), source(tmp_path / "model.py", before))
    static = header.replace("        self,\n", "")
    assert after == before.replace(header, f"@staticmethod\n    {static}")


@pytest.mark.parametrize(
    ("init", "body", "reason"),
    [
        ("self.f = self.g if c else F.relu", "self.bias", "it uses `self`"),
        ("self.f = self.g if c else F.relu", "super().g(x)", "it calls `super()`"),
        ("self.f = self.g\nif c:\n    self.f = F.relu", "self.bias", "it uses `self`"),
        ("if c:\n    self.f = self.g\nelif self.d:\n    self.f = self.h", "self.bias", "some instances may have none"),
        ("for c in 'ab':\n    self.f = self.g if c else self.h", "self.bias", "some instances may have none"),
        ("self.f = F.interpolate", "x", "other code sets it, too"),
        ("self.f = self.g", "x", "other code sets it, too"),
    ],
)
def test_what_stays(init, body, reason, tmp_path):
    rest = "\n\nmodel = Model(True)\nmodel.f = F.relu\n" if "sets" in reason else ""
    text = model(init, f"    def g(self, x, by=1.0):\n        return {body}", rest)
    told = findings(HeldMethod(), source(tmp_path / "model.py", text))
    assert told and not [f for f in told if f.fixable] and any(reason in f.message for f in told)


@pytest.mark.parametrize("init", ["self.f = F.relu", "self.f = nn.ReLU()", "self.f = F.interpolate if c else F.relu"])
def test_lookalikes(init, tmp_path):
    text = model(init, "    @staticmethod\n    def g(x):\n        return x")
    assert not findings(HeldMethod(), source(tmp_path / "model.py", text))


CHOSEN = """\
class Model(nn.Module):
    def __init__(self, c: str = "a"):
        super().__init__()
        self.scale = 2.0
        self.f = {store}

    def a(self, x):
        return x * self.scale

    def b(self, y):
        return y + self.scale

    def forward(self, x):
        return self.f(x){more}
"""


@pytest.mark.parametrize(
    ("store", "made"),
    [
        ("self.a if c == 'a' else F.relu", ["f_is_a", "else:\n            return self.f(x)"]),
        ("{'a': self.a, 'b': self.b}[c]", ["f_is_a", "else:\n            return self.b(x)"]),
        ("self.a if c == 'a' else self.b if c else None", ["f_is_a", "f_is_b", "else:\n            return self.f(x)"]),
    ],
)
def test_one_of_several(store, made, tmp_path):
    before = HEAD + CHOSEN.replace("{store}", store).replace("{more}", "")
    after = rewritten(HeldMethod(), source(tmp_path / "model.py", before))
    assert all(m in after for m in made) and "return self._call_f(x)" in after


@pytest.mark.parametrize("form", ["the_same", "a_subclass", "a_method_chooses"])
def test_what_an_instance_holds_is_called(form, tmp_path):
    text = HEAD + CHOSEN.replace("{store}", "self.a if c == 'a' else self.b").replace("{more}", "")
    if form == "a_method_chooses":
        text = text.replace("self.a if c == 'a' else self.b", "self._choose(c)").replace(
            "    def b(self, y):\n        return y + self.scale\n",
            "    @staticmethod\n    def b(y):\n        return y + 1\n\n    def _choose(self, c: str):\n"
            "        if c == 'a':\n            return self.a\n        return self.b\n",
        )
    if form == "a_subclass":
        base = text.replace("class Model(", "class Base(")
        text = base + "\n\nclass Model(Base):\n    def a(self, x):\n        return x - self.scale\n"
    for given in ("'a'",) if form == "a_method_chooses" else ("'a'", "'b'"):
        example = Example(
            text, rewritten(HeldMethod(), source(tmp_path / "m.py", text)), "[(torch.rand(2, 3),)]", Target.SCRIPT,
            error="'method'", model=f"Model({given})",
        )  # fmt: skip
        (tmp_path / given).mkdir()
        prove(HeldMethod(), example, tmp_path / given)


@pytest.mark.parametrize(
    ("more", "rest", "reason"),
    [
        (" + (0 if self.f is None else 1)", "", "not set by `__init__`"),
        ("", "    def other(self):\n        self.f = self.b\n", "not set by `__init__`"),
        ("", "    def other(self, a):\n        return self.f(*a)\n", "called with"),
        ("", "\n\nclass Sub(Model):\n    def __init__(self):\n        super().__init__()\n        self.f = self.b\n",
         "not set by `__init__`"),
    ],
)  # fmt: skip
def test_one_of_several_that_stays(more, rest, reason, tmp_path):
    text = HEAD + CHOSEN.replace("{store}", "self.a if c == 'a' else self.b").replace("{more}", more) + rest
    told = findings(HeldMethod(), source(tmp_path / "model.py", text))
    assert told and not [f for f in told if f.fixable] and any(reason in f.message for f in told)
