import ast
import textwrap

import pytest

from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.names import fresh
from tsrefactor.facts.observations import ClassObservations, FunctionObservations, Observations
from tsrefactor.facts.types import INT, optional, parse
from tsrefactor.source.document import Change, Document, Splice
from tsrefactor.source.file import SourceFile


@pytest.fixture
def document(tmp_path):
    def make(text):
        path = tmp_path / "m.py"
        path.write_text(textwrap.dedent(text))
        return Document(SourceFile.read(path))

    return make


MODULES = """\
import torch
from torch import nn
import torch.nn.functional as F
from elsewhere import Base, Plain


def helper(x):
    return x


def unseen(x):
    return x


def uses_torch(x):
    return torch.relu(x)


@torch.jit.ignore
def ignored(x):
    return torch.relu(x)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.act = F.relu

    def forward(self, x):
        return helper(x)

    @staticmethod
    def stat(x, n=1):
        return x


class Child(Net):
    def extra(self, x, *rest, k=None, **more):
        return x


class FromElsewhere(Base):
    def forward(self, x):
        return x


class NoModule(Plain):
    def run(self, x):
        return x


class Fn(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x
"""


def test_focus_names_functions_by_their_first_original_line(document):
    d = document(MODULES)
    line = d.source.text[: d.source.text.index("def uses_torch")].count("\n") + 1
    moved = d.apply([Change(1, (Splice(0, 0, "# one\n# two\n"),))])
    assert [f.qualname for f in FileFacts(moved, focus=frozenset({line})).functions] == ["uses_torch"]


@pytest.mark.parametrize("called", ["torch.relu", "helper"])
def test_focus_holds_what_a_change_inserted(document, called):
    d = document(MODULES)
    moved = d.apply(
        [Change(1, (Splice(len(d.source.text), len(d.source.text), f"def new(x):\n    return {called}(x)\n"),))]
    )
    assert [f.qualname for f in FileFacts(moved, focus=frozenset()).functions] == ["new"]


def test_parameters_without_self(document):
    facts = FileFacts(document(MODULES))
    extra = next(f for f in facts.all_functions if f.name == "extra")
    assert [(p.name, p.kind) for p in extra.parameters] == [
        ("x", "positional"), ("rest", "args"), ("k", "keyword"), ("more", "kwargs"),
    ]  # fmt: skip
    stat = next(f for f in facts.all_functions if f.name == "stat")
    assert [p.name for p in stat.parameters] == ["x", "n"]


def test_origins_follow_the_files_imports(document):
    facts = FileFacts(document(MODULES))
    call = next(
        n for n in ast.walk(facts.tree) if isinstance(n, ast.Attribute) and n.attr == "relu" and n.value.id == "F"
    )
    assert facts.origin(call) == "torch.nn.functional.relu"
    assert facts.class_named("Child").foreign_bases == ["torch.nn.Module"]


def test_another_name_for_something_of_torch_is_what_it_stands_for(document):
    facts = FileFacts(
        document("""\
        import torch
        from other import thing
        Norm = torch.nn.LayerNorm
        Pair = tuple[int, int]
        Twice = torch.nn.ReLU
        Twice = torch.nn.GELU
        Mine = thing.Norm
        f = [Norm, Twice, Mine]

        def g(x: Pair): ...
        """)
    )
    names = facts.tree.body[-2].value.elts
    assert [facts.origin(n) for n in names] == ["torch.nn.LayerNorm", "Twice", "Mine"]
    [parameter] = facts.all_functions[0].parameters
    assert str(facts.annotated(parameter.annotation)) == "Tuple[int, int]"


def test_observations_are_found_after_lines_moved_and_a_rename(document):
    d = document(MODULES)
    path = str(d.source.path)
    line = d.source.text[: d.source.text.index("def helper")].count("\n") + 1
    seen = FunctionObservations(path, "helper", line, arguments={"x": INT}, lines={line + 1})
    observations = Observations({(path, "helper", line): seen})
    at = d.source.text.index("helper(x):")
    changed = d.apply([Change(1, (Splice(0, 0, "# new\n"), Splice(at, at + 6, "_help")))])
    function = next(f for f in FileFacts(changed, observations).all_functions if f.name == "_help")
    assert function.observed is seen
    assert function.reached(function.node.body[0]) is True


def test_a_statement_that_no_run_reached(document):
    d = document("import torch\n\ndef f(x):\n    if x:\n        return torch.relu(x)\n    return x\n")
    path = str(d.source.path)
    seen = FunctionObservations(path, "f", 3, lines={4, 6})
    facts = FileFacts(d, Observations({(path, "f", 3): seen}))
    branch, end = facts.functions[0].node.body
    assert facts.functions[0].reached(branch.body[0]) is False
    assert facts.functions[0].reached(end) is True
    assert FileFacts(d).functions[0].reached(end) is None


def test_an_observed_class_is_a_module_whatever_its_bases(document):
    d = document(MODULES)
    path = str(d.source.path)
    facts = FileFacts(d, Observations(classes={(path, "NoModule"): ClassObservations(path, "NoModule")}))
    assert facts.class_named("NoModule").is_module
    assert not FileFacts(d).class_named("NoModule").is_module


def test_spells_types_with_what_the_file_has(document):
    facts = FileFacts(document("from torch import Tensor\nimport typing as t\n"))
    assert facts.spell_type(parse("Optional[List[Tensor]]")) == ("t.Optional[t.List[Tensor]]", frozenset())
    text, needed = FileFacts(document("x = 1\n")).spell_type(optional(INT))
    assert (text, [str(n) for n in needed]) == ("Optional[int]", ["from typing import Optional"])


def test_a_fresh_name_is_not_taken(document):
    taken = FileFacts(document("import a as _h\n_h_2 = 1\n")).module_names
    assert fresh(taken, "_h") == "_h_3"
    assert fresh(taken, "_g") == "_g"
    assert fresh(taken, "_h", "_g") == "_g"


def test_nodes_of_a_class_come_from_an_index(document):
    text = "def f(x):\n    while x:\n        for i in x: g(h(i))\n    def inner(): k()\n    return h(x)\n"
    function = FileFacts(document(text)).all_functions[0]
    assert [ast.unparse(n.func) for n in function.of(ast.Call)] == ["g", "h", "h"]
    assert [type(n).__name__ for n in function.of(ast.For, ast.Return, ast.While)] == ["While", "For", "Return"]
    assert list(function.of(ast.Try)) == list(function.of(ast.Try, ast.With)) == []
    assert [n.lineno for n in function.calls("h")] == [3, 5]
    assert [ast.unparse(n.func) for n in function.calls("h", "g", "k")] == ["g", "h", "h"]


def test_function_that_another_stands_in_for_is_not_seen(document):
    facts = FileFacts(
        document(
            """\
            import torch

            def _f_impl(x):
                return torch.relu(x)

            def f(x, **kwargs):
                return _f_impl(x)

            f.__wrapped__ = _f_impl

            class Net(torch.nn.Module):
                def _forward_impl(self, x):
                    return f(x)

                def forward(self, x, **kwargs):
                    return self._forward_impl(x)

                forward.__wrapped__ = _forward_impl
            """
        )
    )
    assert [f.qualname for f in facts.functions] == ["_f_impl", "Net._forward_impl"]
    assert facts.class_named("Net").methods["forward"].stand_in == "_forward_impl"
