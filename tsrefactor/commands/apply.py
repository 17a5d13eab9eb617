"""``tsrefactor apply``: the edits of chosen rules, from static facts, a recording or the runs of cases."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tsrefactor.config import Config, load
from tsrefactor.errors import UserError
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.observations import Observations
from tsrefactor.rewrite import Applied, InternalError, Refused, find, rewrite
from tsrefactor.rules import Finding, Rule, Settings
from tsrefactor.source.document import Document
from tsrefactor.source.file import SourceFile
from tsrefactor.vocabulary import ContainerStyle, Placement, Safety, Target

from .common import chosen_files, chosen_rules, defect, print_error, settings_for, shown
from .writing import print_diff, print_refused, write_in_place

if TYPE_CHECKING:
    from tsrefactor.migration.applying import Application


@dataclass(frozen=True)
class ApplyFlags:
    """The flags of ``apply``, as in the command reference."""

    rules: Sequence[str] = ()
    diff: bool = False
    cases: str | None = None
    recording: Path | None = None
    unsafe: bool = False
    require_verified: bool = False
    allow_dirty: bool = False
    placement: Placement | None = None
    container_style: ContainerStyle | None = None


@dataclass
class Rewritten:
    """New documents, what was and was not done in them, and the errors of files that were left alone.

    ``unsafe`` counts findings that only ``--unsafe`` would apply.
    """

    documents: list[Document] = field(default_factory=list)
    applied: list[Applied] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    errors: list[Exception] = field(default_factory=list)
    unsafe: int = 0
    application: Application | None = None

    @property
    def changes(self) -> list[tuple[SourceFile, str]]:
        return [(document.source, document.text) for document in self.documents if document.changed]


def apply(paths: Sequence[Path], flags: ApplyFlags) -> int:
    """Rewrites, or with ``--diff`` shows it; gives the exit code of the command table. Raises UserError."""
    if flags.require_verified and flags.cases is None:
        raise UserError("--require-verified needs cases that verify", "give --cases CASES")
    config = load()
    unsafe = flags.unsafe or config.unsafe
    rules = chosen_rules(flags.rules, config, unsafe)
    named = rules if flags.rules else ()
    settings = settings_for(config, None, named, flags.placement, flags.container_style, unsafe)
    files, errors = chosen_files(paths, config)
    recorded = _recorded(flags.recording) if flags.recording else None
    if flags.cases is None:
        result = _from_facts(files, rules, settings, recorded, unsafe)
    else:
        result = _with_cases(files, paths, rules, settings, recorded, unsafe, config, flags)
    result.errors = [*errors, *result.errors]
    return _finish(result, flags)


def _from_facts(
    files: Sequence[Path], rules: Sequence[Rule], settings: Settings, recorded: Observations | None, unsafe: bool
) -> Rewritten:
    def accepts(finding: Finding) -> bool:
        return unsafe or (finding.safety is Safety.SAFE and not finding.presumed)

    result = Rewritten()
    for file in files:
        try:
            document = Document(SourceFile.read(file))
            _ = document.source.tree
            if "torch" not in document.text:
                continue
            made = rewrite(document, rules, settings, recorded, accept=accepts)
            if made.document.changed:
                again = rewrite(Document(made.document.current), rules, settings, accept=accepts)
                if again.document.changed:
                    names = ", ".join(sorted({a.finding.rule for a in again.applied}))
                    raise InternalError(f"{shown(file)}: {names} would change its own result again")
            left = [f for f in find(rules, FileFacts(made.document, recorded), settings) if f.fixable]
        except (UserError, InternalError) as error:
            result.errors.append(error)
        except Exception as error:  # a rule's defect in one file must not stop the work on the others
            result.errors.append(defect(file, error))
        else:
            result.documents.append(made.document)
            result.applied += made.applied
            result.refused += made.refused
            result.unsafe += sum(not accepts(finding) for finding in left)
    return result


def _with_cases(
    files: Sequence[Path], paths: Sequence[Path], rules: Sequence[Rule], settings: Settings,
    recorded: Observations | None, unsafe: bool, config: Config, flags: ApplyFlags,
) -> Rewritten:  # fmt: skip
    from tsrefactor.migration.applying import apply_with_cases
    from tsrefactor.migration.project import Options
    from tsrefactor.report.terminal import stderr_console
    from tsrefactor.workers.pool import Workers
    from tsrefactor.workers.spec import parse_spec

    serves_script = any(Target.SCRIPT in rule.targets for rule in rules)
    source = tuple({path.absolute() for path in (*paths, *config.source_paths)})
    options = Options(
        rules=rules,
        source=source,
        default_target=config.target if serves_script else Target.TRACE,
        unsafe=unsafe,
        seconds=config.timeout,
        memory_gib=config.memory,
    )
    spec, tell = parse_spec(str(flags.cases)), stderr_console().print
    with Workers(spec, config.jobs, config.import_timeout, tell) as workers:
        names = workers.case_names()
        application = apply_with_cases(
            workers, names, files, options, settings, config.jobs, recorded, flags.require_verified
        )
    documents = list(application.draft.documents.values())
    return Rewritten(
        documents, application.draft.applied, application.refused, application.errors, application=application
    )


def _recorded(file: Path) -> Observations:
    """What a recording says of the files as they are now."""
    from tsrefactor.record.recording import load as load_recording
    from tsrefactor.record.recording import stale

    observations, gone = stale(load_recording(file).observations)
    if gone:
        names = ", ".join(f"{shown(path)}: {name}" for path, name in gone[:3])
        more = f" and {len(gone) - 3} more" if len(gone) > 3 else ""
        print(f"changed since the recording, so without its facts: {names}{more}", file=sys.stderr)
    return observations


def _finish(result: Rewritten, flags: ApplyFlags) -> int:
    """Writes or prints the result, tells what a reviewer must know, and gives the exit code."""
    changes = result.changes
    done = "would be made"
    refused = False
    if flags.diff:
        left_out = print_diff(changes)
        result.errors += left_out
        changes = [change for change in changes if change[0].path not in {error.file for error in left_out}]
    else:
        written = write_in_place([[change] for change in changes], flags.allow_dirty)
        print_refused(written, changes)
        refused = bool(written.refused)
        changes = [change for change in changes if change[0].path in written.files]
        done = f"made (run {written.run.id}; `tsrefactor undo` takes it back)" if written.run else "made"
    _print_remarks(result)
    at = {str(old.path) for old, _ in changes}
    edits = sum(applied.file in at for applied in result.applied)
    print(f"{_counted(edits, 'edit')} in {_counted(len(changes), 'file')} {done}", file=sys.stderr)
    if result.unsafe:
        print(f"{_counted(result.unsafe, 'unsafe finding')} left, see --unsafe and --cases", file=sys.stderr)
    failed = _print_cases(result)
    for error in result.errors:
        print_error(error)
    if result.errors or failed:
        return 2
    if flags.diff:
        return 1 if changes else 0
    return 1 if refused or (result.application and result.application.backed_out) else 0


def _print_remarks(result: Rewritten) -> None:
    """Caveats of what was done, and why something was not."""
    for applied in result.applied:
        if applied.finding.caveat:
            place = f"{shown(applied.file)}:{applied.line}"
            print(f"caveat: {place}: {applied.finding.rule}: {applied.finding.caveat}", file=sys.stderr)
    for refused in result.refused:
        print(f"skipped: {shown(refused.file)}:{refused.line}: {refused.finding.rule}: {refused.reason}",
              file=sys.stderr)  # fmt: skip


def _print_cases(result: Rewritten) -> bool:
    """What the cases said; whether one of them could not be run."""
    application = result.application
    if application is None:
        return False
    from .casereports import case_error

    for out in application.backed_out:
        place = f"{shown(out.change.file)}:{out.change.line}"
        print(f"backed out: {place}: {out.change.finding.rule}: {out.reason}", file=sys.stderr)
    for applied in application.draft.applied:
        if not application.verified(applied):
            place = f"{shown(applied.file)}:{applied.line}"
            print(f"not verified: {place}: {applied.finding.rule}: no passing case runs it", file=sys.stderr)
    for name in application.unstable:
        print(f"note: {name} is not the same in two runs, so it proves nothing", file=sys.stderr)
    failed = [(case.name, error) for case in application.cases if (error := case_error(case))]
    for name, error in failed:
        print(f"error: case {name} does not run: {error}", file=sys.stderr)
    return bool(failed)


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
