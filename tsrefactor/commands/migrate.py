"""``tsrefactor migrate``: the whole loop over a zoo, and where its result goes.

The JSON report is written anew whenever something is settled, so that a batch that was interrupted or killed goes on
with ``--resume --report FILE``: cases that the report holds are not run again, and the diffs that it holds are what
the rest builds on. With ``--resume`` and no report yet, everything is run, and copies in a used ``--out`` are replaced.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console

from tsrefactor.config import Config, load
from tsrefactor.errors import UserError
from tsrefactor.migration.batch import Batch, CaseState, Watcher, migrate_all
from tsrefactor.migration.project import Options
from tsrefactor.report.model import CaseReport, RunReport
from tsrefactor.report.progress import CaseProgress
from tsrefactor.report.save import check_report_path, save_report
from tsrefactor.source.diff import unified
from tsrefactor.source.document import Document
from tsrefactor.source.walk import python_files
from tsrefactor.vocabulary import ContainerStyle, Placement, Target
from tsrefactor.workers.pool import Workers
from tsrefactor.workers.spec import parse_spec

from .casereports import case_report, torch_version
from .common import chosen_rules, shown
from .resume import Earlier, earlier_run
from .writing import NewText, Written, check_folder, write_copies, write_in_place

_SHARE = 0.05
"""How much of the time may go into saving the report on the way."""


@dataclass(frozen=True)
class MigrateFlags:
    """The flags of ``migrate``, as in the command reference."""

    target: Target | None = None
    src: Sequence[Path] = ()
    diff: bool = False
    out: Path | None = None
    jobs: int | None = None
    unsafe: bool = False
    report: Path | None = None
    resume: bool = False
    allow_dirty: bool = False
    placement: Placement | None = None
    container_style: ContainerStyle | None = None
    init: str | None = None
    inputs: Sequence[str] = ()


@dataclass
class Migration:
    """The outcome: the report, the changed files, what was written, and what went wrong when it was."""

    report: RunReport
    changes: list[NewText] = field(default_factory=list)
    written: Written = field(default_factory=Written)
    errors: list[UserError] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Whether every case passes, and every file that this takes was written."""
        return all(case.passed for case in self.report.cases) and not self.written.refused


def migrate(cases: str, flags: MigrateFlags, console: Console) -> Migration:
    """Migrates all cases, then writes the files (not with ``--diff``) and the report.

    Ctrl-C ends it early: what is settled by then is written and reported. ``console`` shows the progress. Raises
    UserError for what is wrong with the command line, the configuration or CASES, before anything is written.
    """
    config = load()
    _check(flags)
    spec = parse_spec(cases, flags.init, flags.inputs)
    options = _options(flags, config)
    jobs = flags.jobs or config.jobs
    resumes = flags.resume and flags.report is not None and flags.report.exists()
    earlier = earlier_run(flags.report) if resumes and flags.report else Earlier()
    with Workers(spec, jobs, config.import_timeout, console.print) as workers:
        names = workers.case_names()
        order = [name for name, _ in names]
        saver = _Saver(flags, config, order, earlier)
        todo = [(name, own) for name, own in names if name not in earlier.cases]
        if not todo:
            batch = Batch([], start=earlier.draft)
        else:
            with CaseProgress(len(todo), console) as progress:
                batch = migrate_all(workers, todo, options, jobs, _Watcher(progress, saver), earlier.draft)
    result = Migration(saver.report(batch), [(d.source, d.text) for d in batch.documents.values()], errors=saver.errors)
    _write(result, batch, flags)
    if flags.report is not None:
        _guarded(lambda: save_report(result.report, flags.report), result.errors)  # type: ignore[arg-type]
    return result


class _Watcher(Watcher):
    """Shows how the batch goes on, and saves what is settled."""

    def __init__(self, progress: CaseProgress, saver: _Saver):
        self._progress, self._saver = progress, saver

    def looked(self, case: CaseState) -> None:
        self._progress.looked(case.needs_work)

    def worked(self, case: CaseState) -> None:
        self._progress.worked()

    def done(self, case: CaseState) -> None:
        self._progress.done(case.status)

    def settled(self, batch: Batch) -> None:
        self._saver.settled(batch)


def _check(flags: MigrateFlags) -> None:
    """Raises UserError for flags that cannot stand together, and for places that cannot be written."""
    if flags.diff and flags.out is not None:
        raise UserError("--diff writes nothing, --out writes copies", "give one of them")
    if flags.report is not None:
        check_report_path(flags.report)
    if flags.out is not None:
        check_folder(flags.out, flags.resume)
    if flags.resume and flags.report is not None and flags.report.suffix != ".json":
        raise UserError("--resume goes on from a report in JSON", "name the report FILE.json", flags.report)
    if flags.resume and flags.report is None and flags.out is None:
        raise UserError("--resume goes on from a report", "give --report FILE.json, as in the first run")


