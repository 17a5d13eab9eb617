"""global-setting: what stays."""

import pytest

from tests.rules.texts import findings, rewritten, source
from tsrefactor.facts.diagnosis import Diagnosis, Place
from tsrefactor.rules.global_setting import GlobalSetting

TEXT = """\
import math
from torch import nn
from settings import cfg


class Options:
    slope = 0.1


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = 2.0

    def forward(self, x, options):
        return {read}
"""


def complaint(path, text):
    line = next(i for i, row in enumerate(text.splitlines(), 1) if row.startswith("        return "))
    return Diagnosis("attribute-on-python-value", "", place=Place(str(path), line, 8))


def told(tmp_path, text):
    path = tmp_path / "m.py"
    return findings(GlobalSetting(), source(path, text), complaint(path, text))


@pytest.mark.parametrize(
    ("read", "lines", "written"),
    [
        ("x * Options.slope", ["self.slope = Options.slope"], "x * self.slope"),
        ("x * cfg.model['scale']", ["self.model_scale = cfg.model['scale']"], "x * self.model_scale"),
        ("x * cfg.scale + cfg.scale", ["self.cfg_scale = cfg.scale"], "x * self.cfg_scale + self.cfg_scale"),
    ],
)
def test_forms(read, lines, written, tmp_path):
    text, path = TEXT.replace("{read}", read), tmp_path / "m.py"
    after = rewritten(GlobalSetting(), source(path, text), complaint(path, text))
    assert f"        return {written}\n" in after and all(f"        {line}\n" in after for line in lines)


@pytest.mark.parametrize("read", ["x * math.pi", "x * options.slope", "cfg.scaled(x)", "x * cfg[options]"])
def test_lookalikes(read, tmp_path):
    assert told(tmp_path, TEXT.replace("{read}", read)) == []


@pytest.mark.parametrize(
    "change",
    [
        "def load(n):\n    cfg.scale = n\n",
        "def load(n):\n    cfg.scale['a'] = n\n",
        "def load(n, key):\n    cfg[key] = n\n",
        "def load(n):\n    global cfg\n    cfg = n\n",
        "def load(n):\n    cfg.update(n)\n",
        "def load(n):\n    setattr(cfg, 'scale', n)\n",
    ],
)
def test_settings_that_the_file_changes(change, tmp_path):
    read = "x * cfg.scale['a']" if "['a']" in change else "x * cfg.scale"
    assert told(tmp_path, TEXT.replace("{read}", read) + "\n\n" + change) == []


def test_a_class_without_constructor(tmp_path):
    text = TEXT.replace("{read}", "x * Options.slope").replace("__init__(self)", "start(self)")
    [advice] = told(tmp_path, text.replace("super().__init__()", "pass"))
    assert not advice.fixable


def test_a_constructor_that_means_another_by_the_name(tmp_path):
    text = TEXT.replace("{read}", "x * cfg.scale").replace("__init__(self)", "__init__(self, cfg)")
    for init in ("self.scale = 2.0", "self.scale = cfg.scale"):
        [advice] = told(tmp_path, text.replace("self.scale = 2.0", init))
        assert not advice.fixable


def test_the_name_of_a_variable_of_the_class_is_taken(tmp_path):
    text = TEXT.replace("{read}", "x * Options.slope").replace("(nn.Module):\n", "(nn.Module):\n    slope = 3\n", 1)
    path = tmp_path / "m.py"
    after = rewritten(GlobalSetting(), source(path, text), complaint(path, text))
    assert "self.options_slope = Options.slope" in after and "return x * self.options_slope" in after


def test_two_complaints_about_a_class_are_answered_one_after_the_other(tmp_path):
    text = TEXT.replace("{read}", "x * Options.slope").replace(
        "        return ", "        x = x * cfg.slope\n        return "
    )
    path = tmp_path / "m.py"
    second = complaint(path, text)
    assert second.place is not None
    first = Diagnosis(second.kind, "", place=Place(str(path), second.place.line - 1, 8))
    after = rewritten(GlobalSetting(), source(path, text), first, second)
    assert after.count("self.slope") == 2 and "x * Options.slope" in after
