"""What a rule is: one kind of rewrite, with its explanation and the examples that prove it."""

from __future__ import annotations

import ast
import inspect
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from tsrefactor.facts.diagnosis import Diagnosis
from tsrefactor.facts.file import FileFacts
from tsrefactor.source.edits import Edit, Piece, Pieces
from tsrefactor.source.edits import kept_arguments as kept_arguments
from tsrefactor.source.imports import Import
from tsrefactor.vocabulary import ContainerStyle, Placement, Safety, Target

_OPERATIONS = (ast.BinOp, ast.BoolOp, ast.Compare, ast.UnaryOp, ast.IfExp, ast.Lambda)
_LONG = 80
"""The characters of a preview."""


@dataclass(frozen=True)
class Settings:
    """What the user chose that changes how a rewrite looks."""

    target: Target | None = None
    placement: Placement = Placement.INNER
    container_style: ContainerStyle = ContainerStyle.CALL
    unsafe: bool = False  # unsafe findings are made, too


@dataclass(frozen=True)
class Example:
    """A rule's documentation and its test in one.

    ``before`` and ``after`` are whole files that define ``Model``; ``inputs`` is the source of a list of argument
    tuples (``torch`` is at hand), of more than one size where the rule is about sizes. ``before`` must fail under the
    target ``breaks`` with the outcome ``outcome`` and a message that ``error`` (a regular expression) finds; ``after``
    must pass. ``model`` builds the module. ``recorded`` says that the rule needs facts of a run of ``inputs``.
    """

    before: str
    after: str | None
    inputs: str
    breaks: Target
    outcome: str = "compile-error"
    error: str = ""
    model: str = "Model()"
    recorded: bool = False
    settings: Settings = Settings()


@dataclass(frozen=True, eq=False)
class Finding:
    """A place where a rule applies.

    Without edits it is advice. ``presumed``: it rests on the presumption that a parameter is a tensor, and is unsafe
    until a case proves it. ``caveat``: what the user must know though the edit is safe. ``partial``: a path that no
    run reached raises under script. ``trap``: without it the model may compile and be silently wrong, so that it stays
    even where the proof passes without it. ``answers``: the diagnosis that called for it, if one did.
    """

    rule: str
    message: str
    node: ast.AST
    edits: tuple[Edit, ...] = ()
    imports: frozenset[Import] = frozenset()
    safety: Safety = Safety.SAFE
    presumed: bool = False
    caveat: str | None = None
    partial: bool = False
    trap: bool = False
    answers: Diagnosis | None = None

    @property
    def fixable(self) -> bool:
        return bool(self.edits)

    @property
    def line(self) -> int:
        return getattr(self.node, "lineno", 1)

    @property
    def column(self) -> int:
        """1-based, in characters of an ASCII line."""
        return getattr(self.node, "col_offset", 0) + 1


class Rule(ABC):
    """One kind of rewrite.

    The docstring is the rule's page: what it does, why TorchScript needs it and the source that says so, what it
    leaves alone. ``answers`` names the kinds of `Diagnosis` that it can mend; a rule with ``needs_diagnosis`` finds
    nothing without one. ``fallback`` rules come after all others.
    """

    name: ClassVar[str]
    targets: ClassVar[frozenset[Target]]
    safety: ClassVar[Safety] = Safety.SAFE
    answers: ClassVar[frozenset[str]] = frozenset()
    needs_diagnosis: ClassVar[bool] = False
    fallback: ClassVar[bool] = False
    examples: ClassVar[Sequence[Example]]

    @abstractmethod
    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        """The places in the file where the rule applies."""

    def finding(
        self,
        node: ast.AST,
        message: str,
        *edits: Edit,
        imports: Iterable[Import] = (),
        presumed: bool = False,
        caveat: str | None = None,
        partial: bool = False,
        trap: bool = False,
        answers: Diagnosis | None = None,
        safety: Safety | None = None,
    ) -> Finding:
        """A finding of this rule."""
        return Finding(
            self.name,
            message,
            node,
            edits,
            frozenset(imports),
            safety or self.safety,
            presumed,
            caveat,
            partial,
            trap,
            answers,
        )

    def diagnoses(self, file: FileFacts) -> Iterator[Diagnosis]:
        """The diagnoses in this file that the rule answers."""
        if not file.diagnoses:
            return iter(())
        here = str(file.source.path)
        return (d for d in file.diagnoses if d.kind in self.answers and d.place is not None and d.place.file == here)

    def for_trace(self, file: FileFacts, settings: Settings) -> bool:
        """Whether a rule of both targets is to look for what a trace keeps.

        A diagnosis is of code that the trace compiles: that is answered as for a script.
        """
        return settings.target is Target.TRACE and not any(self.diagnoses(file))

    @classmethod
    def summary(cls) -> str:
        """The docstring's first line."""
        return inspect.getdoc(cls).partition("\n")[0]  # type: ignore[union-attr]


def preview(template: str, pieces: Pieces) -> str:
    """What a template will write, for a message: in one line, cut where that is long."""
    texts = {name: value if isinstance(value, str) else _shown(value) for name, value in pieces.items()}
    operations = [name for name, value in pieces.items() if isinstance(value, _OPERATIONS)]
    texts |= {name: f"({texts[name]})" for name in operations if _is_operand(template, re.escape(f"{{{name}}}"))}
    return _cut("; ".join(line.strip() for line in template.format(**texts).splitlines() if line.strip()))


def _is_operand(template: str, place: str) -> bool:
    return re.search(rf"[-+*/%@<>|&^]\s*{place}|{place}(?:\.|\s*[-+*/%@<>|&^])", template) is not None


def shortened(node: ast.expr) -> str:
    """An expression of the author's for a message: in one line, cut where that is long."""
    return _cut(ast.unparse(node))


def _cut(text: str) -> str:
    return text if len(text) <= _LONG else f"{text[: _LONG - 1]}…"


def _shown(piece: ast.expr | Sequence[ast.stmt] | Piece) -> str:
    kept = piece.kept if isinstance(piece, Piece) else piece
    return ast.unparse(kept) if isinstance(kept, ast.expr) else "…"
