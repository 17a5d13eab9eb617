"""bare-raise: what stays."""

import pytest

from tests.rules.texts import findings, source
from tsrefactor.rules.bare_raise import BareRaise

HEAD = "from torch import nn\n\n\nclass Model(nn.Module):\n    def forward(self, x):\n"

RECOVERS = "        try:\n            return self.run(x)\n        except ValueError:\n            {}\n\n"


@pytest.mark.parametrize(
    "body",
    [
        "        try:\n            return self.run(x)\n        except ValueError:\n            raise\n",
        "        try:\n            x = self.run(x)\n        finally:\n            raise\n",
        "        raise ValueError\n",
        RECOVERS.format("self.fail()") + "    def fail(self):\n        raise\n",
        RECOVERS.format("self.stop()")
        + "    def stop(self):\n        self.fail()\n\n    def fail(self):\n        raise\n",
    ],
)
def test_what_stays(body, tmp_path):
    assert findings(BareRaise(), source(tmp_path / "model.py", HEAD + body)) == []


@pytest.mark.parametrize(("name", "presumed"), [("run", True), ("_run", False)])
def test_other_callers_are_presumed_away(name, presumed, tmp_path):
    body = RECOVERS.format("return x").replace("run", name) + f"    def {name}(self, x):\n        raise\n"
    assert [f.presumed for f in findings(BareRaise(), source(tmp_path / "model.py", HEAD + body))] == [presumed]
