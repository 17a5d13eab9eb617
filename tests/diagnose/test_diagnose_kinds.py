"""Every family of errors, made by the real compiler: kind, names, and the span the place covers.

A case is (kind, names it must hold, the text the place covers or None, the source of a module class ``M``). The
expected line carries ``# here``; without it, any place in the source will do.
"""

from __future__ import annotations

import textwrap

import pytest

from tests.diagnose import attribute_errors, other_errors, type_errors
from tsrefactor.diagnose import KINDS, UNKNOWN

CASES = {**attribute_errors.CASES, **type_errors.CASES, **other_errors.CASES}

UNROLLED = """\
class M(nn.Module):
    def __init__(self):
        super().__init__()
        self.l = nn.ModuleList([nn.Linear(3, 3)])
    def forward(self, x):
"""
SYNTAX = {
    "try": "try:  # here\n    y = x\nexcept ValueError:\n    y = x",
    "lambda": "y = lambda a: a  # here",
    "walrus": "y = (z := x)  # here",
    "set-comprehension": "y = {a for a in [1]}  # here",
    "set": "y = {1, 2}  # here",
    "import": "import os  # here",
    "global": "global z  # here",
    "comprehension-if": "y = [a for a in [1] if a]  # here",
    "nested-comprehension": "y = [a for a in [1] for b in [2]]  # here",
    "dict-expansion": "y = {**{'a': 1}}  # here",
    "keyword-expansion": "y = torch.sum(x, **{'dim': 1})  # here",
    "f-string": "y = f'{x:3d}'  # here",
    "class": "class A:  # here\n    pass",
    "yield": "yield x  # here",
    "for-else": "for i in range(2):  # here\n    y = x\nelse:\n    y = x",
    "annotation-only": "y: int  # here",
    "operator": "y = 4\ny //= 2  # here",
    "match": "match 1:  # here\n    case 1:\n        y = x",
    "break-in-unrolled-loop": "for m in self.l:\n    x = m(x)\n    break  # here",
    "while-else": "i = 0\nwhile i < 1:\n    i += 1\nelse:\n    i = 0",
}


@pytest.mark.parametrize("name", CASES)
def test_kind(name, diagnosed, span):
    kind, names, text, source = CASES[name]
    found = diagnosed(source)
    assert found is not None
    assert (found.kind, found.kind in KINDS) == (kind, True), found.text
    assert names.items() <= found.names.items(), found.text
    assert found.message
    if "# here" in source:
        assert found.place is not None, found.text
        shown, here = span(found.place)
        assert here, found.place
        if text is not None:
            assert shown == text
    else:
        assert found.place is not None  # the def or the class, where nothing more is known


@pytest.mark.parametrize("construct", SYNTAX)
def test_unsupported_syntax(construct, diagnosed, span):
    found = diagnosed(UNROLLED + textwrap.indent(SYNTAX[construct] + "\nreturn x\n", " " * 8))
    assert found is not None and (found.kind, found.names.get("construct")) == ("unsupported-syntax", construct), found
    assert found.place is not None
    if "# here" in SYNTAX[construct]:
        assert span(found.place)[1]
    assert found.module_type == "subject.M"


def test_autograd_function_cannot_be_saved(diagnosed):
    def save(torch, module):
        torch.jit.script(module.M()).save("/dev/null")

    source = """
    class Fn(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x
        @staticmethod
        def backward(ctx, g):
            return g
    class M(nn.Module):
        def forward(self, x):
            return Fn.apply(x)  # here
    """
    found = diagnosed(source, act=save)
    assert (found.kind, found.names["function"]) == ("export-python-call", "Fn")
    assert found.place.line == source.count("\n", 0, source.index("# here")) + 8


def test_passing_module_has_no_diagnosis(diagnosed):
    assert diagnosed("class M(nn.Module):\n    def forward(self, x):\n        return x + 1\n") is None


def test_unknown_keeps_type_and_text():
    from tsrefactor.diagnose import diagnose

    found = diagnose(LookupError("the moon is\nnot green"), lambda file: True)
    assert (found.kind, found.message, found.text) == (UNKNOWN, "LookupError: the moon is", "the moon is\nnot green")
    assert found.place is None and found.module_type is None
