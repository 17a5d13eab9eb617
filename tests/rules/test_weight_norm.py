import pytest

from tests.rules.more_examples.weight_norm import MORE
from tests.rules.proof import prove
from tests.rules.texts import findings, rewritten, source
from tsrefactor.facts.diagnosis import Diagnosis
from tsrefactor.rules.weight_norm import WeightNorm

HOOK = Diagnosis("hook-object", "", names={"hook": "WeightNorm"})
HEAD = "import torch\nfrom torch import nn\nfrom torch.nn.utils import weight_norm\n\n\n"


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("example", MORE.values(), ids=MORE)
def test_more_examples(example, tmp_path):
    prove(WeightNorm(), example, tmp_path)


def test_nothing_without_the_error(tmp_path):
    text = HEAD + "class A(nn.Module):\n    def __init__(self):\n        self.a = weight_norm(nn.Linear(1, 1))\n"
    assert findings(WeightNorm(), source(tmp_path / "m.py", text)) == []


def test_hook_object_of_another_class_is_left_alone(tmp_path):
    text = HEAD + "class A(nn.Module):\n    def __init__(self):\n        self.a = weight_norm(nn.Linear(1, 1))\n"
    assert (
        findings(WeightNorm(), source(tmp_path / "m.py", text), Diagnosis("hook-object", "", names={"hook": "Mine"}))
        == []
    )


def test_class_with_a_preparation_of_its_own_is_left_alone(tmp_path):
    text = HEAD + (
        "class A(nn.Module):\n    def __init__(self):\n        self.a = weight_norm(nn.Linear(1, 1))\n\n"
        "    def __prepare_scriptable__(self):\n        return self\n"
    )
    [advice] = findings(WeightNorm(), source(tmp_path / "m.py", text), HOOK)
    assert not advice.fixable


def test_child_gets_the_method_from_its_parent(tmp_path):
    text = HEAD + (
        "class A(nn.Module):\n    def __init__(self):\n        self.a = weight_norm(nn.Linear(1, 1))\n\n\n"
        "class B(A):\n    def __init__(self):\n        super().__init__()\n"
        "        self.b = weight_norm(nn.Linear(1, 1))\n"
    )
    assert rewritten(WeightNorm(), source(tmp_path / "m.py", text), HOOK).count("def __prepare_scriptable__") == 1
