"""Methods that become functions: each has a name of its own."""

import pytest

from tests.rules.tracing import HEAD, findings, rewritten, same_in_eager
from tsrefactor.rules import Settings
from tsrefactor.rules.soft_refactor import SoftRefactor
from tsrefactor.vocabulary import Placement

SETTINGS = Settings(placement=Placement.MODULE)
CROP = "    def {name}(self, y):\n        return y * {by}\n\n"
FORWARD = "    def forward(self, x{more}):\n        if x.sum() > 0:\n            x = {value}\n        return x\n"


def two_classes() -> str:
    first = "class First(nn.Module):\n" + CROP.format(name="crop", by=2) + FORWARD.format(more="", value="self.crop(x)")
    model = "class Model(nn.Module):\n" + CROP.format(name="crop", by=3)
    return f"{HEAD}{first}\n\n{model}" + FORWARD.format(more="", value="self.crop(x)")


def one_class() -> str:
    methods = CROP.format(name="crop", by=2) + CROP.format(name="_crop", by=3)
    return f"{HEAD}class Model(nn.Module):\n{methods}" + FORWARD.format(more="", value="self.crop(x) + self._crop(x)")


def as_a_helper() -> str:
    methods = CROP.format(name="update_x", by=2)
    return f"{HEAD}class Model(nn.Module):\n{methods}" + FORWARD.format(more="", value="self.update_x(x)")


@pytest.mark.parametrize("text", [two_classes(), one_class(), as_a_helper()])
def test_each_function_has_a_name_of_its_own(text, tmp_path):
    after = rewritten([SoftRefactor()], text, SETTINGS).document.text
    heads = [line for line in after.splitlines() if line.startswith("def _")]
    assert after != text and len({h.partition("(")[0] for h in heads}) == len(heads)
    assert same_in_eager(text, after, "[(torch.ones(2),), (-torch.ones(2),)]", tmp_path)


def test_a_parameter_of_the_name():
    methods = CROP.format(name="crop", by=2)
    text = f"{HEAD}class Model(nn.Module):\n{methods}"
    text += FORWARD.format(more=", _crop: torch.Tensor", value="self.crop(x) + _crop")
    after = rewritten([SoftRefactor()], text, SETTINGS).document.text
    assert "_model_crop(x) + _crop" in after


def test_a_parameter_that_hides_the_function():
    methods = "    def crop(self, y):\n        return _crop(y)\n\n"
    text = f"{HEAD}def _crop(y):\n    return y * 2\n\n\nclass Model(nn.Module):\n{methods}"
    text += FORWARD.format(more=", _crop: torch.Tensor", value="self.crop(x) + _crop")
    [finding] = findings([SoftRefactor()], text, SETTINGS)
    assert not finding.fixable and "a local takes the name" in finding.message
