"""The documents say what is: the tutorial's commands are run, and flags, keys, rules and links are kept in step."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, get_args

import pytest
import typer

from tests.rules.proof import prove
from tsrefactor.cli import app
from tsrefactor.config import Config
from tsrefactor.diagnose import KINDS, WARNING_KINDS
from tsrefactor.report.json import to_json
from tsrefactor.report.model import CaseReport, EditReport, Place, RunReport
from tsrefactor.rules import Rule, all_rules
from tsrefactor.source.edits import Edit
from tsrefactor.vocabulary import Outcome, Status, Target, Verdict

ROOT = Path(__file__).parents[1]
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), ROOT / "fixtures" / "README.md"]
COMMANDS: dict[str, Any] = typer.main.get_command(app).commands  # type: ignore[attr-defined]


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def section(page: str, title: str) -> str:
    """The text below a heading of the second level."""
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL)
    assert found, f"no section {title}"
    return found[1]


def first_cells(text: str) -> list[str]:
    """The first cells of a section's tables, their heads left out."""
    tables = re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE)
    return [row.split("|")[1].strip() for table in tables for row in table.splitlines()[2:]]


# -- the tutorial ------------------------------------------------------------------------------------------------------

BLOCK = re.compile(r"(?:`(?P<file>\w+\.py)`[^\n]*:\n\n)?```(?P<kind>\w+)\n(?P<body>.*?)```", re.DOTALL)
COMMAND = re.compile(r"^\$ (?P<line>.*?)(?:  # exit code (?P<code>\d+))?\n(?P<output>(?:(?!\$ ).*\n)*)", re.MULTILINE)
PROGRESS = re.compile(r"^(?:\d+/\d+ cases: |importing ).*\n", re.MULTILINE)


