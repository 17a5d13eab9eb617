"""What tells one failure from the next in the same line."""

import pytest

from tests.rules.texts import source
from tsrefactor.facts.diagnosis import Diagnosis, Place
from tsrefactor.migration.project import Draft
from tsrefactor.migration.signature import signature
from tsrefactor.source.document import Change, Document, Splice
from tsrefactor.verification.results import Examination

LINE = "y = clamp(LOW, HIGH)"


@pytest.mark.parametrize(("told", "text"), [("LOW", "LOW"), ("HIGH", "HIGH"), ("self.LOW", ""), ("self", "")])
def test_the_text_it_points_at_is_the_authors(tmp_path, told, text):
    file = source(tmp_path / "m.py", f"{LINE}\n")
    document = Document(file)
    if told.startswith("self"):
        start = LINE.index("LOW")
        document = document.apply([Change(1, (Splice(start, start + 3, "self.LOW"),))])
    start = document.text.index(told)
    place = Place(str(file.path), 1, start, start + len(told))
    found = signature(Examination({}, Diagnosis("kind", "a value", place=place)), Draft({str(file.path): document}))
    assert found == ("kind", "a value", str(file.path), 1, text)


def test_a_line_that_the_file_does_not_have(tmp_path):
    file = source(tmp_path / "m.py", f"{LINE}\n")
    place = Place(str(file.path), 40, 4, 9)
    found = signature(
        Examination({}, Diagnosis("kind", "a value", place=place)), Draft({str(file.path): Document(file)})
    )
    assert found[-1] == ""
