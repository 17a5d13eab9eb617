"""private-method: the new name, and where there is none."""

import pytest

from tests.rules.texts import findings, rewritten, source
from tsrefactor.rules.private_method import PrivateMethod

RULE = PrivateMethod()


def model(rest="", call="self.__mix(x)", name="Model"):
    return (
        f"import torch\nfrom torch import nn\n\n\nclass {name}(nn.Module):\n"
        f"    def forward(self, x):\n        return {call}\n\n    def __mix(self, x):\n        return x + 1\n{rest}"
    )


def test_every_use_in_the_class_is_renamed(tmp_path):
    rest = "\n    def twin(self, other):\n        return [other.__mix(x) for x in self.parts]\n"
    after = rewritten(RULE, source(tmp_path / "model.py", model(rest)))
    assert "__mix" not in after and after.count("._mix(") == 2 and "def _mix(self, x):" in after


@pytest.mark.parametrize(
    "rest",
    ["\n    def _mix(self):\n        pass\n", "\n\nclass Other(Model):\n    def _mix(self, x):\n        return x\n"],
)
def test_taken_name_is_left_alone(tmp_path, rest):
    assert "return self._mix_impl(x)" in rewritten(RULE, source(tmp_path / "model.py", model(rest)))


def test_name_of_torch_is_not_taken(tmp_path):
    text = model().replace("__mix", "__apply")
    assert "def _apply_impl(self, x):" in rewritten(RULE, source(tmp_path / "model.py", text))


@pytest.mark.parametrize(
    "rest", ["\n    again = __mix\n", "\n\nModel()._Model__mix(1)\n", "\n    def __mix(self, x):\n        return x\n"]
)
def test_method_used_by_other_means_is_only_told(tmp_path, rest):
    found = findings(RULE, source(tmp_path / "model.py", model(rest)))
    assert [f.fixable for f in found] == [False] and "by other means" in found[0].message


@pytest.mark.parametrize("call", ["self.__class__.__name__", "self._mix(x)", "self.__weight * x", "x"])
def test_lookalikes_are_left_alone(tmp_path, call):
    assert findings(RULE, source(tmp_path / "model.py", model(call=call))) == []
