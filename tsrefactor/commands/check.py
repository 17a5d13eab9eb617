"""``tsrefactor check``: findings, nothing changed. Imports neither torch nor libcst."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from tsrefactor.config import load
from tsrefactor.errors import UserError
from tsrefactor.facts.file import FileFacts
from tsrefactor.report.model import FindingReport
from tsrefactor.report.terminal import print_findings, stderr_console
from tsrefactor.rules import Finding, Rule, Settings
from tsrefactor.source.document import Document
from tsrefactor.source.file import SourceFile
from tsrefactor.vocabulary import Safety, Target

from .common import chosen_files, chosen_rules, defect, print_error, settings_for, shown


def check(paths: Sequence[Path], target: Target | None, rule_names: Sequence[str]) -> int:
    """Prints the findings of the chosen rules; exit code 0 with none, 1 with some, 2 where a file could not be read."""
    config = load()
    rules = chosen_rules(rule_names, config, config.unsafe, target)
    settings = settings_for(config, target, rules if rule_names else ())
    files, errors = chosen_files(paths, config)
    found: list[FindingReport] = []
    for file in files:
        try:
            found += findings_in(SourceFile.read(file), rules, settings)
        except UserError as error:
            errors.append(error)
        except Exception as error:  # a rule's defect in one file must not hide the findings in the others
            errors.append(defect(file, error))
    print_findings(found, sys.stdout, stderr_console())
    for problem in errors:
        print_error(problem)
    return 2 if errors else 1 if found else 0


def findings_in(source: SourceFile, rules: Sequence[Rule], settings: Settings) -> list[FindingReport]:
    """The findings of the rules in one file. Raises UserError for one that cannot be parsed."""
    _ = source.tree  # what is no Python is told, whether it speaks of torch or not
    if "torch" not in source.text:
        return []
    facts = FileFacts(Document(source))
    return [_report(finding, source) for rule in rules for finding in rule.findings(facts, settings)]


def _report(finding: Finding, source: SourceFile) -> FindingReport:
    column = source.column(finding.line, getattr(finding.node, "col_offset", 0))
    safety = Safety.UNSAFE if finding.presumed else finding.safety
    place = shown(source.path), finding.line, column
    return FindingReport(*place, finding.rule, finding.message, finding.fixable, safety)
