"""Code objects find their text, by first line and name."""

import ast
from types import CodeType

from tsrefactor.record.spans import spans_of

SOURCE = """
import functools

@functools.cache
@(
    functools.lru_cache
)
def top(a, b=lambda: [1 for _ in ()]):
    class Local:
        x = [i for i in range(3)]

        def method(self): return lambda: (
            self
        )
    return {k: [j for j in k] for k in a}, Local

class Outer:
    class Inner:
        async def __hidden(self):
            return (await x for x in self)
"""


def code_objects(code):
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from code_objects(constant)


def test_every_function_has_its_qualname():
    spans = spans_of(SOURCE.splitlines(keepends=True)).codes
    for code in code_objects(compile(SOURCE, "x", "exec")):
        if code.co_name[0] != "<" and code.co_name not in ("Local", "Outer", "Inner"):
            assert spans[code.co_firstlineno, code.co_name].qualname == code.co_qualname
    names = {span.qualname for span in spans.values()}
    assert names == {
        "top", "top.<locals>.Local.method", "top.<locals>.Local.method.<locals>.<lambda>", "<lambda>",
        "Outer.Inner.__hidden",
    }  # fmt: skip
    assert spans[15, "<dictcomp>"].qualname == spans[15, "<listcomp>"].qualname == "top"
    assert (10, "<listcomp>") not in spans  # of a class body
    assert (spans[4, "top"].first, spans[4, "top"].last) == (4, 15)


def test_classes_and_text_that_does_not_parse():
    assert spans_of(SOURCE.splitlines(keepends=True)).classes == {"top.<locals>.Local", "Outer", "Outer.Inner"}
    assert spans_of(["def f(:\n"]).codes == {}


def test_deeply_nested_expressions_do_not_exhaust_the_stack():
    text = "x = " + " + ".join(["a"] * 900) + "\ndef f(): pass\n"
    ast.parse(text)
    assert set(spans_of(text.splitlines(keepends=True)).codes) == {(2, "f")}
