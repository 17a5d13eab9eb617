from pathlib import Path

import pytest

from tsrefactor.rules import all_rules
from tsrefactor.rules.pages import index, page, write_pages

PAGES = Path(__file__).parents[2] / "docs" / "rules"
ANEW = "write the pages anew: python -m tsrefactor.rules.pages docs/rules"


def test_the_list_has_every_rule_with_its_summary(run):
    ended = run("rules")
    assert ended.code == 0
    for line, rule in zip(ended.out.splitlines(), all_rules(), strict=True):
        assert line.startswith(f"{rule.name} ") and line.endswith(f"  {rule.summary()}")


@pytest.mark.parametrize("rule", all_rules(), ids=lambda rule: rule.name)
def test_the_page_on_the_command_line_is_the_one_in_the_docs(run, rule):
    assert run("rules", rule.name).out == page(rule)
    assert (PAGES / f"{rule.name}.md").read_text("utf-8") == page(rule), ANEW


def test_the_docs_hold_these_pages_and_no_others():
    assert (PAGES / "README.md").read_text("utf-8") == index(), ANEW
    assert {path.stem for path in PAGES.glob("*.md")} == {rule.name for rule in all_rules()} | {"README"}, ANEW


def test_a_page_shows_what_the_rule_says_and_its_examples():
    [rule] = [rule for rule in all_rules() if rule.name == "len-to-shape"]
    text = page(rule)
    assert text.startswith("# len-to-shape\n\nRead a tensor's length from its shape.\n")
    assert text.count("```diff") == len(rule.examples)
    assert "-        return torch.arange(len(x)) + 0.5 * x.sum()\n+        return torch.arange(x.shape[0])" in text
    assert "- Targets: trace\n" in text


def test_pages_of_rules_that_are_gone_are_removed(tmp_path):
    (tmp_path / "old-rule.md").write_text("gone")
    write_pages(tmp_path)
    assert not (tmp_path / "old-rule.md").exists() and (tmp_path / "len-to-shape.md").exists()


def test_an_unknown_rule(run):
    ended = run("rules", "soft-refacto")
    assert ended.code == 2 and "did you mean soft-refactor" in ended.err
