"""The page of a rule in Markdown: what ``tsrefactor rules NAME`` prints and what stands in ``docs/rules``.

``python -m tsrefactor.rules.pages docs/rules`` writes the pages anew.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from difflib import ndiff
from pathlib import Path

from tsrefactor.vocabulary import Target

from . import Example, Rule, all_rules


def page(rule: Rule) -> str:
    """The rule's page: its docstring, what it serves and answers, and its examples with their changes marked."""
    parts = [f"# {rule.name}", inspect.getdoc(type(rule)) or "", "\n".join(_properties(rule))]
    several = len(rule.examples) > 1
    for number, example in enumerate(rule.examples, 1):
        parts += [f"## Example {number}" if several else "## Example", *_example(example)]
    return "\n\n".join(parts) + "\n"


def targets_of(rule: Rule) -> str:
    """The targets that a rule serves, in the order they are always named."""
    return ", ".join(target.value for target in Target if target in rule.targets)


def index() -> str:
    """The list of all rules, linked to their pages."""
    rows = [f"| [{rule.name}]({rule.name}.md) | {targets_of(rule)} | {rule.safety.value} | {rule.summary()} |"
            for rule in sorted(all_rules(), key=lambda rule: rule.name)]  # fmt: skip
    head = "# Rules\n\nMade by `python -m tsrefactor.rules.pages docs/rules` from the rules themselves.\n\n"
    return head + "\n".join(["| rule | targets | safety | what it does |", "|---|---|---|---|", *rows]) + "\n"


def write_pages(folder: Path) -> None:
    """Writes every page and the index, and removes the pages of rules that are no more."""
    pages = {f"{rule.name}.md": page(rule) for rule in all_rules()} | {"README.md": index()}
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.md"):
        if old.name not in pages:
            old.unlink()
    for name, text in pages.items():
        (folder / name).write_text(text, encoding="utf-8")


def _properties(rule: Rule) -> Iterator[str]:
    yield f"- Targets: {targets_of(rule)}"
    yield f"- Safety: {rule.safety.value}"
    if rule.answers:
        yield f"- Answers: {', '.join(f'`{kind}`' for kind in sorted(rule.answers))}"
    if rule.needs_diagnosis:
        yield "- Applied where the compiler complains, in `migrate` only"


def _example(example: Example) -> Iterator[str]:
    said = f" (`{example.error}`)" if example.error else ""
    yield f"Before, it fails under {example.breaks.value}: {example.outcome}{said}."
    if example.recorded:
        yield "The types come from a recorded run."
    if example.after is None:
        yield "It is told where; nothing is rewritten."
    after = example.before if example.after is None else example.after
    lines = ndiff(example.before.splitlines(), after.splitlines())
    marked = [f"{line[0]}{line[2:]}".rstrip() for line in lines if not line.startswith("?")]
    yield "\n".join(["```diff", *marked, "```"])
    yield f"Inputs: `{' '.join(example.inputs.split())}`"


if __name__ == "__main__":
    write_pages(Path(sys.argv[1]))
