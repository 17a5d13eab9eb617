"""eager-question: what it asks together, and what it leaves alone."""

import pytest

from tests.rules.texts import rewritten, source
from tsrefactor.rules.eager_question import EagerQuestion

HEAD = (
    "import time\n\nimport torch\nfrom torch import distributed as dist\n\n\nclass Model(torch.nn.Module):\n"
    "    def forward(self, x):\n        "
)
ASKED = "False if torch.jit.is_scripting() else"


@pytest.mark.parametrize(
    ("code", "after"),
    [
        (
            "if dist.is_available() and dist.is_initialized():\n            pass",
            f"if ({ASKED} dist.is_available() and dist.is_initialized()):\n            pass",
        ),
        (
            "y = dist.is_available() and dist.is_initialized() and self.sync",
            f"y = ({ASKED} dist.is_available() and dist.is_initialized()) and self.sync",
        ),
        (
            "y = (dist.is_available()  # is it\n             and dist.is_initialized())",
            f"y = (({ASKED} dist.is_available())  # is it\n             and ({ASKED} dist.is_initialized()))",
        ),
        ("y = dist.is_initialized() and self.sync", f"y = ({ASKED} dist.is_initialized()) and self.sync"),
        (
            "y = x > 1 and self.sync and dist.is_initialized()",
            f"y = x > 1 and self.sync and ({ASKED} dist.is_initialized())",
        ),
        (
            "if not torch.onnx.is_in_onnx_export():\n            x = x + 1",
            f"if not ({ASKED} torch.onnx.is_in_onnx_export()):\n            x = x + 1",
        ),
        ("start = time.time()", "start = 0.0 if torch.jit.is_scripting() else time.time()"),
    ],
)
def test_asked_in_eager(code, after, tmp_path):
    file = source(tmp_path / "model.py", f"{HEAD}{code}\n")
    assert rewritten(EagerQuestion(), file) == f"{HEAD}{after}\n"


@pytest.mark.parametrize(
    "code",
    [
        "return x * dist.get_world_size()",
        "return self.time.time()",
        "y = False if torch.jit.is_scripting() else dist.is_initialized()",
        "if not torch.jit.is_scripting():\n            self.seconds = time.time()",
    ],
)
def test_left_alone(code, tmp_path):
    file = source(tmp_path / "model.py", f"{HEAD}{code}\n")
    assert rewritten(EagerQuestion(), file) == file.text
