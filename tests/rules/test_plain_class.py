"""plain-class: what stays, and what rests on a case."""

import pytest
import torch

from tests.rules.texts import diagnosis, findings, source
from tsrefactor.facts.family import OF_MODULES
from tsrefactor.rules.plain_class import _MAY_DEFINE, PlainClass

HELPER = """\
import torch
from torch import nn


class Base:
    pass


class Coder(Base):
    def __init__(self, weights=(1.0, 2.0)):
        self.weights = weights

    def code(self, x):
        return x * self.weights[0]


class Model(nn.Module):
    def __init__(self, coder=None):
        super().__init__()
        self.fc = nn.Linear(4, 4)
        self.coder = coder or Coder()

    def forward(self, x):
        return self.coder.code(self.fc(x))
"""


def found(text, tmp_path, read="self.coder.code("):
    file = source(tmp_path / "model.py", text)
    said = diagnosis(file, "unconvertible-attribute", read, module="Model", attribute="coder", type="model.Coder")
    return findings(PlainClass(), file, said)


@pytest.mark.parametrize("more", ["", "    def __len__(self):\n        return 2\n\n"])
def test_the_bases_become_modules(more, tmp_path):
    [finding] = found(HELPER.replace("    def code(", f"{more}    def code("), tmp_path)
    assert finding.fixable and not finding.presumed and "derive `Base` from `nn.Module`" in finding.message


def test_what_no_call_shows_is_presumed(tmp_path):
    text = HELPER.replace("weights=(1.0, 2.0)", "weights")
    assert found(text.replace("Coder()", "Coder((1.0, 2.0))"), tmp_path)[0].presumed is False
    assert found(text.replace("coder or Coder()", "coder"), tmp_path)[0].presumed is True


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("class Base:", "class Base(dict):", "other bases"),
        ("class Coder(", "@final\nclass Coder(", "a decorator"),
        ("def code(self, x):", "def __add__(self, x):\n        return x\n\n    def code(self, x):", "`__add__`"),
        ("def code(self, x):", "def half(self):\n        return 0.5\n\n    def code(self, x):", "has a `half`"),
        ("        return x *", "        self.last = x\n        return x *", "`code` changes the object"),
        ("self.weights = weights", "self.weights = nn.Parameter(torch.ones(2))", "may hold modules"),
        ("self.weights = weights", "self.weights = weights\n        setattr(self, 'n', 2)", "by names"),
        ("    pass", "    def __init__(self, n=1):\n        self.n = n", "does not call that of its parent"),
        (
            "super().__init__()\n        self.fc",
            "self.coder = None\n        super().__init__()\n        self.fc",
            "before",
        ),
        ("self.coder.code(self", "Coder().code(x) + self.coder.code(self", "makes such objects"),
        (
            "self.coder = coder",
            "for m in self.modules():\n            m.reset_parameters()\n        self.coder = coder",
            "looks at",
        ),
        ("self.fc(x))\n", "self.fc(x))\n\n\ndef layers(m):\n    return list(m.children())\n", "looks at"),
        ("self.fc(x))\n", "self.fc(x))\n\n\ndef tune(m):\n    m.coder.weights = None\n", "code elsewhere changes"),
    ],
)
def test_what_stays(old, new, reason, tmp_path):
    text = HELPER.replace(old, new)
    assert text != HELPER
    [finding] = found(text, tmp_path)
    assert not finding.fixable and reason in finding.message


def test_objects_of_which_only_fields_are_read(tmp_path):
    text = HELPER.replace("self.coder.code(self.fc(x))", "self.fc(x) * self.coder.weights[0]")
    assert found(text, tmp_path, "self.coder.weights") == []


def test_all_names_of_modules_are_known():
    names = {n for n in (*dir(torch.nn.Module), *vars(torch.nn.Module())) if not n.startswith("__")}
    assert names <= OF_MODULES and not OF_MODULES & _MAY_DEFINE
