"""`children` and `walk` see what `ast` sees, but for contexts, operators and what holds no nodes."""

import ast

import pytest

from tsrefactor.facts.nodes import Tree, children, walk

SHARED = (ast.expr_context, ast.operator, ast.unaryop, ast.boolop, ast.cmpop)
SOURCES = {
    "calls": "f(*a, b, c=1, **d)[1:2, ::3].g = not -x if a and b or c else x @ y < z",
    "definitions": "@d\nasync def f(a, /, b: int = 1, *c, e, g=2, **h) -> str:\n    global x\n    await y; yield",
    "classes": "class A(B, metaclass=C):\n    x: int\n    y: str = 's'\n    def f(self): nonlocal_ = lambda *a: a",
    "blocks": "try:\n    pass\nexcept (A, B) as e:\n    raise X from e\nelse:\n    del a, b\nfinally:\n    assert a, b",
    "loops": "for i, *j in k:\n    break\nelse:\n    continue\nwhile (n := 1):\n    a += 1\nwith a as b: import d.e",
    "displays": "{1: 2, **a}; {1, *a}; [x for x in y if z async for q in r]; {k: v for k, v in w}; f'{a!r:>{b}} c'",
    "patterns": "match a:\n    case {1: b, **c}: pass\n    case D(1, e=f) | [_, *g] if h: pass\n    case None: pass",
}


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
def test_the_same_nodes_in_source_order(source: str):
    tree = ast.parse(source)
    wanted = [n for n in ast.walk(tree) if not isinstance(n, SHARED)]
    assert set(walk(tree)) == set(wanted)
    assert len(list(walk(tree))) == len(wanted)
    for node in wanted:
        assert children(node) == [n for n in ast.iter_child_nodes(node) if not isinstance(n, SHARED)]
    assert Tree(tree).parents == {child: node for node in wanted for child in children(node)}
