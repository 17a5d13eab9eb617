"""module-annotation: what is moved, and what is left alone."""

import pytest

from tests.rules.texts import findings, rewritten, source
from tsrefactor.rules.module_annotation import ModuleAnnotation

HEAD = "from typing import Optional\nimport torch\nfrom torch import nn\n\n\n"
BODY = """\
class Model(nn.Module):
    x: int
    part: {annotation}

    def __init__(self):
        super().__init__()
        {assignment}
"""


def file_with(tmp_path, annotation, assignment):
    return source(tmp_path / "model.py", HEAD + BODY.format(annotation=annotation, assignment=assignment))


@pytest.mark.parametrize(
    ("annotation", "assignment", "wanted"),
    [
        ("nn.Module", "self.part = nn.ReLU()", "self.part: nn.Module = nn.ReLU()"),
        ("Optional[nn.Linear]", "self.part = None", "self.part: Optional[nn.Linear] = None"),
        ("nn.ModuleList", "self.part = nn.ModuleList()  # of", "self.part: nn.ModuleList = nn.ModuleList()  # of"),
        ("nn.Module", "self.part: nn.Module = nn.ReLU()", "self.part: nn.Module = nn.ReLU()"),
        ("nn.Linear", "self.part, self.y = nn.Linear(1, 1), 2", "self.part, self.y = nn.Linear(1, 1), 2"),
    ],
)
def test_moved(tmp_path, annotation, assignment, wanted):
    text = rewritten(ModuleAnnotation(), file_with(tmp_path, annotation, assignment))
    assert f"    part: {annotation}\n" not in text and f"        {wanted}\n" in text


@pytest.mark.parametrize(
    ("annotation", "assignment"),
    [
        ("torch.Tensor", "self.part = torch.zeros(1)"),
        ("nn.Parameter", "self.part = nn.Parameter(torch.zeros(1))"),
        ("Optional[int]", "self.part = None"),
        ("nn.Linear", "self.other = 1"),
    ],
)
def test_left_alone(tmp_path, annotation, assignment):
    assert findings(ModuleAnnotation(), file_with(tmp_path, annotation, assignment)) == []


def test_a_class_that_is_no_module_is_left_alone(tmp_path):
    text = HEAD + BODY.format(annotation="nn.Linear", assignment="self.part = 1").replace("(nn.Module)", "")
    assert findings(ModuleAnnotation(), source(tmp_path / "model.py", text)) == []
