"""bare-raise: what stays."""

import pytest

from tests.rules.texts import findings, source
from tsrefactor.rules.bare_raise import BareRaise

HEAD = "from torch import nn\n\n\nclass Model(nn.Module):\n    def forward(self, x):\n"


@pytest.mark.parametrize(
    "body",
    [
        "        try:\n            return self.run(x)\n        except ValueError:\n            raise\n",
        "        try:\n            x = self.run(x)\n        finally:\n            raise\n",
        "        raise ValueError\n",
    ],
)
def test_what_stays(body, tmp_path):
    assert findings(BareRaise(), source(tmp_path / "model.py", HEAD + body)) == []
