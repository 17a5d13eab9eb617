"""Whole numbers that are never negative."""

import ast

import pytest

from tests.rules.texts import source
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.signs import not_negative
from tsrefactor.source.document import Document

BODY = """\
def f(x, n):
    size = x.size(0)
    less = size - 1
    turned = size
    turned = turned - 3
    for i in range(size):
        return {}
"""


@pytest.mark.parametrize(
    ("number", "sure"),
    [
        ("size", True), ("len(x) * 2", True), ("x.shape[0] // 2", True), ("i + 1", True), ("3", True),
        ("less", False), ("turned", False), ("n", False), ("-1", False), ("size - i", False),
    ],
)  # fmt: skip
def test_not_negative(tmp_path, number, sure):
    file = FileFacts(Document(source(tmp_path / "m.py", BODY.format(number))))
    [function] = file.all_functions
    [returned] = function.of(ast.Return)
    assert not_negative(function, returned.value) is sure
