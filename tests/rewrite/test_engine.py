import ast

import pytest

from tsrefactor.rewrite import InternalError, apply_findings, rewrite
from tsrefactor.rules import Rule, Settings
from tsrefactor.source.document import Document
from tsrefactor.source.edits import AnnotateReturn, InsertBefore, Replace
from tsrefactor.source.file import SourceFile
from tsrefactor.source.imports import Import


def document(text, tmp_path):
    path = tmp_path / "m.py"
    path.write_text(text)
    return Document(SourceFile.read(path))


class _Rule(Rule):
    targets = frozenset()
    examples = ()

    def calls(self, file, name):
        return [n for n in ast.walk(file.tree) if isinstance(n, ast.Call) and ast.unparse(n.func) == name]


class Unwrap(_Rule):
    """f(x) becomes x."""

    name = "unwrap"

    def findings(self, file, settings):
        for call in self.calls(file, "f"):
            edit = Replace(call, "{v}", {"v": call.args[0]})
            yield self.finding(call, f"unwrap {ast.unparse(call)}", edit, imports=[Import("math")])


class Endless(_Rule):
    """f(x) becomes f(f(x))."""

    name = "endless"

    def findings(self, file, settings):
        call = self.calls(file, "f")[0]
        yield self.finding(call, "wrap", Replace(call, "f({v})", {"v": call}))


class Broken(_Rule):
    """Writes what does not parse."""

    name = "broken"

    def findings(self, file, settings):
        for call in self.calls(file, "f"):
            target = file.parents[call]
            yield self.finding(target, "break", Replace(target, "1"))


def test_nested_findings_are_made_round_after_round_outermost_first(tmp_path):
    result = rewrite(document("y = f(f(f(1) + g(f(2))))\n", tmp_path), [Unwrap()], Settings())
    assert result.document.text == "import math\n\ny = 1 + g(2)\n"
    assert [a.line for a in result.applied] == [1, 1, 1, 1]


class Within(_Rule):
    """Replaces a call, and what stands inside it once more."""

    name = "within"

    def findings(self, file, settings):
        for call in self.calls(file, "f"):
            yield self.finding(call, "twice", Replace(call, "g({v})", {"v": call.args[0]}), Replace(call.args[0], "0"))


def test_a_finding_whose_edits_overlap_is_refused(tmp_path):
    result = rewrite(document("y = f(1)\n", tmp_path), [Within()], Settings())
    assert result.document.text == "y = f(1)\n"
    assert [r.reason for r in result.refused] == ["its edits overlap"]


def test_one_round_leaves_what_overlaps(tmp_path):
    d = document("y = f(f(1))\nz = f(2)\n", tmp_path)
    from tsrefactor.facts.file import FileFacts

    findings = list(Unwrap().findings(FileFacts(d), Settings()))
    result, left = apply_findings(d, findings)
    assert result.document.text == "import math\n\ny = f(1)\nz = 2\n"
    assert [f.line for f in left] == [1]


def test_each_change_can_be_left_out(tmp_path):
    result = rewrite(document("y = f(1)\nz = f(2)\n", tmp_path), [Unwrap()], Settings())
    first = next(a for a in result.applied if a.line == 1)
    assert result.document.without([first.change]).text == "import math\n\ny = f(1)\nz = 2\n"


def test_findings_that_are_not_accepted_are_left(tmp_path):
    d = document("y = f(1)\nz = f(2)\n", tmp_path)
    result = rewrite(d, [Unwrap()], Settings(), accept=lambda finding: "2" in finding.message)
    assert result.document.text.endswith("y = f(1)\nz = 2\n")


def test_no_end_of_rounds_is_an_internal_error(tmp_path):
    with pytest.raises(InternalError, match="endless still finds something after 10 rounds"):
        rewrite(document("y = f(1)\n", tmp_path), [Endless()], Settings())


def test_text_that_does_not_parse_is_an_internal_error(tmp_path):
    d = document("f(1).x = 2\n", tmp_path)
    with pytest.raises(InternalError, match="broken made text that does not parse"):
        rewrite(d, [Broken()], Settings())


def test_an_edit_that_cannot_be_made_is_refused_with_its_reason(tmp_path):
    class AtStatement(Unwrap):
        """f(x) gets a pass before it."""

        name = "at-statement"

        def findings(self, file, settings):
            for call in self.calls(file, "f"):
                yield self.finding(call, "pass", InsertBefore(file.statement_of(call), "pass"))

    result = rewrite(document("def g():\n    a = 1; f(1)\n", tmp_path), [AtStatement()], Settings())
    assert result.document.text == "def g():\n    a = 1; f(1)\n"
    assert [(r.line, r.reason) for r in result.refused] == [(2, "several statements share line 2")]


def test_two_annotations_of_one_place_are_not_both_made(tmp_path):
    class Twice(_Rule):
        """Two findings, two return types."""

        name = "twice"

        def findings(self, file, settings):
            function = file.tree.body[0]
            if function.returns is None:
                yield self.finding(function, "int", AnnotateReturn(function, "int"))
                yield self.finding(function, "float", AnnotateReturn(function, "float"))

    result = rewrite(document("def f():\n    return 1\n", tmp_path), [Twice()], Settings())
    assert result.document.text == "def f() -> int:\n    return 1\n"
