"""Code objects find their text, by first line and name."""

import ast
from types import CodeType

from tsrefactor.record.spans import FileSpans

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
    spans = FileSpans(SOURCE.splitlines(keepends=True))
    for code in code_objects(compile(SOURCE, "x", "exec")):
        if code.co_name[0] != "<" and code.co_name not in ("Local", "Outer", "Inner"):
            found = spans.find(code.co_firstlineno, code.co_name)
            assert found is not None and found.qualname == code.co_qualname
    names = {span.qualname for span in spans.functions()}
    assert names == {
        "top", "top.<locals>.Local.method", "top.<locals>.Local.method.<locals>.<lambda>", "<lambda>",
        "Outer.Inner.__hidden",
    }  # fmt: skip
    top = spans.find(4, "top")
    assert spans.find(15, "<dictcomp>") == spans.find(15, "<listcomp>") == top
    assert spans.find(10, "<listcomp>") is None  # of a class body
    assert top is not None and (top.first, top.last) == (4, 15)
    assert spans.find(1, "top") is None


def test_classes_and_text_that_does_not_parse():
    assert FileSpans(SOURCE.splitlines(keepends=True)).classes() == {"top.<locals>.Local", "Outer", "Outer.Inner"}
    assert FileSpans(["def f(:\n"]).functions() == set()


def test_deeply_nested_expressions_do_not_exhaust_the_stack():
    text = "x = " + " + ".join(["a"] * 900) + "\ndef f(): pass\n"
    ast.parse(text)
    assert [span.first for span in FileSpans(text.splitlines(keepends=True)).functions()] == [2]
