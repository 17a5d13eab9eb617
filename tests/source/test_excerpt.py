import ast

import pytest

from tests.rules.tracing import document
from tsrefactor.source.excerpt import excerpt, indented, trailing_comment


def body(text: str):
    source = document(text).source
    return source, source.tree.body[0].body


def test_lines_lose_their_margin_and_keep_the_rest():
    head = "def f(x):\n    # above\n    if x:  # é\n        # in\n\n        y = (x +\n             1)\n"
    source, block = body(head + "        # end\n    # after\n    return y\n")
    assert excerpt(source, block[:1]) == "if x:  # é\n    # in\n\n    y = (x +\n         1)\n    # end"


def test_expressions_change():
    source, block = body("def f(self, é):\n    if é:\n        é = self.a + self.a\n")
    nodes = [n for n in ast.walk(block[0]) if isinstance(n, ast.Attribute)]
    assert excerpt(source, block, dict.fromkeys(nodes, "a")) == "if é:\n    é = a + a"


def test_the_comment_beside_a_first_simple_statement_stays_behind():
    source, block = body("def f(x):\n\ty = x  # beside\n\tz = y  # kept\n")
    assert excerpt(source, block[:1]) == "y = x"
    assert excerpt(source, block) == "y = x\nz = y  # kept"
    assert trailing_comment(source, block[0]) == "# beside"


def test_the_end_of_a_file_without_a_line_break():
    source, block = body("def f(x):\r\n    y = x\r\n    return y")
    assert excerpt(source, block) == "y = x\nreturn y"
    assert trailing_comment(source, block[1]) == ""


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("def f(x):\n    y = 1; z = 2\n", "shares its line"),
        ('def f(x):\n    y = """a\n    b"""\n', "string over several lines"),
        ("def f(x):\n    y = 'a\\\n    b'\n", "string over several lines"),
    ],
)
def test_what_cannot_move(text, reason):
    source, block = body(text)
    with pytest.raises(ValueError, match=reason):
        excerpt(source, block[-1:])


@pytest.mark.parametrize("stop", [1, 2])
def test_a_statement_beside_the_first_is_not_lost(stop):
    source, block = body("def f(x):\n    'é'; y = x  # beside\n    z = y;\n")
    with pytest.raises(ValueError, match="shares its line"):
        excerpt(source, block[:stop])
    assert excerpt(source, block[2:]) == "z = y"


def test_indented_leaves_empty_lines_empty():
    assert indented("a\n\n  b", "\t") == "\ta\n\n\t  b"
