"""What verify asks of the workers, and what it makes of the answers."""

from dataclasses import replace
from pathlib import Path

import pytest

from tsrefactor.commands.verify import _examined
from tsrefactor.facts.observations import Observations
from tsrefactor.migration.batch import CaseState
from tsrefactor.migration.project import Options
from tsrefactor.report.progress import CaseProgress
from tsrefactor.report.terminal import stderr_console
from tsrefactor.verification.results import Examination
from tsrefactor.vocabulary import Outcome, Status, Target, Verdict
from tsrefactor.workers.task import Result

LATE = Result(failure="timeout", message="no end within 3 s", file="net.py", line=7)
PASSED = Result(Examination({"script": Verdict(Outcome.PASS)}, passed_as="script"))


def verified(*answers: Result) -> tuple[CaseState, list[tuple[str, bool]]]:
    """The case after these answers, and what was asked for each: the function, and whether thoroughly."""
    case, asked = CaseState("net", Target.SCRIPT), []
    with CaseProgress(1, stderr_console()) as progress:
        work = _examined(case, Options((), (Path(),)), progress, set())
        [task] = next(work)
        for answer in answers:
            asked.append((task.function.rpartition(":")[2], task.arguments.get("thorough", False)))
            try:
                [task] = work.send([answer])
            except StopIteration:
                break
    assert len(asked) == len(answers)
    return case, asked


def test_what_does_not_end_in_eager_is_an_error():
    case, asked = verified(LATE, LATE)
    assert asked == [("examine_in_steps", True), ("observe", False)]
    assert (case.status, case.error) == (Status.ERROR, "net.py:7: no end within 3 s")
    assert case.before.verdicts == {"script": Verdict(Outcome.TIMEOUT, "no end within 3 s", "net.py", 7)}


def test_a_thorough_examination_without_end_leaves_the_cases_own_inputs():
    case, asked = verified(replace(LATE, value=PASSED.value))
    assert asked == [("examine_in_steps", True)]
    assert case.status is Status.ALREADY
    [note] = case.notes
    assert note.startswith("only its own inputs were compared; ")


@pytest.mark.parametrize("failure", ["crash", "error"])
def test_a_compiler_that_ends_the_process_is_a_failure(failure):
    case, asked = verified(Result(failure=failure, message="SIGSEGV"), Result(Observations()))
    assert asked == [("examine_in_steps", True), ("observe", False)]
    assert (case.status, case.notes) == (Status.FAILED, [])
    assert case.before.verdicts["script"].outcome is Outcome.CRASH


def test_what_passes_is_asked_once():
    case, asked = verified(PASSED)
    assert (case.status, asked) == (Status.ALREADY, [("examine_in_steps", True)])
