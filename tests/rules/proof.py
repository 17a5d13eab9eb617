"""Proves a rule's example with the real compiler: what `tests/rules/test_examples.py` does for every rule."""

import importlib.util
import re
import sys
from dataclasses import dataclass, replace
from pathlib import Path

from tests.forked import forked
from tsrefactor.cases import Inputs, ModelCase
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.observations import Observations
from tsrefactor.rewrite import find, rewrite
from tsrefactor.rules import Example, Rule, Settings
from tsrefactor.source.document import Document
from tsrefactor.source.file import SourceFile
from tsrefactor.verification.results import Examination, Fingerprint

ROUNDS = 8


@dataclass
class Rewritten:
    """``eager``: what eager does with the text before, also where the target fails."""

    text: str
    before: Examination
    after: Examination
    eager: Fingerprint
    observations: Observations | None


def case_of(path: Path, example: Example) -> ModelCase:
    """The example's model as a case; its file is imported anew by whoever builds it."""

    def module():
        spec = importlib.util.spec_from_file_location("example_module", path)
        loaded = sys.modules[spec.name] = importlib.util.module_from_spec(spec)  # torch looks classes up there
        spec.loader.exec_module(loaded)
        return loaded

    def build():
        return eval(example.model, vars(module())).eval()

    def inputs():
        import torch

        return [Inputs(*args) for args in eval(example.inputs, {"torch": torch})]

    return ModelCase("example", build, inputs)


def examine(path: Path, text: str, example: Example, thorough: bool) -> Examination:
    from tsrefactor.verification.worker import examine as examine_case

    path.write_text(text, encoding="utf-8")
    return forked(examine_case, case_of(path, example), example.breaks.value, thorough, (str(path.parent),))


def eager(path: Path, text: str, example: Example) -> Fingerprint:
    from tsrefactor.verification.worker import fingerprint

    path.write_text(text, encoding="utf-8")
    return forked(lambda: list(fingerprint(case_of(path, example), (str(path.parent),)))[-1])


def observe(path: Path, text: str, example: Example) -> Observations:
    from tsrefactor.record.worker import survey

    path.write_text(text, encoding="utf-8")
    result = forked(survey, case_of(path, example), (str(path.parent),))
    assert result.error is None, result.error
    return result.observations


def settings_of(example: Example) -> Settings:
    return replace(example.settings, target=example.breaks)


def run_rule(rule: Rule, example: Example, folder: Path) -> Rewritten:
    """Applies one rule to an example until it passes or the rule has nothing more to say, as the loop does."""
    path = (folder / "model.py").resolve()
    before = after = examine(path, example.before, example, thorough=True)
    old = eager(path, example.before, example)
    observations = observe(path, example.before, example) if example.recorded else None
    path.write_text(example.before, encoding="utf-8")
    document = Document(SourceFile.read(path))
    for _ in range(ROUNDS):
        diagnoses = [after.diagnosis] if after.diagnosis is not None else []
        result = rewrite(document, [rule], settings_of(example), observations, diagnoses)
        if result.document.text == document.text:
            break
        document = result.document
        after = examine(path, document.text, example, thorough=True)
        if after.passed_as is not None:
            break
    return Rewritten(document.text, before, after, old, observations)


def prove(rule: Rule, example: Example, folder: Path) -> None:
    done = run_rule(rule, example, folder)
    verdict = done.before.verdicts[example.breaks.value]
    assert verdict.outcome.value == example.outcome, f"before: {verdict}"
    assert re.search(example.error, verdict.message + (done.before.diagnosis.text if done.before.diagnosis else ""))
    if example.after is None:
        advice = find([rule], FileFacts(Document(SourceFile.read(folder / "model.py"))), settings_of(example))
        assert advice and not any(f.fixable for f in advice)
        return
    assert done.text == example.after
    assert done.after.passed_as == example.breaks.value, done.after.verdicts
    assert done.after.fingerprint is not None and done.after.thorough
    assert done.eager.differences(done.after.fingerprint) == []
    assert done.eager.keys == done.after.fingerprint.keys
    path = (folder / "model.py").resolve()
    observations = observe(path, example.after, example) if example.recorded else None
    again = rewrite(Document(SourceFile.read(path)), [rule], settings_of(example), observations)
    assert again.document.text == example.after, "a second application changes the text"
