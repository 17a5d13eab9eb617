import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tsrefactor.source.document import Change, Document, Splice
from tsrefactor.source.file import SourceFile
from tsrefactor.source.imports import Import


def document(text, tmp_path):
    path = tmp_path / "m.py"
    path.write_bytes(text.encode())
    return Document(SourceFile.read(path))


def change(number, *splices, imports=()):
    return Change(number, tuple(Splice(*s) for s in splices), frozenset(imports))


def test_applies_splices_of_one_change_at_their_places(tmp_path):
    d = document("abcdef\n", tmp_path).apply([change(1, (0, 1, "X"), (3, 3, "--"), (5, 6, ""))])
    assert d.text == "Xbc--de\n"


def test_without_gives_the_original_back(tmp_path):
    d = document("abcdef\n", tmp_path).apply([change(1, (0, 1, "X")), change(2, (2, 4, "YY"))])
    assert d.without([1]).text == "abYYef\n"
    assert d.without([2]).text == "Xbcdef\n"
    assert d.without([1, 2]).text == "abcdef\n"


def test_a_change_made_inside_another_goes_with_it(tmp_path):
    d = document("abc\n", tmp_path).apply([change(1, (1, 1, "LONG"))]).apply([change(2, (2, 4, "x"))])
    assert d.text == "aLxGbc\n"
    assert d.dependents([1]) == {1, 2}
    assert d.without([1]).text == "abc\n"
    assert d.without([2]).text == "aLONGbc\n"


def test_insertions_at_one_place_keep_the_order_they_were_given_in(tmp_path):
    d = document("ab\n", tmp_path).apply([change(1, (1, 1, "1")), change(2, (1, 1, "2")), change(3, (1, 2, "3"))])
    assert d.text == "a123\n"
    assert d.without([3]).text == "a12b\n"


def test_imports_come_once_and_go_with_the_last_change_that_needs_them(tmp_path):
    need = Import("typing", "List")
    d = document("import torch\nx = 1\ny = 2\n", tmp_path)
    d = d.apply([change(1, (17, 18, "3"), imports=[need]), change(2, (23, 24, "4"), imports=[need])])
    assert d.text == "from typing import List\n\nimport torch\nx = 3\ny = 4\n"
    assert d.without([1]).text == "from typing import List\n\nimport torch\nx = 1\ny = 4\n"
    assert d.without([1, 2]).text == "import torch\nx = 1\ny = 2\n"


def test_later_changes_are_placed_in_the_text_with_imports(tmp_path):
    need = Import("typing", "List")
    d = document("import torch\nx = 1\n", tmp_path).apply([change(1, (17, 18, "3"), imports=[need])])
    at = d.text.index("3")
    assert d.apply([change(2, (at, at + 1, "5"))]).text == "from typing import List\n\nimport torch\nx = 5\n"


def test_original_lines(tmp_path):
    d = document("import torch\na\nb\nc\n", tmp_path)
    d = d.apply([change(1, (15, 15, "new\n"), imports=[Import("typing", "List")]), change(2, (17, 18, "C"))])
    assert d.text == "from typing import List\n\nimport torch\na\nnew\nb\nC\n"
    assert [d.original_line(n) for n in range(1, 8)] == [None, None, 1, 2, None, 3, None]
    assert d.nearest_original_line(5) == 2


def test_a_number_is_used_once(tmp_path):
    d = document("ab\n", tmp_path).apply([change(1, (0, 1, "x"))])
    with pytest.raises(ValueError, match="not new"):
        d.apply([change(1, (1, 2, "y"))])


@settings(max_examples=60)
@given(st.text("abc\n", min_size=1, max_size=40), st.randoms(use_true_random=False), st.integers(1, 6))
def test_any_subset_of_disjoint_changes_equals_applying_only_these(tmp_path_factory, text, rng: random.Random, count):
    d = document(text, tmp_path_factory.mktemp("doc"))
    cuts = sorted(rng.sample(range(len(text) + 1), min(len(text) + 1, 2 * count)))
    spans = list(zip(cuts[::2], cuts[1::2], strict=False))
    changes = [change(n, (a, b, rng.choice(["", "x", "yy\n"]))) for n, (a, b) in enumerate(spans, 1)]
    every = d.apply(changes)
    kept = [c for c in changes if rng.random() < 0.5]
    dropped = [c.number for c in changes if c not in kept]
    assert every.without(dropped).text == d.apply(kept).text
