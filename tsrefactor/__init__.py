"""tsrefactor rewrites PyTorch model source so that it works under TorchScript, and proves every rewrite.

CASES files import this module, in every worker process, so it loads nothing but the two classes they need.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from .cases import Inputs, ModelCase

if TYPE_CHECKING:
    import os

    from .report.model import RunReport

__version__ = "0.1.0"
__all__ = ["Inputs", "ModelCase", "__version__", "migrate", "verify"]


def verify(
    cases: str | os.PathLike[str],
    *,
    target: Literal["script", "trace", "any"] | None = None,
    jobs: int | None = None,
    report: str | os.PathLike[str] | None = None,
    init: str | None = None,
    input: Sequence[str] = (),
) -> RunReport:
    """``tsrefactor verify``: examines every case of CASES as it stands, each verdict under ``before`` and ``after``.

    Arguments are the flags of the command, and left out they mean the same. Ctrl-C ends it early with a report that
    says ``interrupted``. Raises `tsrefactor.errors.UserError`.
    """
    import os
    from pathlib import Path

    from .commands import verify as command
    from .report.terminal import stderr_console
    from .vocabulary import Target

    return command.verify(
        os.fspath(cases), Target(target) if target else None, init, input, jobs, Path(report) if report else None,
        stderr_console(),
    )  # fmt: skip


def migrate(
    cases: str | os.PathLike[str],
    *,
    target: Literal["script", "trace", "any"] | None = None,
    src: Sequence[str | os.PathLike[str]] = (),
    diff: bool = False,
    out: str | os.PathLike[str] | None = None,
    jobs: int | None = None,
    unsafe: bool = False,
    report: str | os.PathLike[str] | None = None,
    resume: bool = False,
    allow_dirty: bool = False,
    placement: Literal["inner", "module"] | None = None,
    container_style: Literal["call", "annotation"] | None = None,
    init: str | None = None,
    input: Sequence[str] = (),
) -> RunReport:
    """``tsrefactor migrate``: rewrites the models of CASES in place, below ``out``, or, with ``diff``, nowhere.

    Arguments are the flags of the command, and left out they mean the same. The diff is in ``diffs`` of the report; a
    file that was refused is in the ``notes`` of its cases. Ctrl-C ends it early with a report that says
    ``interrupted``. Raises `tsrefactor.errors.UserError`, also where the results could not be written.
    """
    import os
    from pathlib import Path

    from .commands import migrate as command
    from .report.terminal import stderr_console
    from .vocabulary import ContainerStyle, Placement, Target

    flags = command.MigrateFlags(
        target=Target(target) if target else None,
        src=[Path(folder) for folder in src],
        diff=diff,
        out=Path(out) if out else None,
        jobs=jobs,
        unsafe=unsafe,
        report=Path(report) if report else None,
        resume=resume,
        allow_dirty=allow_dirty,
        placement=Placement(placement) if placement else None,
        container_style=ContainerStyle(container_style) if container_style else None,
        init=init,
        inputs=input,
    )
    result = command.migrate(os.fspath(cases), flags, stderr_console())
    if result.errors:
        raise result.errors[0]
    return result.report