def _options(flags: MigrateFlags, config: Config) -> Options:
    unsafe = flags.unsafe or config.unsafe
    folders = list(flags.src) or config.source_paths
    for folder in folders:
        if not folder.exists():
            raise UserError("no such file or folder", "check --src, or `src` in the configuration", folder)
    excluded = set(python_files(folders)) - set(python_files(folders, config.exclude)) if config.exclude else set()
    return Options(
        rules=chosen_rules((), config, unsafe),
        source=tuple(folder.absolute() for folder in folders),
        target=flags.target,
        default_target=config.target,
        placement=flags.placement or config.placement,
        container_style=flags.container_style or config.container_style,
        unsafe=unsafe,
        seconds=config.timeout,
        memory_gib=config.memory,
        exclude=frozenset(str(file) for file in excluded),
    )


class _Saver:
    """Makes the report of what is finished, and keeps it in the file of ``--report`` on the way."""

    def __init__(self, flags: MigrateFlags, config: Config, order: Sequence[str], earlier: Earlier):
        self._file, self._order, self._earlier = flags.report, order, earlier
        self._target = flags.target or config.target
        self._next_save = 0.0
        self._diffs: dict[str, tuple[Document, str]] = {}
        self.errors: list[UserError] = []

    def report(self, batch: Batch) -> RunReport:
        """The report, the cases of the earlier run included, in the order of CASES."""
        documents = batch.documents
        known = {name: case for name, case in self._earlier.cases.items() if name in self._order}
        known |= {case.name: case_report(case, documents) for case in batch.cases}
        ordered = [known[name] for name in self._order if name in known]
        diffs = dict(self._earlier.in_place)
        diffs |= {shown(path): self._diff(path, document) for path, document in sorted(documents.items())}
        return RunReport(torch_version(), self._target, ordered, diffs, batch.interrupted)

    def settled(self, batch: Batch) -> None:
        """Saves the report, unless a large one was saved a moment ago."""
        began = time.monotonic()
        if self._file is not None and began >= self._next_save and not self.errors:
            report, file = self.report(batch), self._file
            report.interrupted = len(report.cases) < len(self._order)
            _guarded(lambda: save_report(report, file), self.errors)
            ended = time.monotonic()
            self._next_save = ended + (ended - began) / _SHARE

    def _diff(self, path: str, document: Document) -> str:
        if path not in self._diffs or self._diffs[path][0] is not document:
            diff = unified(document.source, document.text, shown(path))
            self._diffs[path] = document, diff.decode("utf-8", "surrogateescape")
        return self._diffs[path][1]


def _write(result: Migration, batch: Batch, flags: MigrateFlags) -> None:
    """Puts the new text where the flags say; an in-place group of files is written whole or not at all."""
    if flags.diff:
        return
    if flags.out is not None:
        folder, changes = flags.out, result.changes
        _guarded(lambda: result.written.files.extend(write_copies(folder, changes)), result.errors)
        return
    groups = [[change for change in result.changes if str(change[0].path) in paths] for paths in _components(batch)]
    try:
        result.written = write_in_place(groups, flags.allow_dirty)
    except UserError as error:
        result.errors.append(error)
        return
    refused = {shown(path) for path in result.written.refused_files}
    for case in result.report.cases:
        _note_refused(case, refused)


def _components(batch: Batch) -> list[set[str]]:
    """The changed files, those together that one group of cases needs together."""
    found: list[set[str]] = []
    for paths in [{a.file for a in group.draft.applied} for group in batch.groups if group.settled]:
        touching = [other for other in found if other & paths]
        found = [other for other in found if other not in touching] + [paths.union(*touching)]
    together = set().union(*found) if found else set()
    return [paths for paths in found if paths] + [{path} for path in batch.documents if path not in together]


def _note_refused(case: CaseReport, refused: set[str]) -> None:
    missing: Iterable[str] = sorted({edit.file for edit in case.edits} & refused)
    for file in missing:
        case.notes.append(f"{file} was not written, so on disk this case is as it was")


def _guarded(step: Callable[[], object], errors: list[UserError]) -> None:
    """Runs a step whose failure must not lose the results of the run: it is told at the end."""
    try:
        step()
    except UserError as error:
        errors.append(error)
