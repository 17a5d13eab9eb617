"""annotate-types on the level of text: what it annotates, what it leaves alone, and why."""

import textwrap

import pytest
import torch  # noqa: F401  imported before the forks

from tests.rules.more_examples.annotate_types import MORE
from tests.rules.proof import prove
from tsrefactor.facts.diagnosis import Diagnosis, Place
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.observations import ClassObservations, FunctionObservations, Observations
from tsrefactor.facts.signatures import widen
from tsrefactor.facts.types import TENSOR, parse
from tsrefactor.rewrite import rewrite
from tsrefactor.rules import Example, Settings
from tsrefactor.rules.annotate_types import AnnotateTypes
from tsrefactor.source.document import Document
from tsrefactor.source.file import SourceFile
from tsrefactor.vocabulary import Target

HEAD = "import torch\nfrom typing import *\nfrom torch import nn\n\n"
SETTINGS = Settings(Target.SCRIPT)


class File:
    """A source file with observations and diagnoses that tests add to."""

    def __init__(self, path, body, head=HEAD):
        self.path = path
        path.write_text(head + body)
        self.document = Document(SourceFile.read(path))
        self.observations = None
        self.diagnoses = []

    def record(self, function, returns="?", scripted=True, locals=None, **arguments):
        facts = next(f for f in FileFacts(self.document).all_functions if f.qualname == function)
        self.observations = self.observations or Observations()
        types = {name: parse(text) for name, text in arguments.items()}
        held = {name: parse(text) for name, text in (locals or {}).items()}
        seen = FunctionObservations(
            str(self.path), function, facts.node.lineno, "", 1, scripted, types, parse(returns), held, set()
        )
        self.observations.functions[seen.file, function, seen.line] = seen
        return self

    def record_class(self, name, absent=(), children=None, **attributes):
        self.observations = self.observations or Observations()
        held = {n: parse(text) for n, text in attributes.items()}
        children = {n: {c} for n, c in (children or {}).items()}
        self.observations.classes[str(self.path), name] = ClassObservations(
            str(self.path), name, 1, (name,), held, children, set(absent)
        )
        return self

    def diagnose(self, kind, at, **names):
        """A diagnosis at the first line that holds ``at``, in the column where that begins."""
        lines = self.document.text.splitlines()
        line = next(n for n, text in enumerate(lines, 1) if at in text)
        place = Place(str(self.path), line, lines[line - 1].index(at))
        self.diagnoses.append(Diagnosis(kind, kind, place=place, names=names))
        return self

    def findings(self):
        facts = FileFacts(self.document, self.observations, self.diagnoses)
        return list(AnnotateTypes().findings(facts, SETTINGS))

    def text(self):
        result = rewrite(self.document, [AnnotateTypes()], SETTINGS, self.observations, self.diagnoses)
        assert result.refused == []
        again = rewrite(Document(result.document.current), [AnnotateTypes()], SETTINGS)
        assert not [a for a in again.applied if self.observations is None], "a second application changes the text"
        return result.document.text

    def advice(self):
        return [f.message for f in self.findings() if not f.fixable]


@pytest.fixture
def write(tmp_path):
    return lambda body, head=HEAD: File((tmp_path / "m.py").resolve(), body, head)


def forward(signature, body="return x", init="pass"):
    """A module class with this forward and this set-up."""
    setup, run = textwrap.indent(init, 8 * " "), textwrap.indent(body, 8 * " ")
    start = "class Model(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
    return f"{start}{setup}\n\n    def forward(self, {signature}):\n{run}\n"


def test_property_whose_module_is_annotated_tells_no_attribute(write):
    body = forward("x") + "\n    @property\n    def last(self) -> nn.Linear:\n        return self.fcs[-1]\n"
    file = write(body).diagnose("attribute-type", "self.fcs[-1]", attribute="1", expected="torch.nn.Linear")
    assert file.text() == file.document.source.text


