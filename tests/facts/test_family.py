"""A class among its relatives: which parent's method a call reaches."""

import pytest

from tsrefactor.facts.family import OutOfSight, delegate, members, method_of_parent, parent_calls
from tsrefactor.facts.file import FileFacts
from tsrefactor.source.document import Document
from tsrefactor.source.file import SourceFile

HEAD = "import torch\nfrom torch import nn\nfrom parts import Far\n\n\n"
FAMILY = """\
class A(nn.Linear):
    def forward(self, x):
        return self.run(x)

    def run(self, x):
        self.seen = x
        return x


class B(A):
    pass


class C(B):
    def forward(self, x):
        return {call}
"""


@pytest.fixture
def facts(tmp_path):
    def make(text):
        path = tmp_path / "m.py"
        path.write_text(HEAD + text)
        return FileFacts(Document(SourceFile.read(path)))

    return make


def reached(facts, text, name="C"):
    cls = facts(text).class_named(name)
    (call,) = parent_calls(cls.methods["forward"])
    found = method_of_parent(cls, call)
    return found if isinstance(found, str) else found.qualname


@pytest.mark.parametrize(
    ("call", "found"),
    [
        ("super().forward(x)", "A.forward"),
        ("super(C, self).run(x)", "A.run"),
        ("super(A, self).forward(x)", "Linear"),
        ("B.forward(self, x)", "A.forward"),
        ("nn.Linear.forward(self, x)", "Linear"),
        ("super().extra(x)", "Linear"),
    ],
)
def test_method_that_a_call_reaches(facts, call, found):
    assert reached(facts, FAMILY.format(call=call)) == found


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("class C(Far):\n    def forward(self, x):\n        return super().forward(x)\n", "`Far` lies in another file"),
        ("class C(C):\n    def forward(self, x):\n        return super().forward(x)\n", "`C` lies in another file"),
        ("class C(nn.Module):\n    def forward(self, x):\n        return super().forward(x)\n", "no parent defines it"),
        ("class C:\n    def forward(self, x):\n        return super().forward(x)\n", "no parent defines `forward`"),
        ("class C(Far, nn.Linear):\n    def forward(self, x):\n        return super().forward(x)\n", "several base"),
        (FAMILY.format(call="x") + "\n\n" + "class D(nn.Linear):\n    def forward(self, x):\n"
         "        return super(C, self).forward(x)\n", "`D` does not derive from `C`"),
    ],
)  # fmt: skip
def test_calls_that_reach_out_of_sight(facts, text, why):
    with pytest.raises(OutOfSight, match=why):
        reached(facts, text, "D" if "class D" in text else "C")


def test_a_method_that_hands_over_to_another(facts):
    methods = facts(FAMILY.format(call="x")).class_named("A").methods
    assert delegate(methods["forward"]) == "run"
    assert delegate(methods["run"]) is None


def test_members_are_those_of_all_relatives(facts):
    file = facts(FAMILY.format(call="super().forward(x)") + "\n    def own(self):\n        self.mine = 1\n")
    assert members(file.class_named("B")) == {"forward", "run", "seen", "own", "mine"}
