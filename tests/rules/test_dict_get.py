"""dict-get: what it leaves alone."""

import pytest

from tests.rules.texts import diagnosis, rewritten, source
from tsrefactor.rules.dict_get import DictGet

HEAD = "class Model:\n    def forward(self, batch, x):\n        return "


@pytest.mark.parametrize(
    ("code", "callee"),
    [
        ("batch.get('mask', x)", "aten::get.default_str"),
        ("batch.get('mask')", "aten::get.default_str"),
        ("batch.get('mask', default=None)", "aten::get.default_str"),
        ("batch.pop('mask', None)", "aten::pop.Dict_default_str"),
        ("batch.get('mask', None)", "aten::index.Tensor"),
    ],
)
def test_left_alone(code, callee, tmp_path):
    file = source(tmp_path / "model.py", f"{HEAD}{code}\n")
    told = diagnosis(file, "arguments-not-valid", "batch.", callee=callee)
    assert rewritten(DictGet(), file, told) == file.text
