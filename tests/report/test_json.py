import json

import pytest

from tests.report.samples import report
from tsrefactor.errors import UserError
from tsrefactor.report.json import from_json, to_json
from tsrefactor.report.model import CaseReport, RunReport
from tsrefactor.vocabulary import Status, Target


def test_the_promised_form():
    data = json.loads(to_json(report()))
    assert (data["version"], data["torch"], data["target"]) == (1, "2.13.0", "script")
    summary = {"cases": 5, "already": 1, "migrated": 1, "partial": 1, "failed": 1, "error": 1}
    assert data["summary"] == summary
    assert [case["status"] for case in data["cases"]] == ["already", "migrated", "partial", "failed", "error"]
    assert all(set(case["before"]) == set(case["after"]) == {"script", "trace", "reload"} for case in data["cases"])
    unet = data["cases"][1]
    assert unet["before"]["script"] == {
        "verdict": "compile-error",
        "message": "Expected a value of type 'Tensor'\nbut got <'int'> & more [bold]x[/bold]",
        "file": "models/deep/net.py",
        "line": 1234,
        "input": "input 1",
    }
    assert unet["before"]["reload"] is None
    assert unet["edits"][1] == {
        "rule": "super-call",
        "file": "models/unet.py",
        "line": 40,
        "verified": False,
        "caveat": "the scripted path has no custom gradient",
    }
    assert unet["edits"][0]["caveat"] is None
    assert (unet["passed_as"], unet["lines_changed"], unet["rounds"], unet["seconds"]) == ("script", 4, 2, 1.5)
    assert data["cases"][2]["raises_at"][0] == {"file": "models/exit.py", "line": 8}
    assert data["cases"][3]["passed_as"] is None
    assert data["cases"][4]["error"].startswith("zoo.py:3")


def test_round_trip():
    text = to_json(report())
    again = from_json(text, "r.json")
    assert to_json(again) == text
    assert again.cases[1].edits == report().cases[1].edits
    assert again.cases[3].failure() == report().cases[3].failure()
    assert again.diffs == report().diffs


def test_an_empty_and_an_interrupted_run():
    empty = RunReport("2.13.0", Target.ANY, interrupted=True)
    assert json.loads(to_json(empty))["summary"] == dict.fromkeys(
        ["cases", "already", "migrated", "partial", "failed", "error"], 0
    )
    assert from_json(to_json(empty), "r.json") == empty


def test_what_models_print_survives():
    case = CaseReport("é\udce9\x1b", Status.ERROR, error="\ud800 \0")
    text = to_json(RunReport("2.13.0", Target.SCRIPT, [case]))
    again = from_json(text.encode(), "r.json").cases[0]
    assert (again.name, again.error) == (case.name, case.error)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is not a report"),
        ("[1]", "is not a report"),
        ("{}", "is not a report"),
        (b"\xff", "is not a report"),
        ('{"version": 2}', "is a report of version 2"),
        ('{"version": 1}', "is a damaged report: KeyError 'cases'"),
        (to_json(report()).replace('"failed",', '"lost",'), "is a damaged report: ValueError 'lost'"),
        (to_json(report()).replace('"rule"', '"role"'), "is a damaged report: TypeError"),
    ],
)
def test_other_files_are_refused(text, message):
    with pytest.raises(UserError, match=message) as caught:
        from_json(text, "r.json")
    assert caught.value.file == "r.json"