# -- parameters --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("default", "annotated"),
    [
        ("3", "n: int = 3"),
        ("-1", "n: int = -1"),
        ("0.5", "n: float = 0.5"),
        ("True", "n: bool = True"),
        ("'sum'", "n: str = 'sum'"),
        ("(1, 2.0)", "n: Tuple[int, float] = (1, 2.0)"),
        ("float('inf')", "n: float = float('inf')"),
        ("torch.float32", "n: torch.dtype = torch.float32"),
        ("LIMIT", "n: int = LIMIT"),
    ],
)
def test_default_gives_the_type(write, default, annotated):
    assert f"(self, x, {annotated})" in write("LIMIT = 7\n\n\n" + forward(f"x, n={default}")).text()


@pytest.mark.parametrize(
    "signature", ["x", "x: torch.Tensor", "x, n: float = 1", "x, *args", "x, **kwargs", "x, *, n=3"]
)
def test_needs_no_annotation(write, signature):
    file = write(forward(signature))
    assert file.text() == file.document.source.text


@pytest.mark.parametrize(
    ("recorded", "default", "annotated"),
    [
        ("float", "=2", "n: Union[float, int] = 2"),
        ("int", "=2", "n: int = 2"),
        ("Optional[int]", "=None", "n: Optional[int] = None"),
        ("List[Tensor]", "", "n: List[torch.Tensor]"),
        ("Dict[str, Tensor]", "=None", "n: Optional[Dict[str, torch.Tensor]] = None"),
        ("List[int]", "=(1, 2)", "n: List[int] = (1, 2)"),
        ("torch.device", "", "n: torch.device"),
        ("Optional[Tensor]", "", "n: Optional[torch.Tensor]"),
    ],
)
def test_recorded_calls_and_default_join(write, recorded, default, annotated):
    file = write(forward(f"x, n{default}")).record("Model.forward", x="Tensor", n=recorded)
    assert f"(self, x, {annotated})" in file.text()


@pytest.mark.parametrize(("base", "presumed"), [("nn.Module", False), ("Elsewhere", True), ("nn.Conv2d", True)])
def test_an_annotation_that_may_hide_those_of_an_unseen_base_is_presumed(write, base, presumed):
    body = forward("x: torch.Tensor", "self.g.append(x.size(0))\nreturn x", "self.g = []")
    file = write(f"from elsewhere import Elsewhere\n\n{body}".replace("nn.Module", base))
    assert [f.presumed for f in file.findings() if "'g'" in f.message] == [presumed]


def test_none_with_nothing_known_is_only_presumed(write):
    (found,) = write(forward("x, m=None")).findings()
    assert found.presumed
    assert found.fixable


@pytest.mark.parametrize(
    ("body", "type_"),
    [
        ("return x if m is None else m.float()", "Optional[torch.Tensor]"),
        ("if m is None:\n    m = 3\nreturn x[:m]", "Optional[int]"),
        ("return x if m is None or m == 'a' else -x", "Optional[str]"),
        ("k = 2\nn = m if m is not None else k\nreturn x * n", "Optional[int]"),
        ("k = 'sum'\nn = k if m is None else m\nreturn x if n == 'sum' else -x", "Optional[str]"),
        ("k = 'sum'\nn = m if m else k\nreturn x if n == 'sum' else -x", "Optional[str]"),
    ],
)
def test_uses_tell_what_a_none_stands_for(write, body, type_):
    file = write(forward("x, m=None", body))
    assert not file.findings()[0].presumed
    assert f"m: {type_} = None" in file.text()


def test_calls_in_the_file_tell_a_type(write):
    text = write("def f(x, n, flag):\n    return x * n\n\n\n" + forward("x", "return f(x, 2, flag=True)")).text()
    assert "def f(x, n: int, flag: bool):" in text


def test_a_call_of_unknown_type_tells_nothing(write):
    file = write("def f(x, n):\n    return x * n\n\n\n" + forward("x", "return f(x, 2) + f(x, self.k)"))
    assert file.text() == file.document.source.text