def rendered(page: str, folder: Path) -> str:
    """A page with its files written to a folder, its commands run there, and their real output and exit codes."""
    programs = folder / "bin"
    programs.mkdir()
    for name, line in (("python", '"$@"'), ("tsrefactor", '-m tsrefactor "$@"')):
        (programs / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {line}\n')
        (programs / name).chmod(0o755)
    project = folder / "project"
    project.mkdir()
    environment = dict(os.environ, PYTHONPATH=str(ROOT), OMP_NUM_THREADS="1", COLUMNS="80")
    environment["PATH"] = f"{programs}{os.pathsep}{environment['PATH']}"

    def run(command: re.Match[str]) -> str:
        done = subprocess.run(
            ["sh", "-c", command["line"]],
            cwd=project, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        )  # fmt: skip
        code = f"  # exit code {done.returncode}" if done.returncode else ""
        return f"$ {command['line']}{code}\n{PROGRESS.sub('', done.stdout)}"

    def block(found: re.Match[str]) -> str:
        if found["file"]:
            (project / found["file"]).write_text(found["body"])
        if found["kind"] != "console":
            return found[0]
        return f"```console\n{COMMAND.sub(run, found['body'])}```"

    return BLOCK.sub(block, page)


def test_tutorial_prints_what_it_says(tmp_path):
    page = read("docs/tutorial.md")
    assert rendered(page, tmp_path).splitlines() == page.splitlines()


def test_readme_quotes_the_zoo():
    """The table has its cases in their order, and the diff fits its files."""
    page = read("README.md")
    table = re.search(r"^case +status.*?```", page, re.MULTILINE | re.DOTALL)
    assert table
    quoted = re.findall(r"^(\S+) +(?:already|migrated|partial|failed|error) ", table[0], re.MULTILINE)
    names = re.findall(r"ModelCase\(\s*['\"]([\w-]+)['\"]", read("fixtures/zoo.py"))
    assert names and quoted == names
    diff = re.findall(r"```diff\n(.*?)```", page, re.DOTALL)[0]
    done = subprocess.run(
        ["git", "apply", "--check", "--verbose", "-"],
        cwd=ROOT, input=diff, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0 and "Checking patch fixtures/" in done.stderr, done.stderr


# -- the command reference ---------------------------------------------------------------------------------------------


def flags_of(command: str) -> set[str]:
    return {flag for p in COMMANDS[command].params if p.param_type_name == "option" for flag in p.opts}


@pytest.mark.parametrize("command", COMMANDS)
def test_reference_lists_the_flags_of(command):
    cells = " ".join(first_cells(section(read("docs/commands.md"), command)))
    assert set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", cells)) == flags_of(command)


def test_every_line_that_calls_a_command_uses_flags_it_has():
    calls = [
        (page.name, command, flag)
        for page in PAGES
        for command, rest in re.findall(r"tsrefactor (\w+)([^`\n#]*)", page.read_text(encoding="utf-8"))
        if command in COMMANDS
        for flag in re.findall(r"(?<![\w-])--?[a-z][a-z-]*", rest.split(" -- ")[0])
    ]
    assert len(calls) > 10
    assert [call for call in calls if call[2] not in flags_of(call[1])] == []


def test_reference_lists_the_configuration():
    cells = first_cells(section(read("docs/commands.md"), "Configuration"))
    assert set(cells) == {f"`{field.alias or name}`" for name, field in Config.model_fields.items()}


def shape(data: Any) -> Any:
    """The keys of nested objects; of a list, those of its first element."""
    if isinstance(data, dict):
        return {key: shape(value) for key, value in data.items()}
    return shape(data[0]) if isinstance(data, list) and data else None


def test_reference_shows_the_report_as_it_is():
    verdict = Verdict(Outcome.COMPILE_ERROR, "message", "model.py", 1)
    case = CaseReport("name", Status.FAILED, before={"script": verdict}, after={"script": verdict})
    case.edits, case.raises_at, case.notes = [EditReport("rule", "model.py", 1, True)], [Place("model.py", 1)], ["note"]
    real = json.loads(to_json(RunReport("2", Target.SCRIPT, [case], {"model.py": "diff"})))
    shown = json.loads(re.findall(r"```json\n(.*?)```", read("docs/commands.md"), re.DOTALL)[0])
    del shown["diffs"]["tagger.py"], real["diffs"]["model.py"]
    assert shape(shown).keys() == shape(real).keys()
    assert shown["summary"].keys() == real["summary"].keys()
    assert shape(shown)["cases"].keys() == shape(real)["cases"].keys()
    assert shape(shown)["cases"]["edits"] == shape(real)["cases"]["edits"]
    assert shape(shown)["cases"]["before"]["script"] == shape(real)["cases"]["before"]["script"]


# -- rules -------------------------------------------------------------------------------------------------------------


def documented_rule(folder: Path) -> Rule:
    """The rule that docs/writing-a-rule.md holds, loaded as a module of tsrefactor.rules."""
    source = re.findall(r'```python\n("""activation-in-forward\..*?)```', read("docs/writing-a-rule.md"), re.DOTALL)[0]
    path = folder / "activation_in_forward.py"
    path.write_text(source)
    spec = importlib.util.spec_from_file_location(f"tsrefactor.rules.{path.stem}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.ActivationInForward()


def test_documented_rule_is_proven(tmp_path):
    rule = documented_rule(tmp_path)
    assert rule.examples
    for example in rule.examples:
        prove(rule, example, tmp_path)


def test_documented_edits_are_all_there_are():
    cells = first_cells(section(read("docs/writing-a-rule.md"), "Edits"))
    assert {re.match(r"`(\w+)\(", cell)[1] for cell in cells} == {edit.__name__ for edit in get_args(Edit)}


def test_documented_attributes_are_those_of_a_rule():
    cells = first_cells(section(read("docs/writing-a-rule.md"), "What a rule says of itself"))
    assert {cell.strip("`") for cell in cells} - {"docstring"} == set(Rule.__annotations__)


@pytest.mark.parametrize("rule", all_rules(), ids=lambda rule: rule.name)
def test_rule_answers_kinds_that_exist(rule):
    assert rule.answers - KINDS - WARNING_KINDS == set()


# -- everything --------------------------------------------------------------------------------------------------------


def anchors(page: Path) -> set[str]:
    titles = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    prose = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)]+)\)", prose):
        if target.startswith("http"):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), target
        assert not anchor or anchor in anchors(file), target


def _write_tutorial() -> None:
    """``python -m tests.test_docs`` writes the tutorial anew, with what its commands print now."""
    with tempfile.TemporaryDirectory() as folder:
        text = rendered(read("docs/tutorial.md"), Path(folder))
    (ROOT / "docs" / "tutorial.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    _write_tutorial()
