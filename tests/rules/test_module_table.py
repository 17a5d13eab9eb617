import pytest

from tests.rules.texts import findings, rewritten, source
from tsrefactor.rules.module_table import ModuleTable

MODEL = """\
from torch import nn


class Model(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.features = {made}

    def forward(self, x, other=None):
        for key, layer in enumerate({over}):
            x = layer(x)
        return x
"""


def made(tmp_path, over, made="nn.Sequential(nn.ReLU())"):
    return source(tmp_path / "m.py", MODEL.format(over=over, made=made))


@pytest.mark.parametrize(
    "over",
    ["other._modules.values()", "list(self.features._modules.items())[1:]", "self.features._modules", "self._modules"],
)
def test_what_is_left_alone(over, tmp_path):
    assert findings(ModuleTable(), made(tmp_path, over)) == []


@pytest.mark.parametrize(
    ("over", "value", "written", "presumed"),
    [
        ("self._modules.values()", "nn.ReLU()", "self.children()", False),
        ("self._modules.values()", "features", "self.children()", True),  # may be None
        ("self._modules.values()", "nn.ReLU() if features else None", "self.children()", True),
        ("self._modules.values()", "self.other = nn.ReLU()", "self.children()", True),  # visited once
        ("self._modules.values()", "nn.ReLU(); self.other = None; self.other = nn.ReLU()", "self.children()", True),
        ("self.features._modules.values()", "nn.ModuleList([])", "self.features", False),
        ("self.features._modules.values()", "features", "self.features.children()", True),
        ("self.features.body._modules.items()", "features", "self.features.body.named_children()", True),
    ],
)
def test_the_loop_that_is_written(over, value, written, presumed, tmp_path):
    file = made(tmp_path, over, value)
    [found] = findings(ModuleTable(), file)
    assert found.presumed is presumed
    assert f"enumerate({written}):" in rewritten(ModuleTable(), file) or presumed


@pytest.mark.parametrize(
    "body",
    [
        "for name, m in self._modules.items():\n            self._modules[name] = m",
        "return [m for m in x if self._modules.values()]",
        "return self._modules['norm'](x)",  # a method
        "return self._modules['kind'](x)",  # set in the class body
        "return self._modules['lambda'](x)",
        "return self._modules['__x'](x)",
    ],
)
def test_changes_conditions_and_names_of_something_else(body, tmp_path):
    text = (
        "from torch import nn\n\n\nclass Model(nn.Module):\n    kind = 1\n\n    def norm(self):\n        pass\n\n"
        f"    def forward(self, x):\n        {body}\n"
    )
    assert findings(ModuleTable(), source(tmp_path / "m.py", text)) == []