def test_functions_that_no_forward_reached_are_left_alone(write):
    body = "def f(x, n=2):\n    return torch.relu(x)\n\n\n" + forward("x, n=3")
    file = write(body).record("Model.forward", x="Tensor", n="int").record("f", scripted=False, x="Tensor", n="int")
    assert "def f(x, n=2)" in file.text()
    assert "n: int = 3" in file.text()


@pytest.mark.parametrize(
    ("recorded", "reason"),
    [
        ("Module", "modules"),
        ("!", "no single TorchScript type"),
        ("Union[Tensor, float]", "computes only with unions of numbers"),
        ("Union[bool, int]", "computes only with unions of numbers"),
        ("List[Union[float, int]]", "takes no list or dict"),
        ("other.Config", "has no name in this file"),
    ],
)
def test_refused_with_a_reason(write, recorded, reason):
    file = write(forward("x, n")).record("Model.forward", x="Tensor", n=recorded)
    assert file.text() == file.document.source.text
    assert reason in file.advice()[0]


def test_a_union_told_apart_by_isinstance_is_annotated(write):
    file = write(forward("x, n", "return x if isinstance(n, str) else -x"))
    assert "n: Union[int, str]" in file.record("Model.forward", x="Tensor", n="Union[int, str]").text()


@pytest.mark.parametrize("default", ["[1, 2]", "{}", "list()"])
def test_mutable_default_is_advice(write, default):
    file = write(forward(f"x, n={default}"))
    assert file.text() == file.document.source.text
    assert "mutable default" in file.advice()[0]


def test_type_comment_is_the_authors_annotation(write):
    file = write(forward("x, n=3", "# type: (torch.Tensor, int) -> torch.Tensor\nreturn x"))
    assert file.text() == file.document.source.text


@pytest.mark.parametrize(
    ("annotation", "recorded", "expected"),
    [
        ("n: torch.Size", "List[int]", "n: List[int]"),
        ("n: Tuple[int, ...]", "Tuple[int, int]", "n: List[int]"),
        ("n: Optional[Iterable[int]] = None", "None", "n: Optional[List[int]] = None"),
        ("n: Callable", "None", "n: None"),
        ("n: Callable = None", "None", "n: None = None"),
        ("n: Any = 3", "float", "n: Union[float, int] = 3"),
        ("n: list", "List[Tensor]", "n: List[torch.Tensor]"),
        ("n: torch.Tensor = None", "None", "n: Optional[torch.Tensor] = None"),
        ("n: float", "int", "n: float"),
        ("n: torch.Tensor", "Tuple[Tensor, Tensor]", "n: Tuple[torch.Tensor, torch.Tensor]"),
        ("n: torch.Tensor", "Optional[Tensor]", "n: Optional[torch.Tensor]"),
        ("n: List[int]", "Tuple[int, int]", "n: List[int]"),
        ("n: Foreign", "other.Foreign", "n: Foreign"),
    ],
)
def test_the_authors_annotation_is_corrected_only_where_it_is_rejected(write, annotation, recorded, expected):
    file = write(forward(f"x, {annotation}"))
    if not any(told in annotation for told in ("Size", "...", "Iterable", "Callable = None")):
        assert file.text() == file.document.source.text, "without evidence it stays"
    file.record("Model.forward", x="Tensor", n=recorded)
    assert f"(self, x, {expected})" in file.text()
    assert all("is annotated" in f.message for f in file.findings())


def test_the_compiler_names_an_argument(write):
    body = "def f(x, n):\n    return x * n\n\n\n" + forward("x", "return f(x, self.k)")
    names = {"callee": "f", "signature": "f(Tensor x, Tensor n) -> Tensor", "argument": "n", "found": "int"}
    file = write(body).record("Model.forward", x="Tensor").diagnose("argument-type", "f(x, self", **names)
    assert "def f(x, n: int):" in file.text()


def test_the_compiler_names_a_method_of_another_class(write):
    body = "class A(nn.Module):\n    def forward(self, x, n):\n        return x\n\n\n"
    body += "class B(nn.Module):\n    def forward(self, x, n):\n        return x\n\n\n"
    body += forward("x", "return self.b(x, self.k)")
    names = {"callee": "forward", "signature": "forward(m.B self, Tensor x, Tensor n) -> Tensor"}
    file = write(body).diagnose("argument-type", "self.b(", argument="n", found="float", **names)
    assert file.text().count("n: float") == 1
    assert "class B(nn.Module):\n    def forward(self, x, n: float):" in file.text()


