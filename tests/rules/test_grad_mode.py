"""grad-mode: the mode of each context, and contexts that stay."""

import pytest

from tests.rules.texts import findings, rewritten, source
from tsrefactor.rules.grad_mode import GradMode

BODY = """\
import contextlib
from typing import Any

import torch
from torch import nn


class Model(nn.Module):
    def forward(self, x, flag: bool, n: int):
        {}
            x = x * 2
        return x
"""


@pytest.mark.parametrize(
    ("before", "wanted"),
    [
        ("with torch.set_grad_enabled(flag):", "with grad_mode(flag):"),
        ("with torch.enable_grad():", "with grad_mode(True):"),
        ("with contextlib.nullcontext() if flag else torch.no_grad():",
         "with grad_mode(flag and torch.is_grad_enabled()):"),
        ("with contextlib.nullcontext() if not flag else torch.no_grad():",
         "with grad_mode(not flag and torch.is_grad_enabled()):"),
        ("with torch.no_grad() if flag or n > 1 else torch.enable_grad():",
         "with grad_mode(not (flag or n > 1)):"),
        ("c = torch.enable_grad() if flag else contextlib.nullcontext()\n        with c:",
         "c = grad_mode(flag or torch.is_grad_enabled())\n        with c:"),
        ("c = torch.set_grad_enabled(flag)\n        with c:", "c = grad_mode(flag)\n        with c:"),
    ],
)  # fmt: skip
def test_modes(tmp_path, before, wanted):
    text = rewritten(GradMode(), source(tmp_path / "model.py", BODY.format(before)))
    assert f"        {wanted}\n" in text and text.count("class grad_mode:") == 1


@pytest.mark.parametrize(
    ("imported", "written", "torch"),
    [
        ("import torch as th", "th.set_grad_enabled", "th"),
        ("from torch import set_grad_enabled", "set_grad_enabled", "torch"),
    ],
)
def test_the_class_is_spelt_as_the_file_spells_torch(tmp_path, imported, written, torch):
    text = BODY.format(f"with {written}(flag):").replace("import torch\n", f"{imported}\n", 1)
    text = rewritten(GradMode(), source(tmp_path / "model.py", text))
    assert f"self.before = {torch}.is_grad_enabled()\n" in text and text.count(f" {torch}.set_grad_enabled(") == 2
    assert ("import torch\n" in text) == (torch == "torch")


def test_a_local_of_the_name_does_not_hide_the_class(tmp_path):
    text = BODY.format("with torch.set_grad_enabled(flag):").replace("flag", "grad_mode")
    more = "\n    def more(self, x, flag: bool):\n        with torch.set_grad_enabled(flag):\n            return -x\n"
    text = text.replace("return x\n", "return self.more(x, True)\n") + more
    text = rewritten(GradMode(), source(tmp_path / "model.py", text))
    assert "with grad_mode_2(grad_mode):\n" in text and "with grad_mode_2(flag):\n" in text
    assert text.count("class grad_mode") == 1


@pytest.mark.parametrize(
    "code",
    [
        "with torch.no_grad():",
        "with torch.set_grad_enabled(False):",
        "with torch.inference_mode():",
        "with torch.no_grad() if n else contextlib.ExitStack():",
        "with contextlib.ExitStack() as stack:",
        "with torch.set_grad_enabled(flag) as c:",
        "c = torch.set_grad_enabled(flag)\n        y = x * 2\n        with c:",
        "c = torch.set_grad_enabled(flag)\n        with torch.no_grad(), c:",
        "c = torch.enable_grad()\n        print(c)\n        with c:",
        "c = torch.enable_grad()\n        with torch.no_grad():\n            with c:\n"
        "                x = -x\n        if n:",
    ],
)
def test_left_alone(tmp_path, code):
    assert findings(GradMode(), source(tmp_path / "model.py", BODY.format(code))) == []
