"""module-isinstance: marks, flags, and what it leaves alone."""

import pytest

from tests.rules.proof import prove
from tests.rules.texts import findings, rewritten, source
from tsrefactor.rules.base import Example
from tsrefactor.rules.isinstance_type import IsinstanceType
from tsrefactor.rules.module_isinstance import ModuleIsinstance
from tsrefactor.vocabulary import Target

RULE = ModuleIsinstance()
HEAD = "import torch\nfrom torch import nn\n\n\n"
GATED = """\
class Gated(nn.Module):
    def __init__(self, width=4):
        super().__init__()
        self.fc = nn.Linear(4, width)

    def forward(self, x, gate):
        return self.fc(x) * gate
"""
MARK = '''\

    def is_gated(self) -> bool:
        """For `hasattr`: TorchScript's isinstance tells modules by one instance of their class."""
        return True
'''
WIDE = "\n\nclass Wide(Gated):\n    pass\n"
BLOCK = """\


class Block(nn.Module):
    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, x):
"""
ASKED = "        return self.inner(x, x) if isinstance(self.inner, Gated) else self.inner(x)\n"
MODEL = """\


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = Block(Wide()), Block(Gated()), Block(nn.Identity())

    def forward(self, x):
        return self.a(x) + self.b(x) + self.c(x)
"""
MORE = {
    # instances of the class, of a subclass, and of another class
    "an attribute": Example(
        HEAD + GATED + WIDE + BLOCK + ASKED + MODEL,
        HEAD
        + GATED
        + MARK
        + WIDE
        + BLOCK
        + "        return self.inner(x, x) if hasattr(self.inner, 'is_gated') else self.inner(x)\n"
        + MODEL,
        "[(torch.rand(2, 4),), (torch.rand(3, 4),)]",
        Target.SCRIPT,
        error="Unknown type name|not provided|at most",
    ),
}


@pytest.mark.parametrize("example", MORE.values(), ids=MORE)
def test_more_examples(example, tmp_path):
    prove(RULE, example, tmp_path)


def block(forward, init="self.inner = inner", parameters="x"):
    lines = "".join(f"        {line}\n" for line in forward.splitlines())
    made = "".join(f"        {line}\n" for line in init.splitlines())
    head = BLOCK.replace("        self.inner = inner\n", made).replace(
        "def forward(self, x)", f"def forward(self, {parameters})"
    )
    return HEAD + GATED + head + lines


def made(tmp_path, text):
    return rewritten(RULE, source(tmp_path / "model.py", text))


def test_a_mark_serves_all_that_ask_for_the_class(tmp_path):
    after = made(
        tmp_path,
        block(
            "for m in self.inner:\n    if not isinstance(m, Gated) or isinstance(m, Gated):\n        x = m(x)\nreturn x"
        ),
    )
    assert after.count("def is_gated") == 1
    assert "if not hasattr(m, 'is_gated') or hasattr(m, 'is_gated'):" in after


def test_a_mark_that_is_there_is_taken(tmp_path):
    text = block("return self.inner(x) if isinstance(self.inner, Gated) else x").replace(GATED, GATED + MARK)
    assert made(tmp_path, text).count("def is_gated") == 1


def test_a_method_of_that_name_is_no_mark(tmp_path):
    other = "\n    def is_gated(self):\n        return self.fc is not None\n"
    text = block("return self.inner(x) if isinstance(self.inner, Gated) else x").replace(GATED, GATED + other)
    assert "hasattr(self.inner, 'is_gated_2')" in made(tmp_path, text)


def test_several_classes_in_parentheses(tmp_path):
    text = block("for m in self.inner:\n    if not isinstance(m, (Gated, Block)):\n        x = m(x)\nreturn x")
    assert "if not (hasattr(m, 'is_gated') or hasattr(m, 'is_block')):" in made(tmp_path, text)


def test_the_mark_takes_the_place_of_pass(tmp_path):
    text = block("for m in self.inner:\n    if isinstance(m, (Gated, Wide)):\n        x = m(x)\nreturn x")
    after = made(tmp_path, text.replace(GATED, GATED + WIDE))
    assert "if hasattr(m, 'is_gated') or hasattr(m, 'is_wide'):\n" in after
    assert "class Wide(Gated):\n    def is_wide(self) -> bool:\n" in after and "    pass" not in after


def test_what_may_be_none_gets_a_flag(tmp_path):
    text = block("return self.inner(x) if isinstance(self.inner, Gated) else x", "self.inner = inner if x else None")
    after = made(tmp_path, text)
    assert "self.inner_is_gated = isinstance(self.inner, Gated)" in after and "if self.inner_is_gated else x" in after


@pytest.mark.parametrize(
    "forward",
    [
        "return x if isinstance(x, torch.Tensor) else x[0]",
        "return x if isinstance(self.inner, nn.Parameter) else x[0]",
        "return x if isinstance(x, Gated) else x[0]",
        "assert isinstance(self.inner, Gated)\nreturn x",
        "if not torch.jit.is_scripting():\n    if isinstance(self.inner, Gated):\n        print(x)\nreturn x",
    ],
)
def test_left_alone(tmp_path, forward):
    assert findings(RULE, source(tmp_path / "model.py", block(forward))) == []


def test_whether_an_attribute_holds_a_module_at_all(tmp_path):
    text = block("return self.inner(x) if isinstance(self.inner, nn.Module) else x")
    assert "self.inner_is_module = isinstance(self.inner, nn.Module)" in made(tmp_path, text)
    assert findings(IsinstanceType(), source(tmp_path / "model.py", text)) == []


def test_no_flag_where_more_than_init_sets_the_attribute(tmp_path):
    text = (
        block("return x if isinstance(self.inner, nn.ReLU) else -x")
        + "\n    def swap(self, m):\n        self.inner = m\n"
    )
    assert [f.fixable for f in findings(RULE, source(tmp_path / "model.py", text))] == [False]


def test_a_class_from_elsewhere_in_a_loop_is_told(tmp_path):
    text = block("for m in self.inner:\n    if isinstance(m, nn.ReLU):\n        x = m(x)\nreturn x")
    assert ["can be given no mark" in f.message for f in findings(RULE, source(tmp_path / "model.py", text))] == [True]
