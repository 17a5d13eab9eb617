"""``--report FILE``: a report in the form that the file's ending names."""

from __future__ import annotations

from pathlib import Path

from tsrefactor.errors import UserError
from tsrefactor.report.html import to_html
from tsrefactor.report.json import from_json, to_json
from tsrefactor.report.model import RunReport
from tsrefactor.source.write import write_bytes

_FORMS = {".json": to_json, ".html": to_html}


def check_report_path(path: Path) -> None:
    """Raises UserError, before the work starts, for a file that `save_report` would not take."""
    if path.suffix not in _FORMS:
        raise UserError("a report ends in .json or .html", "rename it", path)
    if path.is_dir():
        raise UserError("is a folder", "name a file", path)
    if not path.parent.is_dir():
        raise UserError("the folder does not exist", "create it first", path.parent)


def save_report(report: RunReport, path: Path) -> None:
    """Writes the report in one step. Raises UserError for another ending, and where the file cannot be written."""
    check_report_path(path)
    write_bytes(path, _FORMS[path.suffix](report).encode("utf-8", "backslashreplace"))


def load_report(path: Path) -> RunReport:
    """Reads a JSON report. Raises UserError where it is missing or no such report."""
    try:
        return from_json(path.read_bytes(), path)
    except FileNotFoundError:
        raise UserError("no such report", "run without --resume first", path) from None
    except OSError as error:
        raise UserError(f"cannot be read: {error.strerror}", "check its permissions", path) from None
