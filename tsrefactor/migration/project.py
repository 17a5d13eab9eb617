"""The state of one migration: the documents, what was seen of them, and who made which change for which case."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tsrefactor.errors import UserError
from tsrefactor.facts.diagnosis import Diagnosis
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.observations import Observations
from tsrefactor.record.sources import Sources
from tsrefactor.rewrite import Applied, Rewrite, apply_findings
from tsrefactor.rules import Finding, Rule
from tsrefactor.source.document import Document
from tsrefactor.source.file import SourceFile
from tsrefactor.vocabulary import ContainerStyle, Placement, Target


@dataclass(frozen=True)
class Options:
    """How to migrate.

    ``target``: the one asked for, before the case's own; ``default_target``: where neither says. ``placement``: None
    means what the target wants. ``source``: the folders whose files may be rewritten. ``seconds`` and ``memory_gib``:
    limits of one attempt; ``rounds`` and ``case_seconds``, in attempts, of the mending of one case.
    """

    rules: Sequence[Rule]
    source: tuple[Path, ...]
    target: Target | None = None
    default_target: Target = Target.SCRIPT
    placement: Placement | None = None
    container_style: ContainerStyle = ContainerStyle.CALL
    unsafe: bool = False
    seconds: float = 60.0
    memory_gib: float = 8.0
    rounds: int = 40
    case_seconds: float = 240.0
    exclude: frozenset[str] = frozenset()

    def target_of(self, own: str | None) -> Target:
        """The target of a case whose own is ``own``. Raises ValueError for a word that is none."""
        return self.target or (Target(own) if own else self.default_target)


class Rewritable:
    """Which files may be rewritten: those under the source folders, installed packages and excluded ones aside."""

    def __init__(self, options: Options):
        self._sources = Sources([str(folder) for folder in options.source])
        self._excluded = options.exclude

    def __call__(self, path: str) -> bool:
        return path.endswith(".py") and path not in self._excluded and self._sources.realpath(path) is not None


@dataclass
class Draft:
    """One version of the documents, with the findings that were made in them. Copied for every attempt."""

    documents: dict[str, Document] = field(default_factory=dict)
    applied: list[Applied] = field(default_factory=list)

    def document(self, path: str) -> Document:
        """The document of a file, read when first asked for. Raises UserError."""
        if path not in self.documents:
            self.documents[path] = Document(SourceFile.read(path))
        return self.documents[path]

    def copy(self) -> Draft:
        return Draft(dict(self.documents), list(self.applied))

    @property
    def overlay(self) -> dict[str, str]:
        """Path → text of the files that differ from the disk."""
        return {path: document.text for path, document in self.documents.items() if document.changed}

    def without(self, changes: Iterable[int]) -> Draft:
        """This version without these changes and what was made inside them."""
        gone = set(changes)
        documents = {}
        for path, document in self.documents.items():
            here = gone & set(document.changes)
            documents[path] = document.without(here) if here else document
        kept = {c for d in documents.values() for c in d.changes}
        return Draft(documents, [a for a in self.applied if a.change in kept])

    def apply(self, path: str, findings: Sequence[Finding]) -> Rewrite:
        """Makes findings of one file's current text here; returns what was made and what was refused."""
        rewrite, _ = apply_findings(self.document(path), findings)
        self.documents[path] = rewrite.document
        self.applied += rewrite.applied
        return rewrite

    def facts(
        self,
        path: str,
        observations: Observations | None,
        diagnoses: Sequence[Diagnosis] = (),
        focus: frozenset[int] | None = None,
    ) -> FileFacts:
        """The facts of one file as it reads here. Raises UserError for a file that cannot be read or parsed."""
        return FileFacts(self.document(path), observations, diagnoses, focus)


def readable(draft: Draft, paths: Iterable[str]) -> list[str]:
    """Those of the paths that can be read and parsed: the others are not ours to mend."""
    fine = []
    for path in paths:
        try:
            _ = draft.document(path).current.tree
        except UserError:
            continue
        fine.append(path)
    return fine
