"""What a rule makes of a text, without running it: for refusals and odd forms."""

from pathlib import Path

from tsrefactor.facts.diagnosis import Diagnosis, Place
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.observations import Observations
from tsrefactor.rewrite import rewrite
from tsrefactor.rules import Finding, Rule, Settings
from tsrefactor.source.document import Document
from tsrefactor.source.file import SourceFile
from tsrefactor.vocabulary import Target

SETTINGS = Settings(Target.SCRIPT)


def source(path: Path, text: str) -> SourceFile:
    path.write_text(text, encoding="utf-8")
    return SourceFile.read(path)


def diagnosis(file: SourceFile, kind: str, at: str, chain: tuple[str, ...] = (), **names: str) -> Diagnosis:
    """A diagnosis at the first place in the file that reads ``at``."""

    def place(text: str) -> Place:
        before = file.text[: file.text.index(text)]
        return Place(str(file.path), before.count("\n") + 1, len(before) - before.rfind("\n") - 1)

    return Diagnosis(kind, kind, place=place(at), chain=tuple(map(place, chain)), names=names)


def findings(
    rule: Rule, file: SourceFile, *diagnoses: Diagnosis, observations: Observations | None = None
) -> list[Finding]:
    return list(rule.findings(FileFacts(Document(file), observations, diagnoses), SETTINGS))


def rewritten(rule: Rule, file: SourceFile, *diagnoses: Diagnosis) -> str:
    return rewrite(Document(file), [rule], SETTINGS, None, diagnoses).document.text
