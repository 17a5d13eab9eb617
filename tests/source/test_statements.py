"""What splices make of the statements that they touch."""

import pytest

from tsrefactor.errors import UserError
from tsrefactor.source.document import Splice
from tsrefactor.source.file import SourceFile
from tsrefactor.source.statements import check_splices


def test_splices_of_neighbours_are_parsed_together(tmp_path):
    path = tmp_path / "m.py"
    path.write_text("a = (1)\nb = 2\n", encoding="utf-8")
    file = SourceFile.read(path)
    opens, closes = Splice(4, 5, "["), Splice(6, 8, "]\n")  # the second touches both statements
    check_splices(file, [opens, closes])
    with pytest.raises(UserError):
        check_splices(file, [opens])