def test_a_parameter_that_becomes_none(write):
    file = write(forward("x, m", "if x.sum() > 0:\n    m = None\nreturn x if m is None else x * m"))
    file.diagnose("reassign-type", "m = None", variable="m", expected="Tensor", found="NoneType")
    assert "m: Optional[torch.Tensor]" in file.text()


# -- variables ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("y = None\nif x.sum() > 0:\n    y = x.sin()\nreturn y", "y: Optional[torch.Tensor] = None\n"),
        ("y = None\nfor i in range(3):\n    y = i\nreturn y", "y: Optional[int] = None\n"),
        (
            "a, b = None, None\nfor i in range(3):\n    a = i\nreturn a, b",
            "a: Optional[int] = None\n        b = None\n",
        ),
    ],
)
def test_none_until_a_branch_or_loop(write, before, after):
    assert after in write(forward("x", before)).text()


@pytest.mark.parametrize(
    "body",
    [
        "y = None\ny = x.sin()\nif x.sum() > 0:\n    y = x.cos()\nreturn y",
        "y = None\nwith torch.no_grad():\n    y = x.sin()\nreturn y",
        "if x.sum() > 0:\n    y = None\nelse:\n    y = x.sin()\nreturn y",
        "y = x.sin()\nfor i in range(3):\n    y = None\n    if i > 1:\n        y = x.sin()\nreturn y",
        "y: Optional[torch.Tensor] = None\nif x.sum() > 0:\n    y = x.sin()\nreturn y",
        "y = None  # type: Optional[torch.Tensor]\nif x.sum() > 0:\n    y = x.sin()\nreturn y",
    ],
)
def test_none_that_torchscript_follows(write, body):
    file = write(forward("x", body))
    assert file.text() == file.document.source.text


def test_an_int_that_becomes_a_float_by_itself_is_advice(write):
    file = write(forward("x", "s = 0\nfor i in range(3):\n    s = s + 0.5\nreturn x * s"))
    file.diagnose("reassign-type", "s = s + 0.5", variable="s", expected="int", found="float")
    assert file.text() == file.document.source.text
    assert "start it with a number of that type" in file.advice()[0]


# -- attributes --------------------------------------------------------------------------------------------------------


def test_attribute_of_an_empty_list(write):
    text = write(forward("x", "self.g.append(x.size(0))\nreturn x", "self.g = []")).text()
    assert "class Model(nn.Module):\n    g: List[int]\n\n    def" in text


@pytest.mark.parametrize(
    ("init", "body"),
    [
        ("self.g = []", "return x"),
        ("self.g = []\nself.g.append(1)", "return x * len(self.g)"),
        ("self.g = None", "return x if self.g is None else x * self.g"),
        ("self.g = [1]", "self.g.append(2)\nreturn x"),
    ],
)
def test_attribute_that_torchscript_types_itself(write, init, body):
    file = write(forward("x", body, init))
    assert file.text() == file.document.source.text


def test_attribute_that_is_none_until_forward_sets_it(write):
    file = write(forward("x", "self.g = x\nreturn x", "self.g = None")).record("Model.forward", x="Tensor")
    file.record_class("Model", g="Tensor")
    assert "    g: Optional[torch.Tensor]\n" in file.text()


FLAG = "self.flag = False\nif self.flag:\n    self.p = nn.Linear(2, 2)"
USE = "if self.flag:\n    x = self.p(x)\nreturn x"


def test_flag_over_an_attribute_that_may_be_missing(write):
    assert "    flag: Final[bool]\n" in write(forward("x", USE, FLAG)).text()


