"""``tsrefactor rules``: the list, or one rule explained."""

from __future__ import annotations

from tsrefactor.rules import all_rules, rule_named
from tsrefactor.rules.pages import page, targets_of


def rules(name: str | None) -> int:
    """Prints the list or the page on standard output; exit code 0. Raises UserError for an unknown name."""
    if name is not None:
        print(page(rule_named(name)), end="")
        return 0
    known = all_rules()
    rows = [(rule.name, targets_of(rule), rule.safety.value, rule.summary()) for rule in known]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for row in rows:
        print("  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[3]]))
    return 0
