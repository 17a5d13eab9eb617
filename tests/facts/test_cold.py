import ast
from pathlib import Path

import pytest

from tsrefactor.facts.cold import cold_blocks, cold_branches, is_cold, negated, never_called, statement_at
from tsrefactor.facts.definitions import Function
from tsrefactor.facts.diagnosis import Place
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.observations import FunctionObservations, Observations
from tsrefactor.source.document import Document
from tsrefactor.source.file import SourceFile

TEXT = '''\
def f(x, a):
    """Text."""
    if a:  # +
        y = (  # +
            x
        )
    elif x:  # +
        "what follows is cold"
        y = 1
        for i in a:
            y = i
    for i in a:  # +
        print(i)
    if y:  # +
        return x  # +
    with a:
        x = 1; x = 2
    return x


def g(x):
    return x
'''


def function(name: str = "f", text: str = TEXT, observed: bool = True) -> Function:
    document = Document(SourceFile(Path("m.py"), text, "utf-8", False, "\n"))
    lines = {n for n, line in enumerate(text.splitlines(), 1) if line.endswith("# +")}
    observations = Observations({("m.py", "f", 1): FunctionObservations("m.py", "f", 1, "", lines=lines)})
    facts = FileFacts(document, observations if observed else None)
    return next(f for f in facts.all_functions if f.name == name)


def starts(function: Function, text: str) -> list[tuple[int, str | None]]:
    statement = next(s for s in function.statements if ast.unparse(s) == text)
    return [
        (b.statements[0].lineno, ast.unparse(b.condition) if b.condition is not None else None)
        for b in cold_blocks(function, statement)
    ]


@pytest.mark.parametrize(
    ("text", "blocks"),
    [
        ("y = x", []),
        ("y = 1", [(9, "x")]),
        ("y = i", [(9, "x")]),
        ("print(i)", [(13, None)]),
        ("x = 2", [(16, "not y")]),
    ],
)
def test_cold_blocks_around_a_statement(text, blocks):
    assert starts(function(), text) == blocks


def test_all_cold_blocks_of_a_function():
    assert [b.statements[0].lineno for b in cold_branches(function())] == [9, 13, 16]


def test_a_function_that_was_never_called():
    g = function("g")
    assert never_called(g) and not never_called(function())
    [block] = cold_blocks(g, g.node.body[0])
    assert block.is_whole
    assert not any(b.is_whole for b in cold_branches(function()))


def test_nothing_is_cold_without_a_recording():
    f = function(observed=False)
    assert not any(is_cold(f, s) for s in f.statements) and not never_called(f)


def test_statement_at_a_place():
    f = function()
    texts = [
        ast.unparse(s) if (s := statement_at(f, Place("m.py", *at))) else None for at in [(5, 0), (17, 15), (1, 0)]
    ]
    assert texts == ["y = x", "x = 2", None]


@pytest.mark.parametrize(
    ("test", "opposite"),
    [
        ("a", "not a"),
        ("not a", "a"),
        ("a < b", "a >= b"),
        ("a is not None", "a is None"),
        ("a < b < c", "not a < b < c"),
    ],
)
def test_negated(test, opposite):
    assert ast.unparse(negated(ast.parse(test, mode="eval").body)) == opposite
