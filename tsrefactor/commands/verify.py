"""``tsrefactor verify``: the verdict on every case as it stands."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from tsrefactor.config import Config, load
from tsrefactor.migration.batch import CaseState, run_eager
from tsrefactor.migration.case import as_examination, case_task, unfinished
from tsrefactor.migration.project import Draft, Options
from tsrefactor.migration.schedule import Work, run_all
from tsrefactor.report.model import RunReport
from tsrefactor.report.progress import CaseProgress
from tsrefactor.report.save import check_report_path, save_report
from tsrefactor.vocabulary import Target
from tsrefactor.workers.pool import Workers
from tsrefactor.workers.spec import parse_spec

from .casereports import case_report, torch_version


def verify(
    cases: str, target: Target | None, init: str | None, inputs: Sequence[str], jobs: int | None, report: Path | None,
    console: Console,
) -> RunReport:  # fmt: skip
    """Examines every case thoroughly. Ctrl-C ends it early, with the cases finished so far.

    ``console`` shows the progress. Raises UserError for a bad CASES, and for a report that cannot be written.
    """
    config = load()
    if report is not None:
        check_report_path(report)
    spec = parse_spec(cases, init, inputs)
    options = _options(config, target)
    jobs = jobs or config.jobs
    result = RunReport(torch_version(), target or config.target)
    with Workers(spec, jobs, config.import_timeout, console.print) as workers:
        states = [CaseState(name, options.target_of(own)) for name, own in workers.case_names()]
        done: set[str] = set()
        with CaseProgress(len(states), console) as progress:
            try:
                run_all(workers, [_examined(state, options, progress, done) for state in states], jobs)
            except KeyboardInterrupt:
                result.interrupted = True
    result.cases = [case_report(state, {}) for state in states if state.name in done]
    if report is not None:
        save_report(result, report)
    return result


def _options(config: Config, target: Target | None) -> Options:
    source = tuple(config.source_paths)
    return Options((), source, target, config.target, seconds=config.timeout, memory_gib=config.memory)


def _examined(state: CaseState, options: Options, progress: CaseProgress, done: set[str]) -> Work[None]:
    began = time.monotonic()
    [result] = yield [case_task(options, state.name, state.target, Draft(), True)]
    if result.value is None:
        yield from run_eager(state, options)  # eager may have ended the process as well
    state.before = as_examination(result, state.target)
    state.notes += [*state.before.notes, *unfinished(result)]
    state.seconds = time.monotonic() - began
    done.add(state.name)
    progress.done(state.status)
