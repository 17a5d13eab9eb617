"""renamed-variable: which of two variables is renamed, and what it must not touch."""

import pytest

from tests.rules.texts import diagnosis, findings, rewritten, source
from tsrefactor.rules.renamed_variable import RenamedVariable

HEAD = "import torch\nfrom torch import nn\n\n\nclass Model(nn.Module):\n    def forward(self, x, n: int):\n"


def about(tmp_path, body, at, expected, found, variable="x"):
    file = source(tmp_path / "m.py", HEAD + "".join(f"        {line}\n" for line in body.split("\n")))
    return file, diagnosis(file, "reassign-type", at, variable=variable, expected=expected, found=found)


@pytest.mark.parametrize(
    ("body", "expected", "found", "after"),
    [
        ("if n:\n    x = [x]  # at\n    x = x[0]\nreturn x", "Tensor", "List[Tensor]", "xs = [x]  # at"),
        ("xs = 1\nif n:\n    x = [x]  # at\n    return x[0]\nreturn x", "Tensor", "List[Tensor]", "x_list = [x]"),
        ("if n:\n    x = x.size(0)  # at\n    n = x\nreturn n", "Tensor", "int", "new_x = x.size(0)"),
    ],
)  # fmt: skip
def test_names(tmp_path, body, expected, found, after):
    at = next(line.strip() for line in body.split("\n") if "# at" in line)
    assert after in rewritten(RenamedVariable(), *about(tmp_path, body, at, expected, found))


@pytest.mark.parametrize(
    ("body", "expected", "found"),
    [
        ("if n:\n    x = [x]  # at\nreturn x", "Tensor", "List[Tensor]"),
        ("y = x\nif n:\n    x = n  # at\n    y = lambda: x\nreturn y", "Tensor", "int"),
        ("if n:\n    x, y = n, x  # at\n    x, y = y, x\nreturn x if n > 3 else f'{x}'", "Tensor", "int"),
    ],
)
def test_left_alone(tmp_path, body, expected, found):
    at = next(line.strip() for line in body.split("\n") if "# at" in line)
    assert findings(RenamedVariable(), *about(tmp_path, body, at, expected, found)) == []


def test_a_trailing_underscore_is_no_part_of_a_plural(tmp_path):
    body = "ids_ = x\nif n:\n    ids_ = [x]  # at\n    return ids_[0]\nreturn ids_"
    assert "ids_list = [x]" in rewritten(
        RenamedVariable(), *about(tmp_path, body, "ids_ = [x]", "Tensor", "List[Tensor]", variable="ids_")
    )


def test_no_keyword_is_a_name(tmp_path):
    body = "a = x\nif n:\n    a = [x]  # at\n    return a[0]\nreturn a"
    assert "a_list = [x]" in rewritten(
        RenamedVariable(), *about(tmp_path, body, "a = [x]", "Tensor", "List[Tensor]", variable="a")
    )
