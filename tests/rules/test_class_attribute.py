import pytest

from tests.rules.texts import diagnosis, findings, rewritten, source
from tsrefactor.rules.class_attribute import ClassAttribute

MODEL = """\
import torch
from torch import nn


class Base({base}):
    {body}


class Model(Base):
    {own}

    def forward(self, x):
        {first}
        return x * self.scale
"""


def made(tmp_path, body="scale = 2", base="nn.Module", own="depth = 1", first="pass"):
    file = source(tmp_path / "m.py", MODEL.format(body=body, base=base, own=own, first=first))
    return file, diagnosis(file, "missing-attribute", "self.scale", attribute="scale")


@pytest.mark.parametrize(
    "change",
    [
        {"body": "scale = torch.ones(1)"},
        {"body": "scale = {'a': 2}"},
        {"body": "scale = [1, 'a']"},
        {"body": "scale = None"},
        {"body": "scale = 2\n    scale = 3"},
        {"body": "other = 2"},
        {"base": "Elsewhere"},  # its annotations would be hidden
        {"first": "self.scale = 3"},
    ],
)
def test_what_is_left_alone(change, tmp_path):
    assert findings(ClassAttribute(), *made(tmp_path, **change)) == []


@pytest.mark.parametrize(
    ("value", "type_"),
    [("-1", "int"), ("True", "bool"), ("'mean'", "str"), ("(1, 0.5)", "Tuple[int, float]"), ("[1.0]", "List[float]")],
)
def test_literals(value, type_, tmp_path):
    file, told = made(tmp_path, body=f"scale = {value}  # told")
    assert f"    scale: Final[{type_}] = {value}  # told\n" in rewritten(ClassAttribute(), file, told)


def test_a_subclass_with_annotations_of_its_own_gets_it_too(tmp_path):
    file, told = made(tmp_path, own="depth: int = 1")
    text = rewritten(ClassAttribute(), file, told)
    assert "    scale: Final[int] = 2\n" in text
    assert "class Model(Base):\n    scale: Final[int]\n    depth: int = 1\n" in text


def test_a_subclass_that_sets_it_and_has_annotations(tmp_path):
    file, told = made(tmp_path, own="depth: int = 1\n    scale = 3")
    text = rewritten(ClassAttribute(), file, told)
    assert "    scale: Final[int] = 3\n" in text


@pytest.mark.parametrize(
    ("other", "written"),
    [
        ("scale = 3", '    __constants__ = ["scale"]\n\n    scale = 2\n'),
        ("def __init__(self):\n        self.scale = 3", '    __constants__ = ["scale"]\n\n    scale = 2\n'),
        ("__constants__ = ['depth']\n    scale = 3", "    scale = 2\n"),  # it hides that of its base
    ],
)
def test_what_is_bound_again_is_not_final(other, written, tmp_path):
    file, _ = made(tmp_path)
    file = source(tmp_path / "m.py", f"{file.text}\n\nclass Other(Base):\n    {other}\n")
    told = diagnosis(file, "missing-attribute", "self.scale", attribute="scale")
    assert f"class Base(nn.Module):\n{written}" in rewritten(ClassAttribute(), file, told)


@pytest.mark.parametrize(
    "change",
    [
        {"first": "Base.scale += 1"},
        {"first": "type(self).scale = 3"},
        {"first": "setattr(self, 'scale', 3)"},
        {"base": "NamedTuple", "body": "x: int\n    scale = 2"},
    ],
)
def test_what_is_set_from_outside_and_fields(change, tmp_path):
    assert findings(ClassAttribute(), *made(tmp_path, **change)) == []


@pytest.mark.parametrize("cls", ["Base", "Model"])
def test_an_annotation_would_be_a_field_of_a_dataclass(cls, tmp_path):
    file, _ = made(tmp_path)
    file = source(tmp_path / "m.py", file.text.replace(f"class {cls}(", f"@dataclass\nclass {cls}("))
    assert findings(ClassAttribute(), file, diagnosis(file, "missing-attribute", "self.scale", attribute="scale")) == []
