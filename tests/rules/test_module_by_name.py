"""module-by-name: forms, and what is left alone."""

import pytest
import torch  # noqa: F401  imported before the forks

from tests.rules.proof import prove
from tests.rules.texts import diagnosis, findings, rewritten, source
from tsrefactor.rules import Example
from tsrefactor.rules.module_by_name import ModuleByName
from tsrefactor.vocabulary import Target

RULE = ModuleByName()
HEAD = """\
import torch
from torch import nn


class Model(nn.Module):
    def __init__(self, depth=2):
        super().__init__()
        self.depth, self.kind = depth, 'norm1'
        for i in range(depth):
            self.add_module('conv%d' % i, nn.Linear(4, 4))
            setattr(self, f'norm{i}', nn.Linear(4, 4))

    def _loss_l1(self, x):
        return x

"""


def model(*body: str) -> str:
    return HEAD + "    def forward(self, x):\n" + "".join(f"        {line}\n" for line in body)


@pytest.mark.parametrize(
    "line",
    [
        "return getattr(self, '_loss_' + self.kind)(x)",  # a method
        "return getattr(self, self.kind)(x)",  # nothing shows that it is a module
        "return getattr(self, f'norm{self.depth}').weight",  # not called
        "return getattr(self, f'norm{self.depth}')(*x)",
        "return getattr(x, f'norm{self.depth}')(x)",
        "self._modules[self.kind] = None",
    ],
)
def test_left_alone(line, tmp_path):
    assert findings(RULE, source(tmp_path / "model.py", model(line))) == []


def test_the_dunder_is_getattr_too(tmp_path):
    body = ("for i in range(2):", "    x = self.__getattr__('norm{}'.format(i))(x)", "return x")
    before = model(*body)
    after = before.replace("self.__getattr__('norm{}'.format(i))(x)", "self._call_norm('norm{}'.format(i), x)") + (
        """
    def _call_norm(self, name: str, x):
        if name == 'norm0':
            return self.norm0(x)
        if name == 'norm1':
            return self.norm1(x)
        raise AttributeError(name)
"""
    )
    error = "Unknown type|Module"
    prove(RULE, Example(before, after, "[(torch.rand(2, 4),)]", Target.SCRIPT, error=error), tmp_path)


def test_a_name_that_the_compiler_complains_of_is_presumed_to_be_a_module(tmp_path):
    text = model("return getattr(self, self.kind)(x)")
    file = source(tmp_path / "model.py", text)
    [found] = findings(RULE, file, diagnosis(file, "getattr-name", "getattr(self, self.kind)"))
    assert found.presumed and found.fixable


def test_a_module_that_goes_other_ways_is_left_alone(tmp_path):
    body = ("conv = getattr(self, f'norm{self.depth}')", "y = conv(x)", "return y, conv")
    assert findings(RULE, source(tmp_path / "model.py", model(*body))) == []


def test_a_key_that_changes_before_the_call_is_computed_where_it_was(tmp_path):
    body = ("i = 0", "conv = getattr(self, f'norm{i}')", "i = i + 1", "return conv(x)")
    after = rewritten(RULE, source(tmp_path / "model.py", model(*body)))
    assert "name = f'norm{i}'\n        i = i + 1\n        return self._call_norm(name, x)\n" in after


@pytest.mark.parametrize("key", ["f'norm{i}'", "'norm{}'.format(i)", "'norm' + str(i)"])
def test_a_key_that_stays_the_same_is_written_in_the_call(key, tmp_path):
    body = ("i = 0", f"conv = getattr(self, {key})", "return conv(x)")
    after = rewritten(RULE, source(tmp_path / "model.py", model(*body)))
    assert f"        i = 0\n        return self._call_norm({key}, x)\n" in after


def test_a_commented_assignment_keeps_its_line(tmp_path):
    body = (
        "for i in range(self.depth):",
        "    norm = getattr(self, f'norm{i}')  # the norm",
        "    x = norm(x)",
        "return x",
    )
    after = rewritten(RULE, source(tmp_path / "model.py", model(*body)))
    assert "name = f'norm{i}'  # the norm\n            x = self._call_norm(name, x)\n" in after


