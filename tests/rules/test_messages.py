"""What a finding tells: what is wrong, and, where it can be mended, what will be written."""

import ast

import pytest

from tsrefactor.facts.file import FileFacts
from tsrefactor.rules import all_rules
from tsrefactor.rules.base import _LONG, preview
from tsrefactor.source.document import Document
from tsrefactor.source.edits import Piece
from tsrefactor.source.file import SourceFile

STATIC = [rule for rule in all_rules() if not rule.needs_diagnosis]


@pytest.mark.parametrize("rule", STATIC, ids=lambda rule: rule.name)
def test_a_fixable_finding_names_the_mend(rule, tmp_path):
    path = tmp_path / "m.py"
    told = []
    for example in rule.examples:
        path.write_text(example.before)
        told += [
            f.message for f in rule.findings(FileFacts(Document(SourceFile.read(path))), example.settings) if f.fixable
        ]
    for message in told:
        problem, _, mend = message.partition("; ")
        assert problem and "`" in mend, message


def test_a_preview_is_one_line_of_what_is_written():
    call, statement = ast.parse("f(a,\n  b)", mode="eval").body, ast.parse("x = 1").body
    assert preview("if {t}:\n    {{y}} = {v}", {"t": "c", "v": call}) == "if c:; {y} = f(a, b)"
    assert preview("{v}.{w}()", {"v": ast.parse("x > 0", mode="eval").body, "w": "sum"}) == "(x > 0).sum()"
    assert preview("{v} // 2, f({v})", {"v": call}) == "f(a, b) // 2, f(f(a, b))"
    assert preview("{v} // 2", {"v": ast.parse("n - k", mode="eval").body}) == "(n - k) // 2"
    assert preview("{v}{w}", {"v": Piece(call, {}), "w": statement}) == "f(a, b)…"
    assert preview("x" * (_LONG + 1), {}) == "x" * (_LONG - 1) + "…"
