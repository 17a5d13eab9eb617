"""call-to-forward: what stays."""

import pytest

from tests.rules.texts import findings, rewritten, source
from tsrefactor.rules.call_to_forward import CallToForward

HEAD = "import torch\nfrom torch import nn\n\n\n"
LOSS = "class Loss(nn.Module):\n    def __call__(self, x):\n        return x.mean()\n"


def test_decorators_and_formatting_stay(tmp_path):
    method = "    @torch.no_grad()\n    def __call__(\n        self, x,  # scores\n    ): return x.mean()\n"
    before = f"{HEAD}class Loss(nn.Module):\n{method}"
    after = rewritten(CallToForward(), source(tmp_path / "model.py", before))
    assert after == before.replace("__call__", "forward")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (f"{LOSS}\n\nclass Other(Loss):\n    def __call__(self, x):\n        return x.sum()\n", "so does Other"),
        (f"{LOSS}\n\nclass Other(Loss):\n    def forward(self, x):\n        return x.sum()\n", "or has a forward"),
        (
            LOSS.replace("def __call__(self, x)", "@staticmethod\n    def __call__(x)"),
            "not by a method of the instance",
        ),
        (LOSS.replace("x.mean()", "super().__call__(x)"), "by its name"),
        (LOSS.replace("x.mean()", "self.forward(x)"), "by its name"),
        (LOSS.replace("x.mean()", "nn.Module.__call__(self, x)"), "by its name"),
    ],
)
def test_what_stays(text, reason, tmp_path):
    told = findings(CallToForward(), source(tmp_path / "model.py", HEAD + text))
    assert told and not [f for f in told if f.fixable] and any(reason in f.message for f in told)


@pytest.mark.parametrize(
    "text",
    [
        LOSS.replace("nn.Module", "object"),
        LOSS.replace("nn.Module", "nn.MSELoss"),
        f"{LOSS}\n    def forward(self, x):\n        return x\n",
        LOSS.replace("__call__", "forward"),
    ],
)
def test_lookalikes(text, tmp_path):
    assert not findings(CallToForward(), source(tmp_path / "model.py", HEAD + text))