@pytest.mark.parametrize(
    ("init", "body"),
    [
        ("self.flag = 0\nif self.flag:\n    self.p = nn.Linear(2, 2)", USE),
        ("self.flag = False\nself.p = nn.Linear(2, 2)", USE),
        (FLAG, "if self.flag:\n    x = self.p(x)\nself.flag = True\nreturn x"),
        (FLAG.replace("flag", "training"), USE.replace("flag", "training")),
        (
            "self.flag = False\nif self.flag:\n    self.p = 1\nelse:\n    self.p = 2",
            "return x * self.p if self.flag else x",
        ),
    ],
)
def test_flag_that_stays(write, init, body):
    file = write(forward("x", body, init))
    assert file.text() == file.document.source.text


def test_flag_set_from_outside_stays(write):
    file = write(forward("x", USE, FLAG) + "\n\ndef enable(model):\n    model.flag = True\n")
    assert file.text() == file.document.source.text


def test_flag_in_constants_stays(write):
    body = forward("x", USE, FLAG).replace("(nn.Module):\n", '(nn.Module):\n    __constants__ = ["flag"]\n\n')
    file = write(body)
    assert file.text() == file.document.source.text


def test_recorded_instances_that_have_everything_need_no_flag(write):
    file = write(forward("x", USE, FLAG)).record("Model.forward", x="Tensor")
    file.record_class("Model", flag="bool", children={"p": "torch.nn.Linear"})
    assert file.text() == file.document.source.text


def test_subclass_with_annotations_gets_the_flag_too(write):
    body = forward("x", USE, FLAG)
    body += (
        "\n\nclass Sub(Model):\n    k: int\n\n    def __init__(self):\n        super().__init__()\n        self.k = 1\n"
    )
    text = write(body).text()
    assert text.count("flag: Final[bool]") == 2
    assert text.index("class Sub") < text.rindex("flag: Final[bool]") < text.index("k: int")


def test_torch_final_is_used_where_the_file_has_it(write):
    text = write(forward("x", USE, FLAG), "import torch\nfrom torch import nn\nfrom torch.jit import Final\n\n").text()
    assert "flag: Final[bool]" in text
    assert "typing" not in text


def test_string_annotations_take_nothing_away(write):
    head = "from __future__ import annotations\n" + HEAD
    file = write(forward("x", USE, FLAG).replace("(nn.Module):\n", "(nn.Conv2d):\n"), head)
    assert file.text() == file.document.source.text
    assert "strings" in file.advice()[0]


# -- returns -----------------------------------------------------------------------------------------------------------


def test_return_of_two_kinds_of_numbers(write):
    body = "def f(x):\n    if x.sum() > 0:\n        return 1\n    return 0.5\n"
    file = write(body).diagnose("mixed-return", "return 0.5", expected="int", found="float")
    assert "def f(x) -> Union[float, int]:" in file.text()


KINDS = ["Tensor", "int", "float", "bool", "str", "None", "List[int]", "Tuple[int, int]", "Tuple[int, int, int]",
         "Dict[str, Tensor]", "Optional[Tensor]"]  # fmt: skip


@pytest.mark.parametrize("first", KINDS)
def test_what_two_cases_pass_is_joined_in_either_order_or_told(write, first):
    for second in KINDS:
        texts, told = set(), []
        for types in ((first, second), (second, first)):
            file = write("def f(x, n):\n    return x\n").record("f", x="Tensor", n=types[0])
            other = write("def f(x, n):\n    return x\n").record("f", x="Tensor", n=types[1])
            file.observations.join(other.observations)
            texts.add(file.text())
            told += file.advice()
        [text] = texts  # whichever case came first
        written = text.partition("n: ")[2].partition(")")[0]
        accepted = parse(written.replace("torch.Tensor", "Tensor")) if written else TENSOR
        assert told or all(widen(accepted, parse(t)) == accepted for t in (first, second))


MIXED = "def f(x):\n    if x.sum() > 0:\n        return x, x\n    return x\n"