def test_set_up_code_is_left_alone(tmp_path):
    text = model("return x") + "\n    def freeze(self):\n        getattr(self, f'norm{self.depth}')(1)\n"
    assert findings(RULE, source(tmp_path / "model.py", text)) == []


def test_a_name_of_torch_is_not_taken(tmp_path):
    text = model("return getattr(self, f'impl{self.depth}')(x)").replace("f'norm{i}'", "f'impl{i}'")
    assert "def _call_impl_2(" in rewritten(RULE, source(tmp_path / "model.py", text))


def test_kinds_of_one_name_and_others_together(tmp_path):
    example = Example(
        before=model(
            "for i in range(self.depth):",
            "    x = getattr(self, 'norm{}'.format(i))(getattr(self, 'conv%d' % i)(x))",
            "return getattr(self, 'norm' + str(self.depth - 1))(x)",
        ),
        after=model(
            "for i in range(self.depth):",
            "    x = self._call_module('norm{}'.format(i), self._call_module('conv%d' % i, x))",
            "return self._call_module('norm' + str(self.depth - 1), x)",
        )
        + "\n    def _call_module(self, name: str, x):\n        for key, module in self.named_children():\n"
        "            if key == name:\n                return module(x)\n        raise AttributeError(name)\n",
        inputs="[(torch.rand(2, 4),), (torch.rand(3, 4),)]",
        breaks=Target.SCRIPT,
        error="string literal",
    )
    prove(RULE, example, tmp_path)


def test_names_that_a_loop_over_literals_registers(tmp_path):
    head = HEAD.replace("for i in range(depth):", "for i in range(2):")
    body = "    def forward(self, x):\n        return getattr(self, f'norm{self.depth}')(x)\n"
    new = rewritten(RULE, source(tmp_path / "model.py", head + body))
    assert "if name == 'norm1':\n            return self.norm1(x)\n        raise AttributeError(name)" in new
    assert "named_children" not in new
    others = head.replace(
        "setattr(self, f'norm{i}'", "setattr(self, f'norm{depth}', nn.ReLU())\n            setattr(self, f'norm{i}'"
    )
    assert "named_children" in rewritten(RULE, source(tmp_path / "model.py", others + body))


@pytest.mark.parametrize(
    ("value", "branches"),
    [("3", False), ("nn.Parameter(torch.ones(4))", False), ("nn.ReLU()", True), ("depth", False), ("make(2)", None)],
)
def test_only_modules_get_a_branch(value, branches, tmp_path):
    head = HEAD.replace("for i in range(depth):", f"self.norm_scale = {value}\n        for i in range(2):")
    body = "    def forward(self, x):\n        return getattr(self, f'norm{self.depth}')(x)\n"
    new = rewritten(RULE, source(tmp_path / "model.py", head + body))
    assert ("if name == 'norm1':" in new) == (branches is not None)
    assert ("if name == 'norm_scale':" in new) == bool(branches)


@pytest.mark.parametrize(
    ("more", "listed"),
    [
        ("model.add_module('norm7', nn.ReLU())", False),
        ("setattr(model, f'norm{depth}', nn.ReLU())", False),
        ("model.norm7 = nn.ReLU()", False),
        ("model._modules['norm7'] = nn.ReLU()", False),
        ("model.add_module('head', nn.ReLU())", True),
        ("layers = nn.Sequential()\n    layers.add_module('norm7', nn.ReLU())", True),
    ],
)
def test_others_that_add_modules_keep_the_names_open(more, listed, tmp_path):
    head = HEAD.replace("for i in range(depth):", "for i in range(2):")
    body = "    def forward(self, x):\n        return getattr(self, f'norm{self.depth}')(x)\n"
    after = f"\n\ndef deep(depth):\n    model = Model()\n    {more}\n    return model\n"
    new = rewritten(RULE, source(tmp_path / "model.py", head + body + after))
    assert ("named_children" not in new) == listed


def test_a_function_that_is_given_the_model_keeps_the_names_open(tmp_path):
    head = HEAD.replace("for i in range(depth):", "build(self)\n        for i in range(2):")
    body = "    def forward(self, x):\n        return getattr(self, f'norm{self.depth}')(x)\n"
    assert "named_children" in rewritten(RULE, source(tmp_path / "model.py", head + body))
