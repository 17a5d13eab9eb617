"""identity-for-none: what stays."""

import pytest

from tests.rules.texts import findings, rewritten, source
from tsrefactor.rules.identity_for_none import IdentityForNone

MODEL = """\
from torch import nn


class Model(nn.Module):
    def __init__(self, down=None):
        super().__init__()
        self.layers = nn.ModuleList([None, nn.Linear(4, 4), {other}])

    def forward(self, x):
        {use}
        return x
{more}"""
CALLS = "for layer in self.layers[1:]:\n            x = layer(x)"
ASK = "if layer is not None:\n            x = layer(x)"
ASKS = "for layer in self.layers:\n            if layer is not None:\n                x = layer(x)"


def model(use=CALLS, other="nn.ReLU()", more=""):
    return MODEL.format(use=use, other=other, more=more)


@pytest.mark.parametrize(
    "text",
    [
        model("x = run(self.layers, x)"),
        model("try:\n            x = self.layers[0](x)\n        except TypeError:\n            x = -x"),
        model("for layer in filter(None, self.layers):\n            x = layer(x)"),
        model("for layer in self.layers:\n            if layer:\n                x = layer(x)"),
        model("for layer in self.layers:\n            if layer == None:\n                x = x + 1"),
        model(ASKS, other="down"),
        model(ASKS, other="nn.Identity()"),
        model(ASKS, other="self.make()"),
        model(ASKS, more="\n    def more(self, n):\n        self.layers.extend([None] * n)\n"),
        model(ASKS, more="\n    def more(self, n):\n        self.layers += [None] * n\n"),
        model(ASKS, more="\n    def more(self):\n        layers = self.layers\n        layers.append(None)\n"),
        model(ASKS, more="\n    def more(self, n):\n        self.layers = nn.ModuleList(make(n))\n"),
        model(ASKS, more="\n\nclass Other(Model):\n    def more(self, n):\n        self.layers = make(n)\n"),
        model(f"layer = pick(x)\n        if x.dim() == 2:\n            layer = self.layers[0]\n        {ASK}"),
        model(f"layer = self.layers\n        if x.dim() == 2:\n            layer = self.layers[0]\n        {ASK}"),
        model("for i, layer in self.layers.named_children():\n            x = layer(x)"),
        model(more="\n    def init(self):\n        for m in self.modules():\n            m.reset_parameters()\n"),
        model(more="\n\ndef first(model):\n    return model.layers[0]\n"),
    ],
)
def test_what_stays(text, tmp_path):
    [finding] = findings(IdentityForNone(), source(tmp_path / "model.py", text))
    assert not finding.fixable


@pytest.mark.parametrize(
    "text",
    [
        model().replace("nn.ModuleList([None, nn.Linear(4, 4), nn.ReLU()])", "[None, nn.Linear(4, 4)]"),
        model().replace("None, nn.Linear", "nn.Linear"),
        model("x = x + 1"),
    ],
)
def test_what_it_does_not_look_at(text, tmp_path):
    assert findings(IdentityForNone(), source(tmp_path / "model.py", text)) == []


def test_questions(tmp_path):
    asks = "for layer in self.layers:\n            if layer is None or x.dim() == 2:\n                x = x + 1"
    new = rewritten(IdentityForNone(), source(tmp_path / "model.py", model(asks)))
    assert "ModuleList([nn.Identity(), nn.Linear(4, 4), nn.ReLU()])" in new
    assert "if isinstance(layer, nn.Identity) or x.dim() == 2:" in new


def test_the_list_itself_may_be_none(tmp_path):
    asks = f"layers = self.layers\n        if self.layers is not None and layers is not None:\n            {ASKS}"
    asks = asks.replace("\n            if", "\n                if").replace(
        "\n                x", "\n" + " " * 20 + "x"
    )
    text = model(asks, more="\n    def drop(self):\n        self.layers = None\n")
    new = rewritten(IdentityForNone(), source(tmp_path / "model.py", text))
    assert "if self.layers is not None and layers is not None:" in new
    assert "if not isinstance(layer, nn.Identity):" in new


def test_a_name_that_has_something_else_elsewhere(tmp_path):
    asks = f"{ASKS}\n        for layer in self.more:\n            if layer is not None:\n                x = layer + x"
    new = rewritten(IdentityForNone(), source(tmp_path / "model.py", model(asks)))
    assert "if not isinstance(layer, nn.Identity):" in new and "if layer is not None:" in new


BRANCH = """\
for layer in self.layers:
            if layer is None:
                outs.append(x){comment}
            else:
                outs.append(layer(x))
"""


@pytest.mark.parametrize("comment", ["  # as it is", "\n                # as it is"])
def test_comments_stay(comment, tmp_path):
    new = rewritten(IdentityForNone(), source(tmp_path / "model.py", model(BRANCH.format(comment=comment))))
    assert f"if isinstance(layer, nn.Identity):\n                outs.append(x){comment}\n" in new


def test_a_comment_at_the_end_stays(tmp_path):
    branch = BRANCH.format(comment="") + "                # through the layer"
    new = rewritten(IdentityForNone(), source(tmp_path / "model.py", model(branch)))
    assert "if isinstance(layer, nn.Identity):" in new and "# through the layer\n" in new


def test_an_elif(tmp_path):
    branch = BRANCH.format(comment="").replace(
        "if layer", "if i == 1:\n                x = x + 1\n            elif layer"
    )
    new = rewritten(IdentityForNone(), source(tmp_path / "model.py", model(branch)))
    assert "elif isinstance(layer, nn.Identity):" in new


def test_nested_lists_of_a_method_that_makes_them(tmp_path):
    text = model("for layer in self.layers:\n            x = layer[0](x)").replace(
        "nn.ModuleList([None, nn.Linear(4, 4), nn.ReLU()])", "self._make()"
    )
    text += (
        "\n    def _make(self):\n        outer = []\n        for i in range(2):\n            inner = []\n"
        "            inner.append(nn.Linear(4, 4))\n            inner.append(None)\n"
        "            outer.append(nn.ModuleList(inner))\n        return nn.ModuleList(outer)\n"
    )
    assert "inner.append(nn.Identity())" in rewritten(IdentityForNone(), source(tmp_path / "model.py", text))


SHARED = """\
from torch import nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = self.make(2)
        self.second = self.make(3)

    def make(self, n):
        layers = []
        for i in range(n):
            layers.append(None if i == 1 else nn.Linear(4, 4))
        return nn.ModuleList(layers)

    def forward(self, x):
        for layer in self.first:
            if layer is not None:
                x = layer(x)
        for layer in self.second:
            x = x + 1 if layer is None else layer(x)
        return x
"""


def test_lists_of_one_method_together(tmp_path):
    new = rewritten(IdentityForNone(), source(tmp_path / "model.py", SHARED))
    assert "nn.Identity() if i == 1" in new
    assert "if not isinstance(layer, nn.Identity):" in new
    assert "x + 1 if isinstance(layer, nn.Identity) else layer(x)" in new


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("self.second = self.make(3)", "self.second = nn.Sequential(*self.make(3))"),
        ("if layer is not None:", "if layer:"),
    ],
)
def test_lists_of_one_method_are_left_together(old, new, tmp_path):
    [finding] = findings(IdentityForNone(), source(tmp_path / "model.py", SHARED.replace(old, new)))
    assert not finding.fixable