@pytest.mark.parametrize("caller", ["", "\n\ndef g(x):\n    return f(x)\n"])
def test_returns_that_no_type_covers_are_a_union_of_theirs(write, caller):
    file = write(MIXED + caller).diagnose(
        "mixed-return", "    return x", expected="Tuple[Tensor, Tensor]", found="Tensor"
    )
    assert "def f(x) -> Union[torch.Tensor, Tuple[torch.Tensor, torch.Tensor]]:" in file.text()


@pytest.mark.parametrize("use", ["f(x) + torch.ones(1)", "torch.relu(f(x))", "torch.relu(f(x)[0])"])
def test_returns_that_a_caller_computes_with_are_no_union(write, use):
    body = MIXED + f"\n\ndef g(x):\n    return {use}\n"
    file = write(body).diagnose("mixed-return", "    return x", expected="Tuple[Tensor, Tensor]", found="Tensor")
    assert file.text() == file.document.source.text


@pytest.mark.parametrize(
    "annotation", ["Foreign", "Optional[Tensor]", "'Tensor'", "Any", "Union[Tensor, List[Tensor]]", "T"]
)
def test_annotations_that_torchscript_takes_or_that_mean_nothing_to_it_stay(write, annotation):
    head = "from typing import Any, List, Optional, TypeVar, Union\nfrom torch import Tensor\nfrom a import Foreign\n"
    file = write(f"{head}T = TypeVar('T')\ndef f(x: {annotation}):\n    return x\n")
    assert file.text() == file.document.source.text


def test_wrong_return_annotation_is_corrected_by_the_compiler(write):
    body = "def f(x) -> torch.Tensor:\n    return x, x\n"
    file = write(body).diagnose("return-type", "return x", expected="Tensor", found="Tuple[Tensor, Tensor]")
    assert "def f(x) -> Tuple[torch.Tensor, torch.Tensor]:" in file.text()


@pytest.mark.parametrize("example", MORE.values(), ids=MORE)
def test_more_examples(example, tmp_path):
    prove(AnnotateTypes(), example, tmp_path)


@pytest.mark.parametrize(
    ("body", "recorded"),
    [
        ("if x.size(0) > 1:\n    return x\nreturn [x, x]", "!"),  # a tensor or a list
        ("y = [x, x]\nreturn y", "List[Tensor]"),  # the place is not that of a return
    ],
)
def test_return_that_differs_from_a_display_is_left_alone(write, body, recorded):
    file = write(forward("x", body).replace("(self, x):", "(self, x) -> torch.Tensor:"))
    file.record("Model.forward", recorded, x="Tensor").diagnose("annotation-form", "[x, x]")
    assert file.text() == file.document.source.text


@pytest.mark.parametrize(("test", "united"), [("self.flag", False), ("self.training and self.flag", True)])
def test_returns_that_a_flag_does_not_decide_alone_are_a_union(write, test, united):
    file = write(forward("x", f"if {test}:\n    return x, self.p(x)\nreturn x", FLAG))
    file.diagnose("mixed-return", "return x, self", expected="Tuple[Tensor, Tensor]", found="Tensor")
    assert ("-> Union[torch.Tensor, Tuple[torch.Tensor, torch.Tensor]]" in file.text()) == united


def test_a_plain_class_of_which_forward_makes_objects_is_typed_with_its_parameter(tmp_path):
    before = (
        "from typing import Optional\n\nimport torch\nfrom torch import nn\n\n\nclass Causal:\n"
        '    def __init__(self, n, device="cpu"):\n'
        "        self.mask = torch.ones([n, n], dtype=torch.bool, device=device).triu(1)\n\n\n"
        "class Model(nn.Module):\n    def forward(self, x, mask=None):\n        if mask is None:\n"
        "            mask = Causal(x.size(0), device=x.device)\n        return x.masked_fill(mask.mask, 0.0)\n"
    )
    after = before.replace('n, device="cpu"', 'n: int, device: torch.device = "cpu"')
    after = after.replace("mask=None", "mask: Optional[Causal] = None")
    inputs = "[(torch.rand(3, 3),), (torch.rand(2, 2),)]"
    prove(AnnotateTypes(), Example(before, after, inputs, Target.SCRIPT, error="'mask'", recorded=True), tmp_path)
