"""annotate-empty-container on the level of text: which containers it types, and which it leaves alone."""

import textwrap

import pytest

from tsrefactor.facts.diagnosis import Diagnosis, Place
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.observations import FunctionObservations, Observations
from tsrefactor.facts.types import parse
from tsrefactor.rewrite import rewrite
from tsrefactor.rules import Settings
from tsrefactor.rules.annotate_empty_container import AnnotateEmptyContainer
from tsrefactor.source.document import Document
from tsrefactor.source.file import SourceFile
from tsrefactor.vocabulary import ContainerStyle, Target

START = "import torch\nfrom torch import nn\nfrom typing import Dict, List, Optional, Tuple\n\n\n"
CLASS = "class Model(nn.Module):\n    def forward(self, x: torch.Tensor, k: int):\n"
RULE = AnnotateEmptyContainer()


@pytest.fixture
def apply(tmp_path):
    def run(body, style=ContainerStyle.CALL, locals=None, returns="?", diagnosis=None):
        path = (tmp_path / "m.py").resolve()
        path.write_text(START + CLASS + textwrap.indent(body, 8 * " ") + "\n")
        document, observations = Document(SourceFile.read(path)), None
        function = FileFacts(document).all_functions[0]
        if locals is not None or returns != "?":
            seen = {name: parse(text) for name, text in (locals or {}).items()}
            given = {"x": parse("Tensor"), "k": parse("int")}
            record = FunctionObservations(
                str(path), "Model.forward", function.node.lineno, "", 1, True, given, parse(returns), seen, set()
            )
            observations = Observations({(str(path), "Model.forward", function.node.lineno): record})
        diagnoses = []
        if diagnosis is not None:
            kind, at, names = diagnosis
            lines = document.text.splitlines()
            line = next(n for n, text in enumerate(lines, 1) if at in text)
            diagnoses = [Diagnosis(kind, kind, place=Place(str(path), line, lines[line - 1].index(at)), names=names)]
        settings = Settings(Target.SCRIPT, container_style=style)
        result = rewrite(document, [RULE], settings, observations, diagnoses)
        assert result.refused == []
        again = rewrite(Document(result.document.current), [RULE], settings)
        assert again.applied == [], "a second application changes the text"
        return textwrap.dedent(result.document.text.partition("k: int):\n")[2]).rstrip("\n")

    return run


@pytest.mark.parametrize(
    ("body", "type_"),
    [
        ("a = []\na.append(k)", "List[int]"),
        ("a = list()\na.insert(0, 'k')", "List[str]"),
        ("a = []\na += [0.5]", "List[float]"),
        ("a = []\na.extend([k, 2])", "List[int]"),
        ("a = []\nfor i, row in enumerate(x.unbind(0)):\n    a.append((i, row))", "List[Tuple[int, torch.Tensor]]"),
        ("a = []\nb = [k]\na.append(b)", "List[List[int]]"),
        ("a = {}\na['k'] = k", "Dict[str, int]"),
        ("a = dict()\na[k] = x.sum()", "Dict[int, torch.Tensor]"),
        ("a = {}\na['k'] = [x.sum()]", "Dict[str, List[torch.Tensor]]"),
        ("a = []\nif k > 1:\n    a = [k]", "List[int]"),
    ],
)
def test_contents_tell_the_type(apply, body, type_):
    value = body.partition("\n")[0].removeprefix("a = ")
    assert apply(body).startswith(f"a = torch.jit.annotate({type_}, {value})\n")
    assert apply(body, ContainerStyle.ANNOTATION).startswith(f"a: {type_} = {value}\n")


@pytest.mark.parametrize(
    "body",
    [
        "a = []\na.append(x)",
        "a = {}\na['k'] = x",
        "a = []\nreturn len(a)",
        "a = []\na.append(self.unknown)",
        "a = []\na.append(k)\na.append(self.unknown)",
        "a: List[int] = []\na.append(k)",
        "a = []  # type: List[int]\na.append(k)",
        "a = torch.jit.annotate(List[int], [])\na.append(k)",
        "a = [[] for _ in range(k)]\na[0].append(k)",
        "a = ()\nb = set()\nreturn a",
        "return self.f([])",
    ],
)
def test_left_alone(apply, body):
    assert apply(body) == body


def test_a_later_reset_of_an_annotated_variable_is_left_alone(apply):
    body = "a: List[int] = []\na.append(k)\na = []\nreturn a"
    assert apply(body) == body


@pytest.mark.parametrize("style", list(ContainerStyle))
def test_where_no_variable_is_assigned_the_call_is_the_only_way(apply, style):
    typed = "torch.jit.annotate(List[int], [])"
    assert apply("a, b = [], k\na.append(k)", style).startswith(f"a, b = {typed}, k\n")
    assert apply("if k > 1:\n    return []\nreturn [k]", style).startswith(f"if k > 1:\n    return {typed}\n")
    assert apply("a = [k] if k > 1 else []", style) == f"a = [k] if k > 1 else {typed}"


def test_recorded_type_wins_over_the_source(apply):
    assert "annotate(List[Optional[torch.Tensor]], [])" in apply(
        "a = []\na.append(x)", locals={"a": "List[Optional[Tensor]]"}
    )
    assert apply("a = []\na.append(self.f(x))", locals={"a": "List[Tensor]"}).startswith("a = []\n")


def test_recorded_return_types_an_empty_one(apply):
    assert apply("if k > 1:\n    return {}\nreturn self.f(x)", returns="Dict[str, int]").startswith(
        "if k > 1:\n    return torch.jit.annotate(Dict[str, int], {})\n"
    )


def test_inner_containers_take_the_outer_types_element(apply):
    assert apply("a = [[], [k]]", locals={"a": "List[List[int]]"}) == "a = [torch.jit.annotate(List[int], []), [k]]"
    assert "a['k'] = torch.jit.annotate(List[int], [])" in apply("a['k'] = []", locals={"a": "Dict[str, List[int]]"})
    assert "a.append(torch.jit.annotate(List[int], []))" in apply("a.append([])", locals={"a": "List[List[int]]"})


def test_the_compiler_tells_what_is_appended(apply):
    said = (
        "argument-match",
        "a.append",
        {"callee": "aten::append.t", "argument": "el", "found": "int", "expected": "t"},
    )
    assert apply("a = []\na.append(self.unknown)", diagnosis=said).startswith("a = torch.jit.annotate(List[int], [])\n")


def test_what_no_type_covers_is_advice(tmp_path):
    path = tmp_path / "m.py"
    path.write_text(START + CLASS + "        a = []\n        a.append(x.sum())\n        a.append(k)\n")
    (found,) = RULE.findings(FileFacts(Document(SourceFile.read(path))), Settings(Target.SCRIPT))
    assert not found.fixable
    assert "computes only with unions of numbers" in found.message
