"""range-index: what it leaves alone."""

import pytest

from tests.rules.tracing import document, model
from tsrefactor.facts.file import FileFacts
from tsrefactor.rewrite import find
from tsrefactor.rules import Settings
from tsrefactor.rules.range_index import RangeIndex
from tsrefactor.vocabulary import Target

SCRIPT, TRACE = Settings(Target.SCRIPT), Settings(Target.TRACE)


def found(body: str, settings: Settings) -> list[bool]:
    """Whether each finding is fixable."""
    return [f.fixable for f in find([RangeIndex()], FileFacts(document(model(body))), settings)]


@pytest.mark.parametrize(
    ("body", "script", "trace"),
    [
        ("return x[range(3)]", [True], []),
        ("n = x.shape[0]\nreturn x[range(n)]", [True], [True]),
        ("n = x.shape[0]\nfor i in range(n):\n    x = x[range(i, i + 1)]\nreturn x", [True], [True]),
        ("n = x.shape[0]\nreturn x[range(1, n)]", [False], [False]),
        ("n = x.shape[0]\nreturn x[range(n - 4)]", [False], [False]),
        ("n = x.shape[0]\nreturn x[range(n), range(n - 1)]", [False, False], [False, False]),
        ("xs = [1, 2]\nn = x.shape[0]\nreturn xs[range(n)]", [], []),
        ("n = x.shape[0]\nrange = list\nreturn x[range(n)]", [], []),
        ("n = x.shape[0]\nreturn x[sum(range(n))]", [], []),
    ],
)
def test_where_it_applies(body, script, trace):
    assert (found(body, SCRIPT), found(body, TRACE)) == (script, trace)
