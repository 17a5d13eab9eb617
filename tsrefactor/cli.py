"""The command line: flags, streams and exit codes. What the commands do is in `tsrefactor.commands`.

Nothing but typer is imported before a command runs, so that ``--help`` answers at once.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable, Sequence
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar

import typer
from typer.core import TyperGroup

from . import __version__
from .errors import UserError, allowed
from .vocabulary import ContainerStyle, Placement, Target

# Click's UsageError. Releases of typer import click from different places; this finds it in all of them.
_UsageError: type[Any] = next(cls for cls in typer.BadParameter.__mro__ if cls.__name__ == "UsageError")
Word = TypeVar("Word", bound=Enum)


class _Commands(TyperGroup):
    """The commands; a command line that cannot be read is told as any other error."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        try:
            result = super().main(args, prog_name, complete_var, False, windows_expand_args, **extra)
        except _UsageError as error:
            if not standalone_mode:
                raise
            message = error.format_message()
            if "\n" in message:  # the help, where nothing was asked for
                error.show()
            else:
                command = error.ctx.command_path if error.ctx else "tsrefactor"
                remedy = "" if message.endswith("?") else f"; see `{command} --help`"
                print(f"error: {message[:1].lower()}{message[1:].rstrip('.')}{remedy}", file=sys.stderr)
            result = error.exit_code
        if standalone_mode:
            sys.exit(result)
        return result


app = typer.Typer(
    name="tsrefactor",
    cls=_Commands,
    help="Rewrites PyTorch model source so that it works under TorchScript, and proves every rewrite.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _choices(words: type[Enum]) -> str:
    return f"[{'|'.join(word.value for word in words)}]"


Paths = Annotated[
    list[Path] | None,
    typer.Argument(metavar="[PATH]...", help="Files and folders; the configured src, else the current folder."),
]
Cases = Annotated[
    str,
    typer.Argument(metavar="CASES", help="FILE.py, FILE.py::NAME, package.module:Class, FILE.py:Class or a recording."),
]
TargetFlag = Annotated[
    str | None,
    typer.Option(
        "--target",
        metavar=_choices(Target),
        help="What the source must work under; for verify and migrate, script.",
    ),
]
Rules = Annotated[list[str] | None, typer.Option("--rule", metavar="NAME", help="A rule to use; may be repeated.")]
Unsafe = Annotated[bool, typer.Option("--unsafe", help="Apply unsafe edits, too.")]
AllowDirty = Annotated[bool, typer.Option("--allow-dirty", help="Rewrite files with uncommitted changes, too.")]
PlacementFlag = Annotated[
    str | None,
    typer.Option("--placement", metavar=_choices(Placement), help="Where soft-refactor puts its function."),
]
StyleFlag = Annotated[
    str | None,
    typer.Option("--container-style", metavar=_choices(ContainerStyle), help="How an empty container gets its type."),
]
Jobs = Annotated[str | None, typer.Option("--jobs", metavar="N", help="Cases at a time; all cores by default.")]
Report = Annotated[
    Path | None,
    typer.Option("--report", metavar="FILE", help="Save the report, in the form of the ending: .json, .html."),
]
Init = Annotated[
    str | None, typer.Option("--init", metavar="ARGS", help="Constructor arguments of a Class, as in 'width=4'.")
]
InputFlag = Annotated[
    list[str] | None,
    typer.Option(
        "--input", metavar="SHAPE", help="One argument of forward, as in 1,3,64,64 or int64:1,16; repeatable."
    ),
]


def main() -> None:
    """The console script. Leaves with the exit code of the command table."""
    gc.set_threshold(200_000)  # trees of many nodes, few of them garbage: collecting often costs a fifth of the time
    app()


def _word(option: str, given: str | None, words: type[Word]) -> Word | None:
    """The word that an option was given. Raises UserError, with the nearest one, for what is none."""
    known = {word.value: word for word in words}
    if given is not None and given not in known:
        raise UserError(f"{option} {given!r} is not known", allowed(given, known))
    return None if given is None else known[given]


def _number(option: str, given: str | None) -> int | None:
    """The number of an option that counts something. Raises UserError for anything else."""
    if given is None:
        return None
    if not given.isdecimal() or int(given) < 1:
        raise UserError(f"{option} {given} is no number of 1 or more", f"write it as in {option} 4")
    return int(given)


def _leave(work: Callable[[], int]) -> NoReturn:
    """Does a command's work and ends with its exit code; an error of the user's is one line and exit code 2."""
    try:
        code = work()
        sys.stdout.flush()
    except UserError as error:
        from .commands.common import print_error

        print_error(error)
        code = 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        code = 130
    except BrokenPipeError:  # whoever read the output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    raise typer.Exit(code)


def _version(wanted: bool) -> None:
    if wanted:
        print(__version__)
        raise typer.Exit()


@app.callback()
def _tsrefactor(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and leave.")
    ] = False,
) -> None:
    pass


@app.command()
def check(paths: Paths = None, target: TargetFlag = None, rule: Rules = None) -> None:
    """Show findings, change nothing. Exit code 1 with findings."""

    def work() -> int:
        from .commands import check as command

        return command.check(paths or [], _word("--target", target, Target), rule or [])

    _leave(work)


