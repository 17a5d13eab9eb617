import pytest

from tests.report.samples import report
from tsrefactor.errors import UserError
from tsrefactor.report.json import to_json
from tsrefactor.report.save import check_report_path, load_report, save_report


def test_the_ending_names_the_form(tmp_path):
    save_report(report(), tmp_path / "r.json")
    save_report(report(), tmp_path / "r.html")
    assert (tmp_path / "r.json").read_text() == to_json(report())
    assert (tmp_path / "r.html").read_text().startswith("<!DOCTYPE html>")
    assert to_json(load_report(tmp_path / "r.json")) == to_json(report())


def test_an_old_report_is_replaced(tmp_path):
    (tmp_path / "r.json").write_text("old")
    save_report(report(), tmp_path / "r.json")
    assert load_report(tmp_path / "r.json").torch == "2.13.0"
    assert [path.name for path in tmp_path.iterdir()] == ["r.json"]


def test_paths_that_are_refused_before_the_work(tmp_path):
    (tmp_path / "folder.json").mkdir()
    for name, message in (
        ("r.txt", "ends in .json or .html"),
        ("r", "ends in .json or .html"),
        ("folder.json", "is a folder"),
        ("none/r.json", "the folder does not exist"),
    ):
        with pytest.raises(UserError, match=message) as caught:
            check_report_path(tmp_path / name)
        assert caught.value.remedy
    assert not check_report_path(tmp_path / "new.html")


def test_a_report_that_is_not_there(tmp_path):
    with pytest.raises(UserError, match="no such report"):
        load_report(tmp_path / "r.json")
