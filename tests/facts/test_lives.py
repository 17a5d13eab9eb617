import ast

import pytest

from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.lives import Lives, Unclear
from tsrefactor.source.document import Document
from tsrefactor.source.file import SourceFile


def lives(tmp_path, body):
    path = tmp_path / "m.py"
    lines = "".join(f"    {line}\n" for line in body.split("\n"))
    path.write_text(f"import torch\n\n\ndef f(a, x):\n{lines}")
    function = FileFacts(Document(SourceFile.read(path))).all_functions[0]
    return function, Lives(function, "x")


def groups(tmp_path, body):
    """The lines, from 1 in the body, that each life of x is on; 0 is what it has before."""
    function, found = lives(tmp_path, body)
    stores = [n for n in function.of(ast.Name) if n.id == "x" and isinstance(n.ctx, ast.Store)]
    shown = {tuple(sorted({n.lineno - 4 if n else 0 for n in found.life(store)})) for store in stores}
    return sorted(shown)


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        ("x = 1\nx = a + x\nreturn x", [(1, 2), (2, 3)]),
        ("x += 1\nreturn x", [(0, 1, 2)]),
        ("if a:\n    x = 1\nreturn x", [(0, 2, 3)]),
        ("if a:\n    x = 1\nelse:\n    x = 2\nreturn x", [(2, 4, 5)]),
        ("if a:\n    x = 1\n    return x\nx = 2\nreturn x", [(2, 3), (4, 5)]),
        ("for i in a:\n    x = i\n    x = x + 1\nreturn x", [(0, 3, 4), (2, 3)]),
        ("for i in a:\n    print(x)\n    x = i", [(0, 2, 3)]),
        ("for x in a:\n    print(x)\nx = 3\nreturn x", [(1, 2), (3, 4)]),
        ("while x > a:\n    x = a\n    break\nreturn x", [(0, 1, 2, 4)]),
        ("while True:\n    x = a\n    if a:\n        continue\n    x = 3\n    print(x)", [(2,), (5, 6)]),
        ("for i in a:\n    if i:\n        x = 1\n        break\nelse:\n    x = 2\nreturn x", [(3, 6, 7)]),
        ("with a as x:\n    print(x)\nx = 2", [(1, 2), (3,)]),
        ("x = [b for b in x]\nreturn x", [(1, 2)]),
        ("x, a = a, x\nreturn x", [(1, 2)]),
        ("x[0] = 1\nx = a\nreturn x", [(2, 3)]),
    ],
)
def test_lives(tmp_path, body, shown):
    assert groups(tmp_path, body) == shown


@pytest.mark.parametrize(
    "body",
    [
        "x = lambda: x",
        "def g():\n    return x",
        "try:\n    x = 1\nexcept ValueError:\n    pass",
        "del x",
        "if (x := a):\n    pass",
        "a = [x for x in a]",
        "print(f'{x}')",
        "import x",
        "match a:\n    case x:\n        pass",
    ],
)
def test_unclear(tmp_path, body):
    with pytest.raises(Unclear):
        lives(tmp_path, body)