@app.command()
def apply(
    paths: Paths = None,
    rule: Rules = None,
    diff: Annotated[bool, typer.Option("--diff", help="Print a diff, write nothing.")] = False,
    cases: Annotated[
        str | None, typer.Option("--cases", metavar="CASES", help="Prove every edit with these cases.")
    ] = None,
    recording: Annotated[
        Path | None, typer.Option("--recording", metavar="FILE", help="Use the types that a recording saw.")
    ] = None,
    unsafe: Unsafe = False,
    require_verified: Annotated[
        bool, typer.Option("--require-verified", help="Keep only edits that a passing case ran.")
    ] = False,
    allow_dirty: AllowDirty = False,
    placement: PlacementFlag = None,
    container_style: StyleFlag = None,
) -> None:
    """Apply rules to files, in place or as a diff. Exit code 1 with --diff for a diff, else for what was refused."""

    def work() -> int:
        from .commands import apply as command

        flags = command.ApplyFlags(
            rule or [], diff, cases, recording, unsafe, require_verified, allow_dirty,
            _word("--placement", placement, Placement), _word("--container-style", container_style, ContainerStyle),
        )  # fmt: skip
        return command.apply(paths or [], flags)

    _leave(work)


@app.command()
def verify(
    cases: Cases,
    target: TargetFlag = None,
    init: Init = None,
    input: InputFlag = None,
    jobs: Jobs = None,
    report: Report = None,
) -> None:
    """Show the verdict on every case, change nothing. Exit code 0 when all pass."""

    def work() -> int:
        from .commands import verify as command
        from .report.terminal import print_verdicts, stderr_console

        wanted, at_once = _word("--target", target, Target), _number("--jobs", jobs)
        result = command.verify(cases, wanted, init, input or [], at_once, report, stderr_console())
        print_verdicts(result, stderr_console(sys.stdout))
        return 130 if result.interrupted else 0 if all(case.passed for case in result.cases) else 1

    _leave(work)


@app.command()
def migrate(
    cases: Cases,
    target: TargetFlag = None,
    src: Annotated[
        list[Path] | None, typer.Option("--src", metavar="PATH", help="What may be rewritten; may be repeated.")
    ] = None,
    diff: Annotated[bool, typer.Option("--diff", help="Print a diff, write nothing.")] = False,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Write changed files below DIR, leave the originals.")
    ] = None,
    jobs: Jobs = None,
    unsafe: Unsafe = False,
    report: Report = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from --report FILE.json: its cases are not run again.")
    ] = False,
    allow_dirty: AllowDirty = False,
    placement: PlacementFlag = None,
    container_style: StyleFlag = None,
    init: Init = None,
    input: InputFlag = None,
) -> None:
    """Rewrite the models of CASES until they pass, and prove it. Exit code 0 when every case passes afterwards."""

    def work() -> int:
        from .commands import migrate as command
        from .commands.common import print_error
        from .commands.writing import print_diff, print_refused, print_written
        from .report.terminal import print_migration, stderr_console

        flags = command.MigrateFlags(
            _word("--target", target, Target), src or [], diff, out, _number("--jobs", jobs), unsafe, report, resume,
            allow_dirty, _word("--placement", placement, Placement),
            _word("--container-style", container_style, ContainerStyle), init, input or [],
        )  # fmt: skip
        result = command.migrate(cases, flags, stderr_console())
        print_migration(result.report, stderr_console() if diff else stderr_console(sys.stdout))
        print_written(result.written)
        print_refused(result.written, result.changes)
        if diff:
            result.errors += print_diff(result.changes)
        for error in result.errors:
            print_error(error)
        if result.report.interrupted:
            return 130
        return 2 if result.errors else 0 if result.passed else 1

    _leave(work)


@app.command()
def scaffold_tests(
    cases: Cases,
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE", help="The test file to write.")],
    target: TargetFlag = None,
    init: Init = None,
    input: InputFlag = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that exists.")] = False,
) -> None:
    """Write a pytest file that checks every case as your own test."""

    def work() -> int:
        from .commands import scaffold_tests as command

        return command.scaffold_tests(cases, output, _word("--target", target, Target), init, input or [], force)

    _leave(work)


@app.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
def record(
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE", help="Where the recording goes.")],
    command: Annotated[
        list[str], typer.Argument(metavar="[--] COMMAND...", help="A Python program, as a shell runs it.")
    ],
) -> None:
    """Run a command under observation. Leaves with the command's own exit code."""

    def work() -> int:
        from .commands import record as recording

        return recording.record(output, command)

    _leave(work)


@app.command()
def rules(name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="The rule to explain.")] = None) -> None:
    """List the rules, or explain one."""

    def work() -> int:
        from .commands import rules as command

        return command.rules(name)

    _leave(work)


@app.command()
def undo(
    run: Annotated[str | None, typer.Argument(metavar="[RUN]", help="The run; the latest by default.")] = None,
) -> None:
    """Take an in-place run back."""

    def work() -> int:
        from .commands import undo as command

        return command.undo(run)

    _leave(work)
